//! Which model and which samples.

use crate::Failure;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use trefoil::{Layout, Preparation};

/// The model, as an argument of its own or behind a flag.
#[derive(Clone, Debug, Args)]
pub struct ModelOption {
    /// The model: an ONNX file, samples along the first axis of its input
    #[arg(value_name = "M.onnx", required_unless_present = "model")]
    file: Option<PathBuf>,
    /// The model
    #[arg(
        short,
        long,
        value_name = "M.onnx",
        conflicts_with = "file",
        hide_short_help = true
    )]
    model: Option<PathBuf>,
}

impl ModelOption {
    /// The file.
    pub fn path(&self) -> &PathBuf {
        static NONE: PathBuf = PathBuf::new();
        // One of the two is required.
        self.model.as_ref().or(self.file.as_ref()).unwrap_or(&NONE)
    }
}

/// A free dimension and its size.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The dimension's name in the model.
    pub name: String,
    /// Its size.
    pub size: usize,
}

/// A name and a size, as a user writes them.
///
/// # Errors
/// If the text is something else.
pub fn binding(text: &str) -> Result<Binding, String> {
    let wrong = || "a name and a size are expected, such as height=224".to_owned();
    let (name, size) = text.split_once('=').ok_or_else(wrong)?;
    match size.parse() {
        Ok(size) if size > 0 => Ok(Binding {
            name: name.to_owned(),
            size,
        }),
        _ => Err(wrong()),
    }
}

/// What repeats an experiment. No message to a server ever depends on it.
#[derive(Clone, Copy, Debug, Args)]
pub struct SeedOption {
    /// The same seed repeats the run [default: drawn, and printed]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
}

impl SeedOption {
    /// The seed that was given.
    pub fn given(self) -> Option<u64> {
        self.seed
    }

    /// That, or one from the operating system, short enough to be typed.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn value(self) -> Result<u64, Failure> {
        match self.seed {
            Some(seed) => Ok(seed),
            None => Ok(getrandom::u32()
                .map_err(|error| {
                    Failure::new(format!("the operating system gives no seed: {error}"))
                        .help("choose one with --seed")
                })?
                .into()),
        }
    }
}

/// How samples become what a model takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Preparing samples")]
pub struct PreparationOptions {
    /// Divide values by 255, so that pixels lie in [0, 1]
    #[arg(long)]
    unit: bool,
    /// Subtract these, one number for each channel (after --unit)
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    mean: Vec<f64>,
    /// Divide by these, one number for each channel (after --mean)
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    std: Vec<f64>,
    /// Where channels are. `nhwc` if the model or the array has them last: pictures and arrays that have them elsewhere
    /// than the model are transposed
    #[arg(long, value_enum, default_value_t = LayoutOption::Nchw)]
    layout: LayoutOption,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LayoutOption {
    /// Pictures, channels, height, width (PyTorch)
    #[default]
    Nchw,
    /// Pictures, height, width, channels (TensorFlow)
    Nhwc,
}

impl PreparationOptions {
    /// For the library.
    pub fn preparation(&self) -> Preparation {
        Preparation {
            unit: self.unit,
            mean: self.mean.clone(),
            std: self.std.clone(),
            layout: match self.layout {
                LayoutOption::Nchw => Layout::Nchw,
                LayoutOption::Nhwc => Layout::Nhwc,
            },
        }
    }
}
