//! Classifiers that tell members from non-members by confidence vectors: the defender's h and the attacker's NN-M.

use super::architecture::{Architecture, Parameter};
use super::examples::Examples;
use super::fit::{Epoch, Fit, Loss, fit};
use super::network::Network;
use super::sgd::Sgd;
use crate::LabError;
use crate::attacks::MembershipModel;
use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};
use serde::{Deserialize, Serialize};
use trefoil_guard::{Classifier, Dense};

/// A linear layer: weights (in × out) and biases (out).
pub type DenseLayer = (Array2<f64>, Array1<f64>);

/// Examples that are seen in a quick training of the attacker's network, over all epochs.
const QUICK_LOOKS: usize = 40_000;
/// The fewest and the most epochs of one.
const QUICK_EPOCHS: [usize; 2] = [5, 100];

/// How a membership classifier is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MembershipOptions {
    /// How often every example is seen.
    pub epochs: usize,
    /// Examples behind one step.
    pub batch: usize,
    /// The optimiser.
    pub sgd: Sgd,
    /// Draws the first weights and the order of the examples.
    pub seed: u64,
}

impl Default for MembershipOptions {
    /// The defender's: SGD with rate 0.001 for 400 epochs (MemGuard, CCS 2019).
    fn default() -> Self {
        Self {
            epochs: 400,
            batch: 64,
            sgd: Sgd {
                rate: 0.001,
                ..Sgd::default()
            },
            seed: 0,
        }
    }
}

impl MembershipOptions {
    /// The attacker's: SGD with rate 0.01, a tenth of it from epoch 300 on, for 400 epochs.
    pub fn attack(seed: u64) -> Self {
        Self::attack_for(400, seed)
    }

    /// The attacker's in seconds: of `examples` 40,000 are seen in all, in 5 to 100 epochs, with momentum in the place of
    /// the literature's many epochs.
    pub fn attack_quickly(examples: usize, seed: u64) -> Self {
        let epochs = (QUICK_LOOKS / examples.max(1)).clamp(QUICK_EPOCHS[0], QUICK_EPOCHS[1]);
        let mut options = Self::attack_for(epochs, seed);
        options.sgd.momentum = 0.9;
        options
    }

    /// The attacker's for so many epochs; the rate falls to a tenth at three quarters of them.
    pub fn attack_for(epochs: usize, seed: u64) -> Self {
        Self {
            epochs,
            sgd: Sgd {
                rate: 0.01,
                drops: vec![epochs * 3 / 4],
                ..Sgd::default()
            },
            seed,
            ..Self::default()
        }
    }
}

/// A network with one output, above 0 for members. It is trained in single precision and asked in double.
#[derive(Clone)]
pub struct MembershipClassifier {
    layers: Vec<DenseLayer>,
}

impl MembershipClassifier {
    /// The hidden layers of the defender's classifier `h` (MemGuard, CCS 2019).
    pub const DEFENCE: [usize; 3] = [256, 128, 64];
    /// The hidden layers of the attacker's network, NN-M.
    pub const ATTACK: [usize; 3] = [512, 256, 128];

    /// Train a classifier with `hidden` layers on the confidences (examples × classes) of members
    /// and of non-members. The smaller side is repeated, so that both weigh the same.
    ///
    /// # Errors
    /// If a side is empty, the sides have different widths, a number is not finite, or training
    /// diverges.
    pub fn train(
        members: ArrayView2<'_, f64>,
        non_members: ArrayView2<'_, f64>,
        hidden: &[usize],
        options: &MembershipOptions,
        progress: &mut dyn FnMut(&Epoch),
    ) -> Result<Self, LabError> {
        let refuse = |problem: String| Err(LabError::input("the confidence vectors", problem));
        if members.is_empty() || non_members.is_empty() {
            return refuse("there must be members and non-members".into());
        }
        if members.ncols() != non_members.ncols() {
            let (m, n) = (members.ncols(), non_members.ncols());
            return refuse(format!("members have {m} numbers, non-members {n}"));
        }
        let count = members.nrows().max(non_members.nrows());
        let repeated = |side: ArrayView2<'_, f64>| {
            let rows: Vec<usize> = (0..count).map(|row| row % side.nrows()).collect();
            side.select(Axis(0), &rows).mapv(|v| v as f32)
        };
        let (members, non_members) = (repeated(members), repeated(non_members));
        let inputs = concatenate(Axis(0), &[members.view(), non_members.view()])
            .map_err(|error| LabError::Model(error.to_string()))?;
        let labels: Vec<usize> = (0..2 * count).map(|row| usize::from(row < count)).collect();
        let examples = Examples::new(inputs.view(), &labels, 2)?;
        let architecture = Architecture::mlp(inputs.ncols(), hidden, 1);
        let mut network = Network::new(&architecture, options.seed)?;
        let fitting = Fit {
            epochs: options.epochs,
            batch: options.batch,
            sgd: options.sgd.clone(),
            loss: Loss::Binary,
            seed: options.seed,
        };
        fit(&mut network, &examples, &fitting, None, progress)?;
        let layers = network.numbers()?.chunks_exact(2).map(dense).collect();
        Ok(Self::from_layers(layers))
    }

    /// The classifier of these layers, first to last; `ReLU` between them.
    pub(crate) fn from_layers(layers: Vec<DenseLayer>) -> Self {
        Self { layers }
    }

    /// One number for each row of confidences, above 0 for a member.
    ///
    /// # Errors
    /// If the rows have another width than those it was trained on.
    pub fn scores(&self, confidences: ArrayView2<'_, f64>) -> Result<Vec<f64>, LabError> {
        let expected = self
            .layers
            .first()
            .map_or(0, |(weights, _)| weights.nrows());
        let actual = confidences.ncols();
        if actual != expected {
            let problem = format!("{actual} numbers, but the classifier takes {expected}");
            return Err(LabError::input("the confidence vectors", problem));
        }
        let mut x = confidences.to_owned();
        for (index, (weights, bias)) in self.layers.iter().enumerate() {
            x = x.dot(weights) + bias;
            if index + 1 < self.layers.len() {
                x.mapv_inplace(|v| v.max(0.0));
            }
        }
        Ok(x.into_raw_vec_and_offset().0)
    }

    /// The linear layers, first to last; `ReLU` between them.
    pub fn layers(&self) -> &[DenseLayer] {
        &self.layers
    }

    /// The same as a guard's classifier.
    ///
    /// # Errors
    /// If it has more classes or neurons than guards take.
    pub fn into_classifier(self) -> Result<Classifier, LabError> {
        let layers = self.layers.into_iter();
        let layers = layers.map(|(weights, bias)| Dense { weights, bias });
        Classifier::new(layers.collect()).map_err(|error| LabError::Model(error.to_string()))
    }
}

