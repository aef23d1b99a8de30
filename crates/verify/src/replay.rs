//! Replay: every deviation in a batch that is checked is caught, and its sender named.
//!
//! Each party commits to what it sent and received in a batch ([`trefoil_mpc::Transcript::root`]) with its share of the answer,
//! before anybody says that the batch is checked. Whoever knows the inputs and weights later asks for the batch's
//! pairwise seeds, runs all three parties again in memory ([`rerun`]) and compares the roots. Where they differ, the parties open
//! their leaves, and [`judge`] names who deviated first.
//!
//! # Model
//! At most one of the three parties deviates; the others follow the protocol and open what they committed to. Certain up to
//! collisions of BLAKE3. Only batches of whoever replays: what is revealed opens those alone.

use crate::permutation::Permutation;
use crate::random::Random;
use crate::{Replayed, VerifyError};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;
use trefoil_mpc::{
    Abort, BatchKeys, MessageName, PairSeeds, Party, PartyConfig, Share, Transcript,
};
use trefoil_net::{Role, memory_mesh};
use trefoil_ring::{Ring, Seed};

/// A message that differs, as people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Who sends it.
    pub from: Role,
    /// Who receives it.
    pub to: Role,
    /// Its number in the order of causes, counted from 1; 0 for a message that the protocol does not have.
    pub number: usize,
    /// Messages of the batch in all.
    pub of: usize,
}

/// Who deviated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// This party sent another message than the protocol determines, or one that it does not have. All that it had received
    /// before was right.
    Sender(Role, Place),
    /// One of these two lies: the sender committed to the right message, the receiver to another one.
    Either([Role; 2], Place),
    /// What this party opened is not what it committed to.
    Opening(Role),
    /// One of these two lies: they revealed, and had committed to, different seeds.
    Seeds([Role; 2]),
    /// All messages are right, and this party sent another share of the answer to the client.
    Answer(Role),
}

impl Blame {
    /// The parties that are named: one, or two of which one lies.
    pub fn parties(&self) -> Vec<Role> {
        match *self {
            Self::Sender(role, _) | Self::Opening(role) | Self::Answer(role) => vec![role],
            Self::Either(roles, _) | Self::Seeds(roles) => roles.to_vec(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            to,
            number,
            of,
        } = self;
        if *number == 0 {
            return write!(
                f,
                "a message from {from} to {to} that the protocol does not have"
            );
        }
        write!(f, "message {number} of {of}, from {from} to {to}")
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sender(role, place) => write!(
                f,
                "{role} deviated: {place}, is the first that is not as computed again"
            ),
            Self::Either([from, to], place) => write!(
                f,
                "{from} or {to} lies: they committed to different contents of one message ({place})"
            ),
            Self::Opening(role) => {
                write!(f, "{role} opened something else than it had committed to")
            }
            Self::Seeds([one, other]) => {
                write!(
                    f,
                    "{one} or {other} lies: they revealed different seeds of their pair"
                )
            }
            Self::Answer(role) => write!(
                f,
                "{role} sent another share of the answer than it had computed"
            ),
        }
    }
}

/// Why a batch could not be run again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A party stopped.
    #[error("computing again failed: {0}")]
    Abort(#[from] Abort),
    /// A party's thread panicked.
    #[error("a party's thread panicked while computing again")]
    Thread,
}

/// The seeds of the three pairs, if both parties of each revealed the same: `[0 and 1, 1 and 2, 2 and 0]`.
///
/// # Errors
/// The first pair whose copies differ, or of which one is missing.
pub fn pairs(revealed: &[PairSeeds; 3]) -> Result<[Seed; 3], [Role; 2]> {
    let pair = |role: Role| {
        let next = role.next();
        let copies = [
            &revealed[role.index()][next.index()],
            &revealed[next.index()][role.index()],
        ];
        match copies {
            [Some(one), Some(other)] if one.0 == other.0 => Ok(one.clone()),
            _ => Err([role, next]),
        }
    };
    Ok([pair(Role::P0)?, pair(Role::P1)?, pair(Role::P2)?])
}

/// The seeds that `role` shares, of those of all pairs.
pub fn seeds_of(role: Role, pairs: &[Seed; 3]) -> PairSeeds {
    let mut seeds: PairSeeds = [None, None, None];
    seeds[role.next().index()] = Some(pairs[role.index()].clone());
    seeds[role.prev().index()] = Some(pairs[role.prev().index()].clone());
    seeds
}

