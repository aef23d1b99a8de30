//! What experiments by a configuration have in common.

use crate::{Failure, OutputFolder};
use clap::{Args, ValueEnum};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use trefoil::data::regular;
use trefoil_lab::pipeline::{Cache, Config, Scale};
use trefoil_lab::train::{Processor, train_on};

/// Targets at the literature's scale, unless the configuration or the user says how many.
const SEEDS_AT_PAPER: usize = 5;

/// A configuration, where its data is, and where results go.
#[derive(Debug, Args)]
pub(super) struct Experiment {
    /// What to do; examples/lab has configurations
    #[arg(value_name = "CONFIG.toml")]
    config: PathBuf,
    #[command(flatten)]
    pub(super) data: DataOption,
    /// Where results go [default: lab-NAME, from the configuration's file name]
    #[arg(short, long, alias = "out", value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// How much of the literature's effort is spent
    #[arg(long, value_enum, default_value_t = ScaleName::Small)]
    scale: ScaleName,
    /// How many targets, each with records, networks and attacks of its own; means over them are reported [default: the
    /// configuration's; five at --scale paper]
    #[arg(long, value_name = "N")]
    seeds: Option<NonZeroUsize>,
    #[command(flatten)]
    training: TrainingOption,
}

/// Where data sets are.
#[derive(Debug, Args)]
pub(super) struct DataOption {
    /// The folder of the data sets [default: that in `TREFOIL_DATA`, or data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// What trains networks.
#[derive(Debug, Args)]
pub(super) struct TrainingOption {
    /// What trains networks; `gpu` needs a build with --features gpu
    #[arg(long, value_enum, default_value_t = ProcessorName::Cpu)]
    train_on: ProcessorName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScaleName {
    /// Minutes
    Small,
    /// The paper's numbers of epochs, models and steps
    Paper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProcessorName {
    /// This machine's processor
    Cpu,
    /// A graphics processor, by Vulkan, Metal or DirectX
    Gpu,
}

/// An experiment, ready to begin.
pub(super) struct Opened {
    pub(super) config: Config,
    pub(super) scale: Scale,
    pub(super) data: PathBuf,
    pub(super) output: PathBuf,
    pub(super) cache: Cache,
}

impl DataOption {
    pub(super) fn folder(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| {
            std::env::var_os("TREFOIL_DATA").map_or_else(|| PathBuf::from("data"), PathBuf::from)
        })
    }
}

impl TrainingOption {
    pub(super) fn apply(&self) -> Result<(), Failure> {
        Ok(train_on(match self.train_on {
            ProcessorName::Cpu => Processor::Cpu,
            ProcessorName::Gpu => Processor::Gpu,
        })?)
    }
}

impl Experiment {
    /// Read the configuration and make the folder of results. Without --seeds there are `usual` targets, if that is said and
    /// the configuration does not say.
    pub(super) fn open(&self, prefix: &str, usual: Option<usize>) -> Result<Opened, Failure> {
        let scale = match self.scale {
            ScaleName::Small => Scale::Small,
            ScaleName::Paper => Scale::Paper,
        };
        self.training.apply()?;
        regular(&self.config)?;
        let mut config = Config::load(&self.config, scale)?;
        let usual = usual.or((scale == Scale::Paper).then_some(SEEDS_AT_PAPER));
        let usual = usual.filter(|_| config.seeds.is_empty());
        if let Some(count) = self.seeds.map(NonZeroUsize::get).or(usual) {
            config = config.with_seeds(count);
        }
        let output = self.output.clone().unwrap_or_else(|| {
            let name = self.config.file_stem().unwrap_or_default();
            PathBuf::from(format!("{prefix}-{}", name.to_string_lossy()))
        });
        Ok(Opened {
            config,
            scale,
            data: self.data.folder(),
            cache: cache(&output)?,
            output,
        })
    }
}

/// The cache in a folder of results, which is made if need be.
pub(super) fn cache(output: &Path) -> Result<Cache, Failure> {
    let mut kept = OutputFolder::new("--output", &output.join("cache"))?;
    Ok(Cache::new(kept.make()?.to_owned())?)
}
