//! Strays and attackers, played by bare TCP connections.

use super::*;
use crate::{Identity, Role, connect};
use std::io::Write;
use trefoil_testkit::free_addresses;

const SESSION: [u8; 16] = [5; 16];
const PLAN: [u8; 32] = [6; 32];

fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn listener(security: Security) -> (Listener, String) {
    let listener = Listener::bind("127.0.0.1:0", security).unwrap();
    let address = listener.address().unwrap().to_string();
    (listener.handshake_time(Duration::from_millis(300)), address)
}

fn terms() -> Terms {
    Terms {
        role: Role::P0,
        expected: vec![Peer::Party(Role::P1), Peer::Client],
        session: Some(SESSION),
        plan_hash: Some(PLAN),
    }
}

fn hello(from: Peer) -> Hello {
    Hello::new(from, Peer::Party(Role::P0), SESSION, PLAN)
}

/// Accepts until a peer comes; the reasons of those turned away before.
fn accept_through(listener: &mut Listener) -> (Incoming, Vec<SessionError>) {
    let mut reasons = Vec::new();
    loop {
        match listener.accept(&terms(), soon()).unwrap() {
            Accepted::Peer(incoming) => return (*incoming, reasons),
            Accepted::TurnedAway { reason, .. } => reasons.push(reason),
        }
    }
}

/// What both sides say when `hello` does not fit: the listener's reason, and the dialer's error.
fn refusal(security: [Security; 2], hello: Hello) -> (SessionError, SessionError) {
    let [own, other] = security;
    let (mut listener, address) = listener(own);
    let dialer = thread::spawn(move || connect(&address, &other, &hello, soon()).err().unwrap());
    let Accepted::TurnedAway { reason, .. } = listener.accept(&terms(), soon()).unwrap() else {
        panic!("accepted");
    };
    (reason, dialer.join().unwrap())
}

fn plain_refusal(hello: Hello) -> (Mismatch, Mismatch) {
    match refusal([Security::Plain, Security::Plain], hello) {
        (
            SessionError::Mismatch { mismatch: here, .. },
            SessionError::Rejected {
                mismatch: there,
                peer,
            },
        ) => {
            assert!(peer.contains(" at 127.0.0.1:"), "{peer}");
            (here, there)
        }
        (here, there) => panic!("{here} / {there}"),
    }
}

#[test]
fn both_sides_are_told_what_differs() {
    let fitting = hello(Peer::Party(Role::P1));
    let both = |mismatch| (mismatch, mismatch);
    assert_eq!(
        plain_refusal(Hello {
            version: 7,
            ..fitting.clone()
        }),
        both(Mismatch::Version {
            expected: PROTOCOL_VERSION,
            actual: 7
        })
    );
    assert_eq!(
        plain_refusal(Hello {
            session: [1; 16],
            ..fitting.clone()
        }),
        both(Mismatch::Session {
            expected: SESSION,
            actual: [1; 16]
        })
    );
    assert_eq!(
        plain_refusal(Hello {
            plan_hash: [1; 32],
            ..fitting.clone()
        }),
        both(Mismatch::Plan {
            expected: PLAN,
            actual: [1; 32]
        })
    );
    assert_eq!(
        plain_refusal(Hello {
            from: Peer::Party(Role::P2),
            ..fitting.clone()
        }),
        both(Mismatch::Unexpected {
            from: Peer::Party(Role::P2)
        })
    );
    let (expected, actual) = (Peer::Party(Role::P0), Peer::Party(Role::P2));
    assert_eq!(
        plain_refusal(Hello {
            to: actual,
            ..fitting
        }),
        both(Mismatch::Receiver { expected, actual })
    );
}

#[test]
fn strays_do_not_disturb_a_peer() {
    let (mut listener, address) = listener(Security::Plain);
    let connect_bare = || TcpStream::connect(&address).unwrap();
    // Silence, half a hello that goes on slowly, garbage, an overlong frame, a cut.
    let silent = connect_bare();
    let mut slow = connect_bare();
    slow.write_all(&[60, 0]).unwrap();
    let mut garbage = connect_bare();
    garbage.write_all(&[4, 0, 0, 0, 1, 2, 3, 4]).unwrap();
    let mut long = connect_bare();
    long.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut cut = connect_bare();
    cut.write_all(&[60, 0, 0, 0, 1]).unwrap();
    drop(cut);
    let start = Instant::now();
    let dialer = thread::spawn(move || {
        connect(&address, &Security::Plain, &hello(Peer::Client), soon())
            .map(|_| ())
            .unwrap();
    });
    let (incoming, mut reasons) = accept_through(&mut listener);
    assert_eq!(
        (incoming.who, incoming.hello),
        (Peer::Client, hello(Peer::Client))
    );
    dialer.join().unwrap();
    while reasons.len() < 5 {
        match listener.accept(&terms(), soon()).unwrap() {
            Accepted::TurnedAway { reason, .. } => reasons.push(reason),
            Accepted::Peer(_) => panic!("a stray was accepted"),
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20));
    let count = |what: &str| {
        reasons
            .iter()
            .filter(|r| r.to_string().contains(what))
            .count()
    };
    assert_eq!(count("did not say hello within"), 2, "{reasons:?}");
    assert_eq!(count("its first frame is no hello"), 1, "{reasons:?}");
    assert_eq!(count("before the hello"), 1, "{reasons:?}");
    assert_eq!(
        count("after 1 of 60 bytes of a frame during the handshake"),
        1,
        "{reasons:?}"
    );
    drop((silent, slow, garbage, long));
}

