//! What the services of the parties say to each other.

use crate::station::books::ModelState;
use crate::station::names::{ModelId, RequestName};
use crate::station::problem::Code;
use serde::{Deserialize, Serialize};

/// A keyed digest: under the secret of one link, of what both its ends should have alike.
pub(crate) type Mark = [u8; 32];

/// A message of one party's desk to another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Word {
    /// The models that the sender has; said when a link comes up and after each change.
    Models(Vec<Line>),
    /// What was pushed is not the same at all parties.
    Differs { id: ModelId, push: [u8; 16] },
    /// The requests that are charged and not settled at the sender; a follower says it when its link to the leader comes up.
    Open(Vec<OpenRequest>),
    /// The sender has received its part of a request and would compute it.
    Part {
        request: RequestName,
        model: ModelId,
        samples: u64,
        mark: Mark,
    },
    /// To the leader: all parts of a request are there, belong together as far as the sender can see, and are charged.
    Ready { request: RequestName },
    /// The sender will not compute this request.
    Refuse { request: RequestName, code: Code },
    /// By the leader: compute these requests, in this order.
    Run {
        session: u64,
        model: ModelId,
        requests: Vec<RequestName>,
    },
    /// To the leader: the sender's shares of the session's answers are on its disk.
    Done { session: u64 },
    /// To the leader: the session has failed at the sender.
    Failed { session: u64 },
    /// By the leader: the session came to nothing.
    Cancel { session: u64 },
    /// By the leader: all three have their shares.
    Release { session: u64 },
    /// By the leader: how a request ended that the receiver did not know the end of.
    Settle {
        request: RequestName,
        answered: bool,
    },
}

/// A version of a model, as one party tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) id: ModelId,
    pub(crate) state: ModelState,
    /// Which push it came by.
    pub(crate) push: [u8; 16],
    /// Of what is public of it.
    pub(crate) public: [u8; 32],
    /// Of the component that both have.
    pub(crate) mark: Mark,
    /// Whether the sender has compared its parts with both others.
    pub(crate) agreed: bool,
}

/// A request that is charged and not settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenRequest {
    pub(crate) request: RequestName,
    /// The session whose answers are there, if any.
    pub(crate) computed: Option<u64>,
}

/// The mark of a component with digest `component`, for whoever has the secret `key` of the link.
pub(crate) fn mark(key: &[u8; 32], what: &impl Serialize, component: &[u8; 32]) -> Mark {
    let mut hasher = blake3::Hasher::new_keyed(key);
    // Plain structures of numbers and texts always encode.
    hasher.update(&postcard::to_stdvec(what).unwrap_or_default());
    hasher.update(component);
    *hasher.finalize().as_bytes()
}
