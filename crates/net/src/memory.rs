//! Links between three threads of one process, at memory speed or paced like a network.

use crate::emulated::{NetworkProfile, Pace};
use crate::ending::GOODBYE;
use crate::header::FRAME_HEADER_BYTES;
use crate::patience::{Patience, send_stalled};
use crate::transport::{check_size, peers_of};
use crate::{Activity, Heard, LinkOptions, LinkStats, NetError, Role, Transport};
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A sleeping thread is woken late by about this much; the rest of a wait is spun.
const OVERSLEEP: Duration = Duration::from_micros(100);

/// What an operating system takes of a link's bytes before the peer's program reads them.
const SYSTEM_BUFFER: u64 = 4 << 20;

/// Between two looks of a party that waits to send.
const LOOK: Duration = Duration::from_millis(1);

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
    common: Arc<Common>,
    /// What was seen last of each peer's activity, and when it last showed work.
    seen: [Cell<(u64, Instant)>; 3],
}

/// What the three ends share.
#[derive(Default)]
struct Common {
    activity: [Arc<Activity>; 3],
    /// Bytes that were sent and not yet taken by the receiver's program, by sender and receiver.
    under_way: [[AtomicU64; 3]; 3],
}

/// What travels: a frame or the end of the link.
struct Parcel {
    from: Role,
    /// Not to be seen by the receiver before.
    due: Instant,
    content: Result<Vec<u8>, End>,
}

impl Parcel {
    /// Its size on the link.
    fn bytes(&self) -> u64 {
        (FRAME_HEADER_BYTES + self.content.as_ref().map_or(0, Vec::len)) as u64
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Goodbye,
    Dropped,
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            Self::Goodbye => GOODBYE,
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

/// Three connected parties in one process whose frames arrive as late as over `network`.
///
/// Each directed link sends its frames one after the other at the given bandwidth, and a frame
/// arrives, as a whole, the latency after its last bit has left. Loss, congestion control and the
/// headers of TCP/IP and TLS (2 to 6 % of large frames) are not emulated, so times are those of
/// an ideal link.
pub fn emulated_mesh(network: NetworkProfile) -> [MemoryTransport; 3] {
    emulated_mesh_with(network, LinkOptions::default())
}

/// [`emulated_mesh`] with other limits and spin time.
pub fn emulated_mesh_with(network: NetworkProfile, options: LinkOptions) -> [MemoryTransport; 3] {
    mesh(Some(network), options)
}

fn mesh(network: Option<NetworkProfile>, options: LinkOptions) -> [MemoryTransport; 3] {
    let (tx0, rx0) = channel();
    let (tx1, rx1) = channel();
    let (tx2, rx2) = channel();
    let to = [tx0, tx1, tx2];
    let common = Arc::<Common>::default();
    let now = Instant::now();
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
        common: Arc::clone(&common),
        seen: [(); 3].map(|()| Cell::new((0, now))),
    };
    [end(Role::P0, rx0), end(Role::P1, rx1), end(Role::P2, rx2)]
}

impl Transport for MemoryTransport {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        assert!(to != self.role, "{to} has no link to itself");
        assert!(!self.finished, "nothing is sent after a goodbye");
        check_size(to, body.len(), self.options.frame_limit)?;
        if self.backlog(to, Instant::now()) > self.options.queue {
            let deadline = Instant::now() + self.options.patience;
            self.push_out(self.options.queue, deadline)?;
        }
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
            self.common.activity[self.role.index()].wait();
            let parcel = self.inbox.recv_timeout(nap);
            self.common.activity[self.role.index()].work();
            match parcel {
                Ok(parcel) => self.accept(parcel),
                Err(RecvTimeoutError::Timeout) => spin_until = wake,
                // Cannot happen while this party holds a sender of its own inbox.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(nap),
            }
        }
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.push_out(0, deadline)
    }

    fn finish(&mut self, deadline: Instant) -> Result<(), NetError> {
        if !self.finished {
            self.finished = true;
            self.post_end(End::Goodbye);
        }
        self.push_out(0, deadline)
    }

    fn heard(&self, peer: Role) -> Option<Heard> {
        let (now, seen) = (Instant::now(), &self.seen[peer.index()]);
        let (mut moved, mut work) = seen.get();
        if self.common.activity[peer.index()].works(&mut moved) {
            work = now;
        }
        seen.set((moved, work));
        // A thread that is gone has ended its links.
        Some(Heard { any: now, work })
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.stats[peer.index()]
    }
}

