//! `trefoil guard train`: a guard from confidence vectors of members and non-members.

use crate::options::SeedOption;
use crate::{Counter, Destination, Failure, Inputs, print};
use clap::Args;
use ndarray::Array2;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;
use trefoil::guard::{matrix, paired};
use trefoil_guard::{
    Classifier, Dense, FEWEST_RECORDS, Guard, GuardFile, Method, Settings, Softmax, Steps, Table,
    Variant,
};
use trefoil_lab::train::{MembershipOptions, Sgd, train_membership_classifier};

/// The hidden layers of the classifier, unless others are asked for.
const HIDDEN: [usize; 3] = [256, 128, 64];
/// How often every vector is seen, and the learning rate, unless asked for.
const EPOCHS: usize = 400;
const RATE: f64 = 0.001;

/// Options of `trefoil guard train`.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// What the guard does: `siguard` adds noise that flips a membership classifier's verdict, `table` gives all answers of a label
    /// the values of an average non-member, in the order of the classes
    #[arg(long, value_enum, default_value_t = MethodName::Siguard)]
    method: MethodName,
    /// Confidence vectors of the training set: an .npz or .npy array, N rows of one confidence per class. Not with
    /// --method table, which needs none
    #[arg(long, value_name = "MEMBERS.npz", required_if_eq("method", "siguard"))]
    members: Option<PathBuf>,
    /// Confidence vectors of records that the model was not trained on
    #[arg(long, value_name = "NON-MEMBERS.npz")]
    non_members: PathBuf,
    /// Where to write the guard; secret like the model
    #[arg(long, value_name = "GUARD.safetensors")]
    output: PathBuf,
    #[command(flatten)]
    siguard: SiguardOptions,
}

/// Which guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum MethodName {
    Siguard,
    Table,
}

/// What only `SIGuard` has.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --method siguard")]
struct SiguardOptions {
    /// Hidden layers of the classifier [default: 256,128,64]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    hidden: Option<Vec<usize>>,
    /// How often every vector is seen [default: 400]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Learning rate of the gradient descent [default: 0.001]
    #[arg(long, value_name = "RATE")]
    rate: Option<f64>,
    #[command(flatten)]
    seed: SeedOption,
    /// Searches, each weighing distortion ten times more after a success [default: 3]
    #[arg(long, value_name = "N")]
    outer: Option<u32>,
    /// Steps in each search [default: 10]
    #[arg(long, value_name = "N")]
    inner: Option<u32>,
    /// Length of a step, in logits; `trefoil guard tune` finds a good one [default: 0.5]
    #[arg(long, value_name = "LENGTH")]
    beta: Option<f64>,
    /// What computes the guard [default: fast]
    #[arg(long, value_enum)]
    variant: Option<VariantName>,
    /// The softmax of the answers: as19, secureml, crypten or piranha [default: as19]
    #[arg(long, value_parser = softmax)]
    softmax: Option<Softmax>,
}

impl SiguardOptions {
    /// The first option that was given.
    fn first(&self) -> Option<&'static str> {
        let given = [
            ("--hidden", self.hidden.is_some()),
            ("--epochs", self.epochs.is_some()),
            ("--rate", self.rate.is_some()),
            ("--seed", self.seed.given().is_some()),
            ("--outer", self.outer.is_some()),
            ("--inner", self.inner.is_some()),
            ("--beta", self.beta.is_some()),
            ("--variant", self.variant.is_some()),
            ("--softmax", self.softmax.is_some()),
        ];
        given
            .iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| *name)
    }

    fn steps(&self) -> Steps {
        let usual = Steps::default();
        Steps {
            outer: self.outer.unwrap_or(usual.outer),
            inner: self.inner.unwrap_or(usual.inner),
            beta: self.beta.unwrap_or(usual.beta),
        }
    }
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
    method: Method,
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
    seed: u64,
    digest: String,
}