/// Run a batch of all three parties again, each on a thread of this process, under the batch's `id` and its `pairs` of seeds; `inputs` are
/// what each party had received from the client.
///
/// # Errors
/// If the program fails at one of them.
pub fn rerun<I: Send, T: Send>(
    id: [u8; 16],
    pairs: &[Seed; 3],
    inputs: [I; 3],
    timeout: Duration,
    program: impl Fn(&Party, I) -> Result<T, Abort> + Sync,
) -> Result<[(Transcript, T); 3], ReplayError> {
    let program = &program;
    let ended: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = Role::ALL
            .into_iter()
            .zip(memory_mesh())
            .zip(inputs)
            .map(|((role, transport), input)| {
                scope.spawn(move || {
                    let config = PartyConfig {
                        role,
                        session: id,
                        seeds: seeds_of(role, pairs),
                        timeout,
                    };
                    let party = Party::new(config, Box::new(transport));
                    let seeds = seeds_of(role, pairs);
                    let batch = party.batch(&BatchKeys { id, seeds });
                    let output = program(&batch, input)?;
                    party.finish()?;
                    let transcript = batch.transcript().ok_or(ReplayError::Thread)?;
                    Ok((transcript, output))
                })
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().map_err(|_| ReplayError::Thread)?
        };
        threads
            .into_iter()
            .map(join)
            .collect::<Result<_, ReplayError>>()
    })?;
    ended.try_into().map_err(|_| ReplayError::Thread)
}

/// Who deviated first, by what was computed again and what the parties opened. `None` if nothing differs.
///
/// The messages are looked at in an order in which every message comes after all that its sender had received when it sent it. At the
/// first that differs, all that its sender had received is right by the sender's own account:
/// - its leaf at the sender differs: an honest sender would have sent, and written down, the right one. The sender is named,
///   alone.
/// - its leaf at the receiver alone differs: either the sender sent something else than it wrote down, or the receiver wrote
///   down something else than it received. Both are named.
pub fn judge(replayed: &[Transcript; 3], opened: &[Transcript; 3]) -> Option<Blame> {
    let order = causal(replayed);
    let leaves = opened.each_ref().map(by_name);
    let right = replayed.each_ref().map(by_name);
    let of = order.len();
    for (index, name) in order.iter().enumerate() {
        let place = place(name, index + 1, of);
        let expected = right[name.from.index()].get(name);
        if leaves[name.from.index()].get(name) != expected {
            return Some(Blame::Sender(name.from, place));
        }
        let received = right[name.to.index()].get(name);
        if leaves[name.to.index()].get(name) != received {
            return Some(Blame::Either([name.from, name.to], place));
        }
    }
    // Messages that the protocol does not have.
    for role in Role::ALL {
        let surplus = |name: &&MessageName| !right[role.index()].contains_key(name);
        if let Some(name) = leaves[role.index()].keys().filter(surplus).min() {
            let place = place(name, 0, of);
            let sent = leaves[name.from.index()].contains_key(name);
            return Some(if sent {
                Blame::Sender(name.from, place)
            } else {
                Blame::Either([name.from, name.to], place)
            });
        }
    }
    None
}

fn place(name: &MessageName, number: usize, of: usize) -> Place {
    Place {
        from: name.from,
        to: name.to,
        number,
        of,
    }
}

fn by_name(transcript: &Transcript) -> HashMap<MessageName, [u8; 32]> {
    let entries = transcript.entries().iter();
    entries.map(|entry| (entry.name, entry.leaf)).collect()
}

/// All messages that were sent, in an order of causes: each party's in the order in which it sent and received, a message received
/// after it was sent.
fn causal(transcripts: &[Transcript; 3]) -> Vec<MessageName> {
    let mut sent = std::collections::HashSet::new();
    let mut order = Vec::new();
    let mut next = [0; 3];
    loop {
        let before = next;
        for transcript in transcripts {
            let role = transcript.role();
            let at = &mut next[role.index()];
            while let Some(entry) = transcript.entries().get(*at) {
                if entry.name.from == role {
                    sent.insert(entry.name);
                    order.push(entry.name);
                } else if !sent.contains(&entry.name) {
                    break;
                }
                *at += 1;
            }
        }
        // All are through, or wait for what nobody sent, which a run that has ended did not.
        if next == before {
            return order;
        }
    }
}

/// What a party opens of a batch, and what it had committed to.
#[derive(Clone)]
pub struct Opened {
    /// The root that came with its share of the answer.
    pub root: [u8; 32],
    /// The batch's seeds.
    pub seeds: PairSeeds,
    /// Its leaves, [`Transcript::to_bytes`].
    pub entries: Vec<u8>,
}

