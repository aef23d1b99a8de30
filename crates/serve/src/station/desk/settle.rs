//! What was under way when parties lost each other, or one of them stopped.
//!
//! The leader's ledger decides. A request whose shares of one session are at all three may have been answered, and is;
//! every other one was answered by nobody, and its charge is given back.

use super::words::OpenRequest;
use super::{Change, Code, Desk, LEADER, Progress, RequestName, Word};
use std::collections::BTreeMap;
use trefoil_net::Role;

impl Desk {
    pub(super) fn link_down(&mut self, peer: Role) {
        self.links[peer.index()] = None;
        self.early.clear();
        let sessions: Vec<u64> = self.sessions.keys().copied().collect();
        if self.role == LEADER {
            // Nobody can compute without all three: what is not released now is never released.
            for session in sessions {
                self.say_to_both(&Word::Cancel { session });
                self.end_session(session);
            }
            for request in self.waiting() {
                self.refuse(&request, &Code::PeersUnreachable.into());
            }
            return;
        }
        if peer == LEADER {
            for session in sessions {
                self.leave_session(session);
            }
        }
        for request in self.waiting() {
            let charged = self.books.ledger.contains_key(&request);
            match (charged, peer == LEADER) {
                (false, _) => self.refuse(&request, &Code::PeersUnreachable.into()),
                // How it ends the leader knows, and tells when it is back.
                (true, true) => self.forget_request(&request, &Code::Undecided.into()),
                // Its session will fail, and the leader end it.
                (true, false) => {}
            }
        }
    }

    fn waiting(&self) -> Vec<RequestName> {
        self.pending.keys().cloned().collect()
    }

    /// A follower tells the leader what it does not know the end of.
    pub(super) fn tell_open(&mut self, peer: Role) {
        if peer != LEADER || self.role == LEADER {
            return;
        }
        let mut open = Vec::new();
        for (request, entry) in &self.books.ledger {
            let computed = match entry.progress {
                Progress::Charged => None,
                Progress::Computed { session, .. } => Some(session),
                Progress::Answered { .. } => continue,
            };
            open.push(OpenRequest {
                request: request.clone(),
                computed,
            });
        }
        self.say(LEADER, Word::Open(open));
    }

    /// At the leader: what a follower does not know the end of.
    pub(super) fn open_at(&mut self, from: Role, open: Vec<OpenRequest>) {
        let mut undecided = Vec::new();
        for entry in open {
            if self.orphans.contains(&entry.request) {
                undecided.push(entry);
                continue;
            }
            let progress = self
                .books
                .ledger
                .get(&entry.request)
                .map(|entry| &entry.progress);
            let answered = matches!(progress, Some(Progress::Answered { .. }));
            let request = entry.request;
            self.say(from, Word::Settle { request, answered });
        }
        if let Some(link) = &mut self.links[from.index()] {
            link.open = Some(undecided);
        }
        self.settle_orphans();
    }

    /// At the leader after a restart: what it does not know the end of either is decided when both followers have spoken.
    fn settle_orphans(&mut self) {
        let open_at = |role: Role| -> Option<BTreeMap<&RequestName, Option<u64>>> {
            let open = self.links[role.index()].as_ref()?.open.as_ref()?;
            Some(
                open.iter()
                    .map(|entry| (&entry.request, entry.computed))
                    .collect(),
            )
        };
        let (Some(first), Some(second)) = (open_at(Role::P1), open_at(Role::P2)) else {
            return;
        };
        let mut decided = Vec::new();
        for request in &self.orphans {
            let Some(entry) = self.books.ledger.get(request) else {
                continue;
            };
            let own = match entry.progress {
                Progress::Computed { session, .. } => Some(session),
                _ => None,
            };
            // Who has it answered does not name it, and then the leader has it answered too: it notes that first.
            let same = |open: &BTreeMap<&RequestName, Option<u64>>| {
                own.is_some() && open.get(request).copied().flatten() == own
            };
            decided.push((request.clone(), same(&first) && same(&second)));
        }
        self.orphans.clear();
        for (request, answered) in decided {
            for peer in self.peers() {
                let request = request.clone();
                self.say(peer, Word::Settle { request, answered });
            }
            self.settled(&request, answered);
        }
    }

    /// How a request ended.
    pub(super) fn settled(&mut self, request: &RequestName, answered: bool) {
        self.orphans.remove(request);
        if self.pending.contains_key(request) {
            return;
        }
        let request = request.clone();
        if answered {
            let known = self.books.ledger.get(&request).map(|entry| &entry.progress);
            if matches!(known, Some(Progress::Charged)) {
                self.alarm(format!(
                    "request {request} was answered by the others, and this party has no shares of it: was its store \
                     restored from a backup?"
                ));
            }
            self.change(Change::Answered { request });
        } else {
            self.change(Change::Refund { request });
        }
    }
}
