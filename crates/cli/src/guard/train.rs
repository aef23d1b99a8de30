//! `trefoil guard train`: the membership classifier behind a guard, from confidence vectors of members and non-members.

use crate::inputs::Inputs;
use crate::outputs::Destination;
use crate::progress::Counter;
use crate::{Failure, files, print};
use clap::Args;
use ndarray::{Array2, Ix2};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;
use trefoil_guard::{Classifier, Dense, GuardFile, Settings, Softmax, Steps, Variant};
use trefoil_lab::train::{MembershipOptions, Sgd, train_membership_classifier};

/// Options of `trefoil guard train`.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// Confidence vectors of the training set: an .npz or .npy array, N rows of one confidence per class
    #[arg(long, value_name = "MEMBERS.npz")]
    members: PathBuf,
    /// Confidence vectors of records that the model was not trained on
    #[arg(long, value_name = "NON-MEMBERS.npz")]
    non_members: PathBuf,
    /// Where to write the guard; secret like the model
    #[arg(long, value_name = "GUARD.safetensors")]
    output: PathBuf,
    /// Hidden layers of the classifier
    #[arg(
        long,
        value_name = "N,..",
        value_delimiter = ',',
        default_value = "256,128,64"
    )]
    hidden: Vec<usize>,
    /// How often every vector is seen
    #[arg(long, default_value_t = 400)]
    epochs: usize,
    /// Learning rate of the gradient descent
    #[arg(long, default_value_t = 0.001)]
    rate: f64,
    /// Draws the first weights and the order of the vectors
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    search: Search,
    /// What computes the guard
    #[arg(long, value_enum, default_value_t = VariantName::Fast)]
    variant: VariantName,
    /// The softmax of the answers: as19, secureml, crypten or piranha
    #[arg(long, default_value = "as19", value_parser = softmax)]
    softmax: Softmax,
}

/// How far noise is searched.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Search {
    /// Searches, each weighing distortion ten times more after a success
    #[arg(long, default_value_t = 3)]
    outer: u32,
    /// Steps in each search
    #[arg(long, default_value_t = 10)]
    inner: u32,
    /// Length of a step, in logits; `trefoil guard tune` finds a good one
    #[arg(long, default_value_t = 0.5)]
    beta: f64,
}

/// Which text computes the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum VariantName {
    /// Few rounds and bytes
    Fast,
    /// SIGuard's protocols as printed
    Faithful,
}

fn softmax(name: &str) -> Result<Softmax, String> {
    Softmax::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Softmax::ALL.iter().map(|softmax| softmax.name()).collect();
        format!("choose from {}", known.join(", "))
    })
}

/// What `--json` shows.
#[derive(Debug, Serialize)]
struct Trained {
    output: String,
    members: usize,
    non_members: usize,
    classes: usize,
    hidden: Vec<usize>,
    epochs: usize,
    seconds: f64,
    /// Share of the training vectors that the classifier tells apart, both sides weighing the same.
    balanced_accuracy: f64,
    activation_bound: f64,
    gradient_shift: u32,
    digest: String,
}

/// Confidence vectors: N rows that each sum to 1.
///
/// # Errors
/// Another shape, values that are no confidences: with their place.
pub(super) fn confidences(path: &Path) -> Result<Array2<f64>, Failure> {
    let array = files::named_array(path, &["confidences", "probabilities"])?;
    let shape = array.shape().to_vec();
    let rows = array.into_dimensionality::<Ix2>().map_err(|_| {
        Failure::new(format!("{} has shape {shape:?}", path.display()))
            .help("confidences are a matrix: one row a record, one column a class")
    })?;
    if rows.nrows() == 0 {
        return Err(Failure::new(format!("{} has no rows", path.display())));
    }
    for (index, row) in rows.rows().into_iter().enumerate() {
        let proper = row
            .iter()
            .all(|v| v.is_finite() && (-1e-3..=1.001).contains(v));
        if !proper || (row.sum() - 1.0).abs() > 0.01 {
            return Err(Failure::new(format!(
                "row {index} of {} is no confidence vector: its sum is {}",
                path.display(),
                row.sum()
            ))
            .help("give the numbers behind the softmax: from 0 to 1, of sum 1"));
        }
    }
    Ok(rows)
}

