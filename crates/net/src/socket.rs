//! Links to the two peers over TCP or TLS.

use crate::ending::Failure;
use crate::header::MAX_BODY;
use crate::line::Line;
use crate::patience::{GLANCE, Patience, send_stalled};
use crate::stream::{Read, poll_fds};
use crate::transport::{check_size, peers_of};
use crate::{Activity, Channel, Heard, LinkOptions, LinkStats, NetError, Peer, Role, Transport};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Most bytes of a peer's frames that are taken in while this party waits to send: as much as a party keeps unread.
const MOST_KEPT: u64 = 8 << 30;

/// One party's links over two connections, single-threaded and never blocking in a send.
///
/// What the kernel does not take at once is kept, and written whenever this party sends, receives
/// or finishes. No more than the queue of [`LinkOptions`] is kept for a peer: beyond it a send waits until
/// the peer has taken some, and takes in what peers send meanwhile. A receive looks at both connections for
/// the spin time of [`LinkOptions`], then sleeps until data or the deadline comes.
pub struct SocketTransport {
    role: Role,
    /// In the order of `peers_of(role)`.
    links: [Line; 2],
    /// The link to look at first, so that a busy peer does not starve the other.
    turn: usize,
    options: LinkOptions,
    /// Frames that arrived while this party was sending.
    kept: VecDeque<(Role, Vec<u8>)>,
    /// Bytes of `kept`, in the order of `links`.
    kept_bytes: [u64; 2],
    activity: Arc<Activity>,
    /// Whether signs of life go to the peers, and are expected of them.
    beating: bool,
}

impl SocketTransport {
    /// Links over channels to the next and the previous party in the ring; counters start at zero.
    ///
    /// # Panics
    /// If a channel leads to another peer than that.
    pub fn new(role: Role, next: Channel, previous: Channel, options: LinkOptions) -> Self {
        assert_eq!(
            next.peer(),
            Peer::Party(role.next()),
            "the channel to the next party"
        );
        assert_eq!(
            previous.peer(),
            Peer::Party(role.prev()),
            "the channel to the previous party"
        );
        let links = [next, previous].map(|channel| {
            let line = channel.into_line();
            line.lock().stats = LinkStats::default();
            line
        });
        let frame_limit = options.frame_limit.min(MAX_BODY);
        Self {
            role,
            links,
            turn: 0,
            kept: VecDeque::new(),
            kept_bytes: [0; 2],
            options: LinkOptions {
                frame_limit,
                ..options
            },
            activity: Arc::default(),
            beating: false,
        }
    }

    /// From now on this party's work shows in `activity`, and its peers give signs of life.
    pub(crate) fn beat(&mut self, activity: Arc<Activity>) -> &[Line; 2] {
        self.activity = activity;
        self.beating = true;
        &self.links
    }

    /// Takes what came and forgets it; whether anything did.
    fn discard(&mut self) -> bool {
        let mut progress = false;
        for link in &self.links {
            let read = link.lock().read(self.options.frame_limit);
            progress |= !matches!(read, Ok(Read::Blocked) | Err(_));
        }
        progress
    }

    fn peers(&self) -> [(Role, &Line); 2] {
        let [next, previous] = &self.links;
        let [a, b] = peers_of(self.role);
        [(a, next), (b, previous)]
    }

    fn link(&self, peer: Role) -> usize {
        assert!(peer != self.role, "{peer} has no link to itself");
        usize::from(peer != self.role.next())
    }

    fn flush(&self) {
        for link in &self.links {
            link.lock().flush();
        }
    }

    /// Looks at both links once, the one whose turn it is first.
    fn look(&mut self) -> Result<Look, NetError> {
        self.look_at([true; 2])
    }

