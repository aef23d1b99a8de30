//! What one party knows of models, grants, usage and requests.
//!
//! [`Books`] is the state, [`Change`] what may happen to it, [`Store`] keeps it on disk: every change is applied to the books
//! and written in one transaction, and what is read back at the next start is the same.

mod store;

pub use store::StoreError;
pub(crate) use store::{Draft, Store};

use super::names::{ModelId, Name, RequestName};
use super::parts::Digests;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a version of a model at one party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelState {
    /// Here, and not yet known to be at all three parties.
    Staged,
    /// Answers queries.
    Active,
    /// Its shares are wiped.
    Retired,
}

/// A version of a model, without its shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Model {
    pub(crate) owner: Name,
    pub(crate) state: ModelState,
    /// Encoded.
    pub(crate) plan: Vec<u8>,
    /// The guard's public half, encoded.
    pub(crate) guard: Option<Vec<u8>>,
    /// Drawn by the owner for each push, so that parts of one push are not compared with those of another.
    pub(crate) push: [u8; 16],
    /// Of name, version, owner, plan and guard: equal at all three parties.
    pub(crate) public: [u8; 32],
    /// Of this party's part of weights and guard.
    pub(crate) digests: Digests,
    /// Samples that are computed at once.
    pub(crate) batch: u64,
    /// Seconds since 1970 when it came to this state.
    pub(crate) since: u64,
}

/// That a user may ask a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// Samples in all; without end if nothing is said.
    pub(crate) quota: Option<u64>,
}

/// How far a request has come at this party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Progress {
    /// Its quota is charged; nothing is computed yet.
    Charged,
    /// This party's shares of the answer are here; whether the other two have theirs is not known.
    Computed {
        /// The session that computed them: shares of different sessions do not belong together.
        session: u64,
        answer: Vec<u8>,
    },
    /// All three have theirs: the user may have them.
    Answered { answer: Vec<u8> },
}

/// A request that was charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) model: ModelId,
    pub(crate) samples: u64,
    /// Digest of what this party was sent.
    pub(crate) content: [u8; 32],
    pub(crate) progress: Progress,
    /// Seconds since 1970 when it was charged.
    pub(crate) since: u64,
}

/// All that a party keeps, but for the shares of its models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) models: BTreeMap<ModelId, Model>,
    /// By model and user.
    pub(crate) grants: BTreeMap<(Name, Name), Grant>,
    /// Samples charged, by model and user.
    pub(crate) usage: BTreeMap<(Name, Name), u64>,
    pub(crate) ledger: BTreeMap<RequestName, Entry>,
}

/// What may happen to the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A version comes, with this party's part of its weights and guard.
    Stage {
        id: ModelId,
        model: Model,
        part: Vec<u8>,
    },
    /// It is at all three: from now on it answers, and the version before it is retired.
    Activate { id: ModelId, now: u64 },
    /// It answers nothing more; its shares are wiped.
    Retire { id: ModelId, now: u64 },
    /// A staged version is given up.
    Forget { id: ModelId },
    /// A user may ask a model, from now on under this quota.
    Grant {
        model: Name,
        user: Name,
        grant: Grant,
    },
    /// A user may no longer ask it.
    Revoke { model: Name, user: Name },
    /// A request is charged.
    Charge { request: RequestName, entry: Entry },
    /// This party has its shares of the answer.
    Computed {
        request: RequestName,
        session: u64,
        answer: Vec<u8>,
    },
    /// The session came to nothing; the request is charged and waits for another one.
    Revert { request: RequestName },
    /// All three have their shares.
    Answered { request: RequestName },
    /// The request came to nothing: its charge is given back.
    Refund { request: RequestName },
    /// An answer has been kept long enough.
    Prune { request: RequestName },
}

impl Books {
    /// The version of a model that answers.
    pub(crate) fn active(&self, name: &Name) -> Option<(&ModelId, &Model)> {
        self.versions(name)
            .rfind(|(_, model)| model.state == ModelState::Active)
    }

