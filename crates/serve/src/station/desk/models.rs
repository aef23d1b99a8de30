//! The life of models: staged at each party, active at all three, retired.

use super::words::{Line, Mark, mark};
use super::{Action, Change, Code, Desk, Grant, LEADER, Link, Name, Problem, Reply, Ticket, Word};
use crate::station::books::{Model, ModelState};
use crate::station::names::ModelId;
use std::collections::BTreeMap;
use trefoil_net::Role;

/// What a peer has said of a version.
struct Said {
    /// Whether plan, guard and the common component are the same.
    same: bool,
    state: ModelState,
    /// Whether it has compared with both others.
    agreed: bool,
}

impl Desk {
    pub(super) fn push(&mut self, ticket: Ticket, id: ModelId, model: Model, part: Vec<u8>) {
        if self.draining {
            return self.reply(ticket, Err(Code::Draining.into()));
        }
        let newest = self.books.versions(&id.name).next_back();
        if let Some((_, newest)) = newest
            && newest.owner != model.owner
        {
            let words = format!(
                "the name {} belongs to another owner: choose another one",
                id.name
            );
            return self.reply(ticket, Err(Problem::saying(Code::VersionTaken, words)));
        }
        let same = |known: &Model| {
            known.push == model.push
                && known.public == model.public
                && known.digests == model.digests
        };
        match self.books.models.get(&id) {
            // The same push again: whoever asks wants to know how it ends.
            Some(known) if same(known) && known.state == ModelState::Active => {
                return self.reply(ticket, Ok(Reply::Done));
            }
            Some(known) if same(known) && known.state == ModelState::Staged => {}
            // What was staged was at none or some of the parties, and answers nothing.
            Some(known) if known.state == ModelState::Staged => {
                self.refuse_push(
                    &id,
                    &Problem::saying(Code::PartsDiffer, "it was pushed again"),
                );
                self.agreed.remove(&id);
                self.change(Change::Stage {
                    id: id.clone(),
                    model,
                    part,
                });
            }
            None if newest.is_none_or(|(newest, _)| newest.version < id.version) => {
                self.change(Change::Stage {
                    id: id.clone(),
                    model,
                    part,
                });
            }
            _ => return self.reply(ticket, Err(Code::VersionTaken.into())),
        }
        let until = self.now.ms + self.rules.push_ms;
        self.pushes.entry(id).or_default().push((ticket, until));
        self.tell_models_to_both();
        self.review();
    }

    pub(super) fn retire(&mut self, ticket: Ticket, owner: &Name, name: &Name) {
        let mine = |model: &Model| model.owner == *owner;
        let versions: Vec<(ModelId, ModelState)> = self
            .books
            .versions(name)
            .filter(|(_, model)| mine(model))
            .map(|(id, model)| (id.clone(), model.state))
            .collect();
        if versions.is_empty() {
            return self.reply(ticket, Err(Code::NoSuchModel.into()));
        }
        let now = self.now.unix;
        for (id, state) in versions {
            match state {
                ModelState::Active => {
                    self.change(Change::Retire {
                        id: id.clone(),
                        now,
                    });
                    self.leaving.insert(id);
                }
                ModelState::Staged => {
                    self.refuse_push(
                        &id,
                        &Problem::saying(Code::NotActive, "it was retired meanwhile"),
                    );
                    self.change(Change::Forget { id });
                }
                ModelState::Retired => {}
            }
        }
        self.tell_models_to_both();
        self.review();
        self.reply(ticket, Ok(Reply::Done));
    }

    pub(super) fn grant(
        &mut self,
        ticket: Ticket,
        owner: &Name,
        model: Name,
        user: Name,
        grant: Option<Grant>,
    ) {
        let mine = |(_, model): (&ModelId, &Model)| model.owner == *owner;
        if !self.books.versions(&model).any(mine) {
            return self.reply(ticket, Err(Code::NoSuchModel.into()));
        }
        self.change(match grant {
            Some(grant) => Change::Grant { model, user, grant },
            None => Change::Revoke { model, user },
        });
        self.reply(ticket, Ok(Reply::Done));
    }