/// A linear layer of a network's parameters, weights and then biases.
fn dense(pair: &[(&Parameter, Vec<f32>)]) -> DenseLayer {
    let ((weight, w), (_, b)) = (&pair[0], &pair[1]);
    let columns = weight.shape[1];
    let weights = Array2::from_shape_fn((weight.shape[0], columns), |(row, column)| {
        f64::from(w[row * columns + column])
    });
    (weights, b.iter().copied().map(f64::from).collect())
}

impl MembershipModel for MembershipClassifier {
    fn likelihood(&self, features: &Array2<f64>) -> Result<Vec<f64>, LabError> {
        let scores = self.scores(features.view())?.into_iter();
        Ok(scores.map(|score| 1.0 / (1.0 + (-score).exp())).collect())
    }
}

/// Train a membership classifier and give its linear layers, between which is `ReLU`: weights
/// (in × out) and biases (out). Its one output is above 0 for members. See
/// [`MembershipClassifier::train`].
///
/// # Errors
/// Those of [`MembershipClassifier::train`].
pub fn train_membership_classifier(
    members: &Array2<f64>,
    non_members: &Array2<f64>,
    hidden: &[usize],
    options: &MembershipOptions,
    progress: &mut dyn FnMut(&Epoch),
) -> Result<Vec<DenseLayer>, LabError> {
    let (members, non_members) = (members.view(), non_members.view());
    let trained = MembershipClassifier::train(members, non_members, hidden, options, progress)?;
    Ok(trained.layers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    /// Peaked rows for members, flat ones for non-members.
    fn sides(count: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
        let mut stream = Stream::new(seed, "test");
        let mut side = |sharpness: f64| {
            let logits = Array2::from_shape_simple_fn((count, 5), || stream.normal() * sharpness);
            crate::train::softmax(logits.view())
        };
        (side(6.0), side(0.5))
    }

    #[test]
    fn members_are_told_from_non_members_and_the_layers_say_the_same() {
        let (members, non_members) = sides(200, 1);
        // So few rows need larger steps than the attack's.
        let mut options = MembershipOptions {
            epochs: 200,
            ..MembershipOptions::attack(7)
        };
        options.sgd.rate = 0.2;
        let (mut epochs, mut losses) = (0, Vec::new());
        let classifier = MembershipClassifier::train(
            members.view(),
            non_members.slice(ndarray::s![..50, ..]),
            &[16, 8],
            &options,
            &mut |epoch| {
                epochs += 1;
                losses.push(epoch.loss);
            },
        )
        .unwrap();
        assert_eq!(epochs, 200);
        assert!(losses[199] < losses[0]);
        let (members, non_members) = sides(200, 2);
        let right = |side: &Array2<f64>, member: bool| {
            let scores = classifier.scores(side.view()).unwrap();
            scores
                .iter()
                .filter(|&&score| (score > 0.0) == member)
                .count()
        };
        assert!(right(&members, true) > 170, "{}", right(&members, true));
        assert!(
            right(&non_members, false) > 170,
            "{}",
            right(&non_members, false)
        );

        // The guard's own arithmetic, record by record.
        let scores = classifier.scores(members.view()).unwrap();
        let again = MembershipClassifier::from_layers(classifier.layers().to_vec());
        let h = again.into_classifier().unwrap();
        for (row, score) in members.rows().into_iter().zip(scores) {
            assert!((h.score(&row.to_owned()) - score).abs() < 1e-9);
        }
        assert!(
            classifier
                .scores(members.slice(ndarray::s![.., 1..]))
                .is_err()
        );
    }

    #[test]
    fn confidences_that_cannot_be_used_are_refused() {
        let (members, non_members) = sides(4, 1);
        let train = |members: &Array2<f64>, non_members: &Array2<f64>| {
            train_membership_classifier(
                members,
                non_members,
                &[4],
                &MembershipOptions::default(),
                &mut |_| {},
            )
        };
        let narrow = non_members.slice(ndarray::s![.., ..3]).to_owned();
        assert!(
            train(&members, &narrow)
                .unwrap_err()
                .to_string()
                .contains("non-members 3")
        );
        let empty = Array2::zeros((0, 5));
        assert!(train(&members, &empty).is_err());
        let mut wrong = members.clone();
        wrong[[2, 1]] = f64::NAN;
        let text = train(&wrong, &non_members).unwrap_err().to_string();
        assert!(text.contains("number 1 of example 2"), "{text}");
    }
}
