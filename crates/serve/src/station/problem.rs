//! What is said to whoever asks for something that cannot be: a stable code, and what to do.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Why a request is refused. The codes are stable: programs may rely on them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// No token, or none that this party issued.
    BadToken,
    /// The token's holder may not do that.
    NotAllowed,
    /// There is no such address, or it takes another method.
    NoSuchAddress,
    /// No model of that name is there for this holder.
    NoSuchModel,
    /// The version is not, or no longer, the active one.
    NotActive,
    /// The version number is in use, or smaller than the newest.
    VersionTaken,
    /// A body or a name that cannot be read.
    Malformed,
    /// A body of another length than the model's inputs have.
    WrongShape,
    /// More than the operator allows.
    TooLarge,
    /// A plan or a guard that cannot be run.
    BadPlan,
    /// The same request id with another content.
    IdReused,
    /// The user's quota does not reach.
    QuotaSpent,
    /// Too many requests wait.
    Busy,
    /// One of the parties did not receive its part in time.
    PartsMissing,
    /// The parts that the parties received do not belong together.
    PartsDiffer,
    /// No answer within the request's time.
    TooLate,
    /// This party is not connected to both others.
    PeersUnreachable,
    /// The parties do not have the same model.
    RegistriesDiffer,
    /// The parties have lost each other before they knew whether all have the answer.
    Undecided,
    /// The computation failed twice.
    ComputationFailed,
    /// This party cannot write its store.
    StoreFailed,
    /// This party is being shut down.
    Draining,
}

impl Code {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadToken => 401,
            Self::NotAllowed | Self::QuotaSpent => 403,
            Self::NoSuchAddress | Self::NoSuchModel => 404,
            Self::PartsMissing => 408,
            Self::NotActive | Self::VersionTaken | Self::IdReused | Self::PartsDiffer => 409,
            Self::TooLarge => 413,
            Self::Malformed | Self::WrongShape => 400,
            Self::BadPlan => 422,
            Self::Busy => 429,
            Self::ComputationFailed => 500,
            Self::TooLate => 504,
            Self::PeersUnreachable | Self::RegistriesDiffer | Self::Undecided | Self::Draining => {
                503
            }
            Self::StoreFailed => 507,
        }
    }

    /// Seconds after which it is worth asking again, where it is.
    pub fn retry_after(self) -> Option<u64> {
        match self {
            Self::Busy => Some(1),
            Self::PeersUnreachable | Self::Undecided | Self::Draining => Some(5),
            Self::RegistriesDiffer | Self::StoreFailed => Some(30),
            _ => None,
        }
    }

    /// What is wrong and what to do, where nothing more is known.
    pub fn advice(self) -> &'static str {
        match self {
            Self::BadToken => {
                "this party issued no such token, or has revoked it: ask its operator for one (trefoil-party access new)"
            }
            Self::NotAllowed => {
                "the token is for another purpose: owners push and grant, users ask"
            }
            Self::NoSuchAddress => {
                "there is nothing at this address: GET /v1/openapi.json lists what there is"
            }
            Self::NoSuchModel => {
                "no model of that name is granted to you: list those that are, or ask its owner"
            }
            Self::NotActive => {
                "this version does not answer: fetch the model's plan again and ask its active version"
            }
            Self::VersionTaken => {
                "this version is used already: choose a greater number than that of every version"
            }
            Self::Malformed => "the request cannot be read: see GET /v1/openapi.json",
            Self::WrongShape => {
                "the body has another length than the model's inputs: encode by the plan of this version"
            }
            Self::TooLarge => {
                "it is more than this party allows: ask for less, or let its operator raise [limits]"
            }
            Self::BadPlan => {
                "the plan or the guard cannot be run: do both sides run the same release?"
            }
            Self::IdReused => {
                "this id was used for another content: draw a fresh random id for each request"
            }
            Self::QuotaSpent => "your quota for this model does not reach: ask its owner for more",
            Self::Busy => "too many requests wait: try again after the time in Retry-After",
            Self::PartsMissing => {
                "not every party has received its part in time: send all three at once, with a fresh id"
            }
            Self::PartsDiffer => {
                "the parts do not belong together: share once, and send each party its own part"
            }
            Self::TooLate => {
                "there was no answer in time: ask for less at once, or try again later"
            }
            Self::PeersUnreachable => {
                "this party is not connected to both others: try again later, or tell its operator"
            }
            Self::RegistriesDiffer => {
                "the parties do not have the same model: its owner should push it again"
            }
            Self::Undecided => {
                "the parties lost each other over this request: ask again with the same id"
            }
            Self::ComputationFailed => {
                "the computation failed twice and nothing is charged: try again later"
            }
            Self::StoreFailed => {
                "this party cannot write its store: its operator should look at the disk"
            }
            Self::Draining => "this party is being shut down: try again when it is back",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As in problem documents.
        let text = serde_json::to_value(self).unwrap_or_default();
        f.write_str(text.as_str().unwrap_or("problem"))
    }
}

/// A refusal, as a problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:trefoil:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What may be told apart by programs.
    pub code: Code,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and what to do.
    pub detail: String,
}

impl Problem {
    /// With the code's own advice.
    pub fn new(code: Code) -> Self {
        Self::saying(code, code.advice())
    }

    /// With words for this case.
    pub fn saying(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:trefoil:problem:{code}"),
            code,
            status: code.status(),
            detail: detail.into(),
        }
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}
