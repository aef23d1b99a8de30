//! The client's three conversations: who has something to say, who is silent, who is gone.

use crate::conversation::Conversation;
use crate::wire::{CONTROL_LIMIT, Reply, Turn, say, unexpected};
use crate::{ServeError, local::Processes};
use serde::Serialize;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use trefoil_net::{Pulse, Role};

/// Longest wait for one party before the others are looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// How long a party's failure waits for what the others say, so that the one at fault can be named.
const HEARING: Duration = Duration::from_secs(1);

/// The three conversations of a session.
pub(crate) struct Conversations {
    /// Tells the parties that this client lives; ended before the connections are closed.
    pub(crate) pulse: Option<Pulse>,
    pub(crate) ends: Vec<Box<dyn Conversation>>,
    pub(crate) threads: Vec<JoinHandle<()>>,
    /// Longest silence of a party.
    patience: Duration,
    start: Instant,
    /// What is known of a party that has failed.
    words: [Option<Word>; 3],
    /// Who has said its last.
    done: [bool; 3],
}

/// Why a party is out.
enum Word {
    /// It has said so itself, and whom it blames.
    Said(String, Vec<Role>),
    /// Its connection has ended without a word.
    Lost(String),
    /// It gives no sign of life.
    Silent(Duration),
}

/// Whether nothing comes after it.
fn is_last(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::Done(_) | Reply::Measured { .. } | Reply::Opened { .. } | Reply::Ended
    )
}

impl Word {
    /// Whether it is about the party itself, not about another.
    fn is_fault(&self) -> bool {
        match self {
            Self::Said(_, blames) => blames.is_empty(),
            Self::Lost(_) | Self::Silent(_) => true,
        }
    }
}

