//! Sessions that share connections.

use super::*;
use crate::{Accepted, Hello, Listener, Security, Terms, Transport, agree_seed, connect};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

const TIME: Duration = Duration::from_secs(10);

fn soon() -> Instant {
    Instant::now() + TIME
}

/// One party: its switchboard, trunks by role, and what it is told.
struct Side {
    role: Role,
    board: Arc<Switchboard>,
    trunks: [Option<Arc<Trunk>>; 3],
    told: Receiver<(Role, Told)>,
    tell: Sender<(Role, Told)>,
}

impl Side {
    fn new(role: Role, unread: u64) -> Self {
        let (tell, told) = channel();
        Self {
            role,
            board: Switchboard::new(unread),
            trunks: [None, None, None],
            told,
            tell,
        }
    }

    fn adopt(&mut self, channel: Channel, seed: Seed) {
        let Peer::Party(peer) = channel.peer() else {
            panic!("a party");
        };
        let tell = self.tell.clone();
        let board = Arc::clone(&self.board);
        let told = move |what| {
            let _ = tell.send((peer, what));
        };
        self.trunks[peer.index()] = Some(Trunk::start(channel, seed, board, TIME, told).unwrap());
    }

    fn open(&self, stream: u64) -> Option<StreamTransport> {
        let trunk = |peer: Role| Arc::clone(self.trunks[peer.index()].as_ref().unwrap());
        let trunks = [trunk(self.role.next()), trunk(self.role.prev())];
        self.board.open(self.role, stream, trunks)
    }
}

/// A connection between two parties, and the seed that both agreed on.
fn channels(low: Role, high: Role) -> ((Channel, Seed), (Channel, Seed)) {
    let mut listener = Listener::bind("127.0.0.1:0", Security::Plain).unwrap();
    let address = listener.address().unwrap().to_string();
    let hello = Hello::new(Peer::Party(high), Peer::Party(low), [7; 16], [0; 32]);
    thread::scope(|scope| {
        let dialed = scope.spawn(|| {
            let mut channel = connect(&address, &Security::Plain, &hello, soon()).unwrap();
            let seed = agree_seed(&mut channel, high, &[7; 16], soon()).unwrap();
            (channel, seed)
        });
        let terms = Terms {
            role: low,
            expected: vec![Peer::Party(high)],
            session: None,
            plan_hash: None,
        };
        let Ok(Accepted::Peer(incoming)) = listener.accept(&terms, soon()) else {
            panic!("a peer");
        };
        let mut channel = incoming.channel;
        let seed = agree_seed(&mut channel, low, &[7; 16], soon()).unwrap();
        ((channel, seed), dialed.join().unwrap())
    })
}

fn link(sides: &mut [Side; 3], low: Role, high: Role) {
    let ((a, s), (b, t)) = channels(low, high);
    sides[low.index()].adopt(a, s);
    sides[high.index()].adopt(b, t);
}

fn world(unread: u64) -> [Side; 3] {
    let mut sides = Role::ALL.map(|role| Side::new(role, unread));
    for (low, high) in [
        (Role::P0, Role::P1),
        (Role::P0, Role::P2),
        (Role::P1, Role::P2),
    ] {
        link(&mut sides, low, high);
    }
    sides
}

#[test]
fn sessions_do_not_hear_each_other_and_early_frames_wait() {
    let [zero, one, two] = world(1 << 20);
    let trunk =
        |side: &Side, peer: Role| side.trunks[peer.index()].as_ref().unwrap().seed().to_vec();
    assert_eq!(trunk(&zero, Role::P1), trunk(&one, Role::P0));
    assert_ne!(trunk(&zero, Role::P1), trunk(&zero, Role::P2));
    let (mut a, mut b) = (zero.open(1).unwrap(), zero.open(2).unwrap());
    // Before the other end has opened either.
    a.send(Role::P1, vec![1; 10]).unwrap();
    b.send(Role::P1, vec![2; 20]).unwrap();
    a.send(Role::P1, vec![3]).unwrap();
    thread::sleep(Duration::from_millis(50));
    let (mut at_b, mut at_a) = (one.open(2).unwrap(), one.open(1).unwrap());
    assert_eq!(
        at_b.receive(&[Role::P0], soon()),
        Ok((Role::P0, vec![2; 20]))
    );
    assert_eq!(
        at_a.receive(&[Role::P0], soon()),
        Ok((Role::P0, vec![1; 10]))
    );
    assert_eq!(at_a.receive(&[Role::P0], soon()), Ok((Role::P0, vec![3])));
    let mut at_two = two.open(2).unwrap();
    at_two.send(Role::P1, vec![9]).unwrap();
    assert_eq!(at_b.receive(&[Role::P2], soon()), Ok((Role::P2, vec![9])));
    let nothing = at_b.receive(&[Role::P2], Instant::now() + Duration::from_millis(20));
    assert!(matches!(nothing, Err(NetError::Timeout { .. })));
    // A session's number is used once, also when it is over.
    assert!(one.open(2).is_none());
    drop(at_b);
    assert!(one.open(2).is_none());
    zero.trunks[1].as_ref().unwrap().say(b"word").unwrap();
    let Ok((Role::P0, Told::Word(word))) = one.told.recv_timeout(TIME) else {
        panic!("a word");
    };
    assert_eq!(word, b"word");
}

