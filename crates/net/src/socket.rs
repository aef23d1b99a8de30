//! Links to the two peers over TCP or TLS.

use crate::stream::{Failure, FrameStream, MAX_BODY, Read, interest, poll_fds};
use crate::transport::{check_size, peers_of};
use crate::{Channel, LinkOptions, LinkStats, NetError, Peer, Role, Transport};
use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

/// One party's links over two connections, single-threaded and never blocking in a send.
///
/// What the kernel does not take at once is kept, and written whenever this party sends, receives
/// or finishes; frames may pile up in the peer's memory or in this party's, never in a wait of one
/// program for the other. A receive looks at both connections for the spin time of
/// [`LinkOptions`], then sleeps until data or the deadline comes.
pub struct SocketTransport {
    role: Role,
    /// In the order of `peers_of(role)`.
    links: [FrameStream; 2],
    /// The link to look at first, so that a busy peer does not starve the other.
    turn: usize,
    options: LinkOptions,
    /// Frames that arrived while this party was draining.
    kept: VecDeque<(Role, Vec<u8>)>,
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
            let mut stream = channel.into_stream();
            stream.stats = LinkStats::default();
            stream
        });
        let frame_limit = options.frame_limit.min(MAX_BODY);
        Self {
            role,
            links,
            turn: 0,
            kept: VecDeque::new(),
            options: LinkOptions {
                frame_limit,
                ..options
            },
        }
    }

    fn peers(&self) -> [(Role, &FrameStream); 2] {
        let [next, previous] = &self.links;
        let [a, b] = peers_of(self.role);
        [(a, next), (b, previous)]
    }

    fn link(&self, peer: Role) -> usize {
        assert!(peer != self.role, "{peer} has no link to itself");
        usize::from(peer != self.role.next())
    }

    fn flush(&mut self) {
        for link in &mut self.links {
            link.flush();
        }
    }

    /// Looks at both links once, the one whose turn it is first.
    fn look(&mut self) -> Result<Look, NetError> {
        let limit = self.options.frame_limit;
        let mut seen = Look::Nothing;
        for i in [self.turn, 1 - self.turn] {
            let peer = peers_of(self.role)[i];
            match self.links[i].read(limit) {
                Ok(Read::Frame(body)) => {
                    self.turn = 1 - i;
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
        let all_ended = self.links.iter().all(|link| link.failure().is_some());
        for (peer, link) in self.peers() {
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

    /// Who has not taken everything yet, and how much is left.
    fn stalled(&self) -> Vec<(Role, u64)> {
        let waiting = self.peers().into_iter().filter(|(_, link)| link.pending());
        waiting
            .map(|(peer, link)| (peer, link.pending_bytes()))
            .collect()
    }

    fn sleep(&self, time: Duration) {
        let [a, b] = self.links.each_ref().map(interest);
        match (a, b) {
            (Some(a), Some(b)) => poll_fds(&mut [a, b], time),
            (Some(a), None) | (None, Some(a)) => poll_fds(&mut [a], time),
            (None, None) => thread::sleep(time),
        }
    }
}

fn send_stalled(stalled: &[(Role, u64)], waited: Duration) -> NetError {
    NetError::SendStalled {
        peers: stalled.iter().map(|&(peer, _)| peer).collect(),
        bytes: stalled.iter().map(|&(_, bytes)| bytes).sum(),
        waited,
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
        let link = &mut self.links[i];
        let reason = match (link.failure(), link.write_error()) {
            (Some(failure), _) => Some(failure.reason(self.options.frame_limit)),
            (None, error) => error.map(Into::into),
        };
        if let Some(reason) = reason {
            return Err(NetError::LinkDown { peer: to, reason });
        }
        link.push(body);
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
        if let Some(frame) = self.kept.pop_front() {
            return Ok(frame);
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
                self.sleep(deadline - now);
            }
        }
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), NetError> {
        let start = Instant::now();
        loop {
            self.flush();
            for (peer, link) in self.peers() {
                if let Some(error) = link.write_error() {
                    let reason = error.into();
                    return Err(NetError::LinkDown { peer, reason });
                }
            }
            let stalled = self.stalled();
            if stalled.is_empty() {
                return Ok(());
            }
            // Peers may be draining too: take what they send, or both sides would wait.
            match self.look()? {
                Look::Frame(peer, body) => self.kept.push_back((peer, body)),
                Look::Progress => {}
                Look::Nothing => {
                    let now = Instant::now();
                    if now >= deadline {
                        return Err(send_stalled(&stalled, now - start));
                    }
                    self.sleep(deadline - now);
                }
            }
        }
    }

    fn finish(&mut self, deadline: Instant) -> Result<(), NetError> {
        let start = Instant::now();
        for link in &mut self.links {
            link.push_goodbye();
        }
        loop {
            self.flush();
            // Peers may be busy sending too: take what they send, or both sides would wait. It also
            // keeps the close of this end from destroying what is still under way.
            let limit = self.options.frame_limit;
            let mut progress = false;
            for link in &mut self.links {
                progress |= !matches!(link.read(limit), Ok(Read::Blocked) | Err(_));
            }
            for (peer, link) in self.peers() {
                // Who has said goodbye needs nothing more, this side's goodbye included.
                let gone = matches!(link.failure(), Some(Failure::Goodbye));
                if let (Some(error), false, false) = (link.write_error(), progress, gone) {
                    return Err(NetError::LinkDown {
                        peer,
                        reason: error.into(),
                    });
                }
            }
            if progress && Instant::now() < deadline {
                continue;
            }
            let stalled = self.stalled();
            if stalled.is_empty() {
                return Ok(());
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(send_stalled(&stalled, now - start));
            }
            self.sleep(deadline - now);
        }
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.links[self.link(peer)].stats
    }
}

#[cfg(test)]
mod tests;
