//! The sizes of a membership classifier.

use crate::GuardError;
use serde::{Deserialize, Serialize};

/// The layers of a membership classifier: inputs, hidden widths, one output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkShape {
    /// Classes of the model.
    pub inputs: usize,
    /// Neurons of each hidden layer, all with `ReLU`.
    pub hidden: Vec<usize>,
}

impl NetworkShape {
    /// The default: inputs-256-128-64-1.
    pub fn new(inputs: usize) -> Self {
        let hidden = vec![256, 128, 64];
        Self { inputs, hidden }
    }

    /// (inputs, outputs) of each layer.
    pub fn layers(&self) -> Vec<(usize, usize)> {
        let outputs = self.hidden.iter().copied().chain([1]);
        let inputs = [self.inputs].into_iter().chain(self.hidden.iter().copied());
        inputs.zip(outputs).collect()
    }

    /// The shapes of the tensors that an owner shares, in order: weights (inputs × outputs) and bias (1 × outputs) of
    /// each layer.
    pub fn tensors(&self) -> Vec<Vec<usize>> {
        let both = |(inputs, outputs)| [vec![inputs, outputs], vec![1, outputs]];
        self.layers().into_iter().flat_map(both).collect()
    }

    /// Check the sizes.
    ///
    /// # Errors
    /// Fewer than two classes, no hidden layer, or more neurons than anyone needs.
    pub fn check(&self) -> Result<(), GuardError> {
        let wrong = |value: String, problem: &str| {
            let (name, problem) = ("classifier", problem.to_owned());
            Err(GuardError::Setting {
                name,
                value,
                problem,
            })
        };
        if !(2..=1000).contains(&self.inputs) {
            return wrong(
                format!("of {} classes", self.inputs),
                "take 2 to 1000 classes",
            );
        }
        let sizes = format!("of hidden layers {:?}", self.hidden);
        if self.hidden.is_empty() || self.hidden.len() > 8 {
            return wrong(sizes, "take 1 to 8 hidden layers");
        }
        if self.hidden.iter().any(|n| !(1..=4096).contains(n)) {
            return wrong(sizes, "take 1 to 4096 neurons a layer");
        }
        Ok(())
    }
}
