//! What every kind of link must do, and what it must not.

use crate::world::{on_every_link, soon};
use std::thread;
use std::time::{Duration, Instant};
use trefoil_net::{LinkOptions, LinkStats, NetError, Role, Transport};

#[test]
fn frames_keep_their_order_and_are_counted() {
    on_every_link(LinkOptions::default(), |[mut p0, mut p1, mut p2]| {
        // Sizes around the buffers and the records of TLS, zero included.
        let sizes = [
            0, 1, 3, 4, 5, 16_379, 16_384, 65_531, 65_532, 65_536, 262_144, 1_000_001,
        ];
        for (i, &size) in sizes.iter().enumerate() {
            p0.send(Role::P1, vec![i as u8; size]).unwrap();
            p2.send(Role::P1, vec![100 + i as u8; size]).unwrap();
        }
        let sender = thread::spawn(move || {
            p0.finish(soon()).unwrap();
            p2.finish(soon()).unwrap();
            (p0.stats(Role::P1), p2.stats(Role::P1), p0.stats(Role::P2))
        });
        let mut seen = [0, 0];
        for _ in 0..2 * sizes.len() {
            // Who has sent everything is not awaited: its goodbye would be an error.
            let awaited = [(Role::P0, seen[0]), (Role::P2, seen[1])];
            let awaited = awaited.into_iter().filter(|&(_, seen)| seen < sizes.len());
            let awaited: Vec<_> = awaited.map(|(peer, _)| peer).collect();
            let (from, body) = p1.receive(&awaited, soon()).unwrap();
            let (which, offset) = if from == Role::P0 { (0, 0) } else { (1, 100) };
            assert!(
                body == vec![offset + seen[which] as u8; sizes[seen[which]]],
                "{from}"
            );
            seen[which] += 1;
        }
        let bytes = sizes.iter().map(|size| 4 + *size as u64).sum();
        let frames = sizes.len() as u64;
        let sent = LinkStats {
            frames_sent: frames,
            bytes_sent: bytes,
            ..LinkStats::default()
        };
        let (a, b, c) = sender.join().unwrap();
        assert_eq!((a, b, c), (sent, sent, LinkStats::default()));
        let received = LinkStats {
            frames_received: frames,
            bytes_received: bytes,
            ..LinkStats::default()
        };
        assert_eq!(
            (p1.stats(Role::P0), p1.stats(Role::P2)),
            (received, received)
        );
    });
}

#[test]
fn large_frames_cross_both_ways_at_once() {
    const BYTES: usize = 64 << 20;
    on_every_link(LinkOptions::default(), |[p0, p1, p2]| {
        let exchange = |mut end: Box<dyn Transport>, peer: Role, value: u8| {
            thread::spawn(move || {
                end.send(peer, vec![value; BYTES]).unwrap();
                let (from, body) = end.receive(&[peer], soon()).unwrap();
                assert_eq!((from, body.len()), (peer, BYTES));
                assert!(body.iter().all(|&byte| byte == 3 - value));
                end.finish(soon()).unwrap();
            })
        };
        let (a, b) = (exchange(p1, Role::P2, 1), exchange(p2, Role::P1, 2));
        a.join().unwrap();
        b.join().unwrap();
        drop(p0);
    });
}

#[test]
fn a_party_that_ends_first_loses_nothing_for_others() {
    const BYTES: usize = 8 << 20;
    on_every_link(LinkOptions::default(), |[mut p0, mut p1, mut p2]| {
        // Party 0 streams ahead, ends and is gone; party 1 is slow and looks late.
        let dealer = thread::spawn(move || {
            p0.send(Role::P1, vec![1; BYTES]).unwrap();
            p0.send(Role::P2, vec![2; BYTES]).unwrap();
            p0.finish(soon()).unwrap();
        });
        let second = thread::spawn(move || {
            assert_eq!(p2.receive(&[Role::P0], soon()).unwrap().1.len(), BYTES);
            p2.send(Role::P1, vec![0; BYTES]).unwrap();
            p2.finish(soon()).unwrap();
        });
        thread::sleep(Duration::from_millis(100));
        let mut awaited = vec![Role::P0, Role::P2];
        while !awaited.is_empty() {
            let (from, body) = p1.receive(&awaited, soon()).unwrap();
            assert_eq!(body.len(), BYTES);
            awaited.retain(|&peer| peer != from);
        }
        dealer.join().unwrap();
        second.join().unwrap();
        let error = p1.receive(&[Role::P2], soon()).unwrap_err();
        assert!(error.to_string().contains("goodbye"), "{error}");
        p1.finish(soon()).unwrap();
    });
}

