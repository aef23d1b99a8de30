//! `trefoil attack`: how much a model's outputs say about its training data.

use crate::inputs::Inputs;
use crate::outputs::{Destination, OutputFolder};
use crate::progress::Bar;
use crate::{Failure, arrays, check, doubts, files, print};
use clap::Args;
use ndarray::{Array2, Array3, ArrayD, Axis, Ix2, Ix3};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use trefoil_lab::attacks::rmia::Population;
use trefoil_lab::attacks::{Attacker, Evidence, Outputs, References, run_all};
use trefoil_lab::data::arrays::labels;
use trefoil_lab::report::{Figure, Histogram, Report, Results, percent};
use trefoil_lab::train::{AttackNetwork, Epoch, MembershipOptions};
use trefoil_lab::{LabError, Sides};
use trefoil_nn::Scores;

/// Confidences of secure inference are rarely further outside [0, 1] than this; logits are.
const OUTSIDE: f64 = 0.05;

/// Options of `trefoil attack`.
#[derive(Debug, Args)]
pub(crate) struct Attack {
    /// The model's confidences for records that it was trained on, .npy or .npz (records, classes)
    #[arg(long, value_name = "NPY")]
    members: PathBuf,
    /// The model's confidences for records that it was not trained on
    #[arg(long, value_name = "NPY")]
    nonmembers: PathBuf,
    /// True labels of the members and of the non-members: integers from 0, or one-hot rows
    #[arg(long, num_args = 2, value_names = ["MEMBERS", "NONMEMBERS"])]
    labels: Vec<PathBuf>,
    /// A shadow model's confidences for records that it was trained on: thresholds are chosen here
    #[arg(long, value_name = "NPY", requires = "shadow_nonmembers")]
    shadow_members: Option<PathBuf>,
    /// The shadow model's confidences for records that it was not trained on
    #[arg(long, value_name = "NPY", requires = "shadow_members")]
    shadow_nonmembers: Option<PathBuf>,
    /// True labels of the shadow members and non-members
    #[arg(long, num_args = 2, value_names = ["MEMBERS", "NONMEMBERS"], requires = "shadow_members")]
    shadow_labels: Vec<PathBuf>,
    /// Confidences of several reference models for the members and the non-members, .npy (models,
    /// records, classes)
    #[arg(long, num_args = 2, value_names = ["MEMBERS", "NONMEMBERS"])]
    references: Vec<PathBuf>,
    /// Which reference model was trained on which record, 0 or 1 (models, records); without, none
    #[arg(long, num_args = 2, value_names = ["MEMBERS", "NONMEMBERS"], requires = "references")]
    references_trained: Vec<PathBuf>,
    /// Confidences of reference models for the shadow members and non-members
    #[arg(long, num_args = 2, value_names = ["MEMBERS", "NONMEMBERS"], requires = "shadow_members")]
    shadow_references: Vec<PathBuf>,
    /// Which reference model was trained on which shadow record, 0 or 1 (models, records)
    #[arg(long, num_args = 2, value_names = ["MEMBERS", "NONMEMBERS"], requires = "shadow_references")]
    shadow_references_trained: Vec<PathBuf>,
    /// Further records outside the training data: the model's confidences, the reference models'
    /// and the labels
    #[arg(long, num_args = 3, value_names = ["CONFIDENCES", "REFERENCES", "LABELS"], requires = "references")]
    population: Vec<PathBuf>,
    /// The files hold logits: take the softmax first
    #[arg(long)]
    logits: bool,
    /// The shadow outputs went through the same defence as the model's: the attacker is adaptive
    #[arg(long, requires = "shadow_members")]
    adaptive: bool,
    /// What to call the model in tables and pictures
    #[arg(long, default_value = "the model")]
    name: String,
    /// Epochs that NN-M's network is trained for on the shadow outputs; 0 leaves NN-M out
    #[arg(long, value_name = "N", default_value_t = 400)]
    network_epochs: usize,
    /// Draws the bootstrap samples behind the intervals, and the network's training
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write a page with tables and pictures
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the page, its data as JSON, pictures as SVG and PNG and tables as CSV
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

/// Read, attack, and print.
pub(crate) fn run(arguments: &Attack, json: bool) -> Result<(), Failure> {
    let (page, mut folder) = arguments.places()?;
    let loaded = Loaded::read(arguments)?;
    let bar = Bar::new("attacking");
    let epochs = arguments.network_epochs;
    let heard = |epoch: &Epoch| {
        bar.say(format!(
            "training NN-M's network, epoch {} of {epochs}",
            epoch.number
        ));
    };
    let mut options = MembershipOptions::attack(arguments.seed);
    options.epochs = epochs;
    // The rate falls to a tenth for the last quarter.
    options.sgd.drops = vec![epochs * 3 / 4];
    let network = AttackNetwork {
        options,
        heard: &heard,
    };
    let mut evidence = loaded.evidence(arguments.seed);
    if epochs > 0 {
        evidence.trainer = Some(&network);
    }
    let battery = run_all(&evidence)?;
    bar.say("drawing the bootstrap samples".to_owned());
    let attacker = if arguments.adaptive {
        Attacker::Adaptive
    } else {
        Attacker::Standard
    };
    let (name, seed) = (&arguments.name, arguments.seed);
    let results = Results::new(name, &loaded.target, &battery, attacker, seed)?;
    let report = report(arguments, &loaded, &results);
    if let Some(page) = &page {
        bar.say("drawing the page".to_owned());
        page.write_bytes(report.html()?.as_bytes())?;
    }
    if let Some(folder) = &mut folder {
        bar.say("drawing the report".to_owned());
        report.write(folder.make()?)?;
    }
    drop(bar);
    if json {
        print_json(arguments, &loaded, &results)
    } else {
        print_table(arguments, &loaded, &results)
    }
}

impl Attack {
    /// The page and the folder of the report, if they are asked for: not in the place of a file that is read.
    fn places(&self) -> Result<(Option<Destination>, Option<OutputFolder>), Failure> {
        let inputs = Inputs::default()
            .with("--members", [&self.members])
            .with("--nonmembers", [&self.nonmembers])
            .with("--labels", &self.labels)
            .with("--shadow-members", &self.shadow_members)
            .with("--shadow-nonmembers", &self.shadow_nonmembers)
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
        let page = self.html.as_deref();
        let page = page.map(|path| Destination::new("--html", path, &inputs));
        let folder = self.report.as_deref();
        let folder = folder.map(|path| OutputFolder::new("--report", path));
        Ok((page.transpose()?, folder.transpose()?))
    }
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        Self::new(error)
    }
}