impl Conversations {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            pulse: None,
            ends: Vec::new(),
            threads: Vec::new(),
            patience,
            start: Instant::now(),
            words: Default::default(),
            done: [false; 3],
        }
    }

    /// The conversation with `role`, to say something.
    pub(crate) fn end(&mut self, role: Role) -> &mut dyn Conversation {
        &mut *self.ends[role.index()]
    }

    /// The next frame of `role`, however long it takes, as long as all three parties live.
    ///
    /// # Errors
    /// As soon as any party has failed, has gone or is silent for too long; [`or_failures`](Self::or_failures) then
    /// finds who.
    pub(crate) fn receive(&mut self, role: Role, limit: u64) -> Result<Vec<u8>, ServeError> {
        loop {
            let end = Instant::now() + GLANCE;
            match self.ends[role.index()].receive_before(limit, end) {
                Ok(Some(body)) => return Ok(body),
                Ok(None) => {}
                Err(error) => {
                    self.note(role, Word::Lost(error.to_string()));
                    return Err(error);
                }
            }
            for other in Role::ALL {
                self.look(other)?;
            }
        }
    }

    /// The next reply of `role`; a failure that it reports is an error.
    pub(crate) fn reply(&mut self, role: Role) -> Result<Reply, ServeError> {
        let body = self.receive(role, CONTROL_LIMIT)?;
        match postcard::take_from_bytes(&body) {
            Ok((Reply::Failed { reason, blames }, [])) => {
                let failures = vec![(role, reason.clone())];
                self.note(role, Word::Said(reason, blames));
                Err(ServeError::Parties { failures })
            }
            Ok((reply, [])) => {
                if is_last(&reply) {
                    self.done[role.index()] = true;
                }
                Ok(reply)
            }
            _ => Err(ServeError::Conversation {
                peer: role.to_string(),
                problem: "said something that makes no sense".into(),
            }),
        }
    }

    /// Say the same to all three parties, each of which takes it before it is silent for `patience`.
    pub(crate) fn say_to_all(
        &mut self,
        what: &impl Serialize,
        patience: Duration,
    ) -> Result<(), ServeError> {
        let mut ends = self.ends.iter_mut();
        ends.try_for_each(|end| say(&mut **end, what, Instant::now() + patience))
    }

    /// Wait until all parties are connected to each other.
    pub(crate) fn ready(&mut self) -> Result<(), ServeError> {
        Role::ALL
            .into_iter()
            .try_for_each(|role| match self.reply(role)? {
                Reply::Ready => Ok(()),
                other => Err(unexpected(role, &other)),
            })
    }

    /// Take in what parties have said since they were last asked for something.
    ///
    /// # Errors
    /// If one of them has failed or has gone.
    pub(crate) fn look_at_all(&mut self) -> Result<(), ServeError> {
        Role::ALL.into_iter().try_for_each(|role| self.look(role))
    }

    /// End an open session. Waits for the parties' words so that what was said arrives, but for nobody longer than `patience`.
    pub(crate) fn farewell(mut self, patience: Duration) {
        let end = Instant::now() + patience;
        if self.say_to_all(&Turn::End, patience).is_ok() {
            for conversation in &mut self.ends {
                // Nothing depends on it any more.
                let _ = conversation.receive_before(CONTROL_LIMIT, end);
            }
        }
        self.join();
    }

    fn note(&mut self, role: Role, word: Word) {
        self.words[role.index()].get_or_insert(word);
    }

    /// Take in what `role` has sent; an error if it has failed, has gone or is silent for too long.
    fn look(&mut self, role: Role) -> Result<(), ServeError> {
        if self.done[role.index()] || self.words[role.index()].is_some() {
            return Ok(());
        }
        let silence = self.ends[role.index()].silence(self.start);
        if let Err(error) = self.ends[role.index()].look() {
            // The last that it said tells whether it has ended well.
            let last = self.ends[role.index()].newest();
            match last.map(postcard::take_from_bytes::<Reply>) {
                Some(Ok((last, []))) if is_last(&last) => return Ok(()),
                Some(Ok((Reply::Failed { reason, blames }, []))) => {
                    self.note(role, Word::Said(reason, blames));
                }
                _ => self.note(role, Word::Lost(error.to_string())),
            }
            return Err(error);
        }
        if silence >= self.patience && self.ends[role.index()].silence(self.start) >= self.patience
        {
            self.note(role, Word::Silent(silence));
            return Err(ServeError::Parties {
                failures: vec![(role, silent(silence))],
            });
        }
        Ok(())
    }

    /// If `result` is a failure of parties, who is at fault and why; the others are not named.
    pub(crate) fn or_failures<T>(
        &mut self,
        result: Result<T, ServeError>,
    ) -> Result<T, ServeError> {
        let Err(first) = result else { return result };
        if !matches!(
            first,
            ServeError::Parties { .. }
                | ServeError::Connection(_)
                | ServeError::Conversation { .. }
        ) {
            return Err(first);
        }
        let end = Instant::now() + HEARING;
        while !self.is_clear() && Instant::now() < end {
            for role in Role::ALL {
                // What it finds is noted.
                let _ = self.look(role);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Nearly as silent as the one that was waited for counts: both stopped at the same time.
        for role in Role::ALL {
            let silence = self.ends[role.index()].silence(self.start);
            if !self.done[role.index()] && silence >= self.patience.mul_f64(0.8) {
                self.note(role, Word::Silent(silence));
            }
        }
        let failures = self.verdict();
        if failures.is_empty() {
            return Err(first);
        }
        Err(ServeError::Parties { failures })
    }

    /// Whether it is known who is at fault: somebody who is gone or silent, or whom nobody else could excuse.
    fn is_clear(&self) -> bool {
        let known = |role: &Role| self.words[role.index()].is_some() || self.done[role.index()];
        // Whom somebody blames may have a reason that is still on its way.
        let heard = |word: &Word| match word {
            Word::Said(_, blames) => blames.iter().all(known),
            Word::Lost(_) | Word::Silent(_) => true,
        };
        let words = || self.words.iter().flatten();
        Role::ALL.iter().all(known) || (words().any(Word::is_fault) && words().all(heard))
    }

    /// Who is at fault. A party that blames one that is out for a reason of its own is none; nor is one that blames such a
    /// party, whose link went down when it stopped.
    fn verdict(&self) -> Vec<(Role, String)> {
        let words = || {
            let all = Role::ALL.into_iter().zip(&self.words);
            all.filter_map(|(role, word)| Some((role, word.as_ref()?)))
        };
        let mut explained: Vec<Role> = words()
            .filter(|(_, word)| word.is_fault())
            .map(|(role, _)| role)
            .collect();
        let culprits = explained.clone();
        // Twice: a chain of blame has three links at most.
        for _ in 0..2 {
            for (role, word) in words() {
                if let Word::Said(_, blames) = word
                    && blames.iter().any(|role| explained.contains(role))
                {
                    explained.push(role);
                }
            }
        }
        let named = |role: &Role| culprits.contains(role) || !explained.contains(role);
        words()
            .filter(|(role, _)| culprits.is_empty() || named(role))
            .map(|(role, word)| match word {
                Word::Said(reason, _) | Word::Lost(reason) => (role, reason.clone()),
                Word::Silent(silence) => (role, silent(*silence)),
            })
            .collect()
    }

    pub(crate) fn join(mut self) {
        drop(self.pulse.take());
        drop(std::mem::take(&mut self.ends));
        for thread in self.threads {
            // A panic of a party has been printed by its thread.
            let _ = thread.join();
        }
    }
}

fn silent(silence: Duration) -> String {
    format!("has given no sign of life for {silence:.1?}: stalled or unreachable")
}

/// Waits for `connect`, and looks meanwhile whether the parties' processes live.
pub(crate) fn while_they_run<T>(
    processes: Option<&Processes>,
    stop: &trefoil_net::Stop,
    connect: impl FnOnce() -> Result<T, ServeError>,
) -> Result<T, ServeError> {
    let Some(processes) = processes else {
        return connect();
    };
    let over = std::sync::atomic::AtomicBool::new(false);
    let ordering = std::sync::atomic::Ordering::Relaxed;
    let (result, dead) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !over.load(ordering) {
                if let Some(dead) = processes.dead() {
                    stop.now("a party's process has ended");
                    return Some(dead);
                }
                std::thread::park_timeout(GLANCE);
            }
            None
        });
        let result = connect();
        over.store(true, ordering);
        watch.thread().unpark();
        (result, watch.join().unwrap_or(None))
    });
    match (result, dead) {
        (Err(_), Some(dead)) => Err(ServeError::Parties {
            failures: vec![dead],
        }),
        (result, _) => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(words: [Option<Word>; 3]) -> Vec<Role> {
        let mut all = Conversations::new(Duration::from_secs(1));
        for (role, word) in Role::ALL.into_iter().zip(words) {
            all.words[role.index()] = word;
        }
        all.verdict().into_iter().map(|(role, _)| role).collect()
    }

    fn said(blames: &[Role]) -> Word {
        Word::Said("a reason".into(), blames.to_vec())
    }

    #[test]
    fn who_is_dragged_along_is_not_named() {
        let silent = || Word::Silent(Duration::from_secs(1));
        // Party 2 stops because party 0 is silent, and party 1 because party 2 has stopped.
        let words = [silent(), said(&[Role::P2]), said(&[Role::P0])].map(Some);
        assert_eq!(verdict(words), [Role::P0]);
        assert_eq!(
            verdict([Some(said(&[])), Some(said(&[Role::P0])), None]),
            [Role::P0]
        );
        // Each blames the other: nobody knows better.
        let words = [None, Some(said(&[Role::P2])), Some(said(&[Role::P1]))];
        assert_eq!(verdict(words), [Role::P1, Role::P2]);
        // Two faults of their own.
        assert_eq!(
            verdict([silent(), said(&[]), said(&[Role::P1])].map(Some)),
            [Role::P0, Role::P1]
        );
    }
}