/// Confidence vectors: N rows that each sum to 1.
///
/// # Errors
/// Another shape, values that are no confidences: with their place.
pub(super) fn confidences(path: &Path) -> Result<Array2<f64>, Failure> {
    let array = trefoil::data::array(path, &["confidences", "probabilities"])?;
    let shape = array.shape().to_vec();
    let mut rows = matrix(array).ok_or_else(|| {
        Failure::new(format!("{} has shape {shape:?}", path.display())).help(
            "confidences are a matrix: one row a record, one column a class, or the probability of the second of two classes",
        )
    })?;
    if rows.ncols() == 1 {
        rows = paired(&rows, |p| [1.0 - p, p]);
    }
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
    if arguments.method == MethodName::Table {
        let first = arguments.siguard.first();
        let first = first.or(arguments.members.is_some().then_some("--members"));
        if let Some(option) = first {
            return Err(Failure::misuse(format!(
                "{option} does not apply to --method table"
            ))
            .help("a table is made of --non-members alone; leave the option out, or take --method siguard"));
        }
    }
    let inputs = Inputs::default()
        .with("--members", &arguments.members)
        .with("--non-members", [&arguments.non_members]);
    inputs.check()?;
    Destination::new("--output", &arguments.output, &inputs)?;
    match (&arguments.members, arguments.method) {
        (_, MethodName::Table) => table(arguments, json),
        (Some(members), MethodName::Siguard) => siguard(arguments, members, json),
        (None, MethodName::Siguard) => Err(Failure::misuse("--members is missing")
            .help("SIGuard's classifier learns from members and non-members")),
    }
}

/// Train a table.
fn table(arguments: &Train, json: bool) -> Result<(), Failure> {
    let others = confidences(&arguments.non_members)?;
    let learned = Table::learn(others.view())
        .map_err(|error| Failure::new(format!("{}: {error}", arguments.non_members.display())))?;
    let guard = Guard::Table(learned.table);
    guard.save(&arguments.output).map_err(Failure::new)?;
    let digest = blake3::Hash::from_bytes(guard.digest());
    if json {
        return print::json(&serde_json::json!({
            "output": arguments.output.display().to_string(),
            "method": guard.method(),
            "non_members": learned.records,
            "classes": others.ncols(),
            "scarce_labels": learned.scarce,
            "digest": digest.to_hex().to_string(),
        }));
    }
    print::line(format!(
        "a table of {} from {}",
        print::count(others.ncols(), "label"),
        print::count(learned.records, "non-member"),
    ))?;
    if !learned.scarce.is_empty() {
        let labels: Vec<String> = learned.scarce.iter().map(usize::to_string).collect();
        print::line(format!(
            "fewer than {FEWEST_RECORDS} non-members have the label {}: there the table has the mean over all labels",
            labels.join(", ")
        ))?;
    }
    print::line(format!("guard: {}", arguments.output.display()))
}

/// Train `SIGuard`'s classifier.
fn siguard(arguments: &Train, members: &Path, json: bool) -> Result<(), Failure> {
    let start = Instant::now();
    let options = &arguments.siguard;
    let seed = options.seed.value()?;
    let hidden = options.hidden.clone().unwrap_or_else(|| HIDDEN.to_vec());
    let members_at = members;
    let members = confidences(members)?;
    let others = confidences(&arguments.non_members)?;
    if members.ncols() != others.ncols() {
        return Err(Failure::new(format!(
            "{} has {} classes, {} has {}",
            members_at.display(),
            members.ncols(),
            arguments.non_members.display(),
            others.ncols()
        ))
        .help("both must be answers of the same model"));
    }
    let training = MembershipOptions {
        epochs: options.epochs.unwrap_or(EPOCHS),
        seed,
        sgd: Sgd {
            rate: options.rate.unwrap_or(RATE),
            ..MembershipOptions::default().sgd
        },
        ..MembershipOptions::default()
    };
    let bar = Counter::new("training the classifier", training.epochs as u64);
    let mut progress = |epoch: &trefoil_lab::train::Epoch| {
        bar.at(epoch.number as u64, format!("loss {:.4}", epoch.loss));
    };
    let layers = train_membership_classifier(&members, &others, &hidden, &training, &mut progress)
        .map_err(Failure::new)?;
    drop(bar);
    let layers = layers
        .into_iter()
        .map(|(weights, bias)| Dense { weights, bias });
    let classifier = Classifier::new(layers.collect()).map_err(Failure::new)?;
    let mut settings = Settings::new(classifier.shape());
    settings.steps = options.steps();
    settings.softmax = options.softmax.unwrap_or_default();
    settings.variant = match options.variant {
        None | Some(VariantName::Fast) => Variant::Fast,
        Some(VariantName::Faithful) => Variant::Faithful,
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
        method: Method::Siguard,
        members: members.nrows(),
        non_members: others.nrows(),
        classes: members.ncols(),
        hidden,
        epochs: training.epochs,
        seconds: start.elapsed().as_secs_f64(),
        balanced_accuracy,
        activation_bound: guard.settings.activation_bound,
        gradient_shift: guard.settings.gradient_shift,
        seed,
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
    print::line(format!("guard: {} (seed {seed})", trained.output))
}
