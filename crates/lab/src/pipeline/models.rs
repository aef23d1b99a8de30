//! Networks, trained once.

use super::{Cache, Config, Key, Records};
use crate::attacks::{MembershipModel, MembershipTrainer};
use crate::train::{
    Accountant, Architecture, DenseLayer, Epoch, Examples, Fit, Loss, MembershipClassifier,
    MembershipOptions, Network, PrivateFit, Saving, fit, fit_privately, softmax,
};
use crate::{LabError, Sides};
use ndarray::{Array1, Array2, ArrayView2};
use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use trefoil_guard::Classifier;

/// The least time between two checkpoints of one training.
const SAVED_EVERY: Duration = Duration::from_secs(20);

/// Hears of every epoch of every training; may be called from several threads.
pub(super) type Heard<'a> = &'a (dyn Fn(&str, &Epoch) + Sync);

/// A network's numbers, as they are kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    parameters: Vec<Vec<f32>>,
    statistics: Vec<(Vec<f32>, Vec<f32>)>,
    seconds: f64,
}

/// A trained network.
pub(super) struct Trained {
    pub(super) network: Network,
    /// How long its training took.
    pub(super) seconds: f64,
}

/// Trains networks, or takes them from the cache.
pub(super) struct Trainer<'a> {
    pub(super) config: &'a Config,
    pub(super) records: &'a Records,
    pub(super) cache: &'a Cache,
    pub(super) heard: Heard<'a>,
}

