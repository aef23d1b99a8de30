//! What a client and a party say to each other.

use crate::conversation::Conversation;
use crate::{BenchJob, Seen, ServeError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use trefoil_mpc::{ClientShares, Share};
use trefoil_net::Role;
use trefoil_ring::{Ring, Seed};

/// Largest control frame: a plan of a large network fits.
pub(crate) const CONTROL_LIMIT: u64 = 64 << 20;
/// Bulk data travels in frames of this size.
const BULK: usize = 32 << 20;

/// What a client asks for.
#[derive(Serialize, Deserialize)]
pub(crate) enum Request {
    /// Run a plan; shares of its weights and of the guard's follow, then shares of each batch.
    Infer {
        /// The encoded plan.
        plan: Vec<u8>,
        /// The encoded public half of the guard over its output.
        guard: Option<Vec<u8>>,
        /// Batches that follow.
        batches: usize,
        /// Whether to tell what was received, coarsely.
        observe: bool,
    },
    /// Measure a protocol.
    Bench(BenchJob),
}

/// What a party says.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Connected to the peers; batches may come.
    Ready,
    /// A step of the plan is done (the evaluator party 1 alone tells).
    Step(usize),
    /// The shares of the outputs follow.
    Output,
    /// The end.
    Done(PartyReport),
    /// Seconds of each repeat of a benchmark, rounds, and bytes sent in one repeat.
    Measured {
        /// Seconds of each repeat.
        seconds: Vec<f64>,
        /// Depth before and after the last repeat. One evaluator may be a message ahead of the other, so that
        /// only the deeper of both tells the rounds.
        rounds: [u32; 2],
        /// Payload bytes sent in one repeat.
        bytes: u64,
    },
    /// The session has failed at this party.
    Failed(String),
}

/// What one party measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PartyReport {
    /// Per step of the plan, and of the guard behind them: seconds, rounds, payload bytes sent; summed over batches.
    pub(crate) steps: Vec<(f64, u32, u64)>,
    /// Rounds.
    pub(crate) rounds: u32,
    /// Payload bytes sent to the peers.
    pub(crate) bytes: u64,
    /// Bytes sent on the links with headers.
    pub(crate) wire_bytes: u64,
    /// Frames sent.
    pub(crate) frames: u64,
    /// What was received, if asked for.
    pub(crate) seen: Option<Seen>,
}

/// Say something.
pub(crate) fn say(
    to: &mut dyn Conversation,
    what: &impl Serialize,
    deadline: Instant,
) -> Result<(), ServeError> {
    // Plain structures of numbers and texts always encode.
    to.send(&postcard::to_stdvec(what).unwrap_or_default(), deadline)
}

/// Hear something.
pub(crate) fn hear<T: DeserializeOwned>(
    from: &mut dyn Conversation,
    peer: &str,
    deadline: Instant,
) -> Result<T, ServeError> {
    let body = from.receive(CONTROL_LIMIT, deadline)?;
    match postcard::take_from_bytes(&body) {
        Ok((what, [])) => Ok(what),
        _ => Err(ServeError::Conversation {
            peer: peer.to_owned(),
            problem: "said something that makes no sense".into(),
        }),
    }
}

/// Send ring elements, in frames of bounded size.
pub(crate) fn send_elements<R: Ring>(
    to: &mut dyn Conversation,
    elements: &[R],
    deadline: Instant,
) -> Result<(), ServeError> {
    bytemuck::cast_slice::<R, u8>(elements)
        .chunks(BULK)
        .try_for_each(|chunk| to.send(chunk, deadline))
}

/// Receive `len` ring elements.
pub(crate) fn receive_elements<R: Ring>(
    from: &mut dyn Conversation,
    peer: &str,
    len: usize,
    deadline: Instant,
) -> Result<Vec<R>, ServeError> {
    let mut elements: Vec<R> = Vec::new();
    let mut missing = len * R::BYTES;
    while missing > 0 {
        let due = missing.min(BULK);
        let body = from.receive(due as u64, deadline)?;
        if body.len() != due {
            let problem = format!("sent {} bytes of data where {due} are due", body.len());
            return Err(ServeError::Conversation {
                peer: peer.to_owned(),
                problem,
            });
        }
        elements.extend(bytemuck::pod_collect_to_vec::<u8, R>(&body));
        missing -= due;
    }
    Ok(elements)
}

/// Send party `role` what it needs of a client's shares: seeds to party 0, a seed and the masked values to the others.
pub(crate) fn send_share<R: Ring>(
    to: &mut dyn Conversation,
    role: Role,
    shares: &ClientShares<R>,
    deadline: Instant,
) -> Result<(), ServeError> {
    let [x_0, x_1] = &shares.seeds;
    match role {
        Role::P0 => to.send(&[x_0.0, x_1.0].concat(), deadline),
        Role::P1 => to
            .send(&x_1.0, deadline)
            .and_then(|()| send_elements(to, &shares.masked, deadline)),
        Role::P2 => to
            .send(&x_0.0, deadline)
            .and_then(|()| send_elements(to, &shares.masked, deadline)),
    }
}

/// The counterpart of [`send_share`]: this party's share of `len` elements, flat.
pub(crate) fn receive_share<R: Ring>(
    from: &mut dyn Conversation,
    role: Role,
    len: usize,
    deadline: Instant,
) -> Result<Share<R>, ServeError> {
    let client = "the client";
    let mut seed = |bytes: usize| -> Result<Vec<Seed>, ServeError> {
        let body = from.receive(bytes as u64, deadline)?;
        if body.len() != bytes {
            let problem = format!("sent {} bytes where a seed of {bytes} is due", body.len());
            return Err(ServeError::Conversation {
                peer: client.to_owned(),
                problem,
            });
        }
        Ok(body
            .chunks_exact(16)
            .map(|chunk| Seed(std::array::from_fn(|i| chunk[i])))
            .collect())
    };
    if role == Role::P0 {
        let seeds = seed(32)?;
        let [mine, next] = [0, 1].map(|i| ClientShares::<R>::expand(&seeds[i], len));
        return Ok(Share::new(&[len], mine, next));
    }
    let half_mask = ClientShares::<R>::expand(&seed(16)?[0], len);
    let masked = receive_elements(from, client, len, deadline)?;
    Ok(match role {
        Role::P1 => Share::new(&[len], half_mask, masked),
        _ => Share::new(&[len], masked, half_mask),
    })
}