/// What the files hold.
struct Loaded {
    target: Sides<Outputs>,
    shadow: Option<Sides<Outputs>>,
    references: Option<Sides<References>>,
    shadow_references: Option<Sides<References>>,
    population: Option<(Outputs, References)>,
    warnings: Vec<String>,
    /// Every file with its hash.
    files: Vec<(String, String)>,
}

impl Loaded {
    fn read(arguments: &Attack) -> Result<Self, Failure> {
        let mut reader = Reader {
            logits: arguments.logits,
            warnings: Vec::new(),
            files: Vec::new(),
        };
        let files = Sides::new(&arguments.members, &arguments.nonmembers);
        let target = reader.outputs(files, &arguments.labels)?;
        let shadow = match (&arguments.shadow_members, &arguments.shadow_nonmembers) {
            (Some(members), Some(nonmembers)) => {
                let files = Sides::new(members, nonmembers);
                Some(reader.outputs(files, &arguments.shadow_labels)?)
            }
            _ => None,
        };
        let references = reader.references(&arguments.references, &arguments.references_trained)?;
        let shadow_references = reader.references(
            &arguments.shadow_references,
            &arguments.shadow_references_trained,
        )?;
        let population = match &arguments.population[..] {
            [confidences, references, labels] => {
                let outputs = reader.side(confidences, Some(labels))?;
                Some((outputs, reader.models(references, None)?))
            }
            _ => None,
        };
        Ok(Self {
            target,
            shadow,
            references,
            shadow_references,
            population,
            warnings: reader.warnings,
            files: reader.files,
        })
    }

