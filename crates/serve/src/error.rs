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

fn list(failures: &[(Role, String)]) -> String {
    let lines: Vec<String> = failures
        .iter()
        .map(|(role, reason)| format!("{role}: {reason}"))
        .collect();
    lines.join("\n")
}
