//! What items share: the scale, where data and results are, and experiments that several of them are drawn from.

use super::Effort;
use crate::Failure;
use crate::lab::options::cache;
use crate::lab::teller::Teller;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use trefoil_guard::Softmax;
use trefoil_lab::LabError;
use trefoil_lab::data::Source;
use trefoil_lab::pipeline::{Config, Outcome, Progress, Scale, run as experiment};

/// The configurations that data sets are run by: those of the examples.
const LOCATION: &str = include_str!("../../../../../examples/lab/location30.toml");
const PICTURES: &str = include_str!("../../../../../examples/lab/cifar10.toml");
const GENERATED: &str = include_str!("../../../../../examples/lab/generated.toml");

/// What stands in for data that nobody has to obtain.
pub(super) const STAND_IN: &str = "generated check-ins";

/// What items share.
pub(super) struct Desk<'a> {
    pub(super) scale: Effort,
    pub(super) seed: u64,
    pub(super) data: PathBuf,
    pub(super) folder: &'a Path,
    teller: &'a Teller,
    runs: BTreeMap<&'static str, Rc<Outcome>>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        scale: Effort,
        seed: u64,
        data: PathBuf,
        folder: &'a Path,
        teller: &'a Teller,
    ) -> Self {
        Self {
            scale,
            seed,
            data,
            folder,
            teller,
            runs: BTreeMap::new(),
        }
    }

    pub(super) fn say(&self, what: &str) {
        self.teller.tell(Progress::Stage(what));
    }

    /// Tell of what a training does.
    pub(super) fn tell(&self, progress: Progress<'_>) {
        self.teller.tell(progress);
    }

    /// The whole experiment on a data set of the paper, or on [`STAND_IN`]: once for all items.
    ///
    /// # Errors
    /// A sentence on what is missing, where data is; else what failed.
    pub(super) fn experiment(
        &mut self,
        data: &'static str,
    ) -> Result<Result<Rc<Outcome>, String>, Failure> {
        if let Some(there) = self.runs.get(data) {
            return Ok(Ok(Rc::clone(there)));
        }
        if self.scale == Effort::Seconds && data != STAND_IN {
            return Ok(Err(format!("{data}: not at this scale")));
        }
        let config = self.config(data)?;
        // Every set has a cache of its own: items may be removed one by one.
        let place = self.folder.join(data.to_lowercase().replace(' ', "-"));
        let cache = cache(&place)?;
        self.say(data);
        let tell = |progress: Progress<'_>| self.teller.tell(progress);
        match experiment(&config, &self.data, &cache, None, &tell) {
            Ok(outcome) => {
                let outcome = Rc::new(outcome);
                self.runs.insert(data, Rc::clone(&outcome));
                Ok(Ok(outcome))
            }
            Err(error @ LabError::Missing { .. }) => Ok(Err(missing(&error))),
            Err(error) => Err(error.into()),
        }
    }

    /// How a data set is run: by its example, or the one of its kind, with all softmaxes, SIGuard, MemGuard and the table.
    fn config(&self, data: &str) -> Result<Config, Failure> {
        let scale = match self.scale {
            Effort::Paper => Scale::Paper,
            Effort::Seconds | Effort::Minutes => Scale::Small,
        };
        let (text, source) = match data {
            "Location30" => (LOCATION, Some(Source::Location30)),
            "Texas100" => (LOCATION, Some(Source::Texas100)),
            "CIFAR-10" => (PICTURES, Some(Source::Cifar10)),
            "CIFAR-100" => (PICTURES, Some(Source::Cifar100)),
            "CH-MNIST" => (PICTURES, Some(Source::ChMnist)),
            "CINIC-10" => (PICTURES, Some(Source::Cinic10)),
            _ => (GENERATED, None),
        };
        let mut config = Config::parse(text, scale).map_err(Failure::new)?;
        data.clone_into(&mut config.name);
        config.seed = self.seed;
        config.data.source = source;
        if source != Some(Source::Location30) {
            config.data.permutation = None;
        }
        config.softmaxes = Softmax::ALL.to_vec();
        config.defences.table = true;
        config.defences.memguard = true;
        if self.scale == Effort::Seconds {
            config.data.records = 520;
            (config.data.target, config.data.shadow) = (100, 50);
            config.target.hidden = vec![32];
            config.target.epochs = 20;
            config.membership.epochs = 10;
            config.membership.attack_epochs = 10;
            (config.guard.outer, config.guard.inner) = (2, vec![3]);
            (config.guard.beta, config.guard.tuned_on) = (vec![0.5, 1.0], 20);
            config.guard.repeats = 1;
        }
        Ok(config)
    }
}

/// Which data is missing, and where to get it, in a line.
pub(super) fn missing(error: &LabError) -> String {
    let LabError::Missing {
        data_set,
        file,
        obtain,
        ..
    } = error
    else {
        return error.to_string();
    };
    format!("{data_set}: there is no {file} in the folder of data sets; {obtain}")
}
