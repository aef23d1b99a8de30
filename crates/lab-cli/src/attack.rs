//! `trefoil attack`: how much a model's outputs say about its training data.

mod read;
mod scores;

use self::read::Loaded;
use crate::options::SeedOption;
use crate::{Bar, Destination, Failure, Inputs, OutputFolder, print};
use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use std::path::PathBuf;
use trefoil_lab::Sides;
use trefoil_lab::attacks::{Attacker, Outputs, doubts_of_verdicts, run_all};
use trefoil_lab::report::{Figure, Histogram, Report, Results, percent};
use trefoil_lab::train::{AttackNetwork, Epoch, MembershipOptions};

/// Options of `trefoil attack`.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("target").args(["members", "outputs", "lira"]).required(true)),
    group(ArgGroup::new("shadow").args(["shadow_members", "shadow_outputs", "lira"]))
)]
pub(crate) struct Attack {
    /// The model's confidences for records that it was trained on: .npy or .npz (records, classes; FILE.npz:NAME picks an
    /// array), or a CSV table with a header
    #[arg(long, value_name = "FILE", requires = "non_members", conflicts_with_all = ["outputs", "lira"])]
    members: Option<PathBuf>,
    /// The model's confidences for records that it was not trained on
    #[arg(long, alias = "nonmembers", value_name = "FILE", requires = "members")]
    non_members: Option<PathBuf>,
    /// In the place of --members and --non-members: the confidences for all records in one file. A column `member` and a
    /// column `label` of a table are used
    #[arg(long, value_name = "FILE", conflicts_with = "lira")]
    outputs: Option<PathBuf>,
    /// Which records of --outputs were trained on: one 0 or 1 for each
    #[arg(long, value_name = "FILE", requires = "outputs")]
    membership: Option<PathBuf>,
    /// In the place of all these: many models as `LiRA`'s authors store them, a folder or .npz archive with `keep`, `logits`
    /// and `y_train` or with folders `experiment-N`. One model is attacked, the others are compared with
    #[arg(
        long,
        value_name = "FOLDER",
        conflicts_with_all = ["labels", "shadow_members", "shadow_outputs", "references", "shadow_references", "population", "logits", "class_names"]
    )]
    lira: Option<PathBuf>,
    /// Which model of --lira is attacked, counted from 0 [default: the last]
    #[arg(long, value_name = "N", requires = "lira")]
    lira_target: Option<usize>,
    /// True labels of the members and of the non-members, or of --outputs: class numbers from 0, one-hot rows, or names
    #[arg(long, num_args = 1..=2, value_names = ["MEMBERS", "NONMEMBERS"])]
    labels: Vec<PathBuf>,
    /// The names of the classes in the model's order, where labels are names
    #[arg(
        long,
        alias = "classes",
        value_name = "NAME,NAME,…",
        value_delimiter = ','
    )]
    class_names: Option<Vec<String>>,
    /// A shadow model's confidences for records that it was trained on: thresholds are chosen here
    #[arg(
        long,
        value_name = "FILE",
        requires = "shadow_non_members",
        conflicts_with = "shadow_outputs"
    )]
    shadow_members: Option<PathBuf>,
    /// The shadow model's confidences for records that it was not trained on
    #[arg(
        long,
        alias = "shadow-nonmembers",
        value_name = "FILE",
        requires = "shadow_members"
    )]
    shadow_non_members: Option<PathBuf>,
    /// The shadow model's confidences for all its records, as for --outputs
    #[arg(long, value_name = "FILE")]
    shadow_outputs: Option<PathBuf>,
    /// Which records of --shadow-outputs the shadow model was trained on
    #[arg(long, value_name = "FILE", requires = "shadow_outputs")]
    shadow_membership: Option<PathBuf>,
    /// True labels of the shadow members and non-members, or of --shadow-outputs
    #[arg(long, num_args = 1..=2, value_names = ["MEMBERS", "NONMEMBERS"], requires = "shadow")]
    shadow_labels: Vec<PathBuf>,
    /// Confidences of several reference models for the members and the non-members, .npy (models,
    /// records, classes)
    #[arg(long, num_args = 1..=2, value_names = ["MEMBERS", "NONMEMBERS"])]
    references: Vec<PathBuf>,
    /// Which reference model was trained on which record, 0 or 1 (models, records); without, none
    #[arg(long, num_args = 1..=2, value_names = ["MEMBERS", "NONMEMBERS"], requires = "references")]
    references_trained: Vec<PathBuf>,
    /// Confidences of reference models for the shadow members and non-members
    #[arg(long, num_args = 1..=2, value_names = ["MEMBERS", "NONMEMBERS"], requires = "shadow")]
    shadow_references: Vec<PathBuf>,
    /// Which reference model was trained on which shadow record, 0 or 1 (models, records)
    #[arg(long, num_args = 1..=2, value_names = ["MEMBERS", "NONMEMBERS"], requires = "shadow_references")]
    shadow_references_trained: Vec<PathBuf>,
    /// Further records outside the training data: the model's confidences, the reference models'
    /// and the labels
    #[arg(long, num_args = 3, value_names = ["CONFIDENCES", "REFERENCES", "LABELS"], requires = "references")]
    population: Vec<PathBuf>,
    /// The files hold logits: take the softmax first
    #[arg(long)]
    logits: bool,
    /// The shadow outputs went through the same defence as the model's: the attacker is adaptive
    #[arg(long, requires = "shadow")]
    adaptive: bool,
    /// What to call the model in tables and pictures
    #[arg(long, default_value = "the model")]
    name: String,
    /// Epochs that NN-M's network is trained for on the shadow outputs, as the literature does (it takes 400); 0 leaves NN-M out
    /// [default: so many, 5 to 100, that 40,000 examples are seen, with momentum]
    #[arg(long, value_name = "N")]
    network_epochs: Option<usize>,
    #[command(flatten)]
    seed: SeedOption,
    /// Write what each attack says about each record: a CSV table of record, score and verdict
    #[arg(long, value_name = "FILE.csv")]
    scores: Option<PathBuf>,
    /// Write a page with tables and pictures
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the page, its data as JSON, pictures as SVG and PNG and tables as CSV
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

