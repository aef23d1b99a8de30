//! `trefoil guard tune`: which number and length of steps guard best (SIGuard, Refinement II and Figure 5).

use crate::options::SeedOption;
use crate::{Counter, Destination, Failure, Inputs, OutputFolder, print, summary};
use clap::Args;
use ndarray::{Array2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use trefoil::guard::{load, logits};
use trefoil_guard::{Guard, GuardFile, LOGIT_LIMIT, LoadedClassifier, Settings, Steps, protect};
use trefoil_lab::report::{Figure, HeatMap, write_whole};
use trefoil_lab::train::{MembershipClassifier, MembershipOptions, softmax};
use trefoil_nn::{Fixed, ready};
use trefoil_ring::Z64;

/// Rows that are guarded at once.
const ROWS: usize = 250;
/// The file of the evidence that keeps the seed.
const SEED: &str = "seed";

/// Options of `trefoil guard tune`.
#[derive(Debug, Args)]
pub(crate) struct Tune {
    /// The guard; the chosen pair is written to --output
    #[arg(long, value_name = "GUARD.safetensors")]
    guard: PathBuf,
    /// Logits of members: an .npz or .npy array, N rows of one logit per class
    #[arg(long, value_name = "MEMBERS.npz")]
    members: PathBuf,
    /// Logits of non-members
    #[arg(long, value_name = "NON-MEMBERS.npz")]
    non_members: PathBuf,
    /// Where to write the guard with the chosen pair
    #[arg(long, value_name = "TUNED.safetensors")]
    output: PathBuf,
    /// Where to keep the grid's cells (to go on after an interruption), its table and its picture
    #[arg(long, value_name = "FOLDER", default_value = "guard-tune")]
    evidence: PathBuf,
    /// Steps in each search
    #[arg(
        long,
        value_name = "N,..",
        value_delimiter = ',',
        default_value = "10,19,38,75"
    )]
    inner: Vec<u32>,
    /// Lengths of a step
    #[arg(
        long,
        value_name = "B,..",
        value_delimiter = ',',
        default_value = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0"
    )]
    beta: Vec<f64>,
    /// Searches
    #[arg(long, default_value_t = 3)]
    outer: u32,
    /// Epochs of the attackers
    #[arg(long, default_value_t = 100)]
    epochs: usize,
    #[command(flatten)]
    seed: SeedOption,
}

/// What one pair does.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cell {
    inner: u32,
    beta: f64,
    /// Balanced accuracy, either way, of an attacker trained on unguarded answers.
    accuracy: f64,
    /// The same for an attacker trained on guarded answers.
    adaptive: f64,
    /// Share of the answers that the guard changed.
    changed: f64,
}

impl Cell {
    /// What the better attacker reaches.
    fn worst(&self) -> f64 {
        self.accuracy.max(self.adaptive)
    }
}

/// The grid's data: the halves that attackers learn from and are tried on.
struct Halves {
    learn: [Array2<f64>; 2],
    tried: [Array2<f64>; 2],
    seed: u64,
}

