//! Clients that tell one party something else than the others.

use super::*;
use crate::wire::Turn;
use std::io::Write;
use trefoil_nn::{Graph, Options};
use trefoil_nn::{Plan, Weights};

const TIMEOUT: Duration = Duration::from_secs(20);

/// What is done to a frame.
type Change = fn(Vec<u8>) -> Vec<u8>;

/// Changes one frame on its way to a party.
struct Altered {
    inner: Box<dyn Conversation>,
    /// Frames until then.
    left: usize,
    change: fn(Vec<u8>) -> Vec<u8>,
}

impl Conversation for Altered {
    fn send(&mut self, body: &[u8], deadline: Instant) -> Result<(), ServeError> {
        let now = self.left == 0;
        self.left = self.left.wrapping_sub(1);
        if now {
            return self.inner.send(&(self.change)(body.to_vec()), deadline);
        }
        self.inner.send(body, deadline)
    }

    fn receive(&mut self, limit: u64, deadline: Instant) -> Result<Vec<u8>, ServeError> {
        self.inner.receive(limit, deadline)
    }

    fn receive_before(&mut self, limit: u64, end: Instant) -> Result<Option<Vec<u8>>, ServeError> {
        self.inner.receive_before(limit, end)
    }

    fn look(&mut self) -> Result<(), ServeError> {
        self.inner.look()
    }

    fn newest(&self) -> Option<&[u8]> {
        self.inner.newest()
    }

    fn silence(&self, start: Instant) -> Duration {
        self.inner.silence(start)
    }
}

fn flip(mut body: Vec<u8>) -> Vec<u8> {
    body[5] ^= 1;
    body
}

fn another_batch(body: Vec<u8>) -> Vec<u8> {
    let Turn::Answer { batches, last } = postcard::from_bytes(&body).expect("a turn") else {
        return body;
    };
    let turn = Turn::Answer {
        batches: batches + 1,
        last,
    };
    postcard::to_stdvec(&turn).expect("a turn")
}

fn observing(body: Vec<u8>) -> Vec<u8> {
    let request = postcard::from_bytes(&body).expect("a request");
    let Request::Infer { plan, guard, .. } = request else {
        return body;
    };
    let request = Request::Infer {
        plan,
        guard,
        observe: true,
    };
    postcard::to_stdvec(&request).expect("a request")
}

/// A plan of one layer, and its weights.
fn digits() -> (Plan, Weights) {
    let mut file = tempfile::NamedTempFile::with_suffix(".onnx").expect("a temporary file");
    file.write_all(trefoil_digits::MODEL)
        .expect("room for a model");
    let graph = Graph::load(file.path()).expect("a good model");
    let options = Options {
        batch: Some(1),
        ..Options::ring(64)
    };
    Plan::compile(&graph, &options).expect("a plan")
}

/// What comes of a session in which `role` gets its frame number `frame` changed; no change without.
fn outcome(altered: Option<(Role, usize, Change)>) -> Result<(), ServeError> {
    let (plan, weights) = digits();
    let client = Client::in_process(None, TIMEOUT).expect("a client");
    let mut parties = client.open([9; 16], plan.hash()).expect("three threads");
    if let Some((role, left, change)) = altered {
        let end = parties.ends.remove(role.index());
        let end = Altered {
            inner: end,
            left,
            change,
        };
        parties.ends.insert(role.index(), Box::new(end));
    }
    let picture = trefoil_digits::generate(1, 5).0.mapv(f64::from).into_dyn();
    let model = SharedModel {
        plan: &plan,
        weights: &weights,
        guard: None,
        observe: false,
    };
    let deployed = Deployed::share(&model, parties, [9; 16], TIMEOUT, Duration::ZERO)?;
    let queries = Queries::new(&plan, &[picture])?;
    deployed.last(&queries, &mut |_| ()).map(drop)
}

#[test]
fn a_client_that_sends_the_parties_differing_things_is_caught_before_an_answer() {
    outcome(None).expect("an honest client is served");
    let (_, weights) = digits();
    let tensors = weights.iter().count();
    // To an evaluator: request, seed of the weights, each tensor masked, turn, seed of the input, the input masked.
    let (seed, tensor, turn) = (1, 2, 2 + tensors);
    let (input_seed, input) = (turn + 1, turn + 2);
    let mut cases: Vec<(Role, usize, Change, &str)> = Vec::new();
    for role in [Role::P1, Role::P2] {
        cases.extend([
            (role, seed, flip as fn(_) -> _, "a seed"),
            (role, tensor, flip, "masked values"),
            (role, input_seed, flip, "a seed"),
            (role, input, flip, "masked values"),
        ]);
    }
    // To party 0: request, the weights' seeds, turn, the input's seeds.
    cases.extend([
        (Role::P0, 1, flip as fn(_) -> _, "a seed"),
        (Role::P0, 3, flip, "a seed"),
    ]);
    for role in Role::ALL {
        cases.push((role, 0, observing, "a request"));
        let turn = if role == Role::P0 { 2 } else { turn };
        cases.push((role, turn, another_batch, "number of batches"));
    }
    for (role, frame, change, told) in cases {
        let error = outcome(Some((role, frame, change))).expect_err("a difference");
        let error = error.to_string();
        let case = format!("frame {frame} to {role}: {error}");
        assert!(error.contains("differs from this party's"), "{case}");
        assert!(error.contains(told), "{case}");
    }
}

#[test]
fn clients_of_other_identities_and_requests_have_other_digests() {
    use crate::told::Told;
    use trefoil_net::Pin;
    let digest = |pin: Option<[u8; 32]>, request: &[u8]| Told::new(pin.map(Pin), request).request();
    let base = digest(Some([1; 32]), b"request");
    assert_eq!(base, digest(Some([1; 32]), b"request"));
    for other in [
        digest(Some([2; 32]), b"request"),
        digest(None, b"request"),
        digest(Some([1; 32]), b"requesT"),
    ] {
        assert_ne!(base, other);
    }
}
