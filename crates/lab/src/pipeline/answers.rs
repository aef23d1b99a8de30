//! What secure inference answers, by its fixed-point arithmetic in the clear.

use crate::LabError;
use crate::train::{Network, to_onnx};
use ndarray::{Array2, ArrayD, ArrayView2, Axis, concatenate};
use trefoil_guard::{Classifier, GuardFile, Network as OnBackend, Settings, Softmax, protect};
use trefoil_nn::{Clear, Fixed, Graph, Options, Plan, Weights, ready, run};
use trefoil_ring::Z64;

/// Queries at once.
const BATCH: usize = 50;

/// A network as the parties hold it.
pub struct Deployed {
    /// What is computed, down to the logits.
    pub plan: Plan,
    /// With which weights.
    pub weights: Weights,
    shape: Vec<usize>,
}

/// A few queries, and what they were answered: to compare with three parties.
pub struct Sample<'a> {
    /// The network.
    pub deployed: &'a Deployed,
    /// The guard over its answers.
    pub guard: &'a GuardFile,
    /// The queries (queries × …).
    pub queries: ArrayD<f64>,
    /// The answers in fixed point (queries × classes).
    pub answers: Array2<f64>,
}

impl Deployed {
    /// The network, by way of its ONNX file, as any user's model comes.
    ///
    /// # Errors
    /// If it cannot be compiled.
    pub fn new(network: &Network) -> Result<Self, LabError> {
        let failed = |error: String| LabError::Model(format!("the exported network: {error}"));
        let bytes = to_onnx(network)?;
        let graph = Graph::from_bytes(&bytes, "network.onnx").map_err(|e| failed(e.to_string()))?;
        let mut options = Options::ring(64);
        options.batch = Some(BATCH);
        let (plan, weights) =
            Plan::compile(&graph, &options).map_err(|e| failed(e.to_string()))?;
        let shape = network.architecture().input.clone();
        Ok(Self {
            plan,
            weights,
            shape,
        })
    }

    /// The queries in the network's shape.
    ///
    /// # Errors
    /// If they have another length.
    pub fn queries(&self, inputs: ArrayView2<'_, f32>) -> Result<ArrayD<f64>, LabError> {
        let shape = [&[inputs.nrows()][..], &self.shape].concat();
        let rows = inputs.mapv(f64::from).into_dyn().as_standard_layout().into_owned();
        rows.into_shape_with_order(shape)
            .map_err(|error| LabError::input("the queries", error.to_string()))
    }

    /// The logits of each row (rows × classes) in fixed point; `seed` draws the roundings.
    ///
    /// # Errors
    /// If a number does not fit the format.
    pub fn logits(&self, inputs: ArrayView2<'_, f32>, seed: u64) -> Result<Array2<f64>, LabError> {
        let format = self.plan.format();
        let failed = |error: String| LabError::Model(format!("fixed point: {error}"));
        let weights =
            self.weights.encode::<Z64>(&self.plan).map_err(|error| failed(error.to_string()))?;
        let backend = Fixed::<Z64>::new(format, coins(seed));
        let queries = self.queries(inputs)?;
        let count = inputs.nrows();
        let mut answers = Vec::new();
        for start in (0..count).step_by(BATCH) {
            // The last batch is filled with the first queries.
            let rows: Vec<usize> = (start..start + BATCH).map(|row| row % count).collect();
            let batch = queries.select(Axis(0), &rows).mapv(|v| format.encode::<Z64>(v));
            let Ok(outputs) = ready(run(&self.plan, &backend, &weights, vec![batch], &mut ()));
            let output = outputs.first().ok_or_else(|| failed("no output".to_owned()))?;
            answers.push(format.decode_all(output.view()));
        }
        let joined = join(&answers)?;
        Ok(joined.slice(ndarray::s![..count, ..]).to_owned())
    }
}

/// The confidences of logits (rows × classes) by a softmax in fixed point.
///
/// # Errors
/// If the batches cannot be joined.
pub(super) fn softmax_of(
    softmax: Softmax,
    logits: ArrayView2<'_, f64>,
    seed: u64,
) -> Result<Array2<f64>, LabError> {
    let format = Options::ring(64).fraction_bits;
    let format = trefoil_ring::Fixed::new(format);
    let backend = Fixed::<Z64>::new(format, coins(seed));
    batches(logits, |batch| {
        let Ok(s) = ready(softmax.apply(&backend, &batch.mapv(|v| format.encode::<Z64>(v))));
        format.decode_all(s.view())
    })
}

/// The guarded confidences of logits (rows × classes) in fixed point.
///
/// # Errors
/// If the batches cannot be joined.
pub(super) fn guarded(
    guard: &GuardFile,
    logits: ArrayView2<'_, f64>,
    seed: u64,
) -> Result<Array2<f64>, LabError> {
    let format = guard.settings.format();
    let backend = Fixed::<Z64>::new(format, coins(seed));
    let Ok(network) = ready(OnBackend::public(&backend, &guard.settings, &guard.classifier));
    batches(logits, |batch| {
        let z = batch.mapv(|v| format.encode::<Z64>(v));
        let Ok(s) = ready(protect(&backend, &guard.settings, &network, &z));
        format.decode_all(s.view())
    })
}

/// The same in 64-bit floats, as an attacker would simulate it.
///
/// # Errors
/// If the batches cannot be joined.
pub(super) fn simulated(
    guard: &GuardFile,
    logits: ArrayView2<'_, f64>,
) -> Result<Array2<f64>, LabError> {
    let Ok(network) = ready(OnBackend::public(&Clear, &guard.settings, &guard.classifier));
    batches(logits, |batch| {
        let Ok(s) = ready(protect(&Clear, &guard.settings, &network, &batch));
        s
    })
}

/// A guard with a classifier of the owner's or of an attacker's, laid out for its ranges.
///
/// # Errors
/// If it cannot be laid out.
pub(super) fn guard_of(
    classifier: &Classifier,
    softmax: Softmax,
    steps: trefoil_guard::Steps,
) -> Result<GuardFile, LabError> {
    let mut settings = Settings::new(classifier.shape());
    settings.softmax = softmax;
    settings.steps = steps;
    classifier.fit(&mut settings);
    GuardFile::new(settings, classifier.clone()).map_err(|error| LabError::Model(error.to_string()))
}

fn batches(
    logits: ArrayView2<'_, f64>,
    mut answer: impl FnMut(ArrayD<f64>) -> ArrayD<f64>,
) -> Result<Array2<f64>, LabError> {
    let limit = trefoil_guard::LOGIT_LIMIT;
    let largest = logits.fold(0.0_f64, |largest, z| largest.max(z.abs()));
    if largest > limit {
        return Err(LabError::Model(format!(
            "its logits reach {largest:.1}, but secure softmax and guard take up to {limit}; train \
             with weight decay or for fewer epochs"
        )));
    }
    let chunks = logits.axis_chunks_iter(Axis(0), BATCH);
    let parts: Vec<ArrayD<f64>> = chunks.map(|chunk| answer(chunk.to_owned().into_dyn())).collect();
    join(&parts)
}

fn join(parts: &[ArrayD<f64>]) -> Result<Array2<f64>, LabError> {
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(0), &views)
        .and_then(ArrayD::into_dimensionality)
        .map_err(|error| LabError::Model(format!("the answers cannot be joined: {error}")))
}

fn coins(seed: u64) -> [u8; 16] {
    let mut coins = *b"trefoil lab ----";
    coins[8..].copy_from_slice(&seed.to_le_bytes());
    coins
}
