//! Protocols with one mistake each: the audit's permanent positive controls.
//!
//! An audit that finds nothing says something only if it would have found these. None of them is reachable from
//! serving code, and none computes anything worth having.

mod clients;
mod masks;

use crate::Entry;
use crate::finding::Test;
use crate::random::Random;
use crate::world::Secret;
use trefoil_mpc::{Abort, MessageKind, Party, Share, msb, open_bits};
use trefoil_net::Role;
use trefoil_ring::{Ring, Z64};

/// Elements of the secrets.
const LEN: usize = 8;

/// A broken protocol and what is wrong with it.
pub struct Mutant {
    /// The protocol.
    pub entry: Entry,
    /// The mistake.
    pub mistake: &'static str,
    /// A test that must notice it.
    pub noticed_by: Test,
}

/// All mutants; each must be caught.
pub fn mutants() -> Vec<Mutant> {
    let mutant = |entry, mistake, noticed_by| Mutant {
        entry,
        mistake,
        noticed_by,
    };
    let mut all = vec![
        mutant(
            Entry::new::<Z64>(
                "mutant: product without mask",
                &[],
                numbers,
                async |p, x| {
                    let part = product_part(p, &x.shares[0], &x.shares[1]);
                    exchange(p, &part).await.map(drop)
                },
            ),
            "an evaluator sends its part of a product without the mask that it shares with party 0",
            Test::Words,
        ),
        mutant(
            Entry::new::<Z64>("mutant: mask used twice", &[], numbers, async |p, x| {
                let (left, right) = (&x.shares[0], &x.shares[1]);
                let mask = evaluators_mask(p, LEN);
                for (a, b) in [(left, right), (left, left)] {
                    let part = add(&product_part(p, a, b), &mask);
                    exchange(p, &part).await?;
                }
                Ok(())
            }),
            "two products leave under one mask: each word is uniform, their difference is not",
            Test::Pairs,
        ),
        mutant(
            Entry::new::<Z64>(
                "mutant: truncation with a constant r",
                &[],
                numbers,
                constant_r,
            ),
            "the masked value x + r is opened for a constant r; its shares are uniform, their sum is not",
            Test::Pairs,
        ),
        mutant(
            Entry::new::<Z64>(
                "mutant: comparison bit in the clear",
                &[],
                words,
                async |p, x| {
                    open_bits(p, &msb(p, &x.shares[0], 64).await?)
                        .await
                        .map(drop)
                },
            ),
            "the result of a comparison is opened to everybody",
            Test::Words,
        ),
        mutant(
            Entry::new::<Z64>("mutant: length depends on data", &[], parities, only_odd),
            "only the odd elements are sent, so that the length tells how many there are",
            Test::Shape,
        ),
        mutant(
            Entry::new::<Z64>(
                "mutant: draw skipped on a branch",
                &[],
                parities,
                async |p, x| {
                    // The mask is drawn only where the element is odd.
                    let component = component(p, &x.shares[0]);
                    let mask = evaluators_mask(p, LEN);
                    let masked = component.iter().zip(mask);
                    let message: Vec<Z64> = masked
                        .map(|(&v, m)| if v.to_u64() & 1 == 1 { v + m } else { v })
                        .collect();
                    exchange(p, &message).await.map(drop)
                },
            ),
            "a mask is drawn on one branch of a condition only",
            Test::Words,
        ),
        mutant(
            Entry::new::<Z64>(
                "mutant: one factor for two values",
                &[],
                numbers,
                one_factor,
            ),
            "party 2 opens r x and r y: each is masked, their ratio is not (as in Bicoptor 2.0)",
            Test::Relations,
        ),
    ];
    all.extend(masks::mutants());
    all.extend(clients::mutants());
    all
}

/// Uniform numbers, and others.
fn numbers(random: &mut Random) -> [Secret<Z64>; 2] {
    let mut some = || -> Secret<Z64> {
        (0..2)
            .map(|_| {
                let values = (0..LEN).map(|_| Z64::from_i64(random.word() as i64 >> 2));
                (vec![LEN], values.collect())
            })
            .collect()
    };
    [some(), some()]
}

/// As many numbers as fill a word with their signs: an opened word of fewer bits would be noticed by its padding.
fn words(random: &mut Random) -> [Secret<Z64>; 2] {
    let values: Vec<Z64> = random.elements(64);
    let negated = values.iter().map(|&v| -v).collect();
    [vec![(vec![64], values)], vec![(vec![64], negated)]]
}

/// Uniform numbers, and the same with the parity of all but one changed: an element that is even in one secret is odd
/// in the other, and there are never as many odd ones in both.
fn parities(random: &mut Random) -> [Secret<Z64>; 2] {
    let values: Vec<Z64> = random.elements(LEN);
    // An odd number of elements changes parity: the counts of odd ones differ by an odd number.
    let other = values.iter().enumerate();
    let other = other.map(|(i, &v)| if i == 0 { v } else { v + Z64::from_u64(1) });
    let other = other.collect();
    [vec![(vec![LEN], values)], vec![(vec![LEN], other)]]
}

