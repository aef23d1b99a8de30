//! Owners and users of a service: one [`Caller`] for a caller's file, one function for each thing that it may do.

mod files;
mod https;
mod owner;
mod user;

pub use files::{CallerFile, Contact};
pub use user::Served;

use crate::station::views::plan_digest;
use crate::{Code, ModelView, Name, PartyView, Problem, ServeError};
use https::{Call, Line, all};
use hyper::Method;
use hyper::body::Bytes;
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use trefoil_guard::GuardError;
use trefoil_mpc::Abort;
use trefoil_net::Role;
use trefoil_nn::{InputError, PlanError};

/// How long parties that tell different things are asked again: a version is just being replaced.
const SETTLING: Duration = Duration::from_secs(3);
/// Between two such questions.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a call to the three parties came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallerError {
    /// A URL that is none of a party.
    #[error("the url of {role}, `{url}`, is not of the form https://HOST:PORT")]
    Url {
        /// The party.
        role: Role,
        /// As it was given.
        url: String,
    },
    /// A party that cannot be reached, or is not the pinned one.
    #[error("{role} at {address}: {reason}")]
    Unreachable {
        /// The party.
        role: Role,
        /// Its address.
        address: String,
        /// What happened.
        reason: String,
    },
    /// A party refuses.
    #[error("{role}: {problem}")]
    Refused {
        /// The party.
        role: Role,
        /// Why, with a stable code.
        problem: Problem,
    },
    /// The parties tell different things.
    #[error(
        "the parties do not agree on {what}: {told}; do not use them before their operators have looked at it"
    )]
    Unequal {
        /// On what.
        what: &'static str,
        /// What each tells.
        told: String,
    },
    /// Something of a party that makes no sense.
    #[error("{role} sent {what} that makes no sense: do both sides run the same release?")]
    Malformed {
        /// The party.
        role: Role,
        /// What.
        what: &'static str,
    },
    /// Inputs or weights that cannot be shared.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A plan that cannot be run.
    #[error("the plan: {0}")]
    Plan(#[from] PlanError),
    /// A guard that does not fit the plan.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The copies of a component of the answer differ.
    #[error(
        "the shares of the answer contradict each other ({0}): a party is at fault; use none of it"
    )]
    Shares(#[from] Abort),
    /// Something of this machine.
    #[error(transparent)]
    Local(#[from] ServeError),
}

impl CallerError {
    /// The stable code, if a party refused.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { problem, .. } => Some(problem.code),
            _ => None,
        }
    }
}

/// An owner or a user, and the three parties.
pub struct Caller {
    runtime: Runtime,
    lines: [Line; 3],
    time: Duration,
    /// Whether each query wants a session of its own.
    alone: bool,
}

/// What `doctor` finds at one party.
#[derive(Clone, Debug)]
pub struct Health {
    /// The party.
    pub role: Role,
    /// What it tells of itself, or why it does not.
    pub party: Result<PartyView, String>,
    /// Seconds by which its clock is ahead of this machine's, within the time of the call.
    pub clock_ahead: Option<i64>,
    /// Seconds that the call took, connecting included.
    pub seconds: f64,
}