    fn evidence(&self, seed: u64) -> Evidence<'_> {
        let population = self.population.as_ref();
        Evidence {
            shadow: self.shadow.as_ref(),
            references: self.references.as_ref(),
            shadow_references: self.shadow_references.as_ref(),
            population: population.map(|(target, references)| Population { target, references }),
            seed,
            ..Evidence::new(&self.target)
        }
    }

    fn headline(&self) -> String {
        let records = |sides: &Sides<Outputs>| {
            let records = sides.as_ref().map(Outputs::records);
            let members = print::count(records.members, "member");
            format!(
                "{members}, {}",
                print::count(records.nonmembers, "non-member")
            )
        };
        let classes = self.target.members.classes();
        let mut text = format!("{} of {classes} classes", records(&self.target));
        if let Some(shadow) = &self.shadow {
            text.push_str("; of the shadow model ");
            text.push_str(&records(shadow));
        }
        text
    }
}

/// Reads files and keeps what has to be said about them.
struct Reader {
    logits: bool,
    warnings: Vec<String>,
    files: Vec<(String, String)>,
}

impl Reader {
    /// Members' and non-members' outputs; labels are two files or none.
    fn outputs(
        &mut self,
        files: Sides<&PathBuf>,
        labels: &[PathBuf],
    ) -> Result<Sides<Outputs>, Failure> {
        let members = self.side(files.members, labels.first())?;
        let nonmembers = self.side(files.nonmembers, labels.get(1))?;
        Ok(Sides::new(members, nonmembers))
    }

    fn side(&mut self, path: &Path, labels_path: Option<&PathBuf>) -> Result<Outputs, Failure> {
        let what = path.display().to_string();
        let array = self.array(path)?;
        let shape = array.shape().to_vec();
        let confidences = array.into_dimensionality::<Ix2>().map_err(|_| {
            Failure::new(format!(
                "{what} has shape {shape:?}; confidence vectors have two axes"
            ))
            .help("save an array (records, classes), a row for each record")
        })?;
        let confidences = self.confidences(path, confidences)?;
        let Some(labels_path) = labels_path else {
            return Ok(Outputs::unlabelled(&what, confidences)?);
        };
        let read = self.array(labels_path)?;
        let shown = labels_path.display();
        let labels = labels(&read)
            .map_err(|problem| Failure::new(format!("{shown}: {problem}")).help(LABELS))?;
        let classes = confidences.ncols();
        let from_one = doubts::counted_from_one(labels.iter().map(|&label| label as f64), classes);
        if let Some(why) = from_one {
            return Err(Failure::new(format!(
                "{shown} holds the label {classes}; the classes are 0 to {}",
                classes - 1
            ))
            .help(why));
        }
        let scores = Scores::Classes(classes);
        let answered = check::labels(&confidences.clone().into_dyn(), scores);
        if let Some(doubt) = doubts::doubt(&answered, &labels, classes) {
            self.warnings.push(format!("{shown}: the labels: {doubt}"));
        }
        let failed = |error: LabError| {
            Failure::new(error).help(format!("the labels are those in {shown}; {LABELS}"))
        };
        Outputs::new(&what, confidences, labels).map_err(failed)
    }

    /// Reference models' outputs for members and non-members; two files or none.
    fn references(
        &mut self,
        files: &[PathBuf],
        trained: &[PathBuf],
    ) -> Result<Option<Sides<References>>, Failure> {
        let [members, nonmembers] = files else {
            return Ok(None);
        };
        let members = self.models(members, trained.first())?;
        let nonmembers = self.models(nonmembers, trained.get(1))?;
        Ok(Some(Sides::new(members, nonmembers)))
    }

