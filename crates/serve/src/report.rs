//! What a run tells about itself.

use ndarray::ArrayD;
use serde::{Deserialize, Serialize};

/// Where a running inference is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// The parties are being connected.
    Connecting,
    /// The model's weights are being shared.
    Sharing,
    /// A step of the plan is done.
    Step {
        /// Batch, from 0.
        batch: usize,
        /// Batches in all.
        batches: usize,
        /// Step, from 0.
        index: usize,
        /// Steps of the plan.
        steps: usize,
        /// The step's name.
        name: String,
    },
}

/// One part of a run, summed over its batches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// The step's name, or `connect`, `share weights`, `share inputs`, `open`.
    pub name: String,
    /// Seconds, as the slowest evaluator (or the client) measured.
    pub seconds: f64,
    /// Rounds.
    pub rounds: u32,
    /// Payload bytes that each party sent to its peers.
    pub bytes_sent: [u64; 3],
}

/// What one party received, coarsely: for showing that it looks like noise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Payload bytes received from its peers.
    pub bytes: u64,
    /// Received words by their top four bits.
    pub top_bits: [u64; 16],
}

/// Cost of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Seconds from the first input share to the last answer: what a user with a session waits.
    pub wall_s: f64,
    /// Seconds before: connecting, keys, sharing the weights; 0 where an open session answers again.
    pub setup_s: f64,
    /// Rounds between the parties, all batches.
    pub rounds: u32,
    /// Payload bytes that each party sent to its peers; party 0's are preprocessing.
    pub bytes_sent_per_party: [u64; 3],
    /// Bytes on the peers' links with all headers, before encryption.
    pub wire_bytes_per_party: [u64; 3],
    /// Bytes that the client shared with the parties, seeds and masked values: the queries', and the model's with the first answer
    /// of a session.
    pub shared_bytes: u64,
    /// Frames that each party sent to its peers; depends on scheduling.
    pub frames_per_party: [u64; 3],
    /// Parts of the run, in order.
    pub phases: Vec<Phase>,
    /// What each party received, if asked for.
    pub seen: Option<[Seen; 3]>,
}

/// Answers and their cost.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The plan's outputs, batches put together along the first axis.
    pub outputs: Vec<ArrayD<f64>>,
    /// Cost.
    pub report: Report,
}
