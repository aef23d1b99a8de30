//! Checks of one encrypted server: mixes of copies and public samples, and probes of the model, over ciphertexts.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use trefoil::he::{self, EncryptedServer, InIntegers, Options, Packing, Plan, Probes, Query};
use trefoil_he::scheme::{EvaluationKey, SecretKey, generate_with};
use trefoil_he::{Answer, HeError, IntegerOperation};
use trefoil_nn::Graph;
use trefoil_nn::graph::{Constant, Dimension, Element, GraphInput, Node};
use trefoil_verify::{Demand, Mix, PublicSet, Servers, Verdict};

const THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// Numbers in [0, 1), the same for a seed.
fn numbers(seed: u64, shape: &[usize]) -> ArrayD<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    })
}

/// A dense layer, an activation, a dense layer: four numbers to three scores.
fn plan(packing: Packing) -> Plan {
    let node = |operator: &str, name: &str, inputs: &[&str]| Node {
        name: name.into(),
        operator: operator.into(),
        inputs: inputs.iter().map(|&input| input.into()).collect(),
        outputs: vec![name.into()],
        attributes: BTreeMap::new(),
        opset: 17,
    };
    let weights = |seed, shape: &[usize]| Constant::Double(numbers(seed, shape) - 0.5);
    let graph = Graph {
        file: "test.onnx".into(),
        name: "test".into(),
        opset: 17,
        inputs: vec![GraphInput {
            name: "x".into(),
            shape: vec![Dimension::Free("N".into()), Dimension::Fixed(4)],
            element: Element::Float,
        }],
        outputs: vec!["y".into()],
        nodes: vec![
            node("MatMul", "first", &["x", "w1"]),
            node("Tanh", "act", &["first"]),
            node("MatMul", "y", &["act", "w2"]),
        ],
        initializers: [
            ("w1".to_owned(), weights(1, &[4, 5])),
            ("w2".to_owned(), weights(2, &[5, 3])),
        ]
        .into(),
    };
    let options = Options {
        input_bits: 4,
        weight_bits: 5,
        widen: 3.0,
        packing,
        ..Options::default()
    };
    trefoil_he::compile(&graph, &numbers(3, &[60, 4]), &options)
        .unwrap()
        .plan
}

struct Owner {
    plan: Plan,
    secret: SecretKey,
    evaluation: EvaluationKey,
}

impl Owner {
    fn of(plan: Plan) -> Self {
        let rotations = plan.program.rotations().unwrap();
        let (secret, evaluation) = generate_with(&plan.program.parameters, &rotations).unwrap();
        Self {
            plan,
            secret,
            evaluation,
        }
    }

    fn honest(&self, query: Query) -> Result<Answer, HeError> {
        let program = &self.plan.program;
        program.infer(&self.evaluation, query, THREADS, &mut ())
    }

    /// Three queries in two copies each, and 20 public samples.
    fn mix<S: Servers>(&self, servers: &mut S, seed: u64) -> Verdict {
        let demand = Demand {
            copies: Some(2),
            public: Some(20),
            ..Demand::new(3, 2.0)
        };
        let public = numbers(seed, &[20, 4]);
        let answers = InIntegers(&self.plan).answer(&public).unwrap();
        let scores = he::scores(&self.plan);
        let labels = scores.labels(&answers).into_iter().map(Option::unwrap);
        let public = PublicSet::new(public, labels.collect()).unwrap();
        let queries = numbers(seed + 1, &[3, 4]);
        let samples = trefoil_verify::Samples {
            queries: &queries,
            public: &public,
            fingerprint: None,
            scores,
        };
        let mix = Mix::new(&demand.cheapest().unwrap(), samples).unwrap();
        // Honest integers are equal: no difference is allowed.
        let checked = mix.ask(servers, 0.0, 100, &mut |_| ()).unwrap();
        if checked.comparison.verdict == Verdict::Accepted {
            let right = InIntegers(&self.plan).answer(&queries).unwrap();
            assert_eq!(checked.answers(), Some(&right));
        }
        checked.comparison.verdict
    }
}

/// The plan with one weight of its first layer one step larger, as a server might run it.
fn altered(plan: &Plan, term: usize) -> Plan {
    let mut other = plan.clone();
    let IntegerOperation::Affine(map) = &mut other.program.network.layers[0].operation else {
        panic!("the first layer is a matrix");
    };
    map.rows.iter_mut().flatten().nth(term).unwrap().1 += 1;
    other
}

#[test]
fn mixes_over_ciphertexts_accept_honest_servers_and_reject_others() {
    for packing in [Packing::Batch, Packing::Single] {
        let owner = Owner::of(plan(packing));
        let mut honest = EncryptedServer::new(&owner.plan, &owner.secret, THREADS, |query| {
            owner.honest(query)
        });
        assert_eq!(owner.mix(&mut honest, 10), Verdict::Accepted);
        // Whatever is asked, the answers to other samples.
        let other = |query: Query| {
            let samples = numbers(99, &[query.samples(), 4]);
            owner.honest(owner.plan.encrypt(&owner.secret, &samples, THREADS)?)
        };
        let mut careless = EncryptedServer::new(&owner.plan, &owner.secret, THREADS, other);
        assert_ne!(owner.mix(&mut careless, 10), Verdict::Accepted);
    }
}

#[test]
fn probes_tell_altered_models_on_ciphertexts_as_in_the_clear() {
    let owner = Owner::of(plan(Packing::Batch));
    let probes = Probes::record(&owner.plan, numbers(20, &[6, 4])).unwrap();
    let mut honest = EncryptedServer::new(&owner.plan, &owner.secret, THREADS, |query| {
        owner.honest(query)
    });
    assert_eq!(probes.differing(&mut honest).unwrap(), 0);
    for term in [0, 7, 15] {
        // It runs under the owner's key; what is decrypted is the altered network's.
        let other = altered(&owner.plan, term);
        let cheat = |query: Query| {
            let program = &other.program;
            program.infer(&owner.evaluation, query, THREADS, &mut ())
        };
        let mut cheat = EncryptedServer::new(&other, &owner.secret, THREADS, cheat);
        let found = probes.differing(&mut cheat).unwrap();
        assert_eq!(found, probes.differing(&mut InIntegers(&other)).unwrap());
        assert!(found > 0, "term {term}");
    }
}

/// On the integers, which ciphertexts decrypt to digit by digit, as the tests above and those of the crate show.
#[test]
fn a_thousand_honest_mixes_raise_no_alarm() {
    let owner = Owner::of(plan(Packing::Batch));
    for run in 0..1000 {
        let verdict = owner.mix(&mut InIntegers(&owner.plan), 1000 + 2 * run);
        assert_eq!(verdict, Verdict::Accepted, "run {run}");
    }
}