/// Train, check, write, and tell.
pub(super) fn run(arguments: &Train, json: bool) -> Result<(), Failure> {
    let start = Instant::now();
    let inputs = Inputs::default()
        .with("--members", [&arguments.members])
        .with("--non-members", [&arguments.non_members]);
    inputs.check()?;
    Destination::new("--output", &arguments.output, &inputs)?;
    let members = confidences(&arguments.members)?;
    let others = confidences(&arguments.non_members)?;
    if members.ncols() != others.ncols() {
        return Err(Failure::new(format!(
            "{} has {} classes, {} has {}",
            arguments.members.display(),
            members.ncols(),
            arguments.non_members.display(),
            others.ncols()
        ))
        .help("both must be answers of the same model"));
    }
    let options = MembershipOptions {
        epochs: arguments.epochs,
        seed: arguments.seed,
        sgd: Sgd {
            rate: arguments.rate,
            ..MembershipOptions::default().sgd
        },
        ..MembershipOptions::default()
    };
    let bar = Counter::new("training the classifier", arguments.epochs as u64);
    let mut progress = |epoch: &trefoil_lab::train::Epoch| {
        bar.at(epoch.number as u64, format!("loss {:.4}", epoch.loss));
    };
    let layers = train_membership_classifier(
        &members,
        &others,
        &arguments.hidden,
        &options,
        &mut progress,
    )
    .map_err(Failure::new)?;
    drop(bar);
    let layers = layers
        .into_iter()
        .map(|(weights, bias)| Dense { weights, bias });
    let classifier = Classifier::new(layers.collect()).map_err(Failure::new)?;
    let mut settings = Settings::new(classifier.shape());
    settings.steps = arguments.search.steps();
    settings.softmax = arguments.softmax;
    settings.variant = match arguments.variant {
        VariantName::Fast => Variant::Fast,
        VariantName::Faithful => Variant::Faithful,
    };
    classifier.fit(&mut settings);
    let hits = |rows: &Array2<f64>, member: bool| {
        let hit =
            |row: ndarray::ArrayView1<'_, f64>| (classifier.score(&row.to_owned()) > 0.0) == member;
        rows.rows().into_iter().filter(|row| hit(*row)).count() as f64 / rows.nrows() as f64
    };
    let balanced_accuracy = f64::midpoint(hits(&members, true), hits(&others, false));
    let guard = GuardFile::new(settings, classifier).map_err(Failure::new)?;
    guard.save(&arguments.output).map_err(Failure::new)?;
    let trained = Trained {
        output: arguments.output.display().to_string(),
        members: members.nrows(),
        non_members: others.nrows(),
        classes: members.ncols(),
        hidden: arguments.hidden.clone(),
        epochs: arguments.epochs,
        seconds: start.elapsed().as_secs_f64(),
        balanced_accuracy,
        activation_bound: guard.settings.activation_bound,
        gradient_shift: guard.settings.gradient_shift,
        digest: blake3::Hash::from_bytes(guard.digest())
            .to_hex()
            .to_string(),
    };
    if json {
        return print::json(&trained);
    }
    print::line(format!(
        "trained on {} and {} of {} in {}: it tells {:.1} % of them apart",
        print::count(trained.members, "member"),
        print::count(trained.non_members, "non-member"),
        print::count(trained.classes, "class"),
        print::time(trained.seconds),
        100.0 * balanced_accuracy
    ))?;
    if balanced_accuracy < 0.52 {
        print::line(
            "that is hardly better than a coin: either little leaks, or it needs more --epochs or a higher --rate",
        )?;
    }
    print::line(format!("guard: {}", trained.output))
}

impl Search {
    /// The search.
    pub(super) fn steps(self) -> Steps {
        Steps {
            outer: self.outer,
            inner: self.inner,
            beta: self.beta,
        }
    }
}
