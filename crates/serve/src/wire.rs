//! What a client and a party say to each other.

use crate::conversation::Conversation;
use crate::told::Told;
use crate::{BenchJob, Seen, ServeError};
use ndarray::ArrayD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use trefoil_mpc::{Component, Masking, Share};
use trefoil_net::Role;
use trefoil_ring::{FixedPoint, Ring, Seed};

/// Largest control frame: a plan of a large network fits.
pub(crate) const CONTROL_LIMIT: u64 = 64 << 20;
/// Bulk data travels in frames of this size.
const BULK: usize = 32 << 20;
/// How a party names who asks it.
const CLIENT: &str = "the client";

/// What a client asks for.
#[derive(Serialize, Deserialize)]
pub(crate) enum Request {
    /// Hold a plan; shares of its weights and of the guard's follow, then one [`Turn`] after the other.
    Infer {
        /// The encoded plan.
        plan: Vec<u8>,
        /// The encoded public half of the guard over its output.
        guard: Option<Vec<u8>>,
        /// Whether to tell what was received, coarsely.
        observe: bool,
    },
    /// Open a batch of a session that is over.
    Open {
        /// The session.
        session: [u8; 16],
        /// The batch's number.
        batch: usize,
    },
    /// Measure a protocol.
    Bench(BenchJob),
}

/// What a client says where it may ask for an answer or leave.
#[derive(Serialize, Deserialize)]
pub(crate) enum Turn {
    /// Answer queries; shares of each batch follow.
    Answer {
        /// How many batches.
        batches: usize,
        /// Whether the session ends behind them.
        last: bool,
    },
    /// The session is over.
    End,
}

/// What a party says.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Connected to the peers; batches may come.
    Ready,
    /// A step of the plan is done (the evaluator party 1 alone tells).
    Step(usize),
    /// The commitment to all messages of a batch; said before its output.
    Root([u8; 32]),
    /// The shares of the outputs follow.
    Output,
    /// What opens a batch.
    Opened {
        /// Its seeds, shared with each peer.
        seeds: [Option<[u8; 16]>; 3],
        /// Its leaves.
        entries: Vec<u8>,
    },
    /// All batches of an answer are done, and the session is over.
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
    Failed {
        /// Why.
        reason: String,
        /// The parties that the reason speaks of as its cause.
        blames: Vec<Role>,
    },
    /// All batches of an answer are done; the session goes on.
    Answered(PartyReport),
    /// The session is over, as the client wished.
    Ended,
}

/// What one party measured in one answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PartyReport {
    /// Per step of the plan, and of the guard behind them: seconds, rounds, payload bytes sent; summed over batches.
    pub(crate) steps: Vec<(f64, u32, u64)>,
    /// Rounds of the session so far.
    pub(crate) depth: u32,
    /// Payload bytes sent to the peers.
    pub(crate) bytes: u64,
    /// Bytes sent on the links with headers.
    pub(crate) wire_bytes: u64,
    /// Frames sent.
    pub(crate) frames: u64,
    /// What was received, if asked for.
    pub(crate) seen: Option<Seen>,
}

/// Larger than anything that is counted, and small enough that sums of them fit.
const SENSIBLE: u64 = 1 << 56;

impl PartyReport {
    /// Check what `role` reports of a run of a plan of `steps` steps, before it is used: it may be anything.
    ///
    /// # Errors
    /// [`ServeError::Conversation`], naming the party.
    pub(crate) fn check(&self, role: Role, steps: usize) -> Result<(), ServeError> {
        let wrong = |problem: String| {
            Err(ServeError::Conversation {
                peer: role.to_string(),
                problem,
            })
        };
        // The guard's step is behind those of the plan.
        if self.steps.len() != steps + 1 {
            let reported = self.steps.len();
            return wrong(format!(
                "reports {reported} steps where {} were run: do both run the same version?",
                steps + 1
            ));
        }
        let times = self.steps.iter().map(|step| step.0);
        let mut counts =
            self.steps
                .iter()
                .map(|step| step.2)
                .chain([self.bytes, self.wire_bytes, self.frames]);
        if !are_times(times) || counts.any(|count| count >= SENSIBLE) {
            return wrong("reports times or bytes that make no sense".into());
        }
        Ok(())
    }
}

/// Whether all are numbers of seconds.
pub(crate) fn are_times(mut seconds: impl Iterator<Item = f64>) -> bool {
    seconds.all(|time| time.is_finite() && time >= 0.0)
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
        let at = elements.len();
        // Room for as much again as has come, never for all that is announced.
        if elements.capacity() - at < due / R::BYTES {
            elements.reserve_exact((at + due / R::BYTES).min(len - at));
        }
        elements.resize(at + due / R::BYTES, R::zero());
        bytemuck::cast_slice_mut(&mut elements[at..]).copy_from_slice(&body);
        missing -= due;
    }
    Ok(elements)
}