#[test]
fn trickling_bytes_do_not_stretch_a_handshake() {
    let (mut listener, address) = listener(Security::Plain);
    let trickle = thread::spawn(move || {
        let mut bare = TcpStream::connect(address).unwrap();
        bare.write_all(&[0, 4, 0, 0]).unwrap();
        while bare.write_all(&[1]).is_ok() {
            thread::sleep(Duration::from_millis(2));
        }
    });
    let start = Instant::now();
    match listener.accept(&terms(), soon()).unwrap() {
        Accepted::TurnedAway {
            reason: SessionError::Timeout { .. },
            ..
        } => {}
        Accepted::TurnedAway { reason, .. } => panic!("{reason}"),
        Accepted::Peer(_) => panic!("accepted"),
    }
    assert!(start.elapsed() < Duration::from_secs(10));
    trickle.join().unwrap();
}

#[test]
fn a_flood_of_silence_makes_room_for_a_peer() {
    let (listener, address) = listener(Security::Plain);
    let mut listener = listener.handshake_time(Duration::from_mins(10));
    let flood: Vec<_> = (0..HANDSHAKES_OF_ONE + 5)
        .map(|_| TcpStream::connect(&address).unwrap())
        .collect();
    let dialer = thread::spawn(move || {
        connect(&address, &Security::Plain, &hello(Peer::Client), soon())
            .map(|_| ())
            .unwrap();
    });
    let (incoming, reasons) = accept_through(&mut listener);
    assert_eq!(incoming.who, Peer::Client);
    assert_eq!(reasons.len(), 6);
    assert!(
        reasons
            .iter()
            .all(|reason| matches!(reason, SessionError::Crowded { .. })),
        "{reasons:?}"
    );
    dialer.join().unwrap();
    drop(flood);
}

/// The old door: a stranger who keeps opening connections pushed everybody else out of the queue.
#[test]
fn a_stranger_that_keeps_connecting_keeps_nobody_out() {
    let [p0, p1, p2, owner] =
        ["party0", "party1", "party2", "owner"].map(|n| Identity::generate(n).unwrap());
    let parties = [&p0, &p1, &p2];
    let (listener, address) = listener(tls(&p0, parties, &[&owner]));
    let mut listener = listener.handshake_time(Duration::from_mins(10));
    let dialing = tls(&owner, parties, &[]);
    let at = address.clone();
    // A peer far away: it has proved who it is, and its hello is still on its way.
    let mut slow = TcpStream::connect(&at).unwrap();
    let mut secured = dialing.connect(Role::P0).unwrap().unwrap();
    slow.set_nonblocking(false).unwrap();
    let mut strangers = Vec::new();
    while secured.is_handshaking() {
        if secured.wants_write() {
            secured.write_tls(&mut slow).unwrap();
        }
        listener
            .accept(&terms(), Instant::now() + Duration::from_millis(50))
            .err()
            .unwrap();
        slow.set_nonblocking(true).unwrap();
        if secured.read_tls(&mut slow).is_ok() {
            secured.process_new_packets().unwrap();
        }
        slow.set_nonblocking(false).unwrap();
    }
    while secured.wants_write() {
        secured.write_tls(&mut slow).unwrap();
    }
    let greeting = Greeting::Hello(hello(Peer::Client)).encode();
    let mut turned_away = 0;
    for i in 0..200 {
        let mut stranger = TcpStream::connect(&at).unwrap();
        if i % 2 == 0 {
            // The head of a TLS record that never ends.
            stranger.write_all(&[22, 3, 1, 2, 0]).unwrap();
        }
        strangers.push(stranger);
        while let Ok(Accepted::TurnedAway { reason, .. }) =
            listener.accept(&terms(), Instant::now() + Duration::from_millis(1))
        {
            assert!(matches!(reason, SessionError::Crowded { .. }), "{reason}");
            turned_away += 1;
        }
    }
    assert!(turned_away >= 200 - HANDSHAKES_OF_ONE, "{turned_away}");
    let mut writer = secured.writer();
    writer
        .write_all(&(greeting.len() as u32).to_le_bytes())
        .unwrap();
    writer.write_all(&greeting).unwrap();
    while secured.wants_write() {
        secured.write_tls(&mut slow).unwrap();
    }
    let (incoming, _) = accept_through(&mut listener);
    assert_eq!(incoming.who, Peer::Client);
}

