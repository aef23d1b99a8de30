//! What every protocol must keep, checked in one call.

use crate::{Change, Random, Sent, Tamper, World, reconstruct, uniform_bytes};
use std::time::Duration;
use trefoil_mpc::{Abort, Cost, Party, Share};
use trefoil_net::Role;
use trefoil_ring::Ring;

/// Runs per party and secret in the view test.
const VIEWS: u64 = 400;
/// Byte positions of a view that are tested, and their pairwise differences.
const POSITIONS: usize = 24;
/// Messages tampered with, spread over the run.
const TAMPERED: usize = 12;

/// Input values from a generator and the inputs' shapes.
pub type Generator<'a, R> = dyn Fn(&mut Random, &[&[usize]]) -> Vec<Vec<R>> + 'a;
/// Panics where outputs do not follow from inputs.
pub type Oracle<'a, R> = dyn Fn(&[Vec<R>], &[Vec<R>]) + 'a;

/// A protocol and what it promises.
pub struct Contract<'a, R> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Shapes of its inputs in the correctness test.
    pub shapes: &'a [&'a [usize]],
    /// Values of its inputs: by generator and shapes.
    pub values: &'a Generator<'a, R>,
    /// Shapes for the view test: small.
    pub small: &'a [&'a [usize]],
    /// Panics where outputs do not follow from inputs.
    pub oracle: &'a Oracle<'a, R>,
    /// Cost by input shapes.
    pub cost: &'a dyn Fn(&[&[usize]]) -> Cost,
}

/// Check that a message cut, lengthened or of another step is noticed where it arrives, for messages all over a run
/// of `protocol` on `inputs` (shape, values).
///
/// # Panics
/// If one is not.
pub fn tampering_is_noticed<R: Ring, T: Send>(
    name: &str,
    random: &mut Random,
    inputs: &[(Vec<usize>, Vec<R>)],
    protocol: impl AsyncFn(&Party, &[Share<R>]) -> Result<T, Abort> + Sync,
) {
    let mut world = World::new(random.word());
    world.timeout = Duration::from_secs(5);
    let log = world.run(inputs, &protocol).log;
    let step = log.len().div_ceil(TAMPERED).max(1);
    for message in log.iter().step_by(step) {
        for change in [Change::Cut, Change::Lengthen, Change::Tag] {
            let (from, to) = (message.from, message.to);
            world.tamper = Some(Tamper {
                from,
                to,
                branch: message.branch,
                number: message.number,
                change,
            });
            let run = world.run(inputs, &protocol);
            assert!(
                matches!(&run.outputs[to.index()], Err(Abort::Unexpected { peer, .. }) if *peer == from),
                "{name}: {change:?} of a message from {from} to {to} was not noticed"
            );
        }
    }
}

/// Check that the traffic's shape is the same for all `inputs` (one run each).
///
/// # Panics
/// If it is not.
pub fn one_traffic_shape<R: Ring, T: Send>(
    name: &str,
    random: &mut Random,
    inputs: impl Iterator<Item = Vec<(Vec<usize>, Vec<R>)>>,
    protocol: impl AsyncFn(&Party, &[Share<R>]) -> Result<T, Abort> + Sync,
) {
    let world = World::new(random.word());
    let mut shapes = inputs.map(|inputs| {
        world
            .run(&inputs, &protocol)
            .log
            .iter()
            .map(Sent::shape)
            .collect::<Vec<_>>()
    });
    let first = shapes.next();
    assert!(
        shapes.all(|shape| Some(shape) == first),
        "{name}: the traffic's shape depends on inputs"
    );
}

/// Check `protocol` against its contract: the oracle on several seeds, exact cost, one traffic shape for all
/// inputs, the view test, and tampered messages.
///
/// # Panics
/// If anything does not hold, with what and the seed.
pub fn contract<R: Ring>(
    contract: &Contract<'_, R>,
    protocol: impl AsyncFn(&Party, &[Share<R>]) -> Result<Vec<Share<R>>, Abort> + Sync,
) {
    let mut random = Random::printed(contract.name);
    for _ in 0..4 {
        correct(contract, &mut random, &protocol);
    }
    let small: Vec<Inputs<R>> = (0..3)
        .map(|_| inputs(contract, &mut random, contract.small))
        .collect();
    one_traffic_shape(contract.name, &mut random, small.iter().cloned(), &protocol);
    views(contract, &mut random, &protocol);
    tampering_is_noticed(contract.name, &mut random, &small[0], &protocol);
}

