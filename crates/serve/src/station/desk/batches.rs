//! Requests of several users in one session, and how it ends.

use super::requests::Stage;
use super::{Action, Change, Code, Desk, Job, LEADER, ModelId, Name, RequestName, Word};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use trefoil_net::Role;

/// Sessions that a request gets: the second is fresh at all three.
const TRIES: u32 = 2;

/// What waits for a session of one version, by user, so that none of them waits for another's many.
#[derive(Default)]
pub(super) struct Queue {
    by_user: BTreeMap<Name, VecDeque<RequestName>>,
    /// The user whose turn it was last.
    last: Option<Name>,
    /// When the first of them came, by the desk's clock.
    since_ms: u64,
}

/// A session that has not ended.
pub(super) struct OpenSession {
    requests: Vec<RequestName>,
    /// At the leader, who has its shares on its disk.
    done: [bool; 3],
    /// Whether this party has reported.
    computed: bool,
    until_ms: u64,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    fn push(&mut self, request: &RequestName, now_ms: u64) {
        if self.is_empty() {
            self.since_ms = now_ms;
        }
        let of_user = self.by_user.entry(request.user.clone()).or_default();
        of_user.push_back(request.clone());
    }

    fn remove(&mut self, request: &RequestName) {
        if let Some(of_user) = self.by_user.get_mut(&request.user) {
            of_user.retain(|other| other != request);
            if of_user.is_empty() {
                self.by_user.remove(&request.user);
            }
        }
    }

    /// The next request that `fits`, from the user after the one whose turn it was last.
    fn next(&mut self, fits: impl Fn(&RequestName) -> bool) -> Option<RequestName> {
        let after = self.last.clone();
        let later = |user: &&Name| after.as_ref().is_none_or(|last| *user > last);
        let users: Vec<Name> = self.by_user.keys().cloned().collect();
        let turns = users
            .iter()
            .filter(later)
            .chain(users.iter().filter(|user| !later(user)));
        for user in turns {
            let of_user = self.by_user.get(user);
            if let Some(request) = of_user
                .and_then(VecDeque::front)
                .filter(|request| fits(request))
            {
                let request = request.clone();
                self.remove(&request);
                self.last = Some(user.clone());
                return Some(request);
            }
        }
        None
    }
}

impl Desk {
    pub(super) fn enqueue(&mut self, request: &RequestName) {
        if let Some(pending) = self.pending.get(request) {
            let model = pending.query.model.clone();
            self.queues
                .entry(model)
                .or_default()
                .push(request, self.now.ms);
        }
    }

    pub(super) fn unqueue(&mut self, model: &ModelId, request: &RequestName) {
        if let Some(queue) = self.queues.get_mut(model) {
            queue.remove(request);
        }
    }

    /// At the leader: start what is due.
    pub(super) fn start_sessions(&mut self) {
        if self.role != LEADER {
            return;
        }
        self.queues.retain(|_, queue| !queue.is_empty());
        // Whoever has waited longest comes first.
        let mut due: Vec<(u64, ModelId)> = self
            .queues
            .iter()
            .map(|(model, queue)| (queue.since_ms, model.clone()))
            .collect();
        due.sort_unstable();
        for (since_ms, model) in due {
            while self.sessions.len() < self.rules.sessions && self.is_due(&model, since_ms) {
                let requests = self.next_batch(&model);
                if requests.is_empty() {
                    break;
                }
                self.start(model.clone(), requests);
            }
        }
    }

    /// Whether the requests that wait for this version since then need wait no longer.
    fn is_due(&self, model: &ModelId, since_ms: u64) -> bool {
        let Some(queue) = self.queues.get(model).filter(|queue| !queue.is_empty()) else {
            return false;
        };
        let waiting = queue.by_user.values().flatten();
        let waiting = waiting.filter_map(|request| self.pending.get(request));
        let (mut samples, mut alone) = (0, false);
        for pending in waiting {
            samples += pending.query.samples;
            alone |= pending.query.alone;
        }
        alone || samples >= self.room(model) || since_ms + self.rules.window_ms <= self.now.ms
    }

    /// Samples of one session of this version.
    fn room(&self, model: &ModelId) -> u64 {
        self.books.models.get(model).map_or(0, |model| model.batch)
    }

    /// The requests of the next session: users in turn, as many as there is room for; or one that wants a session of its own.
    fn next_batch(&mut self, model: &ModelId) -> Vec<RequestName> {
        let mut left = self.room(model);
        let mut requests = Vec::new();
        let pending = &self.pending;
        let of = |request: &RequestName| {
            let query = pending.get(request).map(|pending| &pending.query);
            query.map_or((0, false), |query| (query.samples, query.alone))
        };
        if let Some(queue) = self.queues.get_mut(model) {
            while let Some(request) = queue.next(|request| {
                let (samples, alone) = of(request);
                samples <= left && (!alone || requests.is_empty())
            }) {
                let (samples, alone) = of(&request);
                left -= samples;
                requests.push(request);
                if alone {
                    break;
                }
            }
        }
        requests
    }