    fn models(&mut self, path: &Path, trained: Option<&PathBuf>) -> Result<References, Failure> {
        let what = path.display().to_string();
        let array = self.array(path)?;
        let shape = array.shape().to_vec();
        let array = array.into_dimensionality::<Ix3>().map_err(|_| {
            Failure::new(format!(
                "{what} has shape {shape:?}; outputs of several models have three axes"
            ))
            .help("save an array (models, records, classes)")
        })?;
        let (models, records, classes) = array.dim();
        let rows = array
            .into_shape_with_order((models * records, classes))
            .map_err(|error| Failure::new(format!("{what}: {error}")))?;
        let rows = self.confidences(path, rows)?;
        let array: Array3<f64> = rows
            .into_shape_with_order((models, records, classes))
            .map_err(|error| Failure::new(format!("{what}: {error}")))?;
        let Some(trained) = trained else {
            return Ok(References::offline(&what, array)?);
        };
        let shown = trained.display();
        let flags = self.array(trained)?;
        if let Some((index, value)) = arrays::first(&flags, |v| ![0.0, 1.0].contains(&v)) {
            return Err(
                Failure::new(format!("{shown} at {index:?} is {value}, not 0 or 1"))
                    .help("save 1 where the model was trained on the record, else 0"),
            );
        }
        let shape = flags.shape().to_vec();
        let flags = flags.into_dimensionality::<Ix2>().map_err(|_| {
            Failure::new(format!(
                "{shown} has shape {shape:?}; which model was trained on which record has two axes"
            ))
            .help("save an array (models, records)")
        })?;
        Ok(References::new(&what, array, flags.mapv(|v| v > 0.5))?)
    }

    fn array(&mut self, path: &Path) -> Result<ArrayD<f64>, Failure> {
        let array =
            files::named_array(path, &["confidences", "probabilities", "logits", "labels"])?;
        arrays::all_finite(path, &array)?;
        let hash = trefoil_lab::data::file_hash(path)?;
        self.files.push((path.display().to_string(), hash));
        Ok(array)
    }

    /// The rows as confidences, with doubts about them.
    fn confidences(&mut self, path: &Path, rows: Array2<f64>) -> Result<Array2<f64>, Failure> {
        let shown = path.display();
        if self.logits {
            return Ok(softmax(rows));
        }
        let outside = |v: f64| !(-OUTSIDE..=1.0 + OUTSIDE).contains(&v);
        if let Some(((row, class), value)) = rows.indexed_iter().find(|(_, v)| outside(**v)) {
            return Err(Failure::new(format!(
                "{shown} at [{row}, {class}] is {value}, which is no confidence between 0 and 1"
            ))
            .help("if these are logits, add --logits"));
        }
        let sums = rows.sum_axis(Axis(1));
        let odd = sums.iter().filter(|&&s| (s - 1.0).abs() > OUTSIDE).count();
        if odd > 0 {
            self.warnings.push(format!(
                "{shown}: the confidences of {odd} of {} rows do not add up to 1",
                sums.len()
            ));
        }
        Ok(rows)
    }
}

/// What labels look like.
const LABELS: &str = "labels are class numbers from 0, one for each record, or one-hot rows";

/// Softmax of each row.
fn softmax(mut rows: Array2<f64>) -> Array2<f64> {
    for mut row in rows.rows_mut() {
        let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        row.mapv_inplace(|v| (v - largest).exp());
        let sum = row.sum();
        row.mapv_inplace(|v| v / sum);
    }
    rows
}

fn report(arguments: &Attack, loaded: &Loaded, results: &Results) -> Report {
    let mut report = Report::new(format!("Membership inference against {}", arguments.name));
    let section = report.section("Attacks");
    section.text(loaded.headline());
    for warning in &loaded.warnings {
        section.text(warning);
    }
    section.results(results);
    section.figure(Figure::Histogram(tops(arguments, &loaded.target)));
    let command: Vec<String> = std::env::args().collect();
    report
        .fact("command", command.join(" "))
        .fact("seed", arguments.seed);
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

fn print_json(arguments: &Attack, loaded: &Loaded, results: &Results) -> Result<(), Failure> {
    let files: serde_json::Map<String, Value> = loaded
        .files
        .iter()
        .map(|(file, hash)| (file.clone(), json!(hash)))
        .collect();
    let mut value = json!(results);
    value["sentences"] = json!(results.sentences());
    value["warnings"] = json!(loaded.warnings);
    value["files"] = json!(files);
    value["html"] = json!(arguments.html);
    value["report"] = json!(arguments.report);
    print::json(&value)
}

fn print_table(arguments: &Attack, loaded: &Loaded, results: &Results) -> Result<(), Failure> {
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
    if loaded.shadow.is_none() {
        print::line(
            "without shadow outputs there are no thresholds and so no balanced accuracy; give \
             --shadow-members and --shadow-nonmembers",
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
    Ok(())
}