    /// The marks and states of all versions, for `peer`.
    pub(super) fn tell_models(&mut self, peer: Role) {
        let Some(link) = &self.links[peer.index()] else {
            return;
        };
        let line = |(id, model): (&ModelId, &Model)| Line {
            id: id.clone(),
            state: model.state,
            push: model.push,
            public: model.public,
            mark: self.mark_of(link, peer, id, model),
            agreed: self.agreed.contains(id),
        };
        let lines = self.books.models.iter().map(line).collect();
        self.say(peer, Word::Models(lines));
    }

    fn tell_models_to_both(&mut self) {
        for peer in self.peers() {
            self.tell_models(peer);
        }
    }

    fn mark_of(&self, link: &Link, peer: Role, id: &ModelId, model: &Model) -> Mark {
        let component = model.digests.shared_with(self.role, peer);
        mark(&link.key, &("model", id, model.public), component)
    }

    pub(super) fn models_of(&mut self, from: Role, lines: Vec<Line>) {
        let lines: BTreeMap<_, _> = lines
            .into_iter()
            .map(|line| (line.id.clone(), line))
            .collect();
        if let Some(link) = &mut self.links[from.index()] {
            link.models = Some(lines);
        }
        self.review();
    }

    /// What `peer` says of a version that this party has; nothing if it speaks of another push.
    fn said_by(&self, peer: Role, id: &ModelId, model: &Model) -> Option<Said> {
        let link = self.links[peer.index()].as_ref()?;
        let line = link.models.as_ref()?.get(id)?;
        let own = self.mark_of(link, peer, id, model);
        (line.push == model.push).then_some(Said {
            same: line.public == model.public && line.mark == own,
            state: line.state,
            agreed: line.agreed,
        })
    }

    /// Compare the models with what the peers have, as far as that is known, and go on where that allows it.
    fn review(&mut self) {
        let staged = |(_, model): &(&ModelId, &Model)| model.state == ModelState::Staged;
        let staged = self.books.models.iter().filter(staged);
        let staged: Vec<ModelId> = staged.map(|(id, _)| id.clone()).collect();
        let mut news = false;
        for id in staged {
            news |= self.review_staged(&id);
        }
        if news {
            self.tell_models_to_both();
        }
        self.review_active();
    }

    /// Whether something has changed that the peers wait for.
    fn review_staged(&mut self, id: &ModelId) -> bool {
        let Some(model) = self.books.models.get(id) else {
            return false;
        };
        let said = self
            .peers()
            .map(|peer| (peer, self.said_by(peer, id, model)));
        let push = model.push;
        if let Some((peer, _)) = said
            .iter()
            .find(|(_, said)| said.as_ref().is_some_and(|said| !said.same))
        {
            let words = format!(
                "{id} is not the same at {peer}: push it again, the plan to all three and each its own part"
            );
            self.say_to_both(&Word::Differs {
                id: id.clone(),
                push,
            });
            self.give_up(id, &Problem::saying(Code::PartsDiffer, words));
            return true;
        }
        if said.iter().any(|(_, said)| said.is_none()) {
            return false;
        }
        let ready = if self.role == LEADER {
            said.iter()
                .all(|(_, said)| said.as_ref().is_some_and(|said| said.agreed))
        } else {
            let at_leader = said.iter().find(|(peer, _)| *peer == LEADER);
            let at_leader = at_leader.and_then(|(_, said)| said.as_ref());
            at_leader.is_some_and(|said| said.state == ModelState::Active)
        };
        let news = self.agreed.insert(id.clone());
        if ready {
            self.activate(id);
        }
        news || ready
    }

    /// A peer has found that a push differs.
    pub(super) fn differs_at(&mut self, from: Role, id: &ModelId, push: [u8; 16]) {
        let staged = |model: &Model| model.state == ModelState::Staged && model.push == push;
        if self.books.models.get(id).is_some_and(staged) {
            let words =
                format!("{from} has found that {id} is not the same at all parties: push it again");
            self.give_up(id, &Problem::saying(Code::PartsDiffer, words));
            self.tell_models_to_both();
        }
    }