/// Read, attack, and print.
pub(crate) fn run(arguments: &Attack, json: bool) -> Result<(), Failure> {
    let places = arguments.places()?;
    let seed = arguments.seed.value()?;
    let mut loaded = Loaded::read(arguments)?;
    let bar = Bar::new("attacking");
    let options = match arguments.network_epochs {
        Some(epochs) => MembershipOptions::attack_for(epochs, seed),
        None => MembershipOptions::attack_quickly(loaded.shadow_records(), seed),
    };
    let epochs = options.epochs;
    let heard = |epoch: &Epoch| {
        bar.say(format!(
            "training NN-M's network, epoch {} of {epochs}",
            epoch.number
        ));
    };
    let network = AttackNetwork {
        options,
        heard: &heard,
    };
    let mut evidence = loaded.evidence(seed);
    if epochs > 0 {
        evidence.trainer = Some(&network);
    }
    let battery = run_all(&evidence)?;
    loaded.warnings.extend(doubts_of_verdicts(&battery));
    bar.say("drawing the bootstrap samples".to_owned());
    let attacker = if arguments.adaptive {
        Attacker::Adaptive
    } else {
        Attacker::Standard
    };
    let results = Results::new(&arguments.name, &loaded.target, &battery, attacker, seed)?;
    if let Some(file) = &places.scores {
        file.write_bytes(scores::table(&loaded, &battery.verdicts).as_bytes())?;
    }
    let report = report(arguments, &loaded, &results, seed);
    if let Some(page) = &places.page {
        bar.say("drawing the page".to_owned());
        page.write_bytes(report.html()?.as_bytes())?;
    }
    if let Some(mut folder) = places.folder {
        bar.say("drawing the report".to_owned());
        report.write(folder.make()?)?;
    }
    drop(bar);
    if json {
        print_json(arguments, &loaded, &results, seed)
    } else {
        print_table(arguments, &loaded, &results, seed)
    }
}

/// Where results go.
struct Places {
    scores: Option<Destination>,
    page: Option<Destination>,
    folder: Option<OutputFolder>,
}