/// The evaluators' parts of the product's terms that hold a masked value.
fn product_part(party: &Party, x: &Share<Z64>, y: &Share<Z64>) -> Vec<Z64> {
    let (x_mine, x_next) = (x.mine(), x.next());
    let (y_mine, y_next) = (y.mine(), y.next());
    let term = |i: usize| match party.role() {
        // Party 1 holds (x_1, x_2), party 2 (x_2, x_0).
        Role::P1 => x_next[i] * (y_mine[i] + y_next[i]) + x_mine[i] * y_next[i],
        Role::P2 => x_mine[i] * y_next[i] + x_next[i] * y_mine[i],
        Role::P0 => Z64::default(),
    };
    (0..x.len()).map(term).collect()
}

/// What an evaluator draws with party 0.
fn evaluators_mask(party: &Party, len: usize) -> Vec<Z64> {
    if party.role() == Role::P0 {
        Vec::new()
    } else {
        party.draw(Role::P0, len)
    }
}

/// `x_1` at party 1, `x_0` at party 2: what the other evaluator does not hold.
fn component<'a>(party: &Party, x: &'a Share<Z64>) -> &'a [Z64] {
    if party.role() == Role::P1 {
        x.mine()
    } else {
        x.next()
    }
}

fn add(x: &[Z64], y: &[Z64]) -> Vec<Z64> {
    x.iter().zip(y).map(|(&a, &b)| a + b).collect()
}

fn bytes(elements: &[Z64]) -> Vec<u8> {
    bytemuck::cast_slice(elements).to_vec()
}

/// The evaluators send each other `part`.
async fn exchange(party: &Party, part: &[Z64]) -> Result<Vec<Z64>, Abort> {
    if party.role() == Role::P0 {
        return Ok(Vec::new());
    }
    let received = party.exchange(MessageKind::Reshare, bytes(part)).await?;
    Ok(bytemuck::pod_collect_to_vec(&received))
}

/// `x + r` for `r = 2^40`, opened to party 2: party 0 and 1 hold `x_0 + x_1` and re-share it between them with fresh
/// randomness, so that each word that party 2 receives is uniform.
async fn constant_r(party: &Party, inputs: &crate::Inputs<Z64>) -> Result<(), Abort> {
    let x = &inputs.shares[0];
    let r = Z64::from_u64(1 << 40);
    match party.role() {
        Role::P0 => {
            let fresh: Vec<Z64> = party.draw(Role::P1, LEN);
            let own: Vec<Z64> = add(x.mine(), &fresh).iter().map(|&v| v + r).collect();
            party.post(Role::P2, MessageKind::Reshare, bytes(&own));
        }
        Role::P1 => {
            let fresh: Vec<Z64> = party.draw(Role::P0, LEN);
            let own = x.mine().iter().zip(fresh).map(|(&v, f)| v - f);
            party.post(
                Role::P2,
                MessageKind::Reshare,
                bytes(&own.collect::<Vec<_>>()),
            );
        }
        Role::P2 => {
            for from in [Role::P0, Role::P1] {
                party.take(from, MessageKind::Reshare, LEN * 8).await?;
            }
        }
    }
    Ok(())
}

/// `r x` and `r y` for one `r` that parties 0 and 1 draw, opened to party 2 by shares that are uniform each.
async fn one_factor(party: &Party, inputs: &crate::Inputs<Z64>) -> Result<(), Abort> {
    let other = if party.role() == Role::P0 {
        Role::P1
    } else {
        Role::P0
    };
    // Drawn once, for all values: the mistake.
    let factor: Vec<Z64> = match party.role() {
        Role::P2 => Vec::new(),
        _ => party.draw(other, LEN),
    };
    for x in &inputs.shares {
        let own: Vec<Z64> = match party.role() {
            Role::P0 => add(x.mine(), x.next()),
            Role::P1 => x.next().to_vec(),
            Role::P2 => {
                for from in [Role::P0, Role::P1] {
                    party.take(from, MessageKind::Reshare, LEN * 8).await?;
                }
                continue;
            }
        };
        let zero: Vec<Z64> = party.draw(other, LEN);
        let message = (0..LEN).map(|i| {
            let masked = factor[i] * own[i];
            if party.role() == Role::P0 {
                masked + zero[i]
            } else {
                masked - zero[i]
            }
        });
        party.post(
            Role::P2,
            MessageKind::Reshare,
            bytes(&message.collect::<Vec<_>>()),
        );
    }
    Ok(())
}

/// Party 1 sends party 2 the odd elements of its component alone, masked, and says how many there are.
async fn only_odd(party: &Party, inputs: &crate::Inputs<Z64>) -> Result<(), Abort> {
    match party.role() {
        Role::P0 => {}
        Role::P1 => {
            let component = inputs.shares[0].mine();
            let mask: Vec<Z64> = party.draw(Role::P0, LEN);
            let odd = component.iter().zip(mask);
            let odd = odd.filter(|(v, _)| v.to_u64() & 1 == 1);
            let odd: Vec<Z64> = odd.map(|(&v, m)| v + m).collect();
            party.post(Role::P2, MessageKind::Input, vec![odd.len() as u8]);
            party.post(Role::P2, MessageKind::Input, bytes(&odd));
        }
        Role::P2 => {
            let count = party.take(Role::P1, MessageKind::Input, 1).await?;
            let count = usize::from(count.first().copied().unwrap_or_default());
            party.take(Role::P1, MessageKind::Input, 8 * count).await?;
        }
    }
    Ok(())
}