    fn give_up(&mut self, id: &ModelId, problem: &Problem) {
        self.refuse_push(id, problem);
        self.change(Change::Forget { id: id.clone() });
        self.agreed.remove(id);
    }

    fn activate(&mut self, id: &ModelId) {
        let before = self.books.active(&id.name).map(|(id, _)| id.clone());
        let (id, now) = (id.clone(), self.now.unix);
        self.change(Change::Activate {
            id: id.clone(),
            now,
        });
        self.agreed.remove(&id);
        if let Some(before) = before {
            self.leaving.insert(before);
        }
        for (ticket, _) in self.pushes.remove(&id).unwrap_or_default() {
            self.reply(ticket, Ok(Reply::Done));
        }
        self.actions.push(Action::Load { id });
    }

    /// An active version that a peer does not have is refused here: its registry may be an old backup.
    fn review_active(&mut self) {
        let active = |(_, model): &(&ModelId, &Model)| model.state == ModelState::Active;
        let mut differs = BTreeMap::new();
        for (id, model) in self.books.models.iter().filter(active) {
            for peer in self.peers() {
                let known = self.links[peer.index()]
                    .as_ref()
                    .is_some_and(|link| link.models.is_some());
                let how = match self.said_by(peer, id, model) {
                    _ if !known => continue,
                    None => "does not have it",
                    Some(Said { same: false, .. }) => "has another one of that name and version",
                    Some(Said {
                        state: ModelState::Retired,
                        ..
                    }) => "has retired it",
                    Some(_) => continue,
                };
                differs.insert(id.clone(), format!("{peer} {how}"));
            }
        }
        let fresh: Vec<String> = differs
            .iter()
            .filter(|(id, how)| self.differs.get(*id) != Some(how))
            .map(|(id, how)| {
                format!("{id} is active here, and {how}: it is not computed until that is mended")
            })
            .collect();
        self.differs = differs;
        for text in fresh {
            self.alarm(text);
        }
    }

    /// Forget what no request needs any more: those that were taken end on their version.
    pub(super) fn unload(&mut self) {
        let pending = &self.pending;
        let needed = |id: &ModelId| pending.values().any(|pending| pending.query.model == *id);
        let gone: Vec<ModelId> = self
            .leaving
            .iter()
            .filter(|id| !needed(id))
            .cloned()
            .collect();
        for id in gone {
            self.leaving.remove(&id);
            self.actions.push(Action::Unload { id });
        }
    }

    pub(super) fn refuse_push(&mut self, id: &ModelId, problem: &Problem) {
        for (ticket, _) in self.pushes.remove(id).unwrap_or_default() {
            self.reply(ticket, Err(problem.clone()));
        }
    }

    pub(super) fn models_too_old(&mut self) {
        let now = self.now.ms;
        let mut late = Vec::new();
        for waiting in self.pushes.values_mut() {
            late.extend(
                waiting
                    .extract_if(.., |(_, until)| *until <= now)
                    .map(|(ticket, _)| ticket),
            );
        }
        self.pushes.retain(|_, waiting| !waiting.is_empty());
        for ticket in late {
            let words = "the version is here, and not yet at all three parties: push it to the others, or the same again \
                         when they are back";
            self.reply(ticket, Err(Problem::saying(Code::PartsMissing, words)));
        }
        let old = self.now.unix.saturating_sub(self.rules.keep_staged_seconds);
        let given_up = |(_, model): &(&ModelId, &Model)| {
            model.state == ModelState::Staged && model.since < old
        };
        let given_up = self.books.models.iter().filter(given_up);
        let given_up: Vec<ModelId> = given_up.map(|(id, _)| id.clone()).collect();
        let any = !given_up.is_empty();
        for id in given_up {
            self.agreed.remove(&id);
            self.change(Change::Forget { id });
        }
        if any {
            self.tell_models_to_both();
        }
    }
}