type Inputs<R> = Vec<(Vec<usize>, Vec<R>)>;

fn inputs<R: Ring>(
    contract: &Contract<'_, R>,
    random: &mut Random,
    shapes: &[&[usize]],
) -> Inputs<R> {
    let values = (contract.values)(random, shapes);
    shapes.iter().map(|s| s.to_vec()).zip(values).collect()
}

fn correct<R: Ring>(
    contract: &Contract<'_, R>,
    random: &mut Random,
    protocol: &(impl AsyncFn(&Party, &[Share<R>]) -> Result<Vec<Share<R>>, Abort> + Sync),
) {
    let inputs = inputs(contract, random, contract.shapes);
    let run = World::new(random.word()).run(&inputs, protocol);
    let expected = (contract.cost)(contract.shapes);
    let found = Cost {
        rounds: run.rounds(),
        bytes: run.traffic.map(|t| t.bytes_sent()),
    };
    let outputs = run.unwrap();
    assert_eq!(found, expected, "{}: cost", contract.name);
    let values: Vec<Vec<R>> = (0..outputs[0].len())
        .map(|i| reconstruct([&outputs[0][i], &outputs[1][i], &outputs[2][i]]))
        .collect();
    let inputs: Vec<Vec<R>> = inputs.into_iter().map(|(_, values)| values).collect();
    (contract.oracle)(&inputs, &values);
}

/// Fix a party's shares and keys and vary only the key that the two others share: every byte it receives, and
/// every difference of two, must be uniform, for two different secrets.
fn views<R: Ring>(
    contract: &Contract<'_, R>,
    random: &mut Random,
    protocol: &(impl AsyncFn(&Party, &[Share<R>]) -> Result<Vec<Share<R>>, Abort> + Sync),
) {
    for corrupt in Role::ALL {
        for _ in 0..2 {
            let world = World::new(random.word());
            let inputs = inputs(contract, random, contract.small);
            let views: Vec<Vec<u8>> = (0..VIEWS)
                .map(|_| {
                    let run = world
                        .vary_others(corrupt, random.word())
                        .run(&inputs, protocol);
                    run.log
                        .iter()
                        .filter(|m| m.to == corrupt)
                        .flat_map(|m| m.payload.iter().copied())
                        .collect()
                })
                .collect();
            let bytes = views[0].len();
            let step = bytes.div_ceil(POSITIONS).max(1);
            let positions: Vec<usize> = (0..bytes).step_by(step).collect();
            for (i, &a) in positions.iter().enumerate() {
                let column =
                    |f: &dyn Fn(&[u8]) -> u8| views.iter().map(|v| f(v)).collect::<Vec<u8>>();
                assert!(
                    uniform_bytes(&column(&|v| v[a])) || partial(&views, a),
                    "{}: byte {a} of what {corrupt} receives is not uniform",
                    contract.name
                );
                for &b in &positions[..i] {
                    assert!(
                        uniform_bytes(&column(&|v| v[a].wrapping_sub(v[b])))
                            || partial(&views, a)
                            || partial(&views, b),
                        "{}: bytes {a} and {b} of what {corrupt} receives are related",
                        contract.name
                    );
                }
            }
        }
    }
}

/// Whether a byte is the unfilled last byte of packed bits: its used low bits uniform, the others always 0.
fn partial(views: &[Vec<u8>], position: usize) -> bool {
    let used = views.iter().fold(0, |used, v| used | v[position]);
    let bits = used.count_ones();
    if used == u8::MAX || used != ((1_u16 << bits) - 1) as u8 || bits == 0 {
        return false;
    }
    let samples = views.iter().map(|v| usize::from(v[position]));
    crate::chi_square(samples, 1 << bits) < 60.0 + 2.5 * f64::from(1_u32 << bits)
}
