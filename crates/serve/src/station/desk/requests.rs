//! From a user's part to three parts that belong together and are charged.

use super::words::{Mark, mark};
use super::{
    Change, Code, Desk, LEADER, ModelId, Problem, Progress, Query, Reply, RequestName, Ticket, Word,
};
use crate::station::books::{Entry, ModelState};
use trefoil_net::Role;

/// What peers may say ahead of this party's own part, at most.
const EARLY: usize = 4096;
/// After the user's own deadline: how much longer a follower waits for the leader's word before it tells the user that the
/// end is not known.
const PATIENCE_MS: u64 = 5_000;

/// A request of which this party has its part.
pub(super) struct Pending {
    pub(super) query: Query,
    /// Digest of the part, the model and the number of samples.
    content: [u8; 32],
    tickets: Vec<Ticket>,
    /// What the peers said of their parts.
    marks: [Option<Told>; 3],
    since_ms: u64,
    pub(super) stage: Stage,
    /// At the leader, who has compared and charged it.
    pub(super) ready: [bool; 3],
    /// Sessions that have failed over it.
    pub(super) failed: u32,
}

type Told = (ModelId, u64, Mark);

/// How far a pending request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The peers' parts are compared.
    Checking,
    /// Compared and charged here.
    Ready,
    /// In a session.
    Running(u64),
}

/// What peers said of a request whose part is not here.
pub(super) struct Early {
    marks: [Option<Told>; 3],
    refused: Option<Code>,
    since_ms: u64,
}

impl Desk {
    pub(super) fn query(&mut self, ticket: Ticket, query: Query) {
        let content = content(&query);
        let request = query.request.clone();
        if let Some(pending) = self.pending.get_mut(&request) {
            if pending.content == content {
                pending.tickets.push(ticket);
            } else {
                self.reply(ticket, Err(Code::IdReused.into()));
            }
            return;
        }
        if let Some(entry) = self.books.ledger.get(&request) {
            let reply = match &entry.progress {
                _ if entry.content != content => Err(Code::IdReused.into()),
                Progress::Answered { answer } => Ok(Reply::Answer(answer.clone())),
                _ => Err(Code::Undecided.into()),
            };
            return self.reply(ticket, reply);
        }
        if let Err(problem) = self.admit(&query) {
            self.say_to_both(&Word::Refuse {
                request: request.clone(),
                code: problem.code,
            });
            self.early.remove(&request);
            return self.reply(ticket, Err(problem));
        }
        let early = self.early.remove(&request);
        if let Some(code) = early.as_ref().and_then(|early| early.refused) {
            return self.reply(ticket, Err(code.into()));
        }
        for peer in self.peers() {
            if let Some(mark) = self.mark_for(peer, &query) {
                let word = Word::Part {
                    request: request.clone(),
                    model: query.model.clone(),
                    samples: query.samples,
                    mark,
                };
                self.say(peer, word);
            }
        }
        let pending = Pending {
            query,
            content,
            tickets: vec![ticket],
            marks: early.map_or([None, None, None], |early| early.marks),
            since_ms: self.now.ms,
            stage: Stage::Checking,
            ready: [false; 3],
            failed: 0,
        };
        self.pending.insert(request.clone(), pending);
        self.check(&request);
    }