#[test]
fn a_client_that_comes_during_a_session_is_told_so() {
    let (mut listener, address) = listener(Security::Plain);
    let terms = Terms {
        expected: vec![Peer::Party(Role::P1)],
        ..terms()
    };
    let dialer = thread::spawn(move || {
        connect(&address, &Security::Plain, &hello(Peer::Client), soon())
            .err()
            .unwrap()
    });
    let Accepted::TurnedAway { .. } = listener.accept(&terms, soon()).unwrap() else {
        panic!("accepted");
    };
    let error = dialer.join().unwrap().to_string();
    assert!(
        error.contains("busy with another session: ask again"),
        "{error}"
    );
}

fn tls(own: &Identity, parties: [&Identity; 3], clients: &[&Identity]) -> Security {
    let clients = clients.iter().map(|client| client.pin()).collect();
    Security::tls(own, parties.map(Identity::pin), clients).unwrap()
}

#[test]
fn pins_decide_who_is_who() {
    let [p0, p1, p2, owner, stranger] =
        ["party0", "party1", "party2", "owner", "stranger"].map(|n| Identity::generate(n).unwrap());
    let parties = [&p0, &p1, &p2];
    let accepting = || tls(&p0, parties, &[&owner]);

    // The right pins.
    let (mut listener, address) = listener(accepting());
    let dialing = tls(&owner, parties, &[]);
    let dialer = thread::spawn(move || {
        let mut channel = connect(&address, &dialing, &hello(Peer::Client), soon()).unwrap();
        channel.send(b"query", soon()).unwrap();
        let answer = channel.recv(100, soon()).unwrap();
        channel.finish(soon()).unwrap();
        answer
    });
    let (mut incoming, reasons) = accept_through(&mut listener);
    assert!(incoming.who == Peer::Client && reasons.is_empty());
    assert_eq!(incoming.channel.recv(100, soon()).unwrap(), b"query");
    incoming.channel.send(b"answer", soon()).unwrap();
    assert_eq!(dialer.join().unwrap(), b"answer");
    let error = incoming.channel.recv(100, soon()).unwrap_err();
    assert!(error.to_string().contains("goodbye"), "{error}");

    // A certificate nobody knows: each side says whose pin is wrong.
    let dialing = tls(&stranger, parties, &[]);
    let (here, there) = refusal([accepting(), dialing], hello(Peer::Client));
    assert!(
        matches!(here, SessionError::WrongPin { presented, .. } if presented == stranger.pin()),
        "{here}"
    );
    assert!(
        matches!(there, SessionError::PinRefused { own, .. } if own == stranger.pin()),
        "{there}"
    );

    // The dialed party is not the pinned one.
    let dialing = tls(&p1, [&stranger, &p1, &p2], &[]);
    let (here, there) = refusal([accepting(), dialing], hello(Peer::Party(Role::P1)));
    assert!(
        matches!(here, SessionError::PinRefused { own, .. } if own == p0.pin()),
        "{here}"
    );
    match there {
        SessionError::WrongPin {
            presented,
            expected,
            ..
        } => {
            assert_eq!(
                (presented, expected),
                (p0.pin(), stranger.pin().to_string())
            );
        }
        other => panic!("{other}"),
    }

    // Known certificates that claim to be somebody else.
    for (liar, claim) in [
        (&owner, Peer::Party(Role::P1)),
        (&p2, Peer::Party(Role::P1)),
        (&p1, Peer::Client),
    ] {
        let (here, there) = refusal([accepting(), tls(liar, parties, &[])], hello(claim));
        let expected = Mismatch::Identity { claimed: claim };
        assert!(matches!(here, SessionError::Mismatch { mismatch, .. } if mismatch == expected));
        assert!(matches!(there, SessionError::Rejected { mismatch, .. } if mismatch == expected));
    }

    // Only one side uses TLS.
    let (here, there) = refusal([accepting(), Security::Plain], hello(Peer::Client));
    assert!(matches!(here, SessionError::Tls { .. }), "{here}");
    assert!(
        there
            .to_string()
            .contains("it uses TLS and this side does not"),
        "{there}"
    );
    let (here, there) = refusal(
        [Security::Plain, tls(&p1, parties, &[])],
        hello(Peer::Client),
    );
    assert!(
        here.to_string()
            .contains("it uses TLS and this side does not"),
        "{here}"
    );
    assert!(
        there.to_string().contains("during the handshake"),
        "{there}"
    );
}