    /// As [`Self::look`], at these links only.
    fn look_at(&mut self, wanted: [bool; 2]) -> Result<Look, NetError> {
        let limit = self.options.frame_limit;
        let mut seen = Look::Nothing;
        for i in [self.turn, 1 - self.turn] {
            if !wanted[i] {
                continue;
            }
            let peer = peers_of(self.role)[i];
            let read = self.links[i].lock().read(limit);
            match read {
                Ok(Read::Frame(body)) => {
                    self.turn = 1 - i;
                    self.activity.moved();
                    return Ok(Look::Frame(peer, body));
                }
                Ok(Read::Progress) => seen = Look::Progress,
                Ok(Read::Blocked) => {}
                Err(failure) => {
                    if let Failure::TooLarge(bytes) = failure {
                        return Err(NetError::FrameTooLarge { peer, bytes, limit });
                    }
                }
            }
        }
        Ok(seen)
    }

    /// With nothing left to deliver: an end that makes waiting pointless is an error.
    fn check_ends(&self, awaited: &[Role]) -> Result<(), NetError> {
        let limit = self.options.frame_limit;
        let all_ended = self
            .links
            .iter()
            .all(|link| link.lock().failure().is_some());
        for (peer, link) in self.peers() {
            let link = link.lock();
            let reason = match (link.failure(), link.write_error()) {
                (Some(Failure::Goodbye), _) if !all_ended && !awaited.contains(&peer) => continue,
                (Some(failure), _) => failure.reason(limit),
                (None, Some(error)) => error.into(),
                (None, None) => continue,
            };
            return Err(NetError::LinkDown { peer, reason });
        }
        Ok(())
    }

    /// Who has more than `most` bytes still to take, and how much that is.
    fn stalled(&self, most: u64) -> Vec<(Role, u64)> {
        let waiting = self.peers().into_iter().filter_map(|(peer, link)| {
            let link = link.lock();
            let bytes = link.pending_bytes();
            (link.pending() && (most == 0 || bytes > most)).then_some((peer, bytes))
        });
        waiting.collect()
    }

    /// Pushes until no peer has more than `most` bytes to take.
    ///
    /// The deadline moves on whenever a peer that is waited for takes something, or is heard to work.
    fn push_out(&mut self, most: u64, deadline: Instant) -> Result<(), NetError> {
        let start = Instant::now();
        let mut patience = Patience::new(start, deadline);
        loop {
            self.flush();
            for (peer, link) in self.peers() {
                if let Some(error) = link.lock().write_error() {
                    let reason = error.into();
                    return Err(NetError::LinkDown { peer, reason });
                }
            }
            let stalled = self.stalled(most);
            if stalled.is_empty() {
                return Ok(());
            }
            // Peers may be sending too: take what they send, or both sides would wait.
            let roomy = self.kept_bytes.map(|kept| kept <= MOST_KEPT);
            match self.look_at(roomy)? {
                Look::Frame(peer, body) => {
                    self.kept_bytes[self.link(peer)] += body.len() as u64;
                    self.kept.push_back((peer, body));
                }
                Look::Progress => {}
                Look::Nothing => {
                    let now = Instant::now();
                    let left = stalled.iter().map(|&(_, bytes)| bytes).sum();
                    let worked = stalled.iter().map(|&(peer, _)| {
                        let (_, worked) = self.links[self.link(peer)].lock().heard();
                        worked
                    });
                    patience.renew(now, left, worked.max());
                    if patience.is_over(now) {
                        return Err(send_stalled(&stalled, now - start));
                    }
                    self.activity.wait();
                    self.sleep(roomy, patience.left(now).min(GLANCE));
                    self.activity.work();
                }
            }
        }
    }

    /// Sleeps until a link can go on; those that are not `wanted` for reading may still take bytes.
    fn sleep(&self, wanted: [bool; 2], time: Duration) {
        let mut fds = Vec::with_capacity(2);
        for (link, wanted) in self.links.iter().zip(wanted) {
            fds.extend(if wanted {
                link.interest()
            } else {
                link.interest_in_sending()
            });
        }
        if fds.is_empty() {
            thread::sleep(time);
        } else {
            poll_fds(&mut fds, time);
        }
    }
}

enum Look {
    Frame(Role, Vec<u8>),
    Progress,
    Nothing,
}

