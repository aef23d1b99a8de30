//! Classifiers and queries for the tests, and runs of the guard.

use ndarray::{Array1, Array2, ArrayD};
use trefoil_guard::{
    Classifier, LoadedClassifier, NetworkShape, Optimiser, Settings, Steps, protect,
};
use trefoil_mpc::Cost;
use trefoil_nn::{Clear, Fixed, Priced, Secure, ready};
use trefoil_ring::Z64;
use trefoil_testkit::{Random, Run, World, reconstruct};

/// Uniform in (-1, 1).
pub(crate) fn signed(random: &mut Random) -> f64 {
    (random.word() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A classifier whose score changes its sign within the simplex: confident vectors count as members.
pub(crate) fn classifier(random: &mut Random, classes: usize, hidden: &[usize]) -> Classifier {
    let shape = NetworkShape {
        inputs: classes,
        hidden: hidden.to_vec(),
    };
    let raw = Classifier::sample(&shape, || signed(random)).unwrap();
    // Centre the score between a uniform and a confident vector.
    let uniform = Array1::from_elem(classes, 1.0 / classes as f64);
    let mut confident = uniform.mapv(|v| v * 0.1);
    confident[0] += 0.9;
    let middle = f64::midpoint(raw.score(&uniform), raw.score(&confident));
    let mut layers = raw.layers().to_vec();
    let last = layers.last_mut().unwrap();
    last.bias[0] -= middle;
    Classifier::new(layers).unwrap()
}

/// Logits (rows × classes) with leads from none to `largest`.
pub(crate) fn logits(
    random: &mut Random,
    rows: usize,
    classes: usize,
    largest: f64,
) -> ArrayD<f64> {
    let mut z = ArrayD::from_shape_simple_fn(vec![rows, classes], || 2.0 * signed(random));
    for row in 0..rows {
        let label = random.word() as usize % classes;
        z[[row, label]] += largest * (signed(random) + 1.0) / 2.0;
    }
    z
}

pub(crate) fn settings(classifier: &Classifier, steps: Steps) -> Settings {
    let mut settings = Settings::new(classifier.shape());
    settings.steps = steps;
    classifier.fit(&mut settings);
    classifier.check(&settings).unwrap();
    settings
}

/// MemGuard's loop with all steps taken: what the secure variants compute.
pub(crate) fn optimiser(settings: &Settings) -> Optimiser {
    Optimiser {
        outer: settings.steps.outer,
        inner: settings.steps.inner,
        beta: settings.steps.beta,
        weights: settings.weights,
        stops: false,
    }
}

pub(crate) fn row(z: &ArrayD<f64>, row: usize) -> Array1<f64> {
    z.index_axis(ndarray::Axis(0), row)
        .iter()
        .copied()
        .collect()
}

pub(crate) fn on_clear(settings: &Settings, h: &Classifier, z: &ArrayD<f64>) -> Array2<f64> {
    let network = ready(LoadedClassifier::public(&Clear, settings, h)).unwrap();
    let out = ready(protect(&Clear, settings, &network, z)).unwrap();
    out.into_dimensionality().unwrap()
}

pub(crate) fn on_fixed(settings: &Settings, h: &Classifier, z: &ArrayD<f64>) -> Array2<f64> {
    let backend = Fixed::<Z64>::new(settings.format(), *b"seed of the coin");
    let network = ready(LoadedClassifier::public(&backend, settings, h)).unwrap();
    let z = backend.encode(z.view()).unwrap();
    let out = ready(protect(&backend, settings, &network, &z)).unwrap();
    backend.decode(out.view()).into_dimensionality().unwrap()
}

/// A run of three parties in memory, and the confidences.
pub(crate) fn on_parties(
    settings: &Settings,
    h: &Classifier,
    z: &ArrayD<f64>,
    seed: u64,
) -> (Array2<f64>, Cost, Run<trefoil_mpc::Share<Z64>>) {
    let format = settings.format();
    let inputs: Vec<(Vec<usize>, Vec<Z64>)> = h
        .tensors()
        .iter()
        .chain([z])
        .map(|t| {
            let t = format.encode_all::<Z64>(t.view()).unwrap();
            (t.shape().to_vec(), t.iter().copied().collect())
        })
        .collect();
    let run = World::new(seed).run(&inputs, async |party, shares| {
        let backend = Secure::<Z64>::new(party.fork(), settings.format());
        let (z, tensors) = shares.split_last().unwrap();
        let network = LoadedClassifier::new(&backend, settings, tensors).await?;
        let out = protect(&backend, settings, &network, z).await;
        party.merge(&[backend.party()]);
        out
    });
    let cost = Cost {
        rounds: run.rounds(),
        bytes: run.traffic.map(|t| t.bytes_sent()),
    };
    let [a, b, c] = &run.outputs;
    let outputs = [a, b, c].map(|share| share.as_ref().unwrap());
    let values = reconstruct(outputs);
    let values = values.iter().map(|&v: &Z64| format.decode(v)).collect();
    let confidences = Array2::from_shape_vec((z.shape()[0], z.shape()[1]), values).unwrap();
    (confidences, cost, run)
}

/// What the parties will send.
pub(crate) fn price(settings: &Settings, rows: usize) -> Cost {
    let backend = Priced::<Z64>::new(settings.format());
    let tensors = settings.shape.tensors();
    let network = ready(LoadedClassifier::new(&backend, settings, &tensors)).unwrap();
    let z = vec![rows, settings.classes()];
    ready(protect(&backend, settings, &network, &z)).unwrap();
    backend.cost()
}

pub(crate) fn argmax(row: &ndarray::ArrayView1<'_, f64>) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}
