//! One party alone, with peers that send what they like.

use super::*;
use trefoil_net::encode_frame;

/// Party 1 alone, and its peers' ends of the links.
fn alone() -> (Party, Vec<trefoil_net::MemoryTransport>) {
    let [p0, p1, p2] = trefoil_net::memory_mesh();
    let config = PartyConfig {
        role: Role::P1,
        session: [1; 16],
        seeds: [Some(Seed([1; 16])), None, Some(Seed([2; 16]))],
        timeout: Duration::from_mins(1),
    };
    (Party::new(config, Box::new(p1)), vec![p0, p2])
}

#[test]
#[should_panic(expected = "2^32 sub-protocols in one branch")]
fn forks_never_come_round_to_a_branch_that_was_used() {
    let (party, _peers) = alone();
    party.children.set(u32::MAX - 1);
    let last = party.fork();
    assert_ne!(last.branch, party.branch);
    drop(party.fork());
}

#[test]
#[should_panic(expected = "2^32 messages to one peer in one branch")]
fn message_numbers_never_come_round() {
    let (party, _peers) = alone();
    party.sent[2].set(u32::MAX);
    party.post(Role::P2, MessageKind::Deal, Vec::new());
}

#[test]
fn messages_without_content_count_towards_what_is_kept_unread() {
    let (party, mut peers) = alone();
    party.keep_unread(100 * MESSAGE);
    let empty = |number| Message {
        branch: party.branch,
        number,
        depth: 0,
        tag: MessageKind::Reshare.tag(),
        payload: Vec::new(),
    };
    let all: Vec<Message> = (1..102).map(empty).collect();
    peers[1]
        .send(Role::P1, encode_frame(&all))
        .expect("an open link");
    let taken = party.run(async |party| party.take(Role::P2, MessageKind::Reshare, 8).await);
    let error = taken.expect_err("101 messages are too many");
    let far = matches!(error, Abort::TooFarAhead { peer: Role::P2, .. });
    assert!(far, "{error}");
}

#[test]
fn a_peer_that_claims_the_last_depth_is_named() {
    let (party, mut peers) = alone();
    let message = Message {
        branch: party.branch,
        number: 0,
        depth: u32::MAX,
        tag: MessageKind::Reshare.tag(),
        payload: vec![0; 8],
    };
    let frame = encode_frame(&[message]);
    peers[1].send(Role::P1, frame).expect("an open link");
    let taken = party.run(async |party| party.take(Role::P2, MessageKind::Reshare, 8).await);
    let error = taken.expect_err("no depth is left").to_string();
    assert!(error.contains("party 2 sent a malformed frame"), "{error}");
}
