//! What is sent over the interface beside shares.

use super::books::ModelState;
use super::names::{ModelId, Name};
use super::problem::{Code, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Largest head of a push: plan and guard of a large network fit.
const HEAD_LIMIT: usize = 64 << 20;

/// A version of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// What it does.
    #[schema(value_type = String)]
    pub state: ModelState,
    /// Digest of its plan, in hexadecimal digits.
    pub plan: String,
    /// Whether its answers are guarded.
    pub guarded: bool,
    /// Most samples of one query.
    pub batch: u64,
    /// Samples that the user may have computed in all, if there is an end.
    pub quota: Option<u64>,
    /// Samples that were charged to the user.
    pub used: u64,
}

/// What one user has used of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// Who.
    pub user: String,
    /// Samples that were charged.
    pub used: u64,
    /// Samples in all, if there is an end.
    pub quota: Option<u64>,
}

/// A grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantBody {
    /// Samples that the user may have computed in all; without end if nothing is said.
    #[serde(default)]
    pub quota: Option<u64>,
}

/// One party, as it tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartyView {
    /// 0, 1 or 2.
    pub role: usize,
    /// The release that it runs.
    pub release: String,
    /// The version of plans that it reads.
    pub plan_version: u32,
    /// Its clock, seconds since 1970.
    pub unix: u64,
    /// Whether it is connected to both others.
    pub connected: bool,
    /// Whether it is being shut down.
    pub draining: bool,
    /// The versions that the holder of the token may know of: name, state, digest of all that is public of it.
    #[schema(value_type = Vec<Vec<String>>)]
    pub models: Vec<(String, ModelState, String)>,
}

/// What stands before the shares of a push: its length as a `u32`, little-endian, then postcard of this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PushHead {
    /// Drawn for each push.
    pub(crate) push: [u8; 16],
    /// The encoded plan.
    pub(crate) plan: Vec<u8>,
    /// The encoded public half of the guard.
    pub(crate) guard: Option<Vec<u8>>,
}

impl PushHead {
    /// The beginning of a push's body.
    #[cfg_attr(not(feature = "client"), allow(dead_code))]
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Plain structures of numbers always encode.
        let head = postcard::to_stdvec(self).unwrap_or_default();
        [&(head.len() as u32).to_le_bytes()[..], &head].concat()
    }

    /// Take the head off a body; what is left is the part.
    pub(crate) fn split(body: &mut Vec<u8>) -> Result<Self, Problem> {
        let wrong = || {
            let words = "the body does not begin with the head of a push: do both sides run the same release?";
            Problem::saying(Code::Malformed, words)
        };
        let (len, rest) = body.split_first_chunk().ok_or_else(wrong)?;
        let len = u32::from_le_bytes(*len) as usize;
        let head = rest
            .get(..len.min(HEAD_LIMIT + 1))
            .filter(|head| head.len() == len)
            .ok_or_else(wrong)?;
        let (head, left) = postcard::take_from_bytes(head).map_err(|_| wrong())?;
        if !left.is_empty() {
            return Err(wrong());
        }
        body.drain(..4 + len);
        Ok(head)
    }
}

/// The digest of an encoded plan that users compare.
pub(crate) fn plan_digest(plan: &[u8]) -> [u8; 32] {
    blake3::derive_key("trefoil 2026 model: digest of a plan", plan)
}

/// The digest of all that is public of a version, which the parties compare.
pub(crate) fn public_digest(id: &ModelId, owner: &Name, head: &PushHead) -> [u8; 32] {
    let named = (id, owner, &head.plan, &head.guard);
    let bytes = postcard::to_stdvec(&named).unwrap_or_default();
    blake3::derive_key("trefoil 2026 model: what is public of a version", &bytes)
}