#[test]
fn a_peer_killed_at_any_message_is_reported_to_both_others() {
    for killed in Role::ALL {
        for after in 0..4 {
            on_every_link(LinkOptions::default(), |ends| {
                let start = Instant::now();
                let threads = Role::ALL.into_iter().zip(ends).map(|(role, end)| {
                    thread::spawn(move || ring(end, role, (role == killed).then_some(after)))
                });
                let threads: Vec<_> = threads.collect();
                for (role, thread) in Role::ALL.into_iter().zip(threads) {
                    let outcome = thread.join().unwrap();
                    match outcome {
                        Ok(()) => assert_eq!(role, killed),
                        Err(NetError::LinkDown { .. }) => assert_ne!(role, killed),
                        Err(other) => panic!("{role}: {other}"),
                    }
                }
                assert!(start.elapsed() < Duration::from_secs(30));
            });
        }
    }
}

/// Each party sends to the next and waits for the previous; a killed one just stops.
fn ring(mut end: Box<dyn Transport>, role: Role, killed: Option<u32>) -> Result<(), NetError> {
    for round in 0.. {
        end.send(role.next(), vec![0; 1000])?;
        if killed == Some(round) {
            return Ok(());
        }
        end.receive(&[role.prev()], soon())?;
    }
    Ok(())
}

#[test]
fn a_stalled_peer_is_a_timeout_within_the_deadline() {
    on_every_link(LinkOptions::default(), |[mut p0, p1, p2]| {
        let start = Instant::now();
        let deadline = start + Duration::from_millis(150);
        let error = p0.receive(&[Role::P1, Role::P2], deadline).unwrap_err();
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_millis(150) && elapsed < Duration::from_secs(10));
        assert!(
            error
                .to_string()
                .contains("no message from party 1 and party 2"),
            "{error}"
        );
        drop((p1, p2));
    });
}

#[test]
fn frames_above_the_limit_are_refused_by_the_sender() {
    let options = LinkOptions {
        frame_limit: 1000,
        ..LinkOptions::default()
    };
    on_every_link(options, |[mut p0, mut p1, _p2]| {
        p0.send(Role::P1, vec![0; 1000]).unwrap();
        let error = p0.send(Role::P1, vec![0; 1001]).unwrap_err();
        assert_eq!(
            error,
            NetError::OversizedSend {
                peer: Role::P1,
                bytes: 1001,
                limit: 1000
            }
        );
        assert_eq!(p1.receive(&[Role::P0], soon()).unwrap().1.len(), 1000);
    });
}

#[test]
fn without_a_spin_everything_still_arrives() {
    let options = LinkOptions {
        spin: Duration::ZERO,
        ..LinkOptions::default()
    };
    on_every_link(options, |[mut p0, mut p1, _p2]| {
        let echo = thread::spawn(move || {
            for _ in 0..50 {
                let (_, body) = p1.receive(&[Role::P0], soon()).unwrap();
                p1.send(Role::P0, body).unwrap();
            }
            p1.finish(soon()).unwrap();
        });
        for i in 0..50 {
            p0.send(Role::P1, vec![i; 10]).unwrap();
            assert_eq!(
                p0.receive(&[Role::P1], soon()).unwrap(),
                (Role::P1, vec![i; 10])
            );
        }
        p0.finish(soon()).unwrap();
        echo.join().unwrap();
    });
}