impl MemoryTransport {
    /// What this party's peers may know of its work.
    pub fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.common.activity[self.role.index()])
    }

    /// Bytes for `to` that wait at this end, as they would before a connection whose buffers are full: they have
    /// not left over the emulated network, or the receiver's program has not taken them.
    fn backlog(&self, to: Role, now: Instant) -> u64 {
        let untaken = self.common.under_way[self.role.index()][to.index()].load(Relaxed);
        let unsent = self
            .pace
            .as_ref()
            .map_or(0, |pace| pace[to.index()].unsent(now));
        let gone = self.ended[to.index()].is_some();
        if gone {
            return 0;
        }
        untaken.max(unsent).saturating_sub(SYSTEM_BUFFER)
    }

    /// Waits until no more than `most` bytes wait for any peer; takes in meanwhile what peers send.
    fn push_out(&mut self, most: u64, deadline: Instant) -> Result<(), NetError> {
        let start = Instant::now();
        let mut patience = Patience::new(start, deadline);
        loop {
            let now = Instant::now();
            let waiting = peers_of(self.role).map(|peer| (peer, self.backlog(peer, now)));
            let stalled: Vec<_> = waiting
                .into_iter()
                .filter(|&(_, left)| left > most)
                .collect();
            if stalled.is_empty() {
                return Ok(());
            }
            let left = stalled.iter().map(|&(_, left)| left).sum();
            let work = stalled.iter().filter_map(|&(peer, _)| self.heard(peer));
            patience.renew(now, left, work.map(|heard| heard.work).max());
            if patience.is_over(now) {
                return Err(send_stalled(&stalled, now - start));
            }
            let activity = self.activity();
            activity.wait();
            if let Ok(parcel) = self.inbox.recv_timeout(LOOK) {
                self.accept(parcel);
            }
            activity.work();
            for &(peer, _) in &stalled {
                self.look_for_the_end(peer)?;
            }
        }
    }

    /// Who has ended while this party sends takes nothing more.
    fn look_for_the_end(&mut self, peer: Role) -> Result<(), NetError> {
        let mut arrived = self.arrived[peer.index()].iter();
        match arrived.find_map(|parcel| parcel.content.as_ref().err()) {
            Some(End::Dropped) => Err(NetError::LinkDown {
                peer,
                reason: End::Dropped.reason().into(),
            }),
            Some(End::Goodbye) => {
                self.common.under_way[self.role.index()][peer.index()].store(0, Relaxed);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Sorts a parcel in; its due time is respected later.
    fn accept(&mut self, parcel: Parcel) {
        let (from, to) = (parcel.from.index(), self.role.index());
        let bytes = parcel.bytes();
        let _ = self.common.under_way[from][to].fetch_update(Relaxed, Relaxed, |under_way| {
            Some(under_way.saturating_sub(bytes))
        });
        self.common.activity[to].moved();
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
        let mut parcel = Parcel {
            from: self.role,
            due: now,
            content,
        };
        let bytes = parcel.bytes();
        if let Some(pace) = &mut self.pace {
            parcel.due = pace[to.index()].arrival(now, bytes as usize);
        }
        self.common.under_way[self.role.index()][to.index()].fetch_add(bytes, Relaxed);
        // A peer that is gone has said so in this party's inbox; the next receive reports it.
        let _ = self.to[to.index()].send(parcel);
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

    #[test]
    fn an_emulated_link_drains_as_slowly_as_it_sends() {
        let network = NetworkProfile {
            one_way: Duration::from_millis(1),
            bits_per_second: 400e6,
        };
        let [mut p0, mut p1, _p2] = mesh(Some(network), LinkOptions::default());
        let reader = thread::spawn(move || {
            p1.receive(&[Role::P0], soon()).unwrap();
            p1
        });
        // 16 MiB take 0.34 s, of which the system buffers the last 4.
        p0.send(Role::P1, vec![0; 16 << 20]).unwrap();
        let start = Instant::now();
        p0.drain(soon()).unwrap();
        let took = start.elapsed();
        assert!(took > Duration::from_millis(150), "{took:?}");
        drop(reader.join().unwrap());
    }

    #[test]
    fn a_link_in_memory_holds_a_bounded_amount_for_a_peer_that_takes_nothing() {
        let options = LinkOptions {
            queue: 1 << 20,
            patience: Duration::from_millis(100),
            ..LinkOptions::default()
        };
        let [mut p0, mut p1, _p2] = memory_mesh_with(options);
        // The peer waits elsewhere, as for its client.
        p1.activity().wait();
        let sent = (0..100).find_map(|i| p0.send(Role::P1, vec![0; 1 << 20]).err().map(|e| (i, e)));
        let (sent, error) = sent.unwrap();
        assert!(matches!(error, NetError::SendStalled { .. }), "{error}");
        assert!(sent <= 7, "{sent} MiB were taken");
        p1.receive(&[Role::P0], soon()).unwrap();
        p0.drain(soon()).unwrap();
    }
}
