//! Three parties find each other, or learn why not.

use crate::world::{bind, identities, plain, socket_mesh, soon, tls};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};
use trefoil_net::{
    Hello, LinkOptions, Listener, Mismatch, Peer, Rendezvous, Role, Security, SessionError,
    SocketTransport, connect, establish,
};

type Outcome = Result<SocketTransport, SessionError>;

/// All three establish, each with its own view of the session; `only` limits who takes part.
fn outcomes(
    security: [Security; 3],
    only: &[Role],
    deadline: Duration,
    view: impl Fn(Role, &mut Rendezvous),
) -> Vec<Outcome> {
    let (listeners, addresses) = bind(security);
    let parties = Role::ALL.into_iter().zip(listeners);
    let threads = parties
        .filter(|(role, _)| only.contains(role))
        .map(|(role, mut listener)| {
            let addresses = addresses.clone();
            let mut session = Rendezvous {
                role,
                id: [1; 16],
                plan_hash: [2; 32],
                addresses,
            };
            view(role, &mut session);
            thread::spawn(move || {
                let deadline = Instant::now() + deadline;
                establish(&mut listener, &session, LinkOptions::default(), deadline)
                    .map(|made| made.0)
            })
        });
    let threads: Vec<_> = threads.collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

#[test]
fn three_parties_meet() {
    socket_mesh(plain(), LinkOptions::default());
    socket_mesh(tls(), LinkOptions::default());
}

#[test]
fn another_plan_is_told_at_once_on_both_sides() {
    for security in [plain(), tls()] {
        let start = Instant::now();
        let ends = outcomes(
            security,
            &[Role::P0, Role::P2],
            Duration::from_mins(1),
            |role, s| {
                if role == Role::P2 {
                    s.plan_hash = [3; 32];
                }
            },
        );
        let plan = Mismatch::Plan {
            expected: [2; 32],
            actual: [3; 32],
        };
        match &ends[..] {
            [
                Err(SessionError::Mismatch { mismatch: here, .. }),
                Err(SessionError::Rejected {
                    mismatch: there, ..
                }),
            ] => assert_eq!((*here, *there), (plan, plan)),
            _ => panic!(
                "{:?}",
                ends.iter()
                    .map(|end| end.as_ref().err())
                    .collect::<Vec<_>>()
            ),
        }
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn another_session_is_told_on_both_sides() {
    let mut ends = outcomes(
        tls(),
        &[Role::P0, Role::P1],
        Duration::from_millis(500),
        |role, session| {
            if role == Role::P1 {
                session.id = [9; 16];
            }
        },
    );
    let second = ends.pop().unwrap().err().unwrap();
    assert!(
        matches!(
            second,
            SessionError::Rejected {
                mismatch: Mismatch::Session { .. },
                ..
            }
        ),
        "{second}"
    );
    // Party 0 waits on, since it may have been a leftover of an earlier session, and then says so.
    let first = ends.pop().unwrap().err().unwrap().to_string();
    assert!(
        first.contains("party 1 and party 2 did not connect"),
        "{first}"
    );
    assert!(
        first.contains("turned away meanwhile") && first.contains("session"),
        "{first}"
    );
}

#[test]
fn a_missing_party_is_named_within_the_deadline() {
    let start = Instant::now();
    let ends = outcomes(
        plain(),
        &[Role::P0, Role::P1],
        Duration::from_millis(500),
        |_, _| {},
    );
    assert!(start.elapsed() < Duration::from_secs(10));
    for end in ends {
        match end.err().unwrap() {
            SessionError::Missing {
                peers, rejected, ..
            } => {
                assert_eq!(peers, [Role::P2]);
                assert!(rejected.is_empty());
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_wrong_pin_stops_the_session_on_both_sides() {
    let [p0, p1, p2] = identities();
    let right = [p0.pin(), p1.pin(), p2.pin()];
    let stranger = identities()[0].pin();
    // Party 1 has a wrong pin for party 0.
    let security = [
        Security::tls(&p0, right, vec![]).unwrap(),
        Security::tls(&p1, [stranger, right[1], right[2]], vec![]).unwrap(),
        Security::tls(&p2, right, vec![]).unwrap(),
    ];
    let mut ends = outcomes(
        security,
        &[Role::P0, Role::P1],
        Duration::from_millis(500),
        |_, _| {},
    );
    let second = ends.pop().unwrap().err().unwrap();
    assert!(matches!(second, SessionError::WrongPin { .. }), "{second}");
    let first = ends.pop().unwrap().err().unwrap().to_string();
    assert!(
        first.contains("does not accept this side's certificate"),
        "{first}"
    );
}

#[test]
fn strays_and_clients_do_not_disturb_the_meeting() {
    let (listeners, addresses) = bind(plain());
    let strays: Vec<_> = addresses
        .iter()
        .map(|at| TcpStream::connect(at).unwrap())
        .collect();
    let clients: Vec<_> = Role::ALL
        .into_iter()
        .take(2)
        .map(|role| {
            let address = addresses[role.index()].clone();
            let hello = Hello::new(Peer::Client, Peer::Party(role), [1; 16], [2; 32]);
            thread::spawn(move || {
                connect(&address, &Security::Plain, &hello, soon())
                    .err()
                    .unwrap()
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(50));
    let mut listeners: Vec<Listener> = listeners.into();
    let threads: Vec<_> = Role::ALL
        .into_iter()
        .zip(listeners.drain(..))
        .map(|(role, mut listener)| {
            let addresses = addresses.clone();
            let session = Rendezvous {
                role,
                id: [1; 16],
                plan_hash: [2; 32],
                addresses,
            };
            thread::spawn(move || {
                establish(&mut listener, &session, LinkOptions::default(), soon()).map(|_| ())
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    for client in clients {
        let error = client.join().unwrap();
        let expected = Mismatch::Busy;
        assert!(
            matches!(error, SessionError::Rejected { mismatch, .. } if mismatch == expected),
            "{error}"
        );
    }
    drop(strays);
}
