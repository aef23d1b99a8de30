//! Links between three threads of one process, at memory speed or paced like a network.

use crate::emulated::{Network, Pace};
use crate::transport::{FRAME_HEADER_BYTES, check_size, ended, peers_of};
use crate::{LinkOptions, LinkStats, NetError, Role, Transport};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A sleeping thread is woken late by about this much; the rest of a wait is spun.
const OVERSLEEP: Duration = Duration::from_micros(100);

/// One party's end of the links made by [`memory_mesh`] or [`emulated_mesh`](crate::emulated_mesh).
///
/// Dropping it without [`finish`](Transport::finish) is what a killed process is over TCP: the
/// peers get [`NetError::LinkDown`] once they have taken the frames that were sent before.
pub struct MemoryTransport {
    role: Role,
    to: [Sender<Parcel>; 3],
    inbox: Receiver<Parcel>,
    /// Taken out of `inbox`, by sender, in order of arrival.
    arrived: [VecDeque<Parcel>; 3],
    /// Why nothing more comes from a peer.
    ended: [Option<End>; 3],
    /// One per directed link; absent at memory speed.
    pace: Option<[Pace; 3]>,
    stats: [LinkStats; 3],
    options: LinkOptions,
    finished: bool,
}

/// What travels: a frame or the end of the link.
struct Parcel {
    from: Role,
    /// Not to be seen by the receiver before.
    due: Instant,
    content: Result<Vec<u8>, End>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Goodbye,
    Dropped,
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            Self::Goodbye => ended::GOODBYE,
            Self::Dropped => "the peer stopped without saying goodbye",
        }
    }
}

/// Three connected parties in one process, in the order of [`Role::ALL`].
pub fn memory_mesh() -> [MemoryTransport; 3] {
    mesh(None, LinkOptions::default())
}

/// [`memory_mesh`] with other limits and spin time.
pub fn memory_mesh_with(options: LinkOptions) -> [MemoryTransport; 3] {
    mesh(None, options)
}

pub(crate) fn mesh(network: Option<Network>, options: LinkOptions) -> [MemoryTransport; 3] {
    let (tx0, rx0) = channel();
    let (tx1, rx1) = channel();
    let (tx2, rx2) = channel();
    let to = [tx0, tx1, tx2];
    let end = |role, inbox| MemoryTransport {
        role,
        to: to.clone(),
        inbox,
        arrived: Default::default(),
        ended: [None; 3],
        pace: network.map(|network| [(); 3].map(|()| Pace::new(network))),
        stats: [LinkStats::default(); 3],
        options,
        finished: false,
    };
    [end(Role::P0, rx0), end(Role::P1, rx1), end(Role::P2, rx2)]
}

impl Transport for MemoryTransport {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        assert!(to != self.role, "{to} has no link to itself");
        assert!(!self.finished, "nothing is sent after a goodbye");
        check_size(to, body.len(), self.options.frame_limit)?;
        if let Some(end) = self.ended[to.index()] {
            return Err(NetError::LinkDown {
                peer: to,
                reason: end.reason().into(),
            });
        }
        self.stats[to.index()].count_sent(body.len());
        self.post(to, Ok(body));
        Ok(())
    }

    fn receive(
        &mut self,
        awaited: &[Role],
        deadline: Instant,
    ) -> Result<(Role, Vec<u8>), NetError> {
        let start = Instant::now();
        let mut spin_until = start + self.options.spin;
        loop {
            while let Ok(parcel) = self.inbox.try_recv() {
                self.accept(parcel);
            }
            let now = Instant::now();
            if let Some((from, body)) = self.take_due(now)? {
                return Ok((from, body));
            }
            let next_due = self.next_due();
            if next_due.is_none() {
                self.check_ends(awaited)?;
            }
            if now >= deadline {
                return Err(NetError::Timeout {
                    peers: awaited.to_vec(),
                    waited: now - start,
                });
            }
            if now < spin_until {
                thread::yield_now();
                continue;
            }
            let wake = next_due.map_or(deadline, |due| due.min(deadline));
            let nap = wake
                .saturating_duration_since(now)
                .saturating_sub(OVERSLEEP);
            if nap.is_zero() {
                // The end of every wait is spun, so that a due time or a deadline is met.
                spin_until = wake;
                continue;
            }
            match self.inbox.recv_timeout(nap) {
                Ok(parcel) => self.accept(parcel),
                Err(RecvTimeoutError::Timeout) => spin_until = wake,
                // Cannot happen while this party holds a sender of its own inbox.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(nap),
            }
        }
    }

    fn drain(&mut self, _: Instant) -> Result<(), NetError> {
        // A frame is in the peer's hands as soon as it is sent.
        Ok(())
    }

    fn finish(&mut self, _deadline: Instant) -> Result<(), NetError> {
        if !self.finished {
            self.finished = true;
            self.post_end(End::Goodbye);
        }
        Ok(())
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.stats[peer.index()]
    }
}

impl MemoryTransport {
    /// Sorts a parcel in; its due time is respected later.
    fn accept(&mut self, parcel: Parcel) {
        self.arrived[parcel.from.index()].push_back(parcel);
    }

    /// The peer whose next parcel is due first.
    fn first(&self) -> Option<(Role, Instant)> {
        peers_of(self.role)
            .into_iter()
            .filter_map(|peer| {
                self.arrived[peer.index()]
                    .front()
                    .map(|parcel| (peer, parcel.due))
            })
            .min_by_key(|&(_, due)| due)
    }