/// Try the grid, choose, write, and tell.
pub(super) fn run(arguments: &Tune, json: bool) -> Result<(), Failure> {
    let inputs = Inputs::default()
        .with("--guard", [&arguments.guard])
        .with("--members", [&arguments.members])
        .with("--non-members", [&arguments.non_members]);
    inputs.check()?;
    // The tuned guard may take the place of the one that it was made of.
    let others = Inputs::default()
        .with("--members", [&arguments.members])
        .with("--non-members", [&arguments.non_members]);
    Destination::new("--output", &arguments.output, &others)?;
    let mut evidence = OutputFolder::new("--evidence", &arguments.evidence)?;
    let guard = match load(&arguments.guard)? {
        Guard::Siguard(guard) => guard,
        Guard::Table(_) => {
            return Err(Failure::new(format!(
                "{} is a table guard: it has no steps to tune",
                arguments.guard.display()
            ))
            .help(
                "a table is ready when it is trained; tuning is for guards of --method siguard",
            ));
        }
    };
    let halves = halves(arguments, &guard)?;
    let attacker = attacker(
        arguments,
        halves.seed,
        &halves.learn.each_ref().map(|rows| softmax(rows.view())),
    )?;
    let pairs: Vec<(u32, f64)> = arguments
        .inner
        .iter()
        .flat_map(|&inner| arguments.beta.iter().map(move |&beta| (inner, beta)))
        .collect();
    if pairs.is_empty() {
        return Err(Failure::misuse("the grid is empty").help("give --inner and --beta values"));
    }
    let kept = evidence.make()?.join(SEED);
    if arguments.seed.given().is_none() {
        write_whole(&kept, halves.seed.to_string().as_bytes()).map_err(Failure::new)?;
    }
    let bar = Counter::new("trying the grid", pairs.len() as u64);
    let mut cells = Vec::with_capacity(pairs.len());
    for (index, &(inner, beta)) in pairs.iter().enumerate() {
        bar.at(index as u64, format!("inner {inner}, beta {beta}"));
        let steps = Steps {
            outer: arguments.outer,
            inner,
            beta,
        };
        cells.push(cell(arguments, &guard, &halves, &attacker, steps)?);
    }
    drop(bar);
    let unguarded = balanced(
        &attacker,
        &halves.tried.each_ref().map(|rows| softmax(rows.view())),
    );
    let Some(best) = choose(&cells) else {
        return Err(Failure::new("the grid is empty"));
    };
    let steps = Steps {
        outer: arguments.outer,
        inner: best.inner,
        beta: best.beta,
    };
    let tuned = with_steps(&guard, steps).map_err(Failure::new)?;
    tuned.save(&arguments.output).map_err(Failure::new)?;
    let picture = picture(arguments, &cells)?;
    if json {
        return print::json(&serde_json::json!({
            "output": arguments.output.display().to_string(),
            "chosen": best,
            "unguarded": unguarded,
            "cells": cells,
            "picture": picture.display().to_string(),
        }));
    }
    table(arguments, &cells)?;
    print::line(format!(
        "without a guard the attacker reaches {:.1} %; chosen: {} x {} steps of {}, with which it reaches {:.1} % \
         (trained on guarded answers: {:.1} %) and {:.0} % of the answers change",
        100.0 * unguarded,
        arguments.outer,
        best.inner,
        best.beta,
        100.0 * best.accuracy,
        100.0 * best.adaptive,
        100.0 * best.changed
    ))?;
    print::line(format!("guard: {}", arguments.output.display()))?;
    print::line(format!("picture: {}", picture.display()))
}

fn halves(arguments: &Tune, guard: &GuardFile) -> Result<Halves, Failure> {
    let mut halves = [Vec::new(), Vec::new()];
    for path in [&arguments.members, &arguments.non_members] {
        let rows = logits(path, LOGIT_LIMIT)?;
        if rows.nrows() < 4 {
            return Err(Failure::new(format!(
                "{} has {} rows; tuning needs at least 4 members and 4 non-members",
                path.display(),
                rows.nrows()
            ))
            .help("give logits of some hundred records of each kind"));
        }
        let (expected, actual) = (guard.settings.classes(), rows.ncols());
        if expected != actual {
            let error = trefoil_guard::GuardError::Width { expected, actual };
            return Err(Failure::new(format!("{}: {error}", path.display())));
        }
        let middle = rows.nrows() / 2;
        halves[0].push(rows.slice(s![..middle, ..]).to_owned());
        halves[1].push(rows.slice(s![middle.., ..]).to_owned());
    }
    let pair = |half: Vec<Array2<f64>>| {
        <[Array2<f64>; 2]>::try_from(half).map_err(|_| Failure::new("two sides are needed"))
    };
    let [learn, tried] = halves;
    Ok(Halves {
        learn: pair(learn)?,
        tried: pair(tried)?,
        seed: match arguments.seed.given().or_else(|| kept_seed(arguments)) {
            Some(seed) => seed,
            None => arguments.seed.value()?,
        },
    })
}

