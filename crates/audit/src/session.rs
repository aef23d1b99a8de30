//! One run of a protocol in one process, with what every party received.

pub(crate) use crate::recorder::Received;
use crate::recorder::Recorder;
use crate::{AuditError, Random};
use std::thread;
use std::time::Duration;
use trefoil_mpc::{Abort, Party, PartyConfig};
use trefoil_net::{Role, memory_mesh};
use trefoil_ring::{Ring, Seed};

/// Longest wait for any one message.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A party's result, and the messages that it received.
pub type Outcome<T> = (T, Vec<Received>);

/// Run `program` at three parties; keys follow from `seed`. Each party gets a key of its own, too.
///
/// # Errors
/// If a party aborts.
pub fn session<T: Send>(
    name: &str,
    seed: u64,
    program: impl AsyncFn(&Party, Seed) -> Result<T, Abort> + Sync,
) -> Result<[Outcome<T>; 3], AuditError> {
    let mut random = Random::of(seed, "keys of a session");
    let edges = [random.key(), random.key(), random.key()];
    let private = [random.key(), random.key(), random.key()];
    let one = |role: Role, end| -> Result<Outcome<T>, AuditError> {
        let mut seeds = [None, None, None];
        seeds[role.next().index()] = Some(Seed(edges[role.index()]));
        seeds[role.prev().index()] = Some(Seed(edges[role.prev().index()]));
        let (recorder, record) = Recorder::new(end);
        let config = PartyConfig {
            role,
            session: *b"trefoil audit 02",
            seeds,
            timeout: TIMEOUT,
        };
        let party = Party::new(config, Box::new(recorder));
        let own = Seed(private[role.index()]);
        let result = party.run(async |party| program(party, own).await);
        let result = result.and_then(|result| party.finish().map(|()| result));
        let result = result.map_err(|source| AuditError::Aborted {
            protocol: name.to_owned(),
            role,
            source,
        })?;
        let received = record.messages().map_err(|bytes| AuditError::Malformed {
            protocol: name.to_owned(),
            role,
            bytes,
        })?;
        Ok((result, received))
    };
    let one = &one;
    let [a, b, c] = memory_mesh();
    let [a, b, c] = thread::scope(|scope| {
        let threads = [(Role::P0, a), (Role::P1, b), (Role::P2, c)]
            .map(|(role, end)| scope.spawn(move || one(role, end)));
        threads.map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    });
    Ok([a?, b?, c?])
}

/// Two additive shares of `values`, uniform each.
pub fn additive<R: Ring>(random: &mut Random, values: &[R]) -> [Vec<R>; 2] {
    let first: Vec<R> = random.elements(values.len());
    let second = values.iter().zip(&first).map(|(&v, &f)| v - f).collect();
    [first, second]
}
