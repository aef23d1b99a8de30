//! Peers that live, stop and vanish, over bare TCP connections.

use super::*;
use crate::stream::FrameStream;
use crate::{LinkOptions, NetError, Peer, Role, Transport};
use std::net::{TcpListener, TcpStream};
use std::thread;

fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

/// Both ends of a connection, as `here` and `there` see each other.
fn pair(here: Peer, there: Peer) -> (Channel, Channel) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dialed = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, from) = listener.accept().unwrap();
    let channel = |socket, peer| Channel::new(FrameStream::new(socket, None).unwrap(), peer, from);
    (channel(accepted, there), channel(dialed, here))
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "never");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_time_out_means_silence_not_work() {
    let (mut here, mut there) = pair(Peer::Party(Role::P0), Peer::Client);
    let patience = 4 * BEAT;
    let pulse = Pulse::start().unwrap();
    pulse.tell(&mut there);
    let answer = thread::spawn(move || {
        thread::sleep(3 * patience);
        there.send(&[7], soon()).unwrap();
        there
    });
    let start = Instant::now();
    assert_eq!(here.recv(10, Instant::now() + patience).unwrap(), [7]);
    assert!(start.elapsed() >= 3 * patience);
    let there = answer.join().unwrap();
    // Without signs of life the same wait ends.
    drop(pulse);
    let start = Instant::now();
    let error = here.recv(10, start + patience).unwrap_err();
    assert!(matches!(error, SessionError::Timeout { .. }), "{error}");
    assert!(start.elapsed() >= patience && start.elapsed() < Duration::from_secs(30));
    drop(there);
}

#[test]
fn a_client_that_vanishes_stops_the_session_at_once() {
    let (mut here, mut there) = pair(Peer::Party(Role::P0), Peer::Client);
    let pulse = Pulse::start().unwrap();
    pulse.heed(&mut here, Duration::from_hours(1));
    // Whatever it had sent and nobody has read yet.
    there.send(&[1; 100], soon()).unwrap();
    let stop = pulse.stop();
    assert_eq!(stop.reason(), None);
    drop(there);
    let reason = until(|| stop.reason());
    assert!(reason.contains("client is gone"), "{reason}");
}

#[test]
fn a_client_that_stops_is_noticed_after_the_patience() {
    let (mut here, mut there) = pair(Peer::Party(Role::P0), Peer::Client);
    let (pulse, theirs) = (Pulse::start().unwrap(), Pulse::start().unwrap());
    theirs.tell(&mut there);
    let start = Instant::now();
    pulse.heed(&mut here, 4 * BEAT);
    thread::sleep(8 * BEAT);
    assert_eq!(pulse.stop().reason(), None, "it lives");
    drop(theirs);
    let reason = until(|| pulse.stop().reason());
    assert!(reason.contains("no sign of life"), "{reason}");
    // The last sign came at most a beat before the end of them.
    assert!(start.elapsed() >= 10 * BEAT);
    drop(there);
}

#[test]
fn a_stopped_session_wakes_who_waits_for_a_peer() {
    let (next, _p1) = pair(Peer::Party(Role::P0), Peer::Party(Role::P1));
    let (previous, _p2) = pair(Peer::Party(Role::P0), Peer::Party(Role::P2));
    let mut p0 = SocketTransport::new(Role::P0, next, previous, LinkOptions::default());
    let pulse = Pulse::start().unwrap();
    pulse.links(&mut p0);
    let stop = pulse.stop();
    let waiting = thread::spawn(move || p0.receive(&[Role::P1], soon()).unwrap_err());
    thread::sleep(Duration::from_millis(50));
    stop.now("enough");
    let error = waiting.join().unwrap();
    assert!(matches!(error, NetError::LinkDown { .. }), "{error}");
    assert!(error.to_string().contains("enough"), "{error}");
}

#[test]
fn a_session_has_an_end() {
    let pulse = Pulse::start().unwrap();
    pulse.end_at(
        Instant::now() + Duration::from_millis(300),
        "its time is over".into(),
    );
    let reason = until(|| pulse.stop().reason());
    assert_eq!(reason, "its time is over");
}

#[test]
fn peers_tell_whether_they_work_or_wait() {
    let (next, p1) = pair(Peer::Party(Role::P0), Peer::Party(Role::P1));
    let (previous, p2) = pair(Peer::Party(Role::P0), Peer::Party(Role::P2));
    let (p1_next, _other) = pair(Peer::Party(Role::P1), Peer::Party(Role::P2));
    let mut p0 = SocketTransport::new(Role::P0, next, previous, LinkOptions::default());
    let mut p1 = SocketTransport::new(Role::P1, p1_next, p1, LinkOptions::default());
    let (ours, theirs) = (Pulse::start().unwrap(), Pulse::start().unwrap());
    ours.links(&mut p0);
    theirs.links(&mut p1);
    let wait = |p0: &mut SocketTransport, time| {
        let error = p0.receive(&[Role::P1], Instant::now() + time).unwrap_err();
        assert!(matches!(error, NetError::Timeout { .. }), "{error}");
        p0.heard(Role::P1).unwrap()
    };
    // It works: both kinds of signs are fresh.
    until(|| {
        let heard = wait(&mut p0, 4 * BEAT);
        (heard.work.elapsed() < 3 * BEAT).then_some(())
    });
    // It waits: only the other kind is.
    theirs.activity().wait();
    until(|| {
        let heard = wait(&mut p0, 8 * BEAT);
        assert!(heard.work.elapsed() > 5 * BEAT, "{heard:?}");
        (heard.any.elapsed() < 3 * BEAT).then_some(())
    });
    // It is gone without a word.
    drop(theirs);
    let heard = wait(&mut p0, 8 * BEAT);
    assert!(heard.any.elapsed() > 5 * BEAT, "{heard:?}");
    drop(p2);
}