    /// Whether this party would compute it.
    fn admit(&self, query: &Query) -> Result<(), Problem> {
        if self.draining {
            return Err(Code::Draining.into());
        }
        let (name, user) = (&query.model.name, &query.request.user);
        let Some(grant) = self.books.grant(name, user) else {
            return Err(Code::NoSuchModel.into());
        };
        match self.books.models.get(&query.model) {
            Some(model) if model.state == ModelState::Active => {
                if query.samples == 0 || query.samples > model.batch {
                    let words = format!(
                        "{} samples are asked for, and {} takes 1 to {} at once",
                        query.samples, query.model, model.batch
                    );
                    return Err(Problem::saying(Code::WrongShape, words));
                }
            }
            _ => return Err(Code::NotActive.into()),
        }
        if !self.is_connected() {
            return Err(Code::PeersUnreachable.into());
        }
        if let Some(how) = self.differs.get(&query.model) {
            let words = format!(
                "{} is not computed: {how}; its owner should push it again",
                query.model
            );
            return Err(Problem::saying(Code::RegistriesDiffer, words));
        }
        let mine = |pending: &&Pending| pending.query.request.user == *user;
        let bytes: u64 = self
            .pending
            .values()
            .map(|pending| pending.query.part.len() as u64)
            .sum();
        let bytes = bytes + query.part.len() as u64;
        if self.pending.len() >= self.rules.waiting
            || self.pending.values().filter(mine).count() >= self.rules.waiting_of_user
            || bytes > self.rules.waiting_bytes
        {
            return Err(Code::Busy.into());
        }
        // What is not charged yet counts too: many requests at once must not get past the quota.
        let uncharged = self.pending.values().filter(mine).filter(|pending| {
            pending.stage == Stage::Checking && pending.query.model.name == *name
        });
        let uncharged: u64 = uncharged.map(|pending| pending.query.samples).sum();
        let used = self.books.used(name, user) + uncharged;
        if let Some(quota) = grant.quota
            && used.saturating_add(query.samples) > quota
        {
            let words = format!(
                "{used} of {quota} samples of {name} are used, and {} are asked for: ask its owner for more",
                query.samples
            );
            return Err(Problem::saying(Code::QuotaSpent, words));
        }
        Ok(())
    }

    fn mark_for(&self, peer: Role, query: &Query) -> Option<Mark> {
        let link = self.links[peer.index()].as_ref()?;
        let component = query.digests.shared_with(self.role, peer);
        Some(mark(&link.key, &("part", &query.request), component))
    }

    /// A user's part was refused before it came here: the others shall not wait for it.
    pub(super) fn turned_away(&mut self, request: RequestName, code: Code) {
        if !self.pending.contains_key(&request) && !self.books.ledger.contains_key(&request) {
            self.say_to_both(&Word::Refuse { request, code });
        }
    }

    pub(super) fn part_at(&mut self, from: Role, request: RequestName, told: Told) {
        if let Some(pending) = self.pending.get_mut(&request) {
            pending.marks[from.index()].get_or_insert(told);
            self.check(&request);
        } else if !self.books.ledger.contains_key(&request)
            && let Some(early) = self.early(request)
        {
            early.marks[from.index()].get_or_insert(told);
        }
    }

    fn early(&mut self, request: RequestName) -> Option<&mut Early> {
        if self.early.len() >= EARLY && !self.early.contains_key(&request) {
            return None;
        }
        let since_ms = self.now.ms;
        Some(self.early.entry(request).or_insert(Early {
            marks: [None, None, None],
            refused: None,
            since_ms,
        }))
    }

    /// When both peers have told of their parts: compare, and charge.
    fn check(&mut self, request: &RequestName) {
        let Some(pending) = self.pending.get(request) else {
            return;
        };
        if pending.stage != Stage::Checking {
            return;
        }
        let [next, previous] = self.peers().map(|peer| {
            let told = pending.marks[peer.index()].as_ref()?;
            let own = self.mark_for(peer, &pending.query)?;
            let same = *told == (pending.query.model.clone(), pending.query.samples, own);
            Some(same)
        });
        let (Some(next), Some(previous)) = (next, previous) else {
            return;
        };
        if !(next && previous) {
            return self.refuse(request, &Code::PartsDiffer.into());
        }
        let entry = Entry {
            model: pending.query.model.clone(),
            samples: pending.query.samples,
            content: pending.content,
            progress: Progress::Charged,
            since: self.now.unix,
        };
        self.change(Change::Charge {
            request: request.clone(),
            entry,
        });
        self.set_stage(request, Stage::Ready);
        if self.role == LEADER {
            self.ready_at(LEADER, request);
        } else {
            self.say(
                LEADER,
                Word::Ready {
                    request: request.clone(),
                },
            );
        }
    }

    pub(super) fn set_stage(&mut self, request: &RequestName, stage: Stage) {
        if let Some(pending) = self.pending.get_mut(request) {
            pending.stage = stage;
        }
    }