/// The seed of the run whose evidence is there, so that this one goes on with it.
fn kept_seed(arguments: &Tune) -> Option<u64> {
    let text = fs::read_to_string(arguments.evidence.join(SEED)).ok()?;
    text.trim().parse().ok()
}

/// NN-M on the sorted confidences of both sides.
fn attacker(
    arguments: &Tune,
    seed: u64,
    [members, others]: &[Array2<f64>; 2],
) -> Result<MembershipClassifier, Failure> {
    let options = MembershipOptions {
        epochs: arguments.epochs,
        ..MembershipOptions::attack(seed)
    };
    MembershipClassifier::train(
        sorted(members).view(),
        sorted(others).view(),
        &MembershipClassifier::ATTACK,
        &options,
        &mut |_| (),
    )
    .map_err(Failure::new)
}

/// Each row in descending order: what membership shows in does not depend on the class.
fn sorted(rows: &Array2<f64>) -> Array2<f64> {
    let mut sorted = rows.clone();
    for mut row in sorted.rows_mut() {
        let mut values: Vec<f64> = row.to_vec();
        values.sort_by(|a, b| b.total_cmp(a));
        row.iter_mut().zip(values).for_each(|(to, v)| *to = v);
    }
    sorted
}

/// The balanced accuracy, either way, of an attacker on answers for members and non-members.
fn balanced(attacker: &MembershipClassifier, sides: &[Array2<f64>; 2]) -> f64 {
    let share = |rows: &Array2<f64>| {
        let scores = attacker.scores(sorted(rows).view()).unwrap_or_default();
        scores.iter().filter(|&&score| score > 0.0).count() as f64 / rows.nrows().max(1) as f64
    };
    let accuracy = 0.5 + (share(&sides[0]) - share(&sides[1])) / 2.0;
    accuracy.max(1.0 - accuracy)
}

fn with_steps(guard: &GuardFile, steps: Steps) -> Result<GuardFile, trefoil_guard::GuardError> {
    let mut settings: Settings = guard.settings.clone();
    settings.steps = steps;
    // Ranges depend on the searches.
    guard.classifier.fit(&mut settings);
    GuardFile::new(settings, guard.classifier.clone())
}

/// One pair: from the evidence if it is there, else tried and kept.
fn cell(
    arguments: &Tune,
    guard: &GuardFile,
    halves: &Halves,
    attacker_of_plain: &MembershipClassifier,
    steps: Steps,
) -> Result<Cell, Failure> {
    let guard = with_steps(guard, steps).map_err(Failure::new)?;
    let path = arguments.evidence.join(name(arguments, &guard, halves));
    if let Ok(text) = fs::read_to_string(&path)
        && let Ok(cell) = serde_json::from_str(&text)
    {
        return Ok(cell);
    }
    let tried = halves
        .tried
        .each_ref()
        .map(|rows| guarded(&guard, rows, halves.seed));
    let learn = halves
        .learn
        .each_ref()
        .map(|rows| guarded(&guard, rows, halves.seed));
    let adaptive = attacker(arguments, halves.seed, &learn)?;
    let changed = |(rows, answers): (&Array2<f64>, &Array2<f64>)| {
        let distance = (&softmax(rows.view()) - answers)
            .mapv(f64::abs)
            .sum_axis(Axis(1));
        distance.iter().filter(|&&d| d > 0.01).count()
    };
    let count: usize = halves.tried.iter().map(Array2::nrows).sum();
    let cell = Cell {
        inner: steps.inner,
        beta: steps.beta,
        accuracy: balanced(attacker_of_plain, &tried),
        adaptive: balanced(&adaptive, &tried),
        changed: halves.tried.iter().zip(&tried).map(changed).sum::<usize>() as f64 / count as f64,
    };
    let text = serde_json::to_vec_pretty(&cell).map_err(Failure::new)?;
    write_whole(&path, &text).map_err(Failure::new)?;
    Ok(cell)
}