impl Trainer<'_> {
    /// The architecture for the run's records.
    pub(super) fn architecture(&self) -> Result<Architecture, LabError> {
        let (model, data) = (&self.config.target, &self.records.data);
        let classes = data.classes();
        let name = model.architecture.as_str();
        if name == "mlp" {
            let inputs = data.shape().iter().product();
            return Ok(Architecture::mlp(inputs, &model.hidden, classes));
        }
        let &[c, h, w] = data.shape() else {
            let problem = format!("{name} takes pictures; take `mlp` for {:?}", data.shape());
            return Err(LabError::input("target.architecture", problem));
        };
        let input = [c, h, w];
        Ok(match name {
            "lenet" => Architecture::lenet(input, classes),
            "alexnet" => Architecture::alexnet(input, classes),
            "vgg11" => Architecture::vgg11(input, classes),
            "resnet18" => Architecture::resnet18(input, classes, model.width),
            "resnet34" => Architecture::resnet34(input, classes, model.width),
            _ => {
                let known = "mlp, lenet, alexnet, vgg11, resnet18, resnet34";
                let problem = format!("`{name}` is none of {known}");
                return Err(LabError::input("target.architecture", problem));
            }
        })
    }

    /// A network like the target, trained on these rows of the data set.
    pub(super) fn train(
        &self,
        what: &str,
        rows: &[usize],
        loss: Loss,
        seed: u64,
    ) -> Result<Trained, LabError> {
        let options = self.config.target.fit(loss, seed);
        let architecture = self.architecture()?;
        let inputs = self.records.inputs(rows)?;
        let labels = self.records.data.labels_of(rows);
        let key = Key::new("network")
            .with(&architecture)
            .with(&options)
            .inputs(&inputs)
            .with(&labels);
        let kept = self.cache.get("network", &key, || {
            let start = std::time::Instant::now();
            let network = self.fresh(what, &architecture, &inputs, &labels, &options, &key)?;
            keep(&network, start.elapsed().as_secs_f64())
        })?;
        restore(&architecture, kept)
    }

    fn fresh(
        &self,
        what: &str,
        architecture: &Architecture,
        inputs: &Array2<f32>,
        labels: &[usize],
        options: &Fit,
        key: &Key,
    ) -> Result<Network, LabError> {
        let examples = Examples::new(inputs.view(), labels, self.records.data.classes())?;
        let mut network = Network::new(architecture, options.seed)?;
        let saving = Saving {
            path: self.cache.path("training", key, "part"),
            every: SAVED_EVERY,
        };
        let mut hear = |epoch: &Epoch| (self.heard)(what, epoch);
        fit(&mut network, &examples, options, Some(&saving), &mut hear)?;
        // The network is kept whole; what was kept of its training is not needed any more.
        let _ = std::fs::remove_file(&saving.path);
        Ok(network)
    }

    /// A network like the target, trained with differential privacy, and what that spent.
    pub(super) fn train_privately(
        &self,
        what: &str,
        rows: &[usize],
        options: &super::Private,
        seed: u64,
    ) -> Result<(Trained, Accountant), LabError> {
        let architecture = self.architecture()?;
        let inputs = self.records.inputs(rows)?;
        let labels = self.records.data.labels_of(rows);
        let sampling = (options.batch as f64 / rows.len() as f64).min(1.0);
        let steps = rows.len().div_ceil(options.batch.max(1)) * options.epochs;
        let (epsilon, delta) = (options.epsilon, options.delta);
        let noise = Accountant::noise_for(epsilon, delta, sampling, steps).ok_or_else(|| {
            let problem = format!("no noise reaches an ε of {epsilon} in {steps} steps");
            LabError::input("defences.private.epsilon", problem)
        })?;
        let private = PrivateFit {
            epochs: options.epochs,
            batch: options.batch,
            sgd: options.sgd.clone(),
            clip: options.clip,
            noise,
            seed,
        };
        let key = Key::new("private")
            .with(&architecture)
            .with(&private)
            .inputs(&inputs)
            .with(&labels);
        let kept = self.cache.get("private", &key, || {
            let start = std::time::Instant::now();
            let examples = Examples::new(inputs.view(), &labels, self.records.data.classes())?;
            let mut network = Network::new(&architecture, seed)?;
            fit_privately(&mut network, &examples, &private, &mut |epoch| {
                (self.heard)(what, epoch);
            })?;
            keep(&network, start.elapsed().as_secs_f64())
        })?;
        let accountant = Accountant {
            noise,
            sampling,
            steps,
        };
        Ok((restore(&architecture, kept)?, accountant))
    }

    /// The attacker's reference models on the halves of [`Records::half`]. `train` gets a name, the rows to train on and a
    /// seed. Gives each model with the rows it was trained on, in the same order for every way of training.
    pub(super) fn references(
        &self,
        train: impl Fn(&str, &[usize], u64) -> Result<Network, LabError> + Sync,
    ) -> Result<Vec<(Network, Vec<usize>)>, LabError> {
        let (count, seed) = (self.config.references.models, self.config.seed);
        let one = |index: usize| {
            let rows = self.records.half(seed, index);
            let name = format!("reference model {} of {count}", index + 1);
            let seed = seed.wrapping_add(1000 + index as u64);
            Ok((train(&name, &rows, seed)?, rows))
        };
        // So many at once as fit into memory.
        let threads = self.config.references.parallel.min(count).max(1);
        let workers = ThreadPoolBuilder::new().num_threads(threads).build();
        let workers = workers.map_err(|error| LabError::Model(error.to_string()))?;
        workers.install(|| (0..count).into_par_iter().map(one).collect())
    }

    /// The network `h` that tells `members` from `non_members` (confidences).
    pub(super) fn membership(
        &self,
        what: &str,
        members: ArrayView2<'_, f64>,
        non_members: ArrayView2<'_, f64>,
    ) -> Result<Classifier, LabError> {
        let options = MembershipOptions {
            epochs: self.config.membership.epochs,
            sgd: self.config.membership.sgd.clone(),
            seed: self.config.seed,
            ..MembershipOptions::default()
        };
        let hidden = MembershipClassifier::DEFENCE;
        let trained = self.classifier(what, members, non_members, &hidden, &options)?;
        trained.into_classifier()
    }

    /// A classifier, trained once.
    fn classifier(
        &self,
        what: &str,
        members: ArrayView2<'_, f64>,
        non_members: ArrayView2<'_, f64>,
        hidden: &[usize],
        options: &MembershipOptions,
    ) -> Result<MembershipClassifier, LabError> {
        let key = Key::new("membership")
            .with(&(hidden, options, members.dim(), non_members.dim()))
            .numbers(members.iter())
            .numbers(non_members.iter());
        let kept: Vec<(usize, Vec<f64>, Vec<f64>)> = self.cache.get("membership", &key, || {
            let mut hear = |epoch: &Epoch| (self.heard)(what, epoch);
            let trained =
                MembershipClassifier::train(members, non_members, hidden, options, &mut hear)?;
            let flat = |(w, b): DenseLayer| (w.nrows(), w.iter().copied().collect(), b.to_vec());
            Ok(trained.layers().iter().cloned().map(flat).collect())
        })?;
        let whole = |(rows, w, b): (usize, Vec<f64>, Vec<f64>)| {
            let weights = Array2::from_shape_vec((rows, b.len()), w)
                .map_err(|error| LabError::Model(error.to_string()))?;
            Ok((weights, Array1::from_vec(b)))
        };
        let layers = kept
            .into_iter()
            .map(whole)
            .collect::<Result<_, LabError>>()?;
        Ok(MembershipClassifier::from_layers(layers))
    }
}

/// The attacker's network, NN-M.
impl MembershipTrainer for Trainer<'_> {
    fn train(
        &self,
        features: Sides<&Array2<f64>>,
        seed: u64,
    ) -> Result<Box<dyn MembershipModel>, LabError> {
        let options = MembershipOptions::attack_for(self.config.membership.attack_epochs, seed);
        let (yes, no) = (features.members.view(), features.nonmembers.view());
        let hidden = MembershipClassifier::ATTACK;
        let trained = self.classifier("the attacker's network", yes, no, &hidden, &options)?;
        Ok(Box::new(trained))
    }
}

/// The softmax of what a network says of the rows.
pub(super) fn confidences(
    network: &Network,
    inputs: ArrayView2<'_, f32>,
) -> Result<Array2<f64>, LabError> {
    Ok(softmax(network.outputs(inputs)?.view()))
}

fn keep(network: &Network, seconds: f64) -> Result<Kept, LabError> {
    Ok(Kept {
        parameters: network
            .numbers()?
            .into_iter()
            .map(|(_, numbers)| numbers)
            .collect(),
        statistics: network.running()?,
        seconds,
    })
}

fn restore(architecture: &Architecture, kept: Kept) -> Result<Trained, LabError> {
    Ok(Trained {
        network: Network::from_numbers(architecture, kept.parameters, kept.statistics)?,
        seconds: kept.seconds,
    })
}