    /// All versions of a model, oldest first.
    pub(crate) fn versions(
        &self,
        name: &Name,
    ) -> impl DoubleEndedIterator<Item = (&ModelId, &Model)> + use<'_> {
        let from = ModelId {
            name: name.clone(),
            version: 0,
        };
        let to = ModelId {
            name: name.clone(),
            version: u64::MAX,
        };
        self.models.range(from..=to)
    }

    pub(crate) fn used(&self, model: &Name, user: &Name) -> u64 {
        let key = (model.clone(), user.clone());
        self.usage.get(&key).copied().unwrap_or(0)
    }

    pub(crate) fn grant(&self, model: &Name, user: &Name) -> Option<Grant> {
        self.grants.get(&(model.clone(), user.clone())).copied()
    }

    /// Let it happen. What cannot happen in the present state (an activation of what is not there, a second charge) changes
    /// nothing, so that a change may be applied twice.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Stage { id, model, .. } => {
                let state = self.models.get(id).map(|model| model.state);
                if matches!(state, None | Some(ModelState::Staged)) {
                    self.models.insert(id.clone(), model.clone());
                }
            }
            Change::Activate { id, now } => {
                if self.models.get(id).map(|model| model.state) != Some(ModelState::Staged) {
                    return;
                }
                let before: Vec<ModelId> = self
                    .versions(&id.name)
                    .filter(|(other, model)| *other != id && model.state == ModelState::Active)
                    .map(|(other, _)| other.clone())
                    .collect();
                for other in before {
                    self.set_state(&other, ModelState::Retired, *now);
                }
                self.set_state(id, ModelState::Active, *now);
            }
            Change::Retire { id, now } => self.set_state(id, ModelState::Retired, *now),
            Change::Forget { id } => {
                if self.models.get(id).map(|model| model.state) == Some(ModelState::Staged) {
                    self.models.remove(id);
                }
            }
            Change::Grant { model, user, grant } => {
                self.grants.insert((model.clone(), user.clone()), *grant);
            }
            Change::Revoke { model, user } => {
                self.grants.remove(&(model.clone(), user.clone()));
            }
            Change::Charge { request, entry } => {
                if !self.ledger.contains_key(request) {
                    let key = (entry.model.name.clone(), request.user.clone());
                    *self.usage.entry(key).or_default() += entry.samples;
                    self.ledger.insert(request.clone(), entry.clone());
                }
            }
            Change::Computed {
                request,
                session,
                answer,
            } => {
                if let Some(entry) = self.ledger.get_mut(request)
                    && entry.progress == Progress::Charged
                {
                    entry.progress = Progress::Computed {
                        session: *session,
                        answer: answer.clone(),
                    };
                }
            }
            Change::Revert { request } => {
                if let Some(entry) = self.ledger.get_mut(request)
                    && matches!(entry.progress, Progress::Computed { .. })
                {
                    entry.progress = Progress::Charged;
                }
            }
            Change::Answered { request } => {
                if let Some(entry) = self.ledger.get_mut(request)
                    && let Progress::Computed { answer, .. } = &mut entry.progress
                {
                    let answer = std::mem::take(answer);
                    entry.progress = Progress::Answered { answer };
                }
            }
            Change::Refund { request } => self.refund(request),
            Change::Prune { request } => {
                let done = |entry: &Entry| matches!(entry.progress, Progress::Answered { .. });
                if self.ledger.get(request).is_some_and(done) {
                    self.ledger.remove(request);
                }
            }
        }
    }

    /// Whether this party keeps no shares of a version.
    fn part_is_gone(&self, id: &ModelId) -> bool {
        let state = self.models.get(id).map(|model| model.state);
        matches!(state, None | Some(ModelState::Retired))
    }

    fn refund(&mut self, request: &RequestName) {
        let open = |entry: &Entry| !matches!(entry.progress, Progress::Answered { .. });
        if !self.ledger.get(request).is_some_and(open) {
            return;
        }
        if let Some(entry) = self.ledger.remove(request) {
            let key = (entry.model.name, request.user.clone());
            if let Some(used) = self.usage.get_mut(&key) {
                *used = used.saturating_sub(entry.samples);
                if *used == 0 {
                    self.usage.remove(&key);
                }
            }
        }
    }

    fn set_state(&mut self, id: &ModelId, state: ModelState, now: u64) {
        if let Some(model) = self.models.get_mut(id)
            && model.state != state
        {
            model.state = state;
            model.since = now;
        }
    }
}