/// A cell's file: named by all that it follows from.
fn name(arguments: &Tune, guard: &GuardFile, halves: &Halves) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&guard.digest());
    for half in halves.learn.iter().chain(&halves.tried) {
        for v in half {
            hasher.update(&v.to_le_bytes());
        }
    }
    hasher.update(&(arguments.epochs as u64).to_le_bytes());
    hasher.update(&halves.seed.to_le_bytes());
    format!("{}.json", &hasher.finalize().to_hex()[..24])
}

/// The guarded confidences of logits, in fixed point.
fn guarded(guard: &GuardFile, rows: &Array2<f64>, seed: u64) -> Array2<f64> {
    let mut coins = *b"trefoil tuning--";
    coins[8..].copy_from_slice(&seed.to_le_bytes());
    let backend = Fixed::<Z64>::new(guard.settings.format(), coins);
    let Ok(network) = ready(LoadedClassifier::public(
        &backend,
        &guard.settings,
        &guard.classifier,
    ));
    let parts: Vec<Array2<f64>> = rows
        .axis_chunks_iter(Axis(0), ROWS)
        .map(|chunk| {
            let z = chunk
                .mapv(|v| guard.settings.format().encode::<Z64>(v))
                .into_dyn();
            let Ok(s) = ready(protect(&backend, &guard.settings, &network, &z));
            let s = backend.decode(s.view());
            s.into_dimensionality().unwrap_or_default()
        })
        .collect();
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(0), &views).unwrap_or_default()
}

/// Of the pairs within a point of the best, the one with the fewest steps, and of those the shortest.
fn choose(cells: &[Cell]) -> Option<&Cell> {
    let least = cells.iter().map(Cell::worst).fold(f64::INFINITY, f64::min);
    cells
        .iter()
        .filter(|cell| cell.worst() <= least + 0.01)
        .min_by(|a, b| a.inner.cmp(&b.inner).then(a.beta.total_cmp(&b.beta)))
}

fn table(arguments: &Tune, cells: &[Cell]) -> Result<(), Failure> {
    let betas = arguments.beta.iter().map(|beta| format!("beta {beta}"));
    let header: Vec<String> = std::iter::once("inner".to_owned()).chain(betas).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = summary::table(&header);
    for (inner, row) in arguments
        .inner
        .iter()
        .zip(cells.chunks(arguments.beta.len()))
    {
        let values = row.iter().map(|cell| {
            format!(
                "{:.1} / {:.1}",
                100.0 * cell.accuracy,
                100.0 * cell.adaptive
            )
        });
        table.add_row(std::iter::once(inner.to_string()).chain(values));
    }
    print::line("attack accuracy in percent: trained on unguarded / on guarded answers")?;
    print::line(table.trim_fmt())
}

/// Figure 5 of SIGuard: the better attacker's accuracy over the grid.
fn picture(arguments: &Tune, cells: &[Cell]) -> Result<PathBuf, Failure> {
    let rows = cells.chunks(arguments.beta.len());
    let figure = Figure::HeatMap(HeatMap {
        title: format!(
            "The better attacker's accuracy, {} searches",
            arguments.outer
        ),
        column_axis: "length of a step, beta".into(),
        columns: arguments.beta.iter().map(ToString::to_string).collect(),
        row_axis: "steps in a search".into(),
        rows: arguments.inner.iter().map(ToString::to_string).collect(),
        quantity: "balanced accuracy, %".into(),
        values: rows
            .map(|row| row.iter().map(|cell| 100.0 * cell.worst()).collect())
            .collect(),
    });
    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf, Failure> {
        let path: &Path = &arguments.evidence.join(name);
        write_whole(path, bytes).map_err(Failure::new)?;
        Ok(path.to_owned())
    };
    write("grid.svg", figure.svg().map_err(Failure::new)?.as_bytes())?;
    let text = serde_json::to_vec_pretty(cells).map_err(Failure::new)?;
    write("grid.json", &text)?;
    write("grid.png", &figure.png().map_err(Failure::new)?)
}