/// Examine a batch: who deviated from what `program` computes of `inputs`, if anybody. `program` returns a digest of a party's share of the
/// answer, and `answers` are those of what the parties sent.
///
/// # Errors
/// If the program fails.
pub fn examine<I: Send>(
    id: [u8; 16],
    opened: &[Opened; 3],
    answers: &[[u8; 32]; 3],
    inputs: [I; 3],
    timeout: Duration,
    program: impl Fn(&Party, I) -> Result<[u8; 32], Abort> + Sync,
) -> Result<Option<Blame>, ReplayError> {
    let mut leaves = Vec::new();
    for (role, opened) in Role::ALL.into_iter().zip(opened) {
        let read = Transcript::from_bytes(role, &opened.seeds, &opened.entries);
        match read.filter(|read| read.root() == opened.root) {
            Some(read) => leaves.push(read),
            None => return Ok(Some(Blame::Opening(role))),
        }
    }
    let leaves = leaves.try_into().map_err(|_| ReplayError::Thread)?;
    let pairs = match pairs(&opened.each_ref().map(|opened| opened.seeds.clone())) {
        Ok(pairs) => pairs,
        Err(roles) => return Ok(Some(Blame::Seeds(roles))),
    };
    let again = rerun(id, &pairs, inputs, timeout, program)?;
    let [first, second, third] = again;
    let computed = [first.1, second.1, third.1];
    if let Some(blame) = judge(&[first.0, second.0, third.0], &leaves) {
        return Ok(Some(blame));
    }
    let wrong = |role: &Role| answers[role.index()] != computed[role.index()];
    Ok(Role::ALL.into_iter().find(wrong).map(Blame::Answer))
}

/// A digest of a party's shares of an answer, as [`examine`] compares it.
pub fn digest<R: Ring>(outputs: &[Share<R>]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("trefoil 2026 replay: shares of an answer");
    for output in outputs {
        hasher.update(&(output.len() as u64).to_le_bytes());
        hasher.update(bytemuck::cast_slice(output.mine()));
        hasher.update(bytemuck::cast_slice(output.next()));
    }
    *hasher.finalize().as_bytes()
}

/// Replays of a mix, and what they found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replays {
    /// Batches that could have been chosen.
    pub batches: usize,
    /// Batches that were replayed.
    pub replayed: usize,
    /// Who deviated, and how, in each batch in which somebody did.
    pub deviations: Vec<Blame>,
}

impl Replays {
    /// The parties named, each once.
    pub fn named(&self) -> Vec<Role> {
        let mut named: Vec<Role> = self.deviations.iter().flat_map(Blame::parties).collect();
        named.sort_unstable();
        named.dedup();
        named
    }
}

/// Replay `count` random batches, or all if there are fewer. Only when all answers are in: until then nobody may know which.
///
/// # Errors
/// If randomness fails, or the servers do not open a batch.
pub fn replay<S: Replayed>(
    servers: &mut S,
    count: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Replays, VerifyError> {
    let batches = servers.batches();
    let order = Permutation::shuffled(batches, &mut Random::system())?;
    let mut found = Replays {
        batches,
        ..Replays::default()
    };
    for batch in order.order().take(count) {
        let blame = servers
            .replay(batch)
            .map_err(|error| VerifyError::Servers(Box::new(error)))?;
        found.replayed += 1;
        found.deviations.extend(blame);
        progress(found.replayed);
    }
    Ok(found)
}

/// The chance that a server which deviates in `deviating` of `runs` batches is in none of `replays` that are chosen at random after
/// all answers are in: `C(N - m, T) / C(N, T)`.
///
/// # Panics
/// If more are chosen, or deviate, than there are.
pub fn escape_probability(runs: usize, deviating: usize, replays: usize) -> f64 {
    assert!(
        deviating <= runs && replays <= runs,
        "{deviating} or {replays} of {runs} batches"
    );
    (0..replays)
        .map(|drawn| (runs - deviating).saturating_sub(drawn) as f64 / (runs - drawn) as f64)
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_to_escape_is_that_of_drawing_only_honest_batches() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(escape_probability(100, 5, 1), 0.95));
        assert!(near(escape_probability(100, 100, 1), 0.0));
        assert!(near(escape_probability(100, 0, 20), 1.0));
        // C(95, 2) / C(100, 2)
        assert!(near(
            escape_probability(100, 5, 2),
            95.0 * 94.0 / (100.0 * 99.0)
        ));
        assert!(near(escape_probability(10, 8, 3), 0.0));
    }
}
