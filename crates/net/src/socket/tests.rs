//! Peers that break the rules, played by bare TCP connections.

use super::*;
use crate::stream::FrameStream;
use std::io::{Read as _, Write};
use std::net::{TcpListener, TcpStream};

fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn channel(socket: TcpStream, peer: Role) -> Channel {
    let address = socket.peer_addr().unwrap();
    Channel::new(
        FrameStream::new(socket, None).unwrap(),
        Peer::Party(peer),
        address,
    )
}

/// Party 0, and the bare other ends of its links to parties 1 and 2.
fn party_0(frame_limit: u64) -> (SocketTransport, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let link = |peer| {
        let bare = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (channel(listener.accept().unwrap().0, peer), bare)
    };
    let ((next, p1), (previous, p2)) = (link(Role::P1), link(Role::P2));
    let options = LinkOptions {
        frame_limit,
        ..LinkOptions::default()
    };
    (
        SocketTransport::new(Role::P0, next, previous, options),
        p1,
        p2,
    )
}

#[test]
fn whole_frames_before_a_cut_are_delivered_then_the_cut_is_named() {
    let (mut p0, mut p1, _p2) = party_0(1000);
    p1.write_all(&[2, 0, 0, 0, 8, 9, 0, 0, 0, 0, 200, 0, 0, 0, 7, 7, 7])
        .unwrap();
    drop(p1);
    assert_eq!(p0.receive(&[Role::P2], soon()), Ok((Role::P1, vec![8, 9])));
    assert_eq!(p0.receive(&[Role::P2], soon()), Ok((Role::P1, vec![])));
    let error = p0.receive(&[Role::P2], soon()).unwrap_err();
    assert!(matches!(error, NetError::LinkDown { peer: Role::P1, .. }));
    assert!(
        error
            .to_string()
            .contains("after 3 of 200 bytes of a frame"),
        "{error}"
    );
    // It stays so, also for sends.
    assert_eq!(p0.receive(&[Role::P1], soon()), Err(error.clone()));
    assert_eq!(p0.send(Role::P1, vec![1]), Err(error));
}

#[test]
fn a_cut_within_a_header_is_named() {
    let (mut p0, mut p1, _p2) = party_0(1000);
    p1.write_all(&[2, 0]).unwrap();
    drop(p1);
    let error = p0.receive(&[Role::P1], soon()).unwrap_err();
    assert!(error.to_string().contains("within the header"), "{error}");
}

#[test]
fn an_oversized_announcement_is_refused_before_its_content() {
    let (mut p0, mut p1, _p2) = party_0(1000);
    p1.write_all(&1001u32.to_le_bytes()).unwrap();
    let error = p0.receive(&[Role::P1], soon()).unwrap_err();
    assert_eq!(
        error,
        NetError::FrameTooLarge {
            peer: Role::P1,
            bytes: 1001,
            limit: 1000
        }
    );
}

#[test]
fn an_announced_gigabyte_that_never_comes_costs_no_gigabyte() {
    let (mut p0, mut p1, _p2) = party_0(1 << 30);
    p1.write_all(&(1u32 << 30).to_le_bytes()).unwrap();
    p1.write_all(&[1; 1000]).unwrap();
    let deadline = Instant::now() + Duration::from_millis(100);
    assert!(matches!(
        p0.receive(&[Role::P1], deadline),
        Err(NetError::Timeout { .. })
    ));
    assert!(p0.links[0].lock().memory() < 1 << 20);
}

#[test]
fn a_frame_that_comes_byte_by_byte_is_assembled() {
    let (mut p0, mut p1, _p2) = party_0(1000);
    let writer = thread::spawn(move || {
        for byte in [3, 0, 0, 0, 4, 5, 6, 1, 0, 0, 0, 7] {
            p1.write_all(&[byte]).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        p1
    });
    assert_eq!(
        p0.receive(&[Role::P1], soon()),
        Ok((Role::P1, vec![4, 5, 6]))
    );
    assert_eq!(p0.receive(&[Role::P1], soon()), Ok((Role::P1, vec![7])));
    drop(writer.join().unwrap());
}

#[test]
fn a_peer_that_trickles_cannot_stretch_the_deadline() {
    let (mut p0, mut p1, _p2) = party_0(1 << 20);
    let writer = thread::spawn(move || {
        p1.write_all(&[0, 0, 8, 0]).unwrap();
        while p1.write_all(&[1]).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let start = Instant::now();
    let result = p0.receive(&[Role::P1], start + Duration::from_millis(200));
    assert!(matches!(result, Err(NetError::Timeout { .. })));
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(p0);
    writer.join().unwrap();
}

#[test]
fn a_send_never_waits_and_finish_names_who_does_not_take() {
    let (mut p0, p1, mut p2) = party_0(1 << 30);
    let start = Instant::now();
    p0.send(Role::P1, vec![1; 64 << 20]).unwrap();
    p0.send(Role::P2, vec![2; 10]).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
    // The link to party 2 does not suffer from party 1's.
    let mut frame = [0; 14];
    p2.read_exact(&mut frame).unwrap();
    assert_eq!(frame[..4], [10, 0, 0, 0]);
    let error = p0
        .finish(Instant::now() + Duration::from_millis(200))
        .unwrap_err();
    match error {
        NetError::SendStalled { peers, bytes, .. } => {
            assert_eq!(peers, [Role::P1]);
            assert!(bytes > 32 << 20);
        }
        other => panic!("{other}"),
    }
    drop(p1);
}

/// Reads all that comes, a little at a time.
fn read_slowly(mut bare: TcpStream, pause: Duration) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let (mut buffer, mut all) = (vec![0; 1 << 20], 0);
        loop {
            match bare.read(&mut buffer) {
                Ok(0) | Err(_) => return all,
                Ok(read) => all += read,
            }
            thread::sleep(pause);
        }
    })
}