/// Share tensors with the three parties: party 0 receives two seeds, the others a seed and the masked
/// values, tensor by tensor. A piece is masked and sent at a time, so that no copy of the tensors is held. Returns the bytes
/// sent.
pub(crate) fn share_tensors<'a, R: Ring>(
    parties: &mut [Box<dyn Conversation>],
    tensors: impl IntoIterator<Item = &'a ArrayD<f64>>,
    format: FixedPoint,
    seeds: &[Seed; 2],
    deadline: impl Fn() -> Instant,
) -> Result<u64, ServeError> {
    let [x_0, x_1] = seeds;
    let mut sent = (2 * (x_0.0.len() + x_1.0.len())) as u64;
    for (role, end) in Role::ALL.into_iter().zip(parties.iter_mut()) {
        match role {
            Role::P0 => end.send(&[x_0.0, x_1.0].concat(), deadline())?,
            Role::P1 => end.send(&x_1.0, deadline())?,
            Role::P2 => end.send(&x_0.0, deadline())?,
        }
    }
    let mut masking = Masking::<R>::new(seeds);
    let mut piece: Vec<R> = Vec::new();
    for tensor in tensors {
        let mut values = tensor.iter();
        loop {
            piece.clear();
            let next = values.by_ref().take(BULK / R::BYTES);
            piece.extend(next.map(|&value| format.encode::<R>(value)));
            if piece.is_empty() {
                break;
            }
            masking.mask(&mut piece);
            for end in parties.iter_mut().skip(Role::P1.index()) {
                send_elements(&mut **end, &piece, deadline())?;
                sent += (piece.len() * R::BYTES) as u64;
            }
        }
    }
    Ok(sent)
}

/// The counterpart of [`share_tensors`]: this party's shares, tensor by tensor.
pub(crate) struct SharedTensors<R> {
    role: Role,
    /// `x_0` and `x_1` at party 0, else the half of the mask.
    components: Vec<Component<R>>,
}

impl<R: Ring> SharedTensors<R> {
    /// Receive the seeds.
    pub(crate) fn begin(
        from: &mut dyn Conversation,
        role: Role,
        told: &mut Told,
        deadline: Instant,
    ) -> Result<Self, ServeError> {
        let bytes = if role == Role::P0 { 32 } else { 16 };
        let body = from.receive(bytes as u64, deadline)?;
        if body.len() != bytes {
            let problem = format!("sent {} bytes where seeds of {bytes} are due", body.len());
            return Err(ServeError::Conversation {
                peer: CLIENT.to_owned(),
                problem,
            });
        }
        let seeds = body.chunks_exact(16);
        let seeds = seeds.map(|chunk| Seed(std::array::from_fn(|i| chunk[i])));
        // Party 0 has those of both components, party 1 that of x_1, party 2 that of x_0.
        let first = usize::from(role == Role::P1);
        let take = |(index, seed)| {
            told.seed(first + index, &seed);
            Component::new(&seed)
        };
        let components = seeds.enumerate().map(take).collect();
        Ok(Self { role, components })
    }

    /// Receive the share of the next tensor.
    pub(crate) fn next(
        &mut self,
        from: &mut dyn Conversation,
        shape: &[usize],
        told: &mut Told,
        deadline: Instant,
    ) -> Result<Share<R>, ServeError> {
        let len = shape.iter().product();
        let mut drawn = self.components.iter_mut().map(|c| c.draw(len));
        let first = drawn.next().unwrap_or_default();
        let second = if let Some(second) = drawn.next() {
            second
        } else {
            let masked = receive_elements(from, CLIENT, len, deadline)?;
            told.masked(bytemuck::cast_slice::<R, u8>(&masked));
            masked
        };
        Ok(match self.role {
            Role::P0 | Role::P1 => Share::new(shape, first, second),
            Role::P2 => Share::new(shape, second, first),
        })
    }
}

/// What a party says that is not its turn.
pub(crate) fn unexpected(role: Role, reply: &Reply) -> ServeError {
    let what = match reply {
        Reply::Ready => "that it is ready",
        Reply::Step(_) => "that a step is done",
        Reply::Root(_) => "what it commits to",
        Reply::Output => "that its output comes",
        Reply::Opened { .. } => "what opens a batch",
        Reply::Done(_) => "that it is done",
        Reply::Measured { .. } => "what it measured",
        Reply::Failed { .. } => "that it has failed",
        Reply::Answered(_) => "that an answer is done",
        Reply::Ended => "that the session is over",
    };
    ServeError::Conversation {
        peer: role.to_string(),
        problem: format!("said {what} out of turn"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_another_run_is_refused() {
        let report = |steps: Vec<(f64, u32, u64)>| PartyReport {
            steps,
            ..PartyReport::default()
        };
        let right = report(vec![(0.5, 1, 10); 4]);
        right.check(Role::P1, 3).unwrap();
        for (wrong, told) in [
            (
                report(vec![(0.5, 1, 10); 3]),
                "reports 3 steps where 4 were run",
            ),
            (report(Vec::new()), "reports 0 steps"),
            (report(vec![(f64::NAN, 1, 10); 4]), "no sense"),
            (report(vec![(-1.0, 1, 10); 4]), "no sense"),
            (report(vec![(0.5, 1, u64::MAX); 4]), "no sense"),
            (
                PartyReport {
                    wire_bytes: u64::MAX,
                    ..right.clone()
                },
                "no sense",
            ),
        ] {
            let error = wrong.check(Role::P1, 3).unwrap_err().to_string();
            assert!(error.contains("party 1") && error.contains(told), "{error}");
        }
    }
}
