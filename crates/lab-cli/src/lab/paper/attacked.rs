//! Tables II, III, IV and X: what attacks reach.

use super::desk::{Desk, STAND_IN};
use super::page::{Page, Row};
use super::said::{ATTACKED, ATTACKS, Attacked, HAMP, SOFTMAXES};
use crate::Failure;
use trefoil_lab::attacks::Attacker;
use trefoil_lab::pipeline::{Evaluation, Outcome};

const UNIT: &str = "%";

/// The answers of this name.
fn answers<'a>(outcome: &'a Outcome, name: &str) -> Option<&'a Evaluation> {
    let mut all = outcome.evaluations.iter();
    all.find(|evaluation| evaluation.name == name)
}

/// What an attack reaches on answers, in %.
fn reached(outcome: &Outcome, name: &str, attack: &str, attacker: Attacker) -> Option<f64> {
    let all = &answers(outcome, name)?.results.attacks;
    let result = all
        .iter()
        .find(|r| r.attack == attack && r.attacker == attacker)?;
    Some(100.0 * result.evaluation.balanced_accuracy?.value)
}

/// The label-only floor of an experiment's target, in %.
fn floor(outcome: &Outcome) -> Option<f64> {
    let plain = answers(outcome, "plaintext")?;
    Some(100.0 * plain.results.label_only_floor?)
}

/// Make rows of every data set whose data is there; `said` is nothing for what the paper does not have.
fn each(
    desk: &mut Desk<'_>,
    mut rows: impl FnMut(Option<&Attacked>, &str, &Outcome, &mut Vec<Row>),
) -> Result<Page, Failure> {
    let mut page = Page::default();
    for said in &ATTACKED {
        match desk.experiment(said.data)? {
            Ok(outcome) => rows(Some(said), said.data, &outcome, &mut page.rows),
            Err(lack) => page.lacks.push(lack),
        }
    }
    let stand_in = desk.experiment(STAND_IN)?.map_err(Failure::new)?;
    rows(None, STAND_IN, &stand_in, &mut page.rows);
    if let Some(floor) = floor(&stand_in) {
        page.sentences.push(format!(
            "{STAND_IN}: records like Location30's that nobody has to obtain; right and wrong labels alone give {floor:.1} % there."
        ));
    }
    Ok(page)
}

/// The least and the most of the five attacks.
fn ends(values: impl Iterator<Item = Option<f64>>) -> [Option<f64>; 2] {
    let all: Vec<f64> = values.flatten().collect();
    let fold = |f: fn(f64, f64) -> f64| all.iter().copied().reduce(f);
    [fold(f64::min), fold(f64::max)]
}

/// Table II.
pub(super) fn extremes(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = each(desk, |said, data, outcome, rows| {
        let ways = std::iter::once("plaintext").chain(SOFTMAXES);
        for (at, way) in ways.enumerate() {
            let ours = ATTACKS.map(|attack| reached(outcome, way, attack, Attacker::Standard));
            let ours = ends(ours.into_iter());
            let paper = said.map(|said| match at {
                0 => said.plaintext.map(Some),
                _ => ends(said.unguarded[at - 1].iter().copied().map(Some)),
            });
            for (end, name) in ["lowest", "highest"].into_iter().enumerate() {
                let what = format!("{data}, {way}, {name}");
                let paper = paper.and_then(|ends| ends[end]);
                rows.push(Row::new(what, UNIT, paper, ours[end], "run, fixed point"));
            }
        }
    })?;
    page.sentences.push(
        "Below 50 % an attack is inverted: its thresholds did not fit. The attacker's models here answer with the target's own \
         softmax, which the paper's LiRA on Piranha (26.88 %) did not."
            .to_owned(),
    );
    Ok(page)
}

/// Table III.
pub(super) fn overall(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = each(desk, |said, data, outcome, rows| {
        let ways = [
            ("as19", Attacker::Standard, 0),
            ("as19 guarded", Attacker::Standard, 1),
            ("as19 guarded", Attacker::Adaptive, 2),
            ("table guard", Attacker::Adaptive, 2),
        ];
        for (way, attacker, column) in ways {
            for (at, attack) in ATTACKS.into_iter().enumerate() {
                let paper = said.and_then(|said| Some(said.overall.get(column)?[at]));
                let knows = if attacker == Attacker::Adaptive {
                    ", by who knows the guard"
                } else {
                    ""
                };
                let what = format!("{data}, {way}{knows}, {attack}");
                let ours = reached(outcome, way, attack, attacker);
                rows.push(Row::new(what, UNIT, paper, ours, "run, fixed point"));
            }
        }
    })?;
    page.sentences.push(
        "The paper's attackers do not know the guard, and the table guard is not the paper's. conf and Mentr know the true label: where \
         labels of members are right more often than others', 50.00 is thresholds that no longer fit, not a defence."
            .to_owned(),
    );
    Ok(page)
}

/// Table X.
pub(super) fn by_softmax(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = each(desk, |said, data, outcome, rows| {
        for (column, softmax) in SOFTMAXES.into_iter().enumerate() {
            for guarded in [false, true] {
                let way = if guarded {
                    format!("{softmax} guarded")
                } else {
                    softmax.to_owned()
                };
                let paper = said.map(|said| {
                    if guarded {
                        &said.guarded
                    } else {
                        &said.unguarded
                    }
                });
                for (at, attack) in ATTACKS.into_iter().enumerate() {
                    let what = format!("{data}, {way}, {attack}");
                    let ours = reached(outcome, &way, attack, Attacker::Standard);
                    let paper = paper.map(|five| five[column][at]);
                    rows.push(Row::new(what, UNIT, paper, ours, "run, fixed point"));
                }
            }
        }
    })?;
    page.sentences.push(
        "Attackers who do not know the guard, as in the paper; NN-M learns from a shadow model's answers here, not from the target's."
            .to_owned(),
    );
    Ok(page)
}

/// Table IV.
pub(super) fn hamp(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = Page::default();
    let ways = ["as19", "as19 guarded", "HAMP"];
    for (data, said) in HAMP {
        let outcome = match desk.experiment(data)? {
            Ok(outcome) => outcome,
            Err(lack) => {
                page.lacks.push(lack);
                continue;
            }
        };
        for (way, [right, attack]) in ways.into_iter().zip(said) {
            let utility = answers(&outcome, way).and_then(|e| e.results.utility.as_ref());
            let ours = utility.map(|utility| 100.0 * utility.accuracy());
            let what = format!("{data}, {way}, right labels");
            page.rows
                .push(Row::new(what, UNIT, Some(right), ours, "run, fixed point"));
            let what = format!("{data}, {way}, NN-M");
            let ours = reached(&outcome, way, "NN-M", Attacker::Standard);
            page.rows
                .push(Row::new(what, UNIT, Some(attack), ours, "run, fixed point"));
        }
    }
    page.sentences.push(
        "The paper's targets are trained on tens of thousands of pictures; those here on as many as the scale allows, so they are right \
         less often and leak more."
            .to_owned(),
    );
    Ok(page)
}
