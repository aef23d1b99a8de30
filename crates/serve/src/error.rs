//! What can go wrong between a client and three parties.

use std::io;
use std::path::PathBuf;
use trefoil_mpc::Abort;
use trefoil_net::{Role, SessionError};
use trefoil_nn::{InputError, PlanError};

/// Why a session failed, in words for whoever has to act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A connection failed.
    #[error(transparent)]
    Connection(#[from] SessionError),
    /// A protocol run stopped.
    #[error(transparent)]
    Abort(#[from] Abort),
    /// A plan that cannot be run.
    #[error("the plan: {0}")]
    Plan(#[from] PlanError),
    /// A guard that cannot be run on the plan.
    #[error(transparent)]
    Guard(#[from] trefoil_guard::GuardError),
    /// An input or a weight that cannot be shared.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A configuration file that cannot be used.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// An address at which nobody can be reached.
    #[error("{0}")]
    Address(String),
    /// A file that could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Parties that reported a failure or were lost, each with its reason.
    #[error("{}", list(.failures))]
    Parties {
        /// Who, and why.
        failures: Vec<(Role, String)>,
    },
    /// The other end of a conversation said something else than was due.
    #[error("{peer} {problem}")]
    Conversation {
        /// The other end.
        peer: String,
        /// What it did.
        problem: String,
    },
    /// A party's process could not be started.
    #[error("{role} could not be started as `{program}`: {reason}")]
    Spawn {
        /// Which party.
        role: Role,
        /// The program.
        program: String,
        /// Why.
        reason: String,
    },
    /// A client asks for more than the operator allows.
    #[error(
        "{asked} {what} are asked for, and this party allows {limit}: ask for smaller batches or models, or let its \
         operator raise `{what}` under [limits]"
    )]
    Limit {
        /// Which limit.
        what: &'static str,
        /// How much is asked for.
        asked: u64,
        /// How much is allowed.
        limit: u64,
    },
    /// A client with an open session asked for nothing for longer than the operator allows.
    #[error(
        "the session was open for {seconds} s without a request, and this party waits no longer (idle_seconds under [limits]): \
         ask again, in a new session"
    )]
    Idle {
        /// How long this party waits.
        seconds: u64,
    },
    /// An open session that has failed, or that the parties have ended, is asked again.
    #[cfg(feature = "client")]
    #[error("the session with the parties is over: share the model with them anew")]
    Over,
    /// The session was stopped from outside.
    #[error("the session was stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Random(String),
    /// A benchmark of a size that no party runs.
    #[error("the benchmark `{name}` takes {limits}")]
    BenchmarkSize {
        /// The benchmark.
        name: String,
        /// What it takes.
        limits: String,
    },
    /// A count of what a party received, asked of a service that its operator runs.
    #[error(
        "{role} is a service of its operator: what it receives is counted for nobody (`observe` is for parties that the client's own program started)"
    )]
    Observed {
        /// The party.
        role: Role,
    },
    /// A batch is to be opened that is not kept, or not for this client.
    #[error(
        "{role} keeps no record of batch {batch} of that session for this client: records last an hour, or until newer ones need their place"
    )]
    NotKept {
        /// The party.
        role: Role,
        /// The batch.
        batch: usize,
    },
    /// A batch could not be computed again.
    #[cfg(feature = "client")]
    #[error(transparent)]
    Replay(#[from] trefoil_verify::replay::ReplayError),
    /// What a party keeps on disk.
    #[error(transparent)]
    Store(#[from] crate::station::StoreError),
    /// The tokens of a party.
    #[error(transparent)]
    Access(#[from] crate::station::AccessError),
    /// A session panicked; the panic has been printed.
    #[error("the session panicked: a bug in Trefoil")]
    Bug,
    /// A benchmark that does not exist.
    #[error("there is no benchmark `{name}`: choose one of {known}")]
    Benchmark {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}

impl ServeError {
    /// Which parties this failure speaks of as its cause, as a party sees it.
    pub(crate) fn blames(&self) -> Vec<Role> {
        use trefoil_net::NetError;
        match self {
            Self::Abort(Abort::Link { source, .. }) => match source {
                NetError::Timeout { peers, .. } | NetError::SendStalled { peers, .. } => {
                    peers.clone()
                }
                NetError::LinkDown { peer, .. }
                | NetError::FrameTooLarge { peer, .. }
                | NetError::Malformed { peer, .. } => vec![*peer],
                _ => Vec::new(),
            },
            Self::Abort(
                Abort::Unexpected { peer, .. }
                | Abort::Surplus { peer, .. }
                | Abort::TooFarAhead { peer, .. },
            ) => vec![*peer],
            Self::Connection(SessionError::Missing { peers, .. }) => peers.clone(),
            _ => Vec::new(),
        }
    }
}

fn list(failures: &[(Role, String)]) -> String {
    let lines: Vec<String> = failures
        .iter()
        .map(|(role, reason)| format!("{role}: {reason}"))
        .collect();
    lines.join("\n")
}