impl Transport for SocketTransport {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        check_size(to, body.len(), self.options.frame_limit)?;
        let i = self.link(to);
        if self.links[i].lock().pending_bytes() > self.options.queue {
            let deadline = Instant::now() + self.options.patience;
            self.push_out(self.options.queue, deadline)?;
        }
        let mut link = self.links[i].lock();
        let reason = match (link.failure(), link.write_error()) {
            (Some(failure), _) => Some(failure.reason(self.options.frame_limit)),
            (None, error) => error.map(Into::into),
        };
        if let Some(reason) = reason {
            return Err(NetError::LinkDown { peer: to, reason });
        }
        link.push(body);
        drop(link);
        // An error here is reported by the next receive, after the frames that came before it.
        self.flush();
        Ok(())
    }

    fn receive(
        &mut self,
        awaited: &[Role],
        deadline: Instant,
    ) -> Result<(Role, Vec<u8>), NetError> {
        let start = Instant::now();
        let mut spin_until = start + self.options.spin;
        if let Some((peer, body)) = self.kept.pop_front() {
            let kept = &mut self.kept_bytes[usize::from(peer != self.role.next())];
            *kept = kept.saturating_sub(body.len() as u64);
            return Ok((peer, body));
        }
        loop {
            self.flush();
            let look = self.look()?;
            if let Look::Frame(peer, body) = look {
                return Ok((peer, body));
            }
            let now = Instant::now();
            let progress = matches!(look, Look::Progress);
            if progress {
                spin_until = now + self.options.spin;
            } else {
                self.check_ends(awaited)?;
            }
            if now >= deadline {
                return Err(NetError::Timeout {
                    peers: awaited.to_vec(),
                    waited: now - start,
                });
            }
            if progress {
                continue;
            }
            if now < spin_until {
                thread::yield_now();
            } else {
                self.activity.wait();
                self.sleep([true; 2], deadline - now);
                self.activity.work();
            }
        }
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.push_out(0, deadline)
    }

    fn finish(&mut self, deadline: Instant) -> Result<(), NetError> {
        let start = Instant::now();
        let mut patience = Patience::new(start, deadline);
        for link in &self.links {
            link.lock().push_goodbye();
        }
        loop {
            self.flush();
            // Peers may be busy sending too: take what they send, or both sides would wait. It also
            // keeps the close of this end from destroying what is still under way.
            let progress = self.discard();
            let now = Instant::now();
            for (peer, link) in self.peers() {
                let link = link.lock();
                // Who has said goodbye needs nothing more, this side's goodbye included.
                let gone = matches!(link.failure(), Some(Failure::Goodbye));
                if let (Some(error), false, false) = (link.write_error(), progress, gone) {
                    return Err(NetError::LinkDown {
                        peer,
                        reason: error.into(),
                    });
                }
            }
            let stalled = self.stalled(0);
            if stalled.is_empty() && (!progress || patience.is_over(now)) {
                return Ok(());
            }
            let left = stalled.iter().map(|&(_, bytes)| bytes).sum();
            let worked = stalled.iter().map(|&(peer, _)| {
                let (_, worked) = self.links[self.link(peer)].lock().heard();
                worked
            });
            patience.renew(now, left, worked.max());
            if patience.is_over(now) {
                return Err(send_stalled(&stalled, now - start));
            }
            if !progress {
                self.activity.wait();
                self.sleep([true; 2], patience.left(now).min(GLANCE));
                self.activity.work();
            }
        }
    }

    fn linger(&mut self, deadline: Instant) {
        self.kept.clear();
        loop {
            while self.discard() && Instant::now() < deadline {}
            let now = Instant::now();
            let ended = |link: &Line| link.lock().failure().is_some();
            if now >= deadline || self.links.iter().all(ended) {
                return;
            }
            self.activity.wait();
            self.sleep([true; 2], deadline - now);
        }
    }

    fn heard(&self, peer: Role) -> Option<Heard> {
        let link = self.links[self.link(peer)].lock();
        let (any, work) = link.heard();
        // Nothing more is due from who has said goodbye.
        let any = if link.failure().is_some() {
            Instant::now()
        } else {
            any
        };
        self.beating.then_some(Heard { any, work })
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.links[self.link(peer)].lock().stats
    }
}

impl Drop for SocketTransport {
    fn drop(&mut self) {
        for link in &self.links {
            link.lock().close();
        }
    }
}

#[cfg(test)]
mod tests;
