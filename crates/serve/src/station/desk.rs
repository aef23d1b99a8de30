//! Where a party decides: which models are whole, which requests belong together, what is charged, computed and told.
//!
//! A [`Desk`] is a deterministic machine: [`Event`]s go in, [`Action`]s come out, and between the two everything that
//! must survive a crash is on the disk. It has no threads, sockets or clocks of its own, so that its tests can let
//! any of three desks crash at any point.
//!
//! Party 0 leads: it forms batches and decides which sessions count. A request goes through these steps:
//!
//! 1. Each party receives its part from the user and sends the others a keyed digest of what each of them should
//!    have too ([`Word::Part`]).
//! 2. Who has compared both charges the quota durably and tells the leader ([`Word::Ready`]).
//! 3. The leader puts requests to one version together and starts a session ([`Word::Run`]).
//! 4. Who has its shares of the answers writes them down and tells the leader ([`Word::Done`]).
//! 5. When all three have, the leader notes that and lets all give them to the user ([`Word::Release`]).
//!
//! Nobody gives a user anything before step 5, so that a session may be repeated until then; and a request of which some
//! party has no shares was answered by nobody, so that its charge may be given back.

mod batches;
mod models;
mod requests;
mod settle;
mod words;

pub(crate) use words::Word;

use super::books::{Books, Change, Draft, Grant, Model, Progress, Store, StoreError};
use super::names::{ModelId, Name, RequestId, RequestName};
use super::parts::Digests;
use super::problem::{Code, Problem};
use batches::{OpenSession, Queue};
use requests::{Early, Pending};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trefoil_net::Role;
use words::{Line, OpenRequest};

/// The party that forms batches and decides which sessions count.
pub(crate) const LEADER: Role = Role::P0;

/// Names somebody who waits for a reply.
pub(crate) type Ticket = u64;

/// The time: a clock that never goes back, and the calendar's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    /// Milliseconds of the clock.
    pub(crate) ms: u64,
    /// Seconds since 1970.
    pub(crate) unix: u64,
}

/// What an operator sets.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// How long the first request of a batch waits for others, in milliseconds.
    pub(crate) window_ms: u64,
    /// Sessions that run at one time.
    pub(crate) sessions: usize,
    /// How long a session may last.
    pub(crate) session_ms: u64,
    /// How long the first part of a request waits for the other parties' parts.
    pub(crate) parts_ms: u64,
    /// How long a push waits for the other parties.
    pub(crate) push_ms: u64,
    /// Requests that wait, in all and of one user, and their bytes.
    pub(crate) waiting: usize,
    pub(crate) waiting_of_user: usize,
    pub(crate) waiting_bytes: u64,
    /// How long an answer may be fetched again.
    pub(crate) keep_answers_seconds: u64,
    /// How long a version that is not at all three parties is kept.
    pub(crate) keep_staged_seconds: u64,
}

/// What happens to a desk.
pub(crate) enum Event {
    /// An owner pushes a version.
    Push {
        ticket: Ticket,
        id: ModelId,
        model: Box<Model>,
        part: Vec<u8>,
    },
    /// An owner retires a model.
    Retire {
        ticket: Ticket,
        owner: Name,
        model: Name,
    },
    /// An owner lets a user ask, or no longer.
    Grant {
        ticket: Ticket,
        owner: Name,
        model: Name,
        user: Name,
        grant: Option<Grant>,
    },
    /// A user asks.
    Query { ticket: Ticket, query: Query },
    /// A user's part was refused at the door, so that the others need not wait for it.
    TurnedAway { request: RequestName, code: Code },
    /// A link is there; `key` is a secret of its two ends.
    LinkUp { peer: Role, key: [u8; 32] },
    /// A link is gone.
    LinkDown { peer: Role },
    /// A peer's desk says something.
    Heard { from: Role, word: Word },
    /// A session that this desk started has ended, well with this party's shares for each request.
    Computed {
        session: u64,
        answers: Option<Vec<Vec<u8>>>,
    },
    /// Time has passed.
    Tick,
    /// Take nothing new.
    Drain,
}

/// This party's part of a request.
pub(crate) struct Query {
    pub(crate) request: RequestName,
    pub(crate) model: ModelId,
    pub(crate) samples: u64,
    pub(crate) part: Arc<[u8]>,
    pub(crate) digests: Digests,
    /// Whether it wants a session of its own. The leader alone heeds it.
    pub(crate) alone: bool,
    /// When the user gives up, by the desk's clock.
    pub(crate) deadline_ms: u64,
}

