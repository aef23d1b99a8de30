//! What a trained network says.

use super::network::{Network, numbers};
use super::pass::{Mode, Pass};
use crate::LabError;
use ndarray::{Array2, ArrayView2};

/// Examples that go through a network at once when nothing is learnt.
const EVALUATED_AT_ONCE: usize = 256;

impl Network {
    /// What the network says of each row of `inputs` (examples × numbers of one): a row of logits,
    /// or of one number for a classifier with one output.
    ///
    /// # Errors
    /// If the rows have another length, or the device fails.
    pub fn outputs(&self, inputs: ArrayView2<'_, f32>) -> Result<Array2<f64>, LabError> {
        self.check_inputs(inputs.ncols())?;
        let mut all = Vec::new();
        for chunk in inputs.axis_chunks_iter(ndarray::Axis(0), EVALUATED_AT_ONCE) {
            let rows: Vec<f32> = chunk.iter().copied().collect();
            let x = self.batch(rows, chunk.nrows(), &self.device);
            let out = Pass::new(self, &self.parameters, Mode::Evaluate).run(x);
            all.extend(numbers(&out)?.into_iter().map(f64::from));
        }
        let outputs = self.architecture.outputs()?;
        Array2::from_shape_vec((inputs.nrows(), outputs), all)
            .map_err(|error| LabError::Model(error.to_string()))
    }
}
