//! `trefoil audit`: does what a party receives depend on secrets?

use crate::options::SeedOption;
use crate::{Bar, Destination, Failure, Inputs, OutputFolder, print, summary};
use clap::Args;
use comfy_table::{CellAlignment, Table};
use std::path::{Path, PathBuf};
use std::time::Instant;
use trefoil_audit::attack::{
    Attack, Extent, FirstLayer, Judge, PictureClassifier, Preparation, Subject, subjects,
};
use trefoil_audit::pictures::Picture;
use trefoil_audit::{Control, Options, Report, Verdict, html, p_value};
use trefoil_nn::Graph;

/// Runs per party and secret of a full audit.
const FULL_RUNS: usize = 1024;
/// Runs per party and secret of a quick audit.
const QUICK_RUNS: usize = 256;

/// Options of `trefoil audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// A quarter of the runs, for a first look
    #[arg(long)]
    quick: bool,
    /// Audit only protocols whose name contains this (may be given several times)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Runs per party and secret [default: 1024, with --quick 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=100_000))]
    runs: Option<u32>,
    /// Folder with MNIST, CIFAR-10, the ORL faces and models, laid out as docs/audit.md says, whose pictures are
    /// recovered from the broken protocol [default: drawn digits]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Leave the attack on the broken protocol out
    #[arg(long)]
    no_pictures: bool,
    /// Write the report, with pictures, as an HTML file that needs no other
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the pictures as PNG files into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "no_pictures")]
    png: Option<PathBuf>,
    #[command(flatten)]
    seed: SeedOption,
}

/// Audit and print what was found.
pub(crate) fn run(arguments: &Audit, json: bool) -> Result<(), Failure> {
    let start = Instant::now();
    let bar = Bar::new("starting");
    let seed = arguments.seed.value()?;
    let default = if arguments.quick {
        QUICK_RUNS
    } else {
        FULL_RUNS
    };
    let options = Options {
        runs: arguments.runs.map_or(default, |runs| runs as usize),
        seed,
        only: arguments.only.clone(),
    };
    let (page, mut pictures) = arguments.places()?;
    let subjects = arguments.subjects()?;
    let report = trefoil_audit::run(&options, &subjects, &mut |progress| {
        bar.count(progress.done, progress.all, progress.name);
    })?;
    drop(bar);
    if let Some(page) = &page {
        page.write_bytes(html(&report)?.as_bytes())?;
    }
    if let Some(folder) = &mut pictures {
        write_pictures(&report, folder.make()?)?;
    }
    if json {
        print::json(&report)?;
    } else {
        print_tables(&report)?;
        print::line(format!(
            "seed {seed}, {}",
            print::time(start.elapsed().as_secs_f64())
        ))?;
    }
    judge(&report)
}

impl Audit {
    /// What the broken protocol is attacked with.
    fn subjects(&self) -> Result<Vec<Subject>, Failure> {
        if self.no_pictures {
            return Ok(Vec::new());
        }
        let extent = if self.quick {
            Extent::Quick
        } else {
            Extent::Full
        };
        match &self.data {
            Some(folder) => Ok(subjects(folder, extent)?),
            None => Ok(vec![drawn_digits(extent)?]),
        }
    }

    /// The page and the folder of pictures, if they are asked for and can be written, before the work rather than after it.
    fn places(&self) -> Result<(Option<Destination>, Option<OutputFolder>), Failure> {
        let inputs = Inputs::default().with("--data", &self.data);
        let page = self.html.as_deref();
        let page = page.map(|path| Destination::new("--html", path, &inputs));
        let folder = self.png.as_deref();
        let folder = folder.map(|path| OutputFolder::new("--png", path));
        Ok((page.transpose()?, folder.transpose()?))
    }
}

/// Write the pictures that were recovered to `folder`.
fn write_pictures(report: &Report, folder: &Path) -> Result<(), Failure> {
    for attack in &report.attacks {
        let name = attack.name.to_lowercase().replace(' ', "-") + ".png";
        let file = Destination::new("--png", &folder.join(name), &Inputs::default())?;
        file.write_bytes(&attack.png()?)?;
    }
    Ok(())
}

/// Digits drawn by this project and its own small network: nothing has to be downloaded.
fn drawn_digits(extent: Extent) -> Result<Subject, Failure> {
    let count = if extent == Extent::Quick { 10 } else { 100 };
    let unreadable = |error| Failure::new(format!("the built-in model: {error}"));
    let served = Graph::from_bytes(trefoil_digits::LENET5, "lenet5.onnx").map_err(unreadable)?;
    let judge = Graph::from_bytes(trefoil_digits::MODEL, "digits.onnx").map_err(unreadable)?;
    let pictures = |count, seed| {
        let (drawn, labels) = trefoil_digits::generate(count, seed);
        let side = trefoil_digits::SIDE;
        let one = |i| {
            let pixels = trefoil_digits::picture(&drawn, i).iter().copied().collect();
            Picture::new([1, side, side], pixels)
        };
        let labels: Vec<usize> = labels.into_iter().map(usize::from).collect();
        ((0..count).map(one).collect::<Vec<_>>(), labels)
    };
    let (victims, labels) = pictures(count, 1);
    let plain = || Preparation::scale(1, 1.0);
    Ok(Subject {
        name: "drawn digits".to_owned(),
        network: "LeNet-5, first convolution".to_owned(),
        layer: FirstLayer::of(&served, plain())?,
        victims,
        labels,
        public: pictures(200, 2).0,
        judge: Judge::Classifier(Box::new(PictureClassifier::new(
            &judge,
            "the demo's network, another one",
            plain(),
        )?)),
    })
}