    fn next_due(&self) -> Option<Instant> {
        self.first().map(|(_, due)| due)
    }

    /// The next frame that is due at `now`; notes the ends of links on the way.
    fn take_due(&mut self, now: Instant) -> Result<Option<(Role, Vec<u8>)>, NetError> {
        while let Some((peer, due)) = self.first()
            && due <= now
        {
            let Some(parcel) = self.arrived[peer.index()].pop_front() else {
                break;
            };
            match parcel.content {
                Ok(body) if body.len() as u64 > self.options.frame_limit => {
                    return Err(NetError::FrameTooLarge {
                        peer,
                        bytes: body.len() as u64,
                        limit: self.options.frame_limit,
                    });
                }
                Ok(body) => {
                    self.stats[peer.index()].count_received(body.len());
                    return Ok(Some((peer, body)));
                }
                Err(end) => self.ended[peer.index()] = Some(end),
            }
        }
        Ok(None)
    }

    /// With nothing left to deliver: an end that makes waiting pointless is an error.
    fn check_ends(&self, awaited: &[Role]) -> Result<(), NetError> {
        let all_ended = peers_of(self.role)
            .iter()
            .all(|peer| self.ended[peer.index()].is_some());
        for peer in peers_of(self.role) {
            if let Some(end) = self.ended[peer.index()]
                && (all_ended || end == End::Dropped || awaited.contains(&peer))
            {
                return Err(NetError::LinkDown {
                    peer,
                    reason: end.reason().into(),
                });
            }
        }
        Ok(())
    }

    fn post(&mut self, to: Role, content: Result<Vec<u8>, End>) {
        let now = Instant::now();
        let bytes = FRAME_HEADER_BYTES + content.as_ref().map_or(0, Vec::len);
        let due = self
            .pace
            .as_mut()
            .map_or(now, |pace| pace[to.index()].arrival(now, bytes));
        // A peer that is gone has said so in this party's inbox; the next receive reports it.
        let _ = self.to[to.index()].send(Parcel {
            from: self.role,
            due,
            content,
        });
    }

    fn post_end(&mut self, end: End) {
        for peer in peers_of(self.role) {
            self.post(peer, Err(end));
        }
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        if !self.finished {
            self.post_end(End::Dropped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn frames_keep_their_order_and_are_counted() {
        let [mut p0, mut p1, p2] = memory_mesh();
        for i in 0..100u8 {
            p0.send(Role::P1, vec![i; usize::from(i)]).unwrap();
        }
        for i in 0..100u8 {
            assert_eq!(
                p1.receive(&[Role::P0], soon()),
                Ok((Role::P0, vec![i; usize::from(i)]))
            );
        }
        let bytes = (0..100).sum::<u64>() + 400;
        assert_eq!(
            p0.stats(Role::P1),
            LinkStats {
                frames_sent: 100,
                bytes_sent: bytes,
                ..LinkStats::default()
            }
        );
        assert_eq!(
            p1.stats(Role::P0),
            LinkStats {
                frames_received: 100,
                bytes_received: bytes,
                ..LinkStats::default()
            }
        );
        assert_eq!(p2.stats(Role::P0), LinkStats::default());
    }

    #[test]
    fn silence_is_a_timeout_that_names_the_awaited() {
        let [mut p0, _p1, _p2] = memory_mesh();
        let start = Instant::now();
        let result = p0.receive(&[Role::P2], start + Duration::from_millis(50));
        assert!(start.elapsed() >= Duration::from_millis(50));
        match result {
            Err(NetError::Timeout { peers, waited }) => {
                assert_eq!(peers, [Role::P2]);
                assert!(waited >= Duration::from_millis(49));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_dropped_peer_is_reported_after_its_frames() {
        let [mut p0, mut p1, _p2] = memory_mesh();
        p1.send(Role::P0, vec![7]).unwrap();
        drop(p1);
        assert_eq!(p0.receive(&[Role::P1], soon()), Ok((Role::P1, vec![7])));
        // Also where another peer is awaited: the session cannot go on.
        let error = p0.receive(&[Role::P2], soon()).unwrap_err();
        assert!(
            matches!(error, NetError::LinkDown { peer: Role::P1, .. }),
            "{error}"
        );
        let error = p0.send(Role::P1, vec![]).unwrap_err();
        assert!(
            matches!(error, NetError::LinkDown { peer: Role::P1, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_goodbye_disturbs_only_who_awaits_that_peer() {
        let [mut p0, mut p1, mut p2] = memory_mesh();
        p1.finish(soon()).unwrap();
        drop(p1);
        p2.send(Role::P0, vec![2]).unwrap();
        assert_eq!(p0.receive(&[Role::P2], soon()), Ok((Role::P2, vec![2])));
        let error = p0.receive(&[Role::P1], soon()).unwrap_err();
        assert!(error.to_string().contains("goodbye"), "{error}");
    }

    #[test]
    fn a_frame_above_the_limit_is_not_sent() {
        let options = LinkOptions {
            frame_limit: 10,
            ..LinkOptions::default()
        };
        let [mut p0, _p1, _p2] = memory_mesh_with(options);
        p0.send(Role::P1, vec![0; 10]).unwrap();
        let error = p0.send(Role::P1, vec![0; 11]).unwrap_err();
        assert!(
            matches!(
                error,
                NetError::OversizedSend {
                    bytes: 11,
                    limit: 10,
                    ..
                }
            ),
            "{error}"
        );
    }
}