#[test]
fn a_peer_that_reads_slowly_is_not_given_up() {
    const BYTES: usize = 96 << 20;
    for finish in [false, true] {
        let (mut p0, p1, p2) = party_0(1 << 30);
        let reader = read_slowly(p1, Duration::from_millis(15));
        p0.send(Role::P1, vec![1; BYTES]).unwrap();
        let (start, given) = (Instant::now(), Duration::from_millis(500));
        if finish {
            p0.finish(start + given).unwrap();
        } else {
            p0.drain(start + given).unwrap();
        }
        // Else the test shows nothing.
        assert!(start.elapsed() > given, "{:?}", start.elapsed());
        drop((p0, p2));
        assert!(reader.join().unwrap() >= BYTES);
    }
}

#[test]
fn what_waits_for_a_peer_is_bounded() {
    const FRAME: usize = 1 << 20;
    let (mut p0, p1, _p2) = party_0(1 << 30);
    p0.options.queue = 4 << 20;
    p0.options.patience = Duration::from_millis(300);
    let mut most = 0;
    let error = loop {
        match p0.send(Role::P1, vec![1; FRAME]) {
            Ok(()) => most = most.max(p0.links[0].lock().pending_bytes()),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, NetError::SendStalled { peers, .. } if *peers == [Role::P1]),
        "{error}"
    );
    assert!(most <= (5 << 20) + 4, "{most} bytes wait");
    // A peer that reads makes room.
    let reader = read_slowly(p1, Duration::ZERO);
    for _ in 0..50 {
        p0.send(Role::P1, vec![1; FRAME]).unwrap();
    }
    p0.finish(soon()).unwrap();
    drop(p0);
    assert!(reader.join().unwrap() > 50 * FRAME);
}

#[test]
fn a_sender_that_waits_takes_in_what_the_other_sender_sends() {
    let (mut p0, mut p1, _p2) = party_0(1 << 30);
    p0.options.queue = 1 << 20;
    let other = thread::spawn(move || {
        // It sends all that it has before it reads anything.
        let header = (8u32 << 20).to_le_bytes();
        for _ in 0..4 {
            p1.write_all(&header).unwrap();
            p1.write_all(&vec![2; 8 << 20]).unwrap();
        }
        let mut all = Vec::new();
        let _ = p1.read_to_end(&mut all);
        all.len()
    });
    for _ in 0..32 {
        p0.send(Role::P1, vec![1; 1 << 20]).unwrap();
    }
    p0.drain(soon()).unwrap();
    for _ in 0..4 {
        let (peer, body) = p0.receive(&[Role::P1], soon()).unwrap();
        assert_eq!((peer, body.len()), (Role::P1, 8 << 20));
    }
    p0.finish(soon()).unwrap();
    drop(p0);
    assert!(other.join().unwrap() >= 32 << 20);
}

#[test]
fn a_broken_link_is_an_error_of_finish_unless_the_peer_said_goodbye() {
    let (mut p0, p1, mut p2) = party_0(1000);
    p2.write_all(&u32::MAX.to_le_bytes()).unwrap();
    drop(p2);
    drop(p1);
    for _ in 0..2 {
        // The first write after a close is answered by a reset, the second fails.
        let _ = p0.send(Role::P1, vec![0; 100]);
        let _ = p0.send(Role::P2, vec![0; 100]);
        thread::sleep(Duration::from_millis(20));
    }
    let error = p0.finish(soon()).unwrap_err();
    assert!(
        matches!(error, NetError::LinkDown { peer: Role::P1, .. }),
        "{error}"
    );
}

#[test]
#[should_panic(expected = "the channel to the next party")]
fn channels_in_the_wrong_place_are_a_bug() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ends = [Role::P2, Role::P1].map(|peer| {
        let bare = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (channel(listener.accept().unwrap().0, peer), bare)
    });
    let [(a, _), (b, _)] = ends;
    let _ = SocketTransport::new(Role::P0, a, b, LinkOptions::default());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// However the bytes are cut into packets, the frames come out as they were.
    #[test]
    fn frames_do_not_depend_on_packets(
        frames in proptest::collection::vec((0..200_000usize, proptest::prelude::any::<u8>()), 1..6),
        cuts in proptest::collection::vec(1..100_000usize, 1..6),
    ) {
        let (mut p0, mut p1, _p2) = party_0(1 << 20);
        let mut bytes = Vec::new();
        for &(len, value) in &frames {
            bytes.extend_from_slice(&(len as u32).to_le_bytes());
            bytes.extend(std::iter::repeat_n(value, len));
        }
        let writer = thread::spawn(move || {
            let mut rest = &bytes[..];
            for cut in cuts.into_iter().cycle() {
                let (packet, after) = rest.split_at(cut.min(rest.len()));
                p1.write_all(packet).unwrap();
                rest = after;
                if rest.is_empty() {
                    return p1;
                }
            }
            p1
        });
        for (len, value) in frames {
            let (_, body) = p0.receive(&[Role::P1], soon()).unwrap();
            proptest::prop_assert!(body == vec![value; len]);
        }
        drop(writer.join().unwrap());
    }
}