#[test]
fn large_frames_of_both_ends_do_not_wait_for_each_other() {
    let [zero, one, _two] = world(64 << 20);
    let (mut a, mut b) = (zero.open(1).unwrap(), one.open(1).unwrap());
    let other = thread::spawn(move || {
        b.send(Role::P0, vec![2; 20 << 20]).unwrap();
        let (_, body) = b.receive(&[Role::P0], soon()).unwrap();
        assert!(body == vec![1; 20 << 20]);
        b
    });
    a.send(Role::P1, vec![1; 20 << 20]).unwrap();
    let (_, body) = a.receive(&[Role::P1], soon()).unwrap();
    assert!(body == vec![2; 20 << 20]);
    drop(other.join().unwrap());
}

#[test]
fn a_session_with_too_much_unread_fails_alone() {
    let [zero, one, _two] = world(1000);
    let (mut a, mut b) = (zero.open(1).unwrap(), zero.open(2).unwrap());
    let (mut at_a, mut at_b) = (one.open(1).unwrap(), one.open(2).unwrap());
    for _ in 0..3 {
        a.send(Role::P1, vec![0; 400]).unwrap();
    }
    b.send(Role::P1, vec![5]).unwrap();
    assert!(at_b.receive(&[Role::P0], soon()).is_ok());
    let received: Vec<_> = (0..3).map(|_| at_a.receive(&[Role::P0], soon())).collect();
    assert!(received[0].is_ok() && received[1].is_ok());
    assert!(
        matches!(&received[2], Err(NetError::LinkDown { reason, .. }) if reason.contains("unread"))
    );
}

#[test]
fn a_link_that_ends_fails_its_sessions_and_a_new_one_has_other_secrets() {
    let mut sides = world(1 << 20);
    let mut old = sides[1].open(1).unwrap();
    let before = sides[0].trunks[1].as_ref().unwrap().seed().to_vec();
    // Early frames of a connection that has ended are not taken for those of the next one.
    let mut early = sides[0].open(5).unwrap();
    early.send(Role::P1, vec![1]).unwrap();
    thread::sleep(Duration::from_millis(50));
    sides[0].trunks[1]
        .as_ref()
        .unwrap()
        .close("the test ends it");
    assert!(matches!(
        old.receive(&[Role::P0], soon()),
        Err(NetError::LinkDown { peer: Role::P0, .. })
    ));
    assert!(matches!(
        old.receive(&[Role::P0], soon()),
        Err(NetError::LinkDown { .. })
    ));
    let Ok((Role::P0, Told::Down(_))) = sides[1].told.recv_timeout(TIME) else {
        panic!("the end of the link");
    };
    link(&mut sides, Role::P0, Role::P1);
    assert_ne!(sides[0].trunks[1].as_ref().unwrap().seed().to_vec(), before);
    let mut late = sides[1].open(5).unwrap();
    let nothing = late.receive(&[Role::P0], Instant::now() + Duration::from_millis(50));
    assert!(matches!(nothing, Err(NetError::Timeout { .. })));
    // From outside.
    sides[1].board.fail(5, "given up");
    assert!(
        matches!(late.receive(&[Role::P0], soon()), Err(NetError::LinkDown { reason, .. }) if reason == "given up")
    );
}