fn print_tables(report: &Report) -> Result<(), Failure> {
    let header = ["protocol", "party", "messages", "received", "p", "verdict"];
    let mut table = verdicts(&header);
    for verdict in &report.protocols {
        table.add_row(row(verdict));
    }
    if !report.protocols.is_empty() {
        print::line(table.trim_fmt())?;
        print::line("")?;
    }
    if !report.controls.is_empty() {
        let mut table = verdicts(&header);
        for verdict in report.controls.iter().flat_map(|c| &c.verdicts) {
            table.add_row(row(verdict));
        }
        print::line("controls: broken on purpose, each must leak")?;
        print::line(table.trim_fmt())?;
        print::line("")?;
    }
    for attack in &report.attacks {
        print_attack(attack)?;
    }
    print::line(conclusion(report))
}

fn print_attack(attack: &Attack) -> Result<(), Failure> {
    print::line(format!(
        "{} of {}: {} signs a picture; judged by {}, which has {:.0} % of the originals right",
        attack.count,
        attack.name,
        attack.bits_per_picture,
        attack.judge,
        100.0 * attack.originals_right
    ))?;
    let mut table = summary::table(&["recovered from", "signs told", "PSNR", "SSIM", "right"]);
    for condition in &attack.conditions {
        table.add_row([
            condition.name.clone(),
            format!("{:.2} %", 100.0 * condition.signs),
            format!("{:.1} dB", condition.psnr),
            format!("{:.3}", condition.ssim),
            format!("{:.0} %", 100.0 * condition.right),
        ]);
    }
    print::line(table.trim_fmt())?;
    for condition in attack.conditions.iter().filter(|c| !c.note.is_empty()) {
        print::line(format!("  {}: {}", condition.name, condition.note))?;
    }
    for guess in &attack.guesses {
        print::line(format!("  Trefoil, {}", guess.sentence()))?;
    }
    print::line("")
}

/// A table whose last column is text, too.
fn verdicts(header: &[&str]) -> Table {
    let mut table = summary::table(header);
    if let Some(column) = table.column_iter_mut().last() {
        column.set_cell_alignment(CellAlignment::Left);
    }
    table
}

fn row(verdict: &Verdict) -> Vec<String> {
    let judged = match verdict.leaking().first() {
        Some(finding) => format!("LEAK: {}", finding.test.complaint()),
        None if verdict.messages == 0 => "receives nothing".to_owned(),
        None => "no leak found".to_owned(),
    };
    vec![
        verdict.protocol.clone(),
        verdict.party.index().to_string(),
        verdict.messages.to_string(),
        print::bytes(verdict.bytes as u64),
        p_value(verdict.p()),
        judged,
    ]
}

fn conclusion(report: &Report) -> String {
    let (leaks, missed) = (report.leaks().count(), report.missed().count());
    let views = print::count(report.protocols.len(), "view");
    let controls = print::count(report.controls.len(), "control");
    format!(
        "{views} of the product, {leaks} with a leak; {controls}, {missed} missed. {} runs per view and \
         secret find deviations of a word from {:.3} on (Cramér's V, 99 of 100 times), at a false-alarm \
         probability of {:.0e} per view",
        report.runs, report.detectable_effect, report.level
    )
}

/// The exit code says whether the product is as it should be.
fn judge(report: &Report) -> Result<(), Failure> {
    if let Some(verdict) = report.leaks().next() {
        let message = format!("{} leaks to {}", verdict.protocol, verdict.party);
        return Err(Failure::found(message).help(format!(
            "run `trefoil audit --only \"{}\" --seed {} --json` for every test's result; \
             another seed tells a leak from a false alarm",
            verdict.protocol, verdict.seed
        )));
    }
    if let Some((attack, guess)) = report.guessed().next() {
        return Err(Failure::found(format!(
            "{} tells {:.2} % of the signs of {}: more or less than chance",
            guess.party,
            100.0 * guess.rate,
            attack.name
        ))
        .help("another --seed tells a leak from a false alarm, which comes once in a thousand guesses"));
    }
    if let Some(Control { verdicts, .. }) = report.missed().next() {
        let name = verdicts.first().map_or("", |verdict| &verdict.protocol);
        return Err(
            Failure::new(format!("the audit missed its control `{name}`"))
                .help("use more --runs: with so few the audit finds too little"),
        );
    }
    Ok(())
}