    /// When this desk has something to do by itself, by its clock.
    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        let free = self.sessions.len() < self.rules.sessions;
        let queues = self
            .queues
            .values()
            .filter(|queue| free && !queue.is_empty());
        queues
            .map(|queue| queue.since_ms + self.rules.window_ms)
            .min()
    }

    fn start(&mut self, model: ModelId, requests: Vec<RequestName>) {
        if requests.is_empty() {
            return;
        }
        let session = self.next_session;
        self.next_session += 1;
        self.say_to_both(&Word::Run {
            session,
            model: model.clone(),
            requests: requests.clone(),
        });
        self.begin(session, model, requests);
    }

    fn begin(&mut self, session: u64, model: ModelId, requests: Vec<RequestName>) {
        let mut parts = Vec::new();
        for request in &requests {
            if let Some(pending) = self.pending.get_mut(request) {
                pending.stage = Stage::Running(session);
                parts.push((pending.query.samples, Arc::clone(&pending.query.part)));
            }
        }
        self.sessions.insert(
            session,
            OpenSession {
                requests,
                done: [false; 3],
                computed: false,
                until_ms: self.now.ms + self.rules.session_ms,
            },
        );
        self.actions.push(Action::Compute(Job {
            session,
            model,
            parts,
        }));
    }

    /// At a follower: the leader has started a session.
    pub(super) fn run(&mut self, session: u64, model: ModelId, requests: Vec<RequestName>) {
        let fits = |request: &RequestName| {
            let pending = self.pending.get(request);
            pending.is_some_and(|pending| {
                pending.stage == Stage::Ready && pending.query.model == model
            })
        };
        // Numbers of sessions only grow: no session's randomness comes twice.
        let fresh = session >= self.next_session;
        if !fresh || !requests.iter().all(fits) {
            return self.say(LEADER, Word::Failed { session });
        }
        self.next_session = session + 1;
        self.begin(session, model, requests);
    }

    pub(super) fn computed(&mut self, session: u64, answers: Option<Vec<Vec<u8>>>) {
        let Some(running) = self.sessions.get_mut(&session) else {
            // Given up meanwhile.
            return;
        };
        let answers = answers.filter(|answers| answers.len() == running.requests.len());
        let Some(answers) = answers else {
            if self.role == LEADER {
                return self.fail(session);
            }
            self.end_session(session);
            return self.say(LEADER, Word::Failed { session });
        };
        running.computed = true;
        let requests = running.requests.clone();
        for (request, answer) in requests.into_iter().zip(answers) {
            self.change(Change::Computed {
                request,
                session,
                answer,
            });
        }
        if self.role == LEADER {
            self.done_at(LEADER, session);
        } else {
            self.say(LEADER, Word::Done { session });
        }
    }

    pub(super) fn done_at(&mut self, from: Role, session: u64) {
        let Some(running) = self.sessions.get_mut(&session) else {
            return;
        };
        running.done[from.index()] = true;
        if running.done == [true; 3] {
            self.say_to_both(&Word::Release { session });
            self.release(session);
        }
    }

    pub(super) fn release(&mut self, session: u64) {
        let Some(running) = self.sessions.remove(&session) else {
            return;
        };
        for request in running.requests {
            self.change(Change::Answered {
                request: request.clone(),
            });
            self.hand_out(&request);
        }
    }

    /// At the leader: the session came to nothing. Its requests get another one, or an error.
    pub(super) fn fail(&mut self, session: u64) {
        if !self.sessions.contains_key(&session) {
            return;
        }
        self.say_to_both(&Word::Cancel { session });
        for request in self.end_session(session) {
            let tries = self.pending.get_mut(&request).map(|pending| {
                pending.failed += 1;
                pending.failed
            });
            match tries {
                Some(failed) if failed < TRIES => self.enqueue(&request),
                Some(_) => self.refuse(&request, &Code::ComputationFailed.into()),
                None => {}
            }
        }
    }

    /// At a follower: the leader has given the session up.
    pub(super) fn cancel(&mut self, session: u64) {
        self.end_session(session);
    }

    /// Give a session up here: its requests are as before it. Returns them.
    pub(super) fn end_session(&mut self, session: u64) -> Vec<RequestName> {
        let Some(running) = self.sessions.remove(&session) else {
            return Vec::new();
        };
        if !running.computed {
            self.actions.push(Action::Stop { session });
        }
        for request in &running.requests {
            self.change(Change::Revert {
                request: request.clone(),
            });
            if let Some(pending) = self.pending.get_mut(request)
                && pending.stage == Stage::Running(session)
            {
                pending.stage = Stage::Ready;
            }
        }
        running.requests
    }

    /// Follower: forget a session whose end only the leader knows; what is computed stays in the ledger.
    pub(super) fn leave_session(&mut self, session: u64) {
        if let Some(running) = self.sessions.remove(&session)
            && !running.computed
        {
            self.actions.push(Action::Stop { session });
        }
    }

    pub(super) fn sessions_too_long(&mut self) {
        let late = self
            .sessions
            .iter()
            .filter(|(_, session)| session.until_ms <= self.now.ms);
        let late: Vec<u64> = late.map(|(&number, _)| number).collect();
        for session in late {
            let computed = self
                .sessions
                .get(&session)
                .is_some_and(|session| session.computed);
            if self.role == LEADER {
                self.fail(session);
            } else if !computed {
                self.end_session(session);
                self.say(LEADER, Word::Failed { session });
            }
        }
    }
}
