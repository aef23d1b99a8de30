//! What a run does: a TOML file.

use super::Canaries;
use crate::LabError;
use crate::data::Source;
use crate::train::{Fit, Hamp, Loss, Sgd};
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::{Table, Value};
use trefoil_guard::Softmax;

/// How much of the paper's effort is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Minutes: the file's `[scale.small]` over its other settings.
    Small,
    /// The literature's numbers: `[scale.paper]`.
    Paper,
}

impl Scale {
    /// Its name, as in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Paper => "paper",
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What tables call it.
    pub name: String,
    /// Draws everything that is random.
    #[serde(default = "one")]
    pub seed: u64,
    /// In the place of `seed`: one whole run for each, and means over them.
    #[serde(default)]
    pub seeds: Vec<u64>,
    /// The records.
    pub data: Data,
    /// The model under attack.
    pub target: Model,
    /// The attacker's reference models (`LiRA`, RMIA).
    pub references: ReferenceModels,
    /// The networks that tell members from non-members.
    #[serde(default)]
    pub membership: Membership,
    /// The guard.
    pub guard: Guard,
    /// Softmaxes of secure inference to compare.
    pub softmaxes: Vec<Softmax>,
    /// Other defences to compare.
    #[serde(default)]
    pub defences: Defences,
    /// Whether all answers are written to files, too.
    #[serde(default)]
    pub export: bool,
    /// Answers of secure inference that are checked against three parties.
    #[serde(default = "sixteen")]
    pub checked: usize,
}

/// Which records, and who gets them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// A data set of the literature; without, records like Location30's are generated.
    pub source: Option<Source>,
    /// How many records are generated.
    #[serde(default)]
    pub records: usize,
    /// Records that the target is trained on.
    pub target: usize,
    /// Records of the attacker, on each side.
    pub shadow: usize,
    /// Records that are made to be learnt by heart.
    #[serde(default)]
    pub canaries: Canaries,
    /// `MemGuard`'s permutation, relative to the folder of data sets, instead of a seeded one.
    pub permutation: Option<std::path::PathBuf>,
}

/// A model and its training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// `mlp`, `lenet`, `alexnet`, `vgg11`, `resnet18` or `resnet34`.
    pub architecture: String,
    /// Hidden layers of an MLP.
    #[serde(default)]
    pub hidden: Vec<usize>,
    /// Channels of the first stage of a `ResNet`.
    #[serde(default = "sixty_four")]
    pub width: usize,
    /// How often every record is seen.
    pub epochs: usize,
    /// Records behind one step.
    pub batch: usize,
    /// The optimiser.
    pub sgd: Sgd,
}

/// Reference models, trained like the target on halves of what the attacker has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceModels {
    /// How many.
    pub models: usize,
    /// How many are trained at a time.
    pub parallel: usize,
}

/// The training of `h`, and of the attacker's network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Membership {
    /// Epochs of the defender's `h`.
    pub epochs: usize,
    /// Its optimiser.
    pub sgd: Sgd,
    /// Epochs of the attacker's network, whose rate falls to a tenth at three quarters.
    pub attack_epochs: usize,
}

/// The guard, and the grid in which it is tuned on the defender's records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Searches.
    pub outer: u32,
    /// Numbers of steps to try.
    pub inner: Vec<u32>,
    /// Lengths of a step to try.
    pub beta: Vec<f64>,
    /// Records of each side that the grid is tried on.
    pub tuned_on: usize,
    /// How often the adaptive attacker asks.
    pub repeats: usize,
}

/// Other defences.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defences {
    /// The table guard.
    pub table: bool,
    /// `MemGuard` in the clear.
    pub memguard: bool,
    /// Only the label.
    pub label_only: bool,
    /// Only so many of the largest confidences.
    pub top: Option<usize>,
    /// Confidences with so many decimals.
    pub decimals: Option<u32>,
    /// HAMP, in training and in use.
    pub hamp: Option<Hamp>,
    /// Differentially private training.
    pub private: Option<Private>,
}

/// Differentially private training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Private {
    /// The ε to reach.
    pub epsilon: f64,
    /// The δ it is for.
    pub delta: f64,
    /// The norm to which gradients are clipped.
    pub clip: f64,
    /// Epochs.
    pub epochs: usize,
    /// Records in a batch, on average.
    pub batch: usize,
    /// The optimiser.
    pub sgd: Sgd,
}

fn one() -> u64 {
    1
}

fn sixteen() -> usize {
    16
}

fn sixty_four() -> usize {
    64
}

impl Default for Membership {
    fn default() -> Self {
        let sgd = Sgd {
            rate: 0.001,
            ..Sgd::default()
        };
        Self {
            epochs: 400,
            sgd,
            attack_epochs: 400,
        }
    }
}

impl Model {
    /// One line on it.
    pub fn summary(&self) -> String {
        let Self {
            architecture,
            epochs,
            batch,
            ..
        } = self;
        format!("{architecture}, {epochs} epochs, batch {batch}")
    }

    /// Its training, with this loss.
    pub fn fit(&self, loss: Loss, seed: u64) -> Fit {
        Fit {
            epochs: self.epochs,
            batch: self.batch,
            sgd: self.sgd.clone(),
            loss,
            seed,
        }
    }
}