#[test]
fn a_port_in_use_is_named() {
    let (_first, address) = listener(Security::Plain);
    let error = Listener::bind(&address, Security::Plain)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains(&address) && error.contains("choose another port"),
        "{error}"
    );
    let error = Listener::bind("203.0.113.7:1", Security::Plain)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("not one of this machine"), "{error}");
}

#[test]
fn a_dialer_waits_for_a_listener_to_come_up() {
    let [address] = free_addresses().map(|address| address.to_string());
    let at = address.clone();
    let dialer = thread::spawn(move || {
        connect(&at, &Security::Plain, &hello(Peer::Client), soon()).map(|_| ())
    });
    thread::sleep(Duration::from_millis(100));
    let mut listener = Listener::bind(&address, Security::Plain).unwrap();
    assert_eq!(accept_through(&mut listener).0.who, Peer::Client);
    dialer.join().unwrap().unwrap();
}

#[test]
fn a_dialer_names_who_cannot_be_reached_or_does_not_answer() {
    let (silent, address) = listener(Security::Plain);
    let start = Instant::now();
    let deadline = || Instant::now() + Duration::from_millis(200);
    let dial = |at: &str| connect(at, &Security::Plain, &hello(Peer::Client), deadline());
    let error = dial(&address).err().unwrap().to_string();
    assert!(error.contains("did not answer the hello"), "{error}");
    drop(silent);
    let [nobody] = free_addresses().map(|address| address.to_string());
    let error = dial(&nobody).err().unwrap().to_string();
    assert!(
        error.contains("party 0") && error.contains("refused"),
        "{error}"
    );
    let error = dial("no port").err().unwrap().to_string();
    assert!(error.contains("no port"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_bare_answer_of_another_kind_is_refused() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let fitting = hello(Peer::Client);
    let from = Peer::Party(Role::P2);
    let answers = [
        vec![1, 2, 3],
        Greeting::Hello(Hello {
            version: PROTOCOL_VERSION + 1,
            ..fitting.clone()
        })
        .encode(),
        Greeting::Hello(Hello::new(from, Peer::Client, SESSION, PLAN)).encode(),
        Greeting::Hello(Hello::new(fitting.to, Peer::Client, [0; 16], PLAN)).encode(),
        Greeting::Hello(Hello::new(fitting.to, Peer::Client, SESSION, [0; 32])).encode(),
    ];
    let newer = format!("protocol version {}", PROTOCOL_VERSION + 1);
    let expected = [
        "cannot be read",
        &newer,
        "it is party 2, expected party 0",
        "its session",
        "its plan",
    ];
    for (answer, expected) in answers.into_iter().zip(expected) {
        let (address, fitting) = (address.clone(), fitting.clone());
        let dialer = thread::spawn(move || connect(&address, &Security::Plain, &fitting, soon()));
        let (mut bare, _) = server.accept().unwrap();
        let mut header = [0; 4];
        bare.read_exact(&mut header).unwrap();
        bare.read_exact(&mut vec![0; u32::from_le_bytes(header) as usize])
            .unwrap();
        bare.write_all(&(answer.len() as u32).to_le_bytes())
            .unwrap();
        bare.write_all(&answer).unwrap();
        let error = dialer.join().unwrap().err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_channel_checks_sizes_and_deadlines() {
    let (mut listener, address) = listener(Security::Plain);
    let dialer = thread::spawn(move || {
        connect(&address, &Security::Plain, &hello(Peer::Client), soon()).unwrap()
    });
    let mut server = accept_through(&mut listener).0.channel;
    let mut client = dialer.join().unwrap();
    let start = Instant::now();
    let error = client
        .recv(10, start + Duration::from_millis(50))
        .unwrap_err();
    assert!(
        error.to_string().contains("did not send an answer"),
        "{error}"
    );
    // Nobody takes these at the other end.
    let error = client.send(
        &vec![0; 64 << 20],
        Instant::now() + Duration::from_millis(100),
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("did not take what was sent")
    );
    let error = server.recv(10, soon()).unwrap_err();
    assert!(
        matches!(error, SessionError::TooLarge { limit: 10, .. }),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(10));
}
