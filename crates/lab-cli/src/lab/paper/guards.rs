//! Guards of every size for measurements: their cost does not depend on their weights.

use crate::Failure;
use ndarray::{Array2, ArrayD};
use std::time::Duration;
use trefoil_guard::{
    Classifier, Guard, GuardFile, LoadedClassifier as OnBackend, NetworkShape, Settings, Steps,
    Table, TableSettings, protect,
};
use trefoil_lab::random::Stream;
use trefoil_net::NetworkProfile;
use trefoil_nn::{Cost, Options, Plan, Priced, Weights, ready};
use trefoil_ring::Z64;
use trefoil_serve::{Client, Inference, Report};

/// The hidden layers of the authors' classifier.
pub(super) const HIDDEN: [usize; 2] = [128, 64];
/// Searches, as in all of the paper's tables.
pub(super) const OUTER: u32 = 3;
/// A party that does nothing for so long is given up.
const TIMEOUT: Duration = Duration::from_mins(10);

/// `SIGuard` with the authors' classifier for so many classes and steps; what `seed` draws does not change its cost.
pub(super) fn siguard(classes: usize, inner: u32, seed: u64) -> Result<GuardFile, Failure> {
    let shape = NetworkShape {
        inputs: classes,
        hidden: HIDDEN.to_vec(),
    };
    let mut stream = Stream::new(seed, "weights of a guard to measure");
    let classifier = Classifier::sample(&shape, || 2.0 * stream.unit() - 1.0)?;
    let mut settings = Settings::new(shape);
    settings.steps = Steps {
        outer: OUTER,
        inner,
        ..Steps::default()
    };
    // Steps short enough that the largest number of them reaches no farther than the usual ones.
    let usual = Steps::default();
    settings.steps.beta = usual.beta * f64::from(usual.inner) / f64::from(inner);
    classifier.fit(&mut settings);
    Ok(GuardFile::new(settings, classifier)?)
}

/// A table guard of halves, quarters and so on.
pub(super) fn table(classes: usize) -> Result<Table, Failure> {
    let mut row: Vec<f64> = (1..=classes)
        .map(|rank| 2_f64.powi(-(rank as i32)))
        .collect();
    if let Some(first) = row.first_mut() {
        *first += 2_f64.powi(-(classes as i32));
    }
    let means = Array2::from_shape_fn((classes, classes), |(_, rank)| row[rank]);
    // 20 bits of fraction hold 362 classes.
    let fraction_bits = if classes > 300 { 22 } else { 20 };
    Ok(Table::new(
        TableSettings {
            classes,
            fraction_bits,
        },
        means,
    )?)
}

/// What one query costs by the cost functions of the protocols.
pub(super) fn priced(guard: &Guard) -> Cost {
    match guard {
        Guard::Siguard(GuardFile { settings, .. }) => {
            let backend = Priced::<Z64>::new(settings.format());
            let tensors = settings.shape.tensors();
            let Ok(network) = ready(OnBackend::new(&backend, settings, &tensors));
            let logits = vec![1, settings.classes()];
            let Ok(_) = ready(protect(&backend, settings, &network, &logits));
            backend.cost()
        }
        Guard::Table(table) => table.settings().cost::<Z64>(1),
    }
}

/// Guard one query on three threads over an emulated network; the fastest of `repeats`.
pub(super) fn measured(
    guard: &Guard,
    network: NetworkProfile,
    repeats: usize,
) -> Result<Report, Failure> {
    let settings = guard.settings();
    let options = Options {
        fraction_bits: settings.fraction_bits(),
        ..Options::default()
    };
    let plan = Plan::of_logits(1, settings.classes(), &options);
    let weights = Weights::from_tensors(&plan, vec![]).map_err(Failure::new)?;
    let mut stream = Stream::new(1, "logits of a guard to measure");
    let shape = [1, settings.classes()];
    let logits = ArrayD::from_shape_simple_fn(&shape[..], || 16.0 * stream.unit() - 8.0);
    let job = Inference {
        plan: &plan,
        weights: &weights,
        guard: Some(guard),
        inputs: std::slice::from_ref(&logits),
        observe: false,
    };
    let mut client = Client::in_process(Some(network), TIMEOUT)?;
    let mut best = client.infer(&job, &mut |_| ())?.report;
    for _ in 1..repeats {
        let report = client.infer(&job, &mut |_| ())?.report;
        if report.wall_s < best.wall_s {
            best = report;
        }
    }
    Ok(best)
}