impl Config {
    /// Read a file at a scale.
    ///
    /// # Errors
    /// If it cannot be read, or is no configuration: which line, and what is wrong with it.
    pub fn load(path: &Path, scale: Scale) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|problem| LabError::Read {
            path: path.to_owned(),
            problem,
        })?;
        Self::parse(&text, scale).map_err(|problem| LabError::Format {
            path: path.to_owned(),
            problem,
        })
    }

    /// Read a file's text at a scale.
    ///
    /// # Errors
    /// A sentence on what is wrong, and where.
    pub fn parse(text: &str, scale: Scale) -> Result<Self, String> {
        let mut table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
        if let Some(mut scales) = table.remove("scale") {
            let chosen = scales
                .as_table_mut()
                .and_then(|all| all.remove(scale.name()));
            if let Some(Value::Table(chosen)) = chosen {
                merge(&mut table, chosen);
            }
        }
        let config: Self = table.try_into().map_err(|error| error.to_string())?;
        config.check()?;
        Ok(config)
    }

    /// The same with `count` seeds, from its own (or the first of its seeds) on.
    #[must_use]
    pub fn with_seeds(self, count: usize) -> Self {
        let first = self.seeds.first().copied().unwrap_or(self.seed);
        let mut all: Vec<u64> = (0..count as u64).map(|i| first.wrapping_add(i)).collect();
        if count < 2 {
            all.clear();
        }
        Self {
            seed: first,
            seeds: all,
            ..self
        }
    }

    /// One configuration for each seed. A published permutation is the first run's split; the others draw theirs.
    pub(super) fn of_seeds(&self) -> Vec<Self> {
        if self.seeds.is_empty() {
            return vec![self.clone()];
        }
        let one = |(at, &seed): (usize, &u64)| {
            let mut one = self.clone();
            (one.seed, one.seeds) = (seed, Vec::new());
            if at > 0 {
                one.data.permutation = None;
            }
            one
        };
        self.seeds.iter().enumerate().map(one).collect()
    }

    fn check(&self) -> Result<(), String> {
        let must = |what: &str| Err(format!("{what} must be above 0"));
        if self.data.target == 0 || self.data.shadow == 0 {
            return must("data.target and data.shadow");
        }
        if self.data.shadow > self.data.target {
            return Err("data.shadow must not exceed data.target".to_owned());
        }
        if self.references.models > 0 && self.references.parallel == 0 {
            return must("references.parallel");
        }
        if self.guard.inner.is_empty() || self.guard.beta.is_empty() || self.guard.tuned_on == 0 {
            return Err("guard.inner and guard.beta need a value, guard.tuned_on too".to_owned());
        }
        if self.guard.repeats == 0 {
            return must("guard.repeats");
        }
        let mut seeds = self.seeds.clone();
        seeds.sort_unstable();
        seeds.dedup();
        if seeds.len() < self.seeds.len() || seeds.len() == 1 {
            return Err("seeds needs two different ones or more; for one take seed".to_owned());
        }
        if self.softmaxes.is_empty() {
            return Err("softmaxes needs at least one of as19, secureml, crypten, piranha".into());
        }
        if self.data.source.is_none() && self.data.records == 0 {
            return Err("data needs a source, or records to generate".to_owned());
        }
        Ok(())
    }
}

/// Put `over` over `table`, table by table.
fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        name = "test"
        softmaxes = ["as19"]
        [data]
        records = 500
        target = 100
        shadow = 50
        [target]
        architecture = "mlp"
        hidden = [16]
        epochs = 200
        batch = 64
        sgd = { rate = 0.1 }
        [references]
        models = 16
        parallel = 2
        [guard]
        outer = 3
        inner = [10]
        beta = [0.5]
        tuned_on = 20
        repeats = 2
        [scale.small]
        references = { models = 2 }
        target.epochs = 5
    "#;

    #[test]
    fn scales_lie_over_the_rest() {
        let config = |scale| Config::parse(TEXT, scale).unwrap();
        let (small, paper) = (config(Scale::Small), config(Scale::Paper));
        assert_eq!((small.target.epochs, small.references.models), (5, 2));
        assert_eq!((paper.target.epochs, paper.references.models), (200, 16));
        assert_eq!(small.references.parallel, 2);
    }

    #[test]
    fn a_published_split_is_the_first_runs() {
        let text = TEXT.replace("records = 500", "permutation = \"p.npz\"\nrecords = 500");
        let config = Config::parse(&text, Scale::Paper).unwrap();
        assert_eq!(config.of_seeds().len(), 1);
        let config = config.with_seeds(3);
        assert_eq!(config.seeds, [1, 2, 3]);
        let runs = config.of_seeds();
        let seeds: Vec<u64> = runs.iter().map(|run| run.seed).collect();
        assert_eq!(seeds, [1, 2, 3]);
        let split: Vec<bool> = runs.iter().map(|r| r.data.permutation.is_some()).collect();
        assert_eq!(split, [true, false, false]);
        let one = config.with_seeds(1);
        assert!(one.seeds.is_empty() && one.of_seeds().len() == 1);
    }

    #[test]
    fn mistakes_are_said() {
        let wrong = |from: &str, to: &str| {
            Config::parse(&TEXT.replace(from, to), Scale::Paper).unwrap_err()
        };
        assert!(wrong("epochs = 200", "epochz = 200").contains("epochz"));
        assert!(wrong("shadow = 50", "shadow = 500").contains("data.shadow"));
        assert!(wrong("beta = [0.5]", "beta = []").contains("guard.beta"));
        assert!(wrong("\"as19\"", "\"as18\"").contains("as18"));
        let twice = wrong("name = \"test\"", "name = \"test\"\nseeds = [1, 2, 1]");
        assert!(twice.contains("seeds"), "{twice}");
    }
}