/// What a desk wants done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Say {
        to: Role,
        word: Word,
    },
    Reply {
        ticket: Ticket,
        reply: Result<Reply, Problem>,
    },
    /// Run a session, and report it by [`Event::Computed`].
    Compute(Job),
    /// Stop a session; its report is not waited for.
    Stop {
        session: u64,
    },
    /// Have this version ready to compute.
    Load {
        id: ModelId,
    },
    /// Forget it when no session uses it.
    Unload {
        id: ModelId,
    },
    /// For the operator.
    Alarm(String),
}

/// What a ticket gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    /// This party's shares.
    Answer(Vec<u8>),
}

/// A session to compute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) session: u64,
    pub(crate) model: ModelId,
    /// Samples and parts of the requests, in order.
    pub(crate) parts: Vec<(u64, Arc<[u8]>)>,
}

/// A link to a peer, and what it has told since it came up.
struct Link {
    key: [u8; 32],
    models: Option<BTreeMap<ModelId, Line>>,
    open: Option<Vec<OpenRequest>>,
}

/// One party's desk.
pub(crate) struct Desk {
    role: Role,
    rules: Rules,
    store: Store,
    books: Books,
    draft: Draft,
    actions: Vec<Action>,
    now: Now,
    links: [Option<Link>; 3],
    draining: bool,
    /// Requests that were charged when this desk began, and whose end nobody has told yet.
    orphans: BTreeSet<RequestName>,
    pending: BTreeMap<RequestName, Pending>,
    /// What peers said of requests whose part is not here yet.
    early: BTreeMap<RequestName, Early>,
    sessions: BTreeMap<u64, OpenSession>,
    next_session: u64,
    /// At the leader, what waits for a session.
    queues: BTreeMap<ModelId, Queue>,
    /// Who waits for a version to be active, and how long.
    pushes: BTreeMap<ModelId, Vec<(Ticket, u64)>>,
    /// Versions that answer nothing new, and are forgotten when their last request has ended.
    leaving: BTreeSet<ModelId>,
    /// Staged versions that this party has compared with both others.
    agreed: BTreeSet<ModelId>,
    /// Active versions that some peer does not have, and how they differ.
    differs: BTreeMap<ModelId, String>,
}

impl Desk {
    /// A desk over a store that was just opened.
    pub(crate) fn new(role: Role, rules: Rules, store: Store, books: Books, now: Now) -> Self {
        let open =
            |entry: &super::books::Entry| !matches!(entry.progress, Progress::Answered { .. });
        let orphans = books.ledger.iter().filter(|(_, entry)| open(entry));
        let orphans = orphans.map(|(request, _)| request.clone()).collect();
        Self {
            role,
            rules,
            store,
            draft: Draft::default(),
            actions: Vec::new(),
            now,
            links: [None, None, None],
            draining: false,
            orphans,
            pending: BTreeMap::new(),
            early: BTreeMap::new(),
            sessions: BTreeMap::new(),
            // The leader's are greater than that of every session before, also after a restart. A follower takes the
            // leader's numbers; that none comes twice over one connection is all that matters.
            next_session: if role == LEADER {
                (now.unix << 24) + 1
            } else {
                1
            },
            queues: BTreeMap::new(),
            pushes: BTreeMap::new(),
            leaving: BTreeSet::new(),
            agreed: BTreeSet::new(),
            differs: BTreeMap::new(),
            books,
        }
    }

    /// Let these things happen, in order. When this returns, what must survive is on the disk, and the actions may be done.
    ///
    /// # Errors
    /// If the disk fails. The desk must then be dropped, as after a crash.
    pub(crate) fn handle(
        &mut self,
        now: Now,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Vec<Action>, StoreError> {
        self.now = now;
        for event in events {
            self.event(event);
        }
        self.start_sessions();
        self.unload();
        let draft = std::mem::take(&mut self.draft);
        self.store.commit(&self.books, draft)?;
        Ok(std::mem::take(&mut self.actions))
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Push {
                ticket,
                id,
                model,
                part,
            } => self.push(ticket, id, *model, part),
            Event::Retire {
                ticket,
                owner,
                model,
            } => self.retire(ticket, &owner, &model),
            Event::Grant {
                ticket,
                owner,
                model,
                user,
                grant,
            } => self.grant(ticket, &owner, model, user, grant),
            Event::Query { ticket, query } => self.query(ticket, query),
            Event::TurnedAway { request, code } => self.turned_away(request, code),
            Event::LinkUp { peer, key } => {
                self.links[peer.index()] = Some(Link {
                    key,
                    models: None,
                    open: None,
                });
                if peer == LEADER {
                    // A leader that has begun anew counts from anew, over links with new secrets.
                    self.next_session = 1;
                }
                self.tell_models(peer);
                self.tell_open(peer);
            }
            Event::LinkDown { peer } => self.link_down(peer),
            Event::Heard { from, word } => self.heard(from, word),
            Event::Computed { session, answers } => self.computed(session, answers),
            Event::Tick => self.tick(),
            Event::Drain => self.draining = true,
        }
    }

