//! A network as three parties hold it, and what it answers.

use crate::LabError;
use ndarray::{Array2, ArrayD, ArrayView2, Axis, concatenate};
use trefoil_guard::Guard;
use trefoil_nn::{Clear, Fixed, Graph, Options, Plan, Weights, ready, run};
use trefoil_ring::Z64;

/// Queries at once.
pub(super) const BATCH: usize = 50;

/// A network as the parties hold it.
pub struct Deployed {
    /// What is computed, down to the logits.
    pub plan: Plan,
    /// With which weights.
    pub weights: Weights,
}

/// A few queries, and what they were answered: to compare with three parties.
pub struct Sample<'a> {
    /// The network.
    pub deployed: &'a Deployed,
    /// The guard over its answers.
    pub guard: &'a Guard,
    /// The queries (queries × …).
    pub queries: ArrayD<f64>,
    /// The answers in fixed point (queries × classes).
    pub answers: Array2<f64>,
}

/// Three parties that answer a sample, as a check of the fixed-point answers.
pub trait Parties {
    /// The answers to the sample's queries (queries × classes).
    ///
    /// # Errors
    /// A sentence on what failed.
    fn answer(&mut self, sample: &Sample<'_>) -> Result<Array2<f64>, String>;
}

impl Deployed {
    /// The network of an ONNX file's bytes, as any user's model comes.
    ///
    /// # Errors
    /// If it cannot be compiled.
    pub fn new(onnx: &[u8]) -> Result<Self, LabError> {
        let failed = |error: String| LabError::Model(format!("the exported network: {error}"));
        let graph = Graph::from_bytes(onnx, "network.onnx").map_err(|e| failed(e.to_string()))?;
        let mut options = Options::ring(64);
        options.batch = Some(BATCH);
        let (plan, weights) = Plan::compile(&graph, &options).map_err(|e| failed(e.to_string()))?;
        Ok(Self { plan, weights })
    }

    /// The queries in the network's shape.
    ///
    /// # Errors
    /// If they have another length.
    pub fn queries(&self, inputs: ArrayView2<'_, f32>) -> Result<ArrayD<f64>, LabError> {
        let input = self.plan.inputs.first();
        let one = input.map_or(&[][..], |port| self.plan.shape(port.value));
        let shape = [&[inputs.nrows()][..], one.get(1..).unwrap_or_default()].concat();
        let rows = inputs.mapv(f64::from).into_dyn();
        let rows = rows.as_standard_layout().into_owned();
        rows.into_shape_with_order(shape)
            .map_err(|error| LabError::input("the queries", error.to_string()))
    }

    /// The logits of each row (rows × classes) in fixed point; `seed` draws the roundings.
    ///
    /// # Errors
    /// If a number does not fit the format.
    pub fn logits(&self, inputs: ArrayView2<'_, f32>, seed: u64) -> Result<Array2<f64>, LabError> {
        let format = self.plan.format();
        let weights = self.weights.encode::<Z64>(&self.plan);
        let weights = weights.map_err(|error| LabError::Model(format!("fixed point: {error}")))?;
        let backend = Fixed::<Z64>::new(format, coins(seed));
        self.in_batches(inputs, |batch| {
            let batch = batch.mapv(|v| format.encode::<Z64>(v));
            let Ok(outputs) = ready(run(&self.plan, &backend, &weights, vec![batch], &mut ()));
            let output = outputs.into_iter().next();
            output.map(|output| format.decode_all(output.view()))
        })
    }

    /// The logits of each row (rows × classes) in 64-bit floats.
    ///
    /// # Errors
    /// If the rows have another length.
    pub fn clear_logits(&self, inputs: ArrayView2<'_, f32>) -> Result<Array2<f64>, LabError> {
        self.in_batches(inputs, |batch| {
            let weights = self.weights.clear();
            let Ok(outputs) = ready(run(&self.plan, &Clear, weights, vec![batch], &mut ()));
            outputs.into_iter().next()
        })
    }

    /// `answer` to [`BATCH`] rows at a time.
    fn in_batches(
        &self,
        inputs: ArrayView2<'_, f32>,
        mut answer: impl FnMut(ArrayD<f64>) -> Option<ArrayD<f64>>,
    ) -> Result<Array2<f64>, LabError> {
        let queries = self.queries(inputs)?;
        let count = inputs.nrows();
        let mut answers = Vec::new();
        for start in (0..count).step_by(BATCH) {
            // The last batch is filled with the first queries.
            let rows: Vec<usize> = (start..start + BATCH).map(|row| row % count).collect();
            let output = answer(queries.select(Axis(0), &rows));
            answers.push(output.ok_or_else(|| LabError::Model("no output".to_owned()))?);
        }
        let joined = join(&answers)?;
        Ok(joined.slice(ndarray::s![..count, ..]).to_owned())
    }
}

impl Sample<'_> {
    /// Ask three parties; the largest difference to the sample's answers.
    ///
    /// # Errors
    /// If they cannot be asked, or answer in another shape.
    pub(crate) fn difference(&self, parties: &mut dyn Parties) -> Result<f64, LabError> {
        let found = parties.answer(self).map_err(LabError::Model)?;
        if found.dim() != self.answers.dim() {
            let (actual, expected) = (found.dim(), self.answers.dim());
            let problem = format!("answers of shape {actual:?} instead of {expected:?}");
            return Err(LabError::input("the three parties", problem));
        }
        Ok((&found - &self.answers).fold(0.0_f64, |most, d| most.max(d.abs())))
    }
}

/// Batches, one behind the other.
pub(super) fn join(parts: &[ArrayD<f64>]) -> Result<Array2<f64>, LabError> {
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(0), &views)
        .and_then(ArrayD::into_dimensionality)
        .map_err(|error| LabError::Model(format!("the answers cannot be joined: {error}")))
}

/// What draws roundings.
pub(super) fn coins(seed: u64) -> [u8; 16] {
    let mut coins = *b"trefoil lab ----";
    coins[8..].copy_from_slice(&seed.to_le_bytes());
    coins
}