impl Attack {
    /// What is asked for: not in the place of a file that is read, nor of each other.
    fn places(&self) -> Result<Places, Failure> {
        let mut inputs = Inputs::default()
            .with("--members", &self.members)
            .with("--non-members", &self.non_members)
            .with("--outputs", &self.outputs)
            .with("--membership", &self.membership)
            .with("--labels", &self.labels)
            .with("--shadow-members", &self.shadow_members)
            .with("--shadow-non-members", &self.shadow_non_members)
            .with("--shadow-outputs", &self.shadow_outputs)
            .with("--shadow-membership", &self.shadow_membership)
            .with("--shadow-labels", &self.shadow_labels)
            .with("--references", &self.references)
            .with("--references-trained", &self.references_trained)
            .with("--shadow-references", &self.shadow_references)
            .with(
                "--shadow-references-trained",
                &self.shadow_references_trained,
            )
            .with("--population", &self.population);
        inputs.check()?;
        inputs = inputs.with("--lira", &self.lira);
        let file = |flag, path: &Option<PathBuf>| {
            let path = path.as_deref();
            path.map(|path| Destination::new(flag, path, &inputs))
                .transpose()
        };
        if self.scores.is_some() && self.scores == self.html {
            return Err(Failure::misuse("--scores and --html name the same file"));
        }
        let folder = self.report.as_deref();
        let folder = folder.map(|path| OutputFolder::new("--report", path));
        Ok(Places {
            scores: file("--scores", &self.scores)?,
            page: file("--html", &self.html)?,
            folder: folder.transpose()?,
        })
    }
}

fn report(arguments: &Attack, loaded: &Loaded, results: &Results, seed: u64) -> Report {
    let mut report = Report::new(format!("Membership inference against {}", arguments.name));
    let section = report.section("Attacks");
    section.text(loaded.headline());
    for warning in &loaded.warnings {
        section.text(warning);
    }
    section.results(results);
    section.figure(Figure::Histogram(tops(arguments, &loaded.target)));
    let command: Vec<String> = std::env::args().collect();
    report.fact("command", command.join(" ")).fact("seed", seed);
    for (file, hash) in &loaded.files {
        report.fact(file, format!("BLAKE3 {hash}"));
    }
    for result in &results.attacks {
        report.fact(
            format!("thresholds of {}", result.attack),
            &result.thresholds,
        );
    }
    report.data.insert("results".to_owned(), json!(results));
    report
}

/// How sure the model is of members and of non-members.
fn tops(arguments: &Attack, target: &Sides<Outputs>) -> Histogram {
    let top = |outputs: &Outputs| outputs.scores(trefoil_lab::attacks::top::score);
    let tops = target.as_ref().map(top);
    Histogram::of_values(
        format!("Confidence, {}", arguments.name),
        "largest confidence of a record",
        tops.as_ref().map(Vec::as_slice),
        0.0..1.0,
        40,
    )
}

fn print_json(
    arguments: &Attack,
    loaded: &Loaded,
    results: &Results,
    seed: u64,
) -> Result<(), Failure> {
    let files: serde_json::Map<String, Value> = loaded
        .files
        .iter()
        .map(|(file, hash)| (file.clone(), json!(hash)))
        .collect();
    let mut value = json!(results);
    value["sentences"] = json!(results.sentences());
    value["warnings"] = json!(loaded.warnings);
    value["seed"] = json!(seed);
    value["files"] = json!(files);
    value["scores"] = json!(arguments.scores);
    value["html"] = json!(arguments.html);
    value["report"] = json!(arguments.report);
    print::json(&value)
}

fn print_table(
    arguments: &Attack,
    loaded: &Loaded,
    results: &Results,
    seed: u64,
) -> Result<(), Failure> {
    print::line(loaded.headline())?;
    if let Some(accuracy) = results.accuracy {
        print::line(format!(
            "labels right: {} % of the members, {} % of the non-members",
            percent(accuracy.members),
            percent(accuracy.nonmembers)
        ))?;
    }
    for warning in &loaded.warnings {
        print::line(format!("warning: {warning}"))?;
    }
    let mut table = results.table();
    table.title.clear();
    print::line(format!("\n{}\n", table.terminal()))?;
    for sentence in results.sentences() {
        print::line(sentence)?;
    }
    if let Some(path) = &arguments.scores {
        print::line(format!("scores of each record: {}", path.display()))?;
    }
    if loaded.shadow.is_none() {
        print::line(
            "without shadow outputs there are no thresholds and so no balanced accuracy; give \
             --shadow-members and --shadow-non-members",
        )?;
    }
    if !results.skipped.is_empty() {
        print::line("\nnot run:")?;
    }
    for group in results.not_run() {
        print::line(format!("  {group}"))?;
    }
    if let Some(path) = &arguments.html {
        print::line(format!("page: {}", path.display()))?;
    }
    if let Some(folder) = &arguments.report {
        print::line(format!("report: {}", folder.join("report.html").display()))?;
    }
    print::line(format!("seed {seed}"))
}