impl Caller {
    /// For a caller's file. Nobody is connected to before the first call; each call waits at most `time`.
    ///
    /// # Errors
    /// A URL that is none, or a file that does not name three parties.
    pub fn new(file: &CallerFile, time: Duration) -> Result<Self, CallerError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| ServeError::Stopped {
                reason: format!("no runtime: {error}"),
            })?;
        Ok(Self {
            runtime,
            lines: https::lines(&file.contacts()?)?,
            time,
            alone: false,
        })
    }

    /// Whether each query from now on gets a session of its own. By default it shares one with other users' queries that come within
    /// some milliseconds: the parties see no less of it alone, nobody waits for others, and all together take longer.
    pub fn ask_alone(&mut self, alone: bool) {
        self.alone = alone;
    }

    /// The models that this caller may ask, or has pushed, as all three parties tell alike.
    ///
    /// # Errors
    /// [`CallerError::Unequal`] if they do not within some seconds.
    pub fn models(&mut self) -> Result<Vec<ModelView>, CallerError> {
        self.alike("the models", "/v1/models", |views: &Vec<ModelView>| {
            format!("{views:?}")
        })
    }

    /// The three parties, each as far as it answers: for finding out why something does not work.
    pub fn doctor(&mut self) -> [Health; 3] {
        let time = self.time;
        self.lines.each_mut().map(|line| {
            let (start, before) = (Instant::now(), unix());
            let call = get("/v1/party");
            let told = self.runtime.block_on(line.call(&call, time));
            let seconds = start.elapsed().as_secs_f64();
            let party = told
                .and_then(|body| read::<PartyView>(line.role, "a description of itself", &body));
            let middle = before + (seconds / 2.0) as i64;
            let clock_ahead = party.as_ref().ok().map(|party| party.unix as i64 - middle);
            Health {
                role: line.role,
                party: party.map_err(|error| error.to_string()),
                clock_ahead,
                seconds,
            }
        })
    }

    /// What all three say at `path`, once they say the same.
    fn alike<T: DeserializeOwned + PartialEq>(
        &mut self,
        what: &'static str,
        path: &str,
        told: impl Fn(&T) -> String,
    ) -> Result<T, CallerError> {
        let end = Instant::now() + SETTLING;
        loop {
            let [first, second, third] = self.each(what, path)?;
            if first == second && second == third {
                return Ok(first);
            }
            if Instant::now() >= end {
                let said = [first, second, third];
                let said = said.iter().zip(Role::ALL);
                let said: Vec<String> = said
                    .map(|(said, role)| format!("{role} tells {}", told(said)))
                    .collect();
                let told = said.join(", ");
                return Err(CallerError::Unequal { what, told });
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn each<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        path: &str,
    ) -> Result<[T; 3], CallerError> {
        let bodies = self.call_all([get(path), get(path), get(path)]);
        let [first, second, third] = first_failure(bodies)?;
        Ok([
            read(Role::P0, what, &first)?,
            read(Role::P1, what, &second)?,
            read(Role::P2, what, &third)?,
        ])
    }

    fn call_all(&mut self, calls: [Call<'_>; 3]) -> [Result<Bytes, CallerError>; 3] {
        self.runtime
            .block_on(all(&mut self.lines, calls, self.time))
    }

    fn random<const N: usize>() -> Result<[u8; N], CallerError> {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes).map_err(|error| ServeError::Random(error.to_string()))?;
        Ok(bytes)
    }
}

fn get(path: &str) -> Call<'_> {
    Call {
        method: Method::GET,
        path,
        body: Vec::new(),
    }
}

fn unix() -> i64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    unix.map_or(0, |since| since.as_secs() as i64)
}

fn read<T: DeserializeOwned>(
    role: Role,
    what: &'static str,
    body: &[u8],
) -> Result<T, CallerError> {
    serde_json::from_slice(body).map_err(|_| CallerError::Malformed { role, what })
}

/// All three, or the failure that tells most: a refusal before a party that is not there, and of refusals one that is no
/// consequence of another party's.
fn first_failure(results: [Result<Bytes, CallerError>; 3]) -> Result<[Bytes; 3], CallerError> {
    let mut failures = Vec::new();
    let mut bodies = Vec::new();
    for result in results {
        match result {
            Ok(body) => bodies.push(body),
            Err(error) => failures.push(error),
        }
    }
    let weight = |error: &CallerError| match error.code() {
        None => 1,
        Some(Code::PartsMissing | Code::Undecided | Code::PeersUnreachable) => 2,
        Some(_) => 0,
    };
    failures.sort_by_key(weight);
    match (failures.into_iter().next(), <[Bytes; 3]>::try_from(bodies)) {
        (None, Ok(bodies)) => Ok(bodies),
        (Some(error), _) => Err(error),
        // Three results are three bodies or a failure.
        (None, Err(_)) => Err(CallerError::Malformed {
            role: Role::P0,
            what: "an answer",
        }),
    }
}

/// Whether `plan` is the one of this view.
fn is_plan_of(view: &ModelView, plan: &[u8]) -> bool {
    view.plan == crate::station::hex(&plan_digest(plan))
}

/// The path of a model.
fn model_path(name: &Name) -> String {
    format!("/v1/models/{name}")
}
