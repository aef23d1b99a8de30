//! `trefoil lab paper`: `SIGuard`'s tables and figures, each beside ours.

mod attacked;
mod costs;
mod desk;
mod guards;
mod kept;
mod networks;
mod page;
mod pictures;
mod said;
mod training;

use self::desk::Desk;
use self::kept::Kept;
use self::page::Page;
use super::options::{DataOption, TrainingOption};
use super::teller::Teller;
use crate::{Failure, OutputFolder, print};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use trefoil_lab::report::write_whole;

/// Options of `trefoil lab paper`.
#[derive(Debug, Args)]
pub(super) struct Paper {
    /// Which tables and figures, such as T5,F8 [default: all]
    #[arg(long, value_name = "ITEM,..", value_delimiter = ',')]
    only: Vec<String>,
    /// How much of the paper's effort is spent
    #[arg(long, value_enum, default_value_t = Effort::Minutes)]
    scale: Effort,
    #[command(flatten)]
    data: DataOption,
    /// Where the page and its pictures go; what is there already is not made again
    #[arg(short, long, value_name = "FOLDER", default_value = "paper")]
    output: PathBuf,
    /// Draws all that is random
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    training: TrainingOption,
}

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Effort {
    /// Some seconds an item: generated records only, a glimpse at the page's form
    Seconds,
    /// Minutes an item
    Minutes,
    /// The paper's numbers of records, epochs, models and steps: days
    Paper,
}

impl Effort {
    fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Paper => "paper",
        }
    }
}

/// A table or figure of the paper.
struct Item {
    /// `T5`, or `F8`.
    name: &'static str,
    title: &'static str,
    make: fn(&mut Desk<'_>) -> Result<Page, Failure>,
}

/// All of them, in the page's order.
#[rustfmt::skip]
const ITEMS: &[Item] = &[
    Item { name: "T2", title: "Table II: attacks on plaintext and on four softmaxes", make: attacked::extremes },
    Item { name: "T3", title: "Table III: attacks without and with the guard", make: attacked::overall },
    Item { name: "T4", title: "Table IV: use and attack, the guard and HAMP", make: attacked::hamp },
    Item { name: "F4", title: "Figure 4: steps that MemGuard takes", make: pictures::iterations },
    Item { name: "F5", title: "Figure 5: number and length of steps", make: pictures::tuning },
    Item { name: "F6", title: "Figure 6: ROC of LiRA", make: pictures::curves },
    Item { name: "T5", title: "Table V: cost by steps and classes, LAN", make: costs::lan },
    Item { name: "F7", title: "Figure 7: cost up to 400 classes", make: costs::classes },
    Item { name: "F8", title: "Figure 8: parts of the guard", make: |_| Ok(costs::parts()) },
    Item { name: "T6", title: "Table VI: cost on a WAN", make: costs::wan },
    Item { name: "F9", title: "Figure 9: the guard's part of an inference, LAN", make: networks::lan },
    Item { name: "F10", title: "Figure 10: the guard's part of an inference, WAN", make: networks::wan },
    Item { name: "T7", title: "Table VII: training with a defence, CIFAR-10", make: training::cifar10 },
    Item { name: "T8", title: "Table VIII: training with a defence, CIFAR-100", make: training::cifar100 },
    Item { name: "T9", title: "Table IX: training with a defence, so many epochs", make: training::fixed },
    Item { name: "T10", title: "Table X: attacks by softmax, without and with the guard", make: attacked::by_softmax },
];

impl Paper {
    pub(super) fn run(&self, json: bool) -> Result<(), Failure> {
        let start = Instant::now();
        let items = chosen(&self.only)?;
        self.training.apply()?;
        let mut place = OutputFolder::new("--output", &self.output)?;
        let folder = place.make()?.to_owned();
        let teller = Teller::new(json);
        let mut desk = Desk::new(self.scale, self.seed, self.data.folder(), &folder, &teller);
        let mut found = Vec::new();
        for (at, item) in items.iter().enumerate() {
            desk.say(&format!("{} of {}: {}", at + 1, items.len(), item.title));
            found.push((*item, Kept::made(item.name, &mut desk, item.make)?));
        }
        drop(teller);
        let text = self.page(&found);
        let page = folder.join("results.md");
        write_whole(&page, text.as_bytes())?;
        if json {
            let items: Vec<_> = found
                .iter()
                .map(|(item, kept)| {
                    json!({
                        "item": item.name, "title": item.title, "rows": kept.rows, "lacks": kept.lacks,
                        "seconds": kept.seconds,
                    })
                })
                .collect();
            return print::json(&json!({ "page": page.display().to_string(), "items": items }));
        }
        print::line(&text)?;
        print::line(format!(
            "page: {} (after {:.0} s; a second run takes what is there)",
            page.display(),
            start.elapsed().as_secs_f64()
        ))
    }

    /// The page of all items.
    fn page(&self, found: &[(&Item, Kept)]) -> String {
        let mut text = format!(
            "# SIGuard's tables and figures beside ours\n\nScale `{}`, seed {}. Attacks are in % of balanced accuracy. \
             Networks are emulated: LAN 0.1 ms one way and 10 Gbit/s, WAN 10 ms and 100 Mbit/s; three parties share this \
             machine's processor. Bytes are those that all parties send together.\n",
            self.scale.name(),
            self.seed,
        );
        for (item, kept) in found {
            let _ = write!(text, "\n## {} — {}\n\n{}", item.name, item.title, kept.text);
        }
        text
    }
}

/// The items of these names, in the page's order; all if there are no names.
fn chosen(names: &[String]) -> Result<Vec<&'static Item>, Failure> {
    let known = |name: &String| {
        ITEMS
            .iter()
            .any(|item| item.name.eq_ignore_ascii_case(name))
    };
    if let Some(name) = names.iter().find(|name| !known(name)) {
        let all: Vec<&str> = ITEMS.iter().map(|item| item.name).collect();
        let help = format!("choose from {}", all.join(", "));
        return Err(Failure::misuse(format!("there is no item {name}")).help(help));
    }
    let wanted = |item: &&Item| {
        names.is_empty()
            || names
                .iter()
                .any(|name| item.name.eq_ignore_ascii_case(name))
    };
    Ok(ITEMS.iter().filter(wanted).collect())
}

/// The command that makes one item.
fn command(name: &str, scale: Effort, seed: u64, data: &Path) -> String {
    format!(
        "trefoil lab paper --only {name} --scale {} --seed {seed} --data {}",
        scale.name(),
        data.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_chosen_by_name() {
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(ToString::to_string).collect();
            chosen(&only).map(|items| items.iter().map(|item| item.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["f8", "T5"]).unwrap(), ["T5", "F8"]);
        assert_eq!(names(&[]).unwrap().len(), ITEMS.len());
        let error = names(&["T11"]).unwrap_err().to_string();
        assert!(error.contains("T11"), "{error}");
    }
}
