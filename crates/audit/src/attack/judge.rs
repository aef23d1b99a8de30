//! Who says whether a recovered picture still shows what it showed.

use super::first_layer::Preparation;
use crate::AuditError;
use crate::pictures::Picture;
use ndarray::{ArrayD, IxDyn};
use trefoil_nn::{Clear, Graph, Options, Plan, ready, run};

/// Something that names the class of a picture.
pub enum Judge {
    /// A network, run in the clear.
    Classifier(Box<PictureClassifier>),
    /// The label of the most similar picture of a gallery, by correlation.
    Gallery {
        /// Pictures.
        pictures: Vec<Picture>,
        /// What they show.
        labels: Vec<usize>,
    },
}

/// A network with how its inputs are prepared.
pub struct PictureClassifier {
    /// The model's name.
    pub name: String,
    plan: Plan,
    weights: Vec<ArrayD<f64>>,
    preparation: Preparation,
}

impl PictureClassifier {
    /// A model of one picture and one score per class.
    ///
    /// # Errors
    /// [`AuditError::Model`] if it does not compile.
    pub fn new(graph: &Graph, name: &str, preparation: Preparation) -> Result<Self, AuditError> {
        let options = Options {
            batch: Some(1),
            ..Options::default()
        };
        let compiled = Plan::compile(graph, &options);
        let (plan, weights) = compiled.map_err(|error| AuditError::Model {
            model: name.to_owned(),
            problem: error.problem.to_string(),
        })?;
        Ok(Self {
            name: name.to_owned(),
            plan,
            weights: weights.to_clear(),
            preparation,
        })
    }

    fn class(&self, picture: &Picture) -> Result<usize, AuditError> {
        let refused = |problem: String| AuditError::Model {
            model: self.name.clone(),
            problem,
        };
        let shape = self.plan.shape(self.plan.inputs[0].value);
        let prepared = self.preparation.apply(picture);
        let values = prepared.into_iter().map(f64::from).collect();
        let input = ArrayD::from_shape_vec(IxDyn(shape), values)
            .map_err(|error| refused(error.to_string()))?;
        let inputs = vec![input];
        self.plan
            .check_inputs(&inputs)
            .map_err(|error| refused(error.to_string()))?;
        let outputs = ready(run(&self.plan, &Clear, &self.weights, inputs, &mut ()));
        let outputs = outputs.map_err(|error| refused(error.to_string()))?;
        let scores = outputs.first().into_iter().flatten().enumerate();
        let best = scores.max_by(|a, b| a.1.total_cmp(b.1));
        Ok(best.map_or(0, |(class, _)| class))
    }
}

impl Judge {
    /// Its name, for reports.
    pub fn name(&self) -> String {
        match self {
            Self::Classifier(network) => network.name.clone(),
            Self::Gallery { pictures, .. } => {
                format!("nearest of {} pictures", pictures.len())
            }
        }
    }

    /// What a picture shows.
    ///
    /// # Errors
    /// [`AuditError::Model`] if the picture does not fit the network.
    pub fn class(&self, picture: &Picture) -> Result<usize, AuditError> {
        match self {
            Self::Classifier(network) => network.class(picture),
            Self::Gallery { pictures, labels } => {
                let doubles = |p: &Picture| -> Vec<f64> {
                    p.grey().pixels.iter().map(|&v| f64::from(v)).collect()
                };
                let own = doubles(picture);
                let likeness = pictures
                    .iter()
                    .map(|other| crate::statistics::correlation(&own, &doubles(other)));
                let best = likeness.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
                Ok(best.map_or(0, |(at, _)| labels[at]))
            }
        }
    }
}