    fn heard(&mut self, from: Role, word: Word) {
        // What a link that is gone still brought.
        if self.links[from.index()].is_none() {
            return;
        }
        let leads = self.role == LEADER;
        match word {
            Word::Models(lines) => self.models_of(from, lines),
            Word::Differs { id, push } => self.differs_at(from, &id, push),
            Word::Open(open) if leads => self.open_at(from, open),
            Word::Part {
                request,
                model,
                samples,
                mark,
            } => self.part_at(from, request, (model, samples, mark)),
            Word::Ready { request } if leads => self.ready_at(from, &request),
            Word::Refuse { request, code } => self.refused_by(from, request, code),
            Word::Run {
                session,
                model,
                requests,
            } if from == LEADER => self.run(session, model, requests),
            Word::Done { session } if leads => self.done_at(from, session),
            Word::Failed { session } if leads => self.fail(session),
            Word::Cancel { session } if from == LEADER => self.cancel(session),
            Word::Release { session } if from == LEADER => self.release(session),
            Word::Settle { request, answered } if from == LEADER => {
                self.settled(&request, answered);
            }
            _ => self.alarm(format!("{from} said something that is not its to say")),
        }
    }

    fn tick(&mut self) {
        self.requests_too_late();
        self.sessions_too_long();
        self.models_too_old();
        self.prune();
    }

    /// Forget answers that have been kept long enough. Not while somebody may still not know that there was one.
    fn prune(&mut self) {
        let told = |link: &Option<Link>| link.as_ref().is_some_and(|link| link.open.is_some());
        let all_told = self
            .peers()
            .iter()
            .all(|peer| told(&self.links[peer.index()]));
        if !self.is_connected() || (self.role == LEADER && !all_told) {
            return;
        }
        let old = self
            .now
            .unix
            .saturating_sub(self.rules.keep_answers_seconds);
        let answered = |progress: &Progress| matches!(progress, Progress::Answered { .. });
        let done = self.books.ledger.iter();
        let done = done.filter(|(_, entry)| answered(&entry.progress) && entry.since < old);
        let done: Vec<RequestName> = done.map(|(request, _)| request.clone()).collect();
        for request in done {
            self.change(Change::Prune { request });
        }
    }

    /// What the books say.
    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    /// This party's part of a version's weights and guard.
    pub(crate) fn part(&self, id: &ModelId) -> Result<zeroize::Zeroizing<Vec<u8>>, StoreError> {
        let gone = || StoreError::Part { id: id.clone() };
        let model = self.books.models.get(id).ok_or_else(gone)?;
        self.store.part(id, model)
    }

    /// Whether this party is connected to both others.
    pub(crate) fn is_connected(&self) -> bool {
        let peers = [self.role.next(), self.role.prev()];
        peers.iter().all(|peer| self.links[peer.index()].is_some())
    }

    /// Requests that wait or run, and sessions that run.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.pending.len(), self.sessions.len())
    }

    /// How active versions differ from what peers have.
    pub(crate) fn differences(&self) -> &BTreeMap<ModelId, String> {
        &self.differs
    }

    fn peers(&self) -> [Role; 2] {
        [self.role.next(), self.role.prev()]
    }

    fn change(&mut self, change: Change) {
        self.draft.apply(&mut self.books, change);
    }

    fn say(&mut self, to: Role, word: Word) {
        if self.links[to.index()].is_some() {
            self.actions.push(Action::Say { to, word });
        }
    }

    fn say_to_both(&mut self, word: &Word) {
        for peer in self.peers() {
            self.say(peer, word.clone());
        }
    }

    fn reply(&mut self, ticket: Ticket, reply: Result<Reply, Problem>) {
        self.actions.push(Action::Reply { ticket, reply });
    }

    fn alarm(&mut self, text: String) {
        self.actions.push(Action::Alarm(text));
    }
}

/// The id of a user's request.
pub(crate) fn request_name(user: &Name, id: RequestId) -> RequestName {
    RequestName {
        user: user.clone(),
        id,
    }
}

#[cfg(test)]
mod tests;