    /// At the leader: a follower would compute this request. It can only be ready after this party has told of its part, and
    /// may be so before this party has heard of both others.
    pub(super) fn ready_at(&mut self, from: Role, request: &RequestName) {
        let Some(pending) = self.pending.get_mut(request) else {
            return;
        };
        pending.ready[from.index()] = true;
        if pending.ready == [true; 3] && pending.stage == Stage::Ready {
            self.enqueue(request);
        }
    }

    /// End a request that nobody has an answer to, here and at the others.
    pub(super) fn refuse(&mut self, request: &RequestName, problem: &Problem) {
        let code = problem.code;
        self.say_to_both(&Word::Refuse {
            request: request.clone(),
            code,
        });
        self.drop_request(request, problem);
    }

    /// End a request here.
    pub(super) fn drop_request(&mut self, request: &RequestName, problem: &Problem) {
        self.change(Change::Refund {
            request: request.clone(),
        });
        self.forget_request(request, problem);
    }

    /// End the wait for a request, whatever the ledger says of it.
    pub(super) fn forget_request(&mut self, request: &RequestName, problem: &Problem) {
        if let Some(pending) = self.pending.remove(request) {
            self.unqueue(&pending.query.model, request);
            for ticket in pending.tickets {
                self.reply(ticket, Err(problem.clone()));
            }
        }
    }

    pub(super) fn refused_by(&mut self, from: Role, request: RequestName, code: Code) {
        let stage = self.pending.get(&request).map(|pending| pending.stage);
        match stage {
            // The leader decides.
            _ if from == LEADER
                && (stage.is_some() || self.books.ledger.contains_key(&request)) =>
            {
                self.drop_request(&request, &code.into());
            }
            Some(Stage::Running(_)) => {}
            Some(_) if self.role == LEADER => self.refuse(&request, &code.into()),
            Some(Stage::Checking) => self.drop_request(&request, &code.into()),
            None if !self.books.ledger.contains_key(&request) => {
                if let Some(early) = self.early(request) {
                    early.refused.get_or_insert(code);
                }
            }
            // Of one that is ready the leader hears too, and one that has ended stays as it is.
            Some(Stage::Ready) | None => {}
        }
    }

    /// Give the answer, which is in the ledger, to whoever waits.
    pub(super) fn hand_out(&mut self, request: &RequestName) {
        let Some(pending) = self.pending.remove(request) else {
            return;
        };
        let entry = self.books.ledger.get(request);
        let answer = entry.and_then(|entry| match &entry.progress {
            Progress::Answered { answer } => Some(answer.clone()),
            _ => None,
        });
        for ticket in pending.tickets {
            let reply = answer.clone().map(Reply::Answer);
            self.reply(ticket, reply.ok_or_else(|| Code::Undecided.into()));
        }
    }

    pub(super) fn requests_too_late(&mut self) {
        let (now, parts) = (self.now.ms, self.rules.parts_ms);
        self.early.retain(|_, early| early.since_ms + parts > now);
        let leads = self.role == LEADER;
        let mut late = Vec::new();
        for (request, pending) in &self.pending {
            let deadline = pending.query.deadline_ms;
            match pending.stage {
                Stage::Checking if pending.since_ms + parts <= now => {
                    late.push((request.clone(), Code::PartsMissing));
                }
                Stage::Checking if deadline <= now => late.push((request.clone(), Code::TooLate)),
                Stage::Ready if leads && deadline <= now => {
                    late.push((request.clone(), Code::TooLate));
                }
                // The leader's word is the one that counts; it should have come by now.
                _ if !leads && deadline + self.rules.session_ms + PATIENCE_MS <= now => {
                    late.push((request.clone(), Code::Undecided));
                }
                _ => {}
            }
        }
        for (request, code) in late {
            if code == Code::Undecided {
                self.forget_request(&request, &code.into());
            } else {
                self.refuse(&request, &code.into());
            }
        }
    }
}

fn content(query: &Query) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("trefoil 2026 request: content");
    let named = postcard::to_stdvec(&(&query.model, query.samples)).unwrap_or_default();
    hasher.update(&(named.len() as u64).to_le_bytes());
    hasher.update(&named);
    hasher.update(&query.part);
    *hasher.finalize().as_bytes()
}
