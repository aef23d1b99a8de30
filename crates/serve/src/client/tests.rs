//! Clients that tell one party something else than the others.

use super::*;
use std::io::Write;
use trefoil_nn::{Graph, Options};

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
    let request: Request = postcard::from_bytes(&body).expect("a request");
    let Request::Infer {
        plan,
        guard,
        batches,
        observe,
    } = request
    else {
        return body;
    };
    let request = Request::Infer {
        plan,
        guard,
        batches: batches + 1,
        observe,
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
    let request = Request::Infer {
        plan: plan.to_bytes(),
        guard: None,
        batches: 1,
        observe: false,
    };
    let secrets: Vec<&ArrayD<f64>> = weights.iter().collect();
    let picture = trefoil_digits::generate(1, 5).0.mapv(f64::from).into_dyn();
    let mut state = Run {
        batches: 1,
        outputs: Vec::new(),
        inputs: Duration::ZERO,
        answered: Instant::now(),
        receipt: Receipt::new([9; 16], random_seeds().expect("randomness")),
    };
    let seeds = random_seeds().expect("randomness");
    let ready = client.begin::<Z64>(&mut parties, &request, Some((&plan, &secrets, &seeds)));
    parties.or_failures(ready)?;
    let done = client.batch::<Z64>(&mut parties, &plan, 0, &[picture], &mut state, &mut |_| ());
    parties.or_failures(done)?;
    let reports = Client::reports(&mut parties, &plan);
    parties.or_failures(reports).map(drop)
}

#[test]
fn a_client_that_sends_the_parties_differing_things_is_caught_before_an_answer() {
    outcome(None).expect("an honest client is served");
    let (_, weights) = digits();
    let tensors = weights.iter().count();
    // To an evaluator: request, seed of the weights, each tensor masked, seed of the input, the input masked.
    let (seed, tensor, input_seed, input) = (1, 2, 2 + tensors, 3 + tensors);
    let mut cases: Vec<(Role, usize, Change, &str)> = Vec::new();
    for role in [Role::P1, Role::P2] {
        cases.extend([
            (role, seed, flip as fn(_) -> _, "a seed"),
            (role, tensor, flip, "masked values"),
            (role, input_seed, flip, "a seed"),
            (role, input, flip, "masked values"),
        ]);
    }
    // To party 0: request, the weights' seeds, the input's.
    cases.extend([
        (Role::P0, 1, flip as fn(_) -> _, "a seed"),
        (Role::P0, 2, flip, "a seed"),
    ]);
    for role in Role::ALL {
        cases.push((role, 0, another_batch, "number of batches"));
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
