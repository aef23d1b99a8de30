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

use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;
use trefoil_mpc::{Abort, BatchKeys, MessageName, PairSeeds, Party, PartyConfig, Transcript};
use trefoil_net::{Role, memory_mesh};
use trefoil_ring::Seed;

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
            return write!(f, "a message from {from} to {to} that the protocol does not have");
        }
        write!(f, "message {number} of {of}, from {from} to {to}")
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sender(role, place) => write!(f, "{role} deviated: {place}, is the first that is not as computed again"),
            Self::Either([from, to], place) => write!(
                f,
                "{from} or {to} lies: they committed to different contents of one message ({place})"
            ),
            Self::Opening(role) => write!(f, "{role} opened something else than it had committed to"),
            Self::Seeds([one, other]) => {
                write!(f, "{one} or {other} lies: they revealed different seeds of their pair")
            }
            Self::Answer(role) => write!(f, "{role} sent another share of the answer than it had computed"),
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
                    let batch = party.batch(&BatchKeys { id, seeds }, true);
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
mod tests;
