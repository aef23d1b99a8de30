//! Trained networks: exported, interrupted, and learnt.
// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ndarray::Array2;
use std::time::Duration;
use trefoil_lab::random::Stream;
use trefoil_lab::train::{
    Architecture, Epoch, Examples, Fit, Layer, Loss, Network, Saving, Sgd, accuracy, fit, to_onnx,
};
use trefoil_nn::{Clear, Graph, Options, Plan, ready, run};

/// Two blobs a class apart, in `width` numbers.
fn blobs(count: usize, width: usize, seed: u64) -> (Array2<f32>, Vec<usize>) {
    let mut stream = Stream::new(seed, "blobs");
    let labels: Vec<usize> = (0..count).map(|row| row % 2).collect();
    let inputs = Array2::from_shape_fn((count, width), |(row, _)| {
        stream.normal() as f32 * 0.5 + labels[row] as f32
    });
    (inputs, labels)
}

fn options(epochs: usize) -> Fit {
    Fit {
        epochs,
        batch: 8,
        sgd: Sgd {
            rate: 0.05,
            momentum: 0.9,
            weight_decay: 1e-4,
            drops: vec![3],
            factor: 0.5,
        },
        loss: Loss::CrossEntropy,
        seed: 7,
    }
}

fn train(architecture: &Architecture, epochs: usize, saving: Option<&Saving>) -> Network {
    let (inputs, labels) = blobs(40, architecture.inputs(), 1);
    let examples = Examples::new(inputs.view(), &labels, 2).unwrap();
    let mut network = Network::new(architecture, 5).unwrap();
    fit(
        &mut network,
        &examples,
        &options(epochs),
        saving,
        &mut |_| {},
    )
    .unwrap();
    network
}

fn flat(network: &Network) -> Vec<f32> {
    let parameters = network
        .numbers()
        .unwrap()
        .into_iter()
        .flat_map(|(_, numbers)| numbers);
    let running = network
        .running()
        .unwrap()
        .into_iter()
        .flat_map(|(m, v)| [m, v].concat());
    parameters.chain(running).collect()
}

#[test]
fn exported_networks_say_the_same() {
    let rgb = [3, 16, 16];
    let pooled = Architecture {
        name: "pooled".into(),
        input: vec![2, 8, 8],
        layers: vec![
            Layer::Conv {
                channels: 3,
                kernel: 3,
                stride: 1,
                padding: 1,
                bias: true,
            },
            Layer::Relu,
            Layer::AveragePool { size: 2 },
            Layer::Flatten,
            Layer::Linear { outputs: 2 },
        ],
    };
    for architecture in [
        Architecture::mlp(12, &[16, 8], 2),
        Architecture::lenet([1, 28, 28], 2),
        Architecture::alexnet([1, 16, 16], 2),
        Architecture::resnet18(rgb, 2, 4),
        pooled,
    ] {
        let network = train(&architecture, 1, None);
        let (inputs, _) = blobs(5, architecture.inputs(), 2);
        let ours = network.outputs(inputs.view()).unwrap();
        let bytes = to_onnx(&network).unwrap();
        let graph = Graph::from_bytes(&bytes, "exported.onnx").unwrap();
        let mut settings = Options::ring(64);
        settings.batch = Some(5);
        let (plan, weights) = Plan::compile(&graph, &settings).unwrap();
        let shape = [&[5][..], &architecture.input].concat();
        let rows = inputs
            .mapv(f64::from)
            .into_dyn()
            .into_shape_with_order(shape)
            .unwrap();
        let Ok(theirs) = ready(run(&plan, &Clear, weights.clear(), vec![rows], &mut ()));
        assert_eq!(theirs[0].shape(), ours.shape());
        for (ours, theirs) in ours.iter().zip(&theirs[0]) {
            let name = &architecture.name;
            assert!((ours - theirs).abs() < 1e-4, "{name}: {ours} {theirs}");
        }
    }
}

#[test]
fn interrupted_training_ends_where_uninterrupted_does() {
    let architecture = Architecture::resnet18([1, 8, 8], 2, 2);
    let folder = tempfile::tempdir().unwrap();
    let saving = Saving {
        path: folder.path().join("training.part"),
        every: Duration::ZERO,
    };
    let whole = train(&architecture, 5, None);
    // Interrupt by a panic after the third epoch's checkpoint was written.
    let interrupted = std::panic::catch_unwind(|| {
        let (inputs, labels) = blobs(40, architecture.inputs(), 1);
        let examples = Examples::new(inputs.view(), &labels, 2).unwrap();
        let mut network = Network::new(&architecture, 5).unwrap();
        let mut stop = |epoch: &Epoch| assert!(epoch.number < 4, "interrupted");
        fit(
            &mut network,
            &examples,
            &options(5),
            Some(&saving),
            &mut stop,
        )
        .unwrap();
    });
    assert!(interrupted.is_err() && saving.path.exists());
    let mut epochs = Vec::new();
    let (inputs, labels) = blobs(40, architecture.inputs(), 1);
    let examples = Examples::new(inputs.view(), &labels, 2).unwrap();
    let mut network = Network::new(&architecture, 99).unwrap();
    fit(
        &mut network,
        &examples,
        &options(5),
        Some(&saving),
        &mut |e| epochs.push(e.number),
    )
    .unwrap();
    assert_eq!(epochs, [4, 5]);
    assert_eq!(flat(&network), flat(&whole));
    // A checkpoint of other options is no checkpoint.
    let mut other = options(5);
    other.seed = 8;
    let mut epochs = 0;
    fit(&mut network, &examples, &other, Some(&saving), &mut |_| {
        epochs += 1;
    })
    .unwrap();
    assert_eq!(epochs, 5);
}

#[test]
fn networks_learn_what_separates_the_classes() {
    for architecture in [
        Architecture::mlp(64, &[16], 2),
        Architecture::resnet18([1, 8, 8], 2, 2),
    ] {
        let network = train(&architecture, 8, None);
        let (inputs, labels) = blobs(100, 64, 3);
        let right = accuracy(network.outputs(inputs.view()).unwrap().view(), &labels);
        assert!(right > 0.95, "{}: {right}", architecture.name);
    }
}

#[test]
fn seeds_decide_everything() {
    let architecture = Architecture::mlp(4, &[8], 2);
    assert_eq!(
        flat(&train(&architecture, 2, None)),
        flat(&train(&architecture, 2, None))
    );
    let first = Network::new(&architecture, 1).unwrap();
    assert_ne!(flat(&first), flat(&Network::new(&architecture, 2).unwrap()));
}

#[test]
fn divergence_and_misfits_are_errors() {
    let (inputs, labels) = blobs(8, 4, 1);
    let examples = Examples::new(inputs.view(), &labels, 2).unwrap();
    let mut network = Network::new(&Architecture::mlp(4, &[8], 2), 1).unwrap();
    let mut fast = options(50);
    fast.sgd.rate = 1e30;
    let error = fit(&mut network, &examples, &fast, None, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(error.contains("lower the rate"), "{error}");
    let mut wide = Network::new(&Architecture::mlp(5, &[8], 2), 1).unwrap();
    let error = fit(&mut wide, &examples, &options(1), None, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(error.contains("4 numbers, but it takes 5"), "{error}");
    let mut narrow = Network::new(&Architecture::mlp(4, &[8], 1), 1).unwrap();
    let error = fit(&mut narrow, &examples, &options(1), None, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(error.contains("label 1"), "{error}");
}
