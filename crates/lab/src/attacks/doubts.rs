//! What looks wrong about the files that an attack was given.

use super::{Battery, Outputs, Verdict};
use crate::Sides;
use std::collections::HashMap;
use trefoil_nn::label_doubts;

/// Shares of tied pairs above this are told.
const TIES: f64 = 0.05;
/// How many standard errors a difference must have to be told.
const SURE: f64 = 3.0;
/// Fewer records on a side say nothing.
const FEW: usize = 20;

/// Sentences on what looks wrong about outputs and labels, each with the reason: labels of other records or counted from
/// 1, sides that seem swapped. None of them is certain, so nothing is refused.
pub fn doubts(target: &Sides<Outputs>, shadow: Option<&Sides<Outputs>>) -> Vec<String> {
    let mut found = Vec::new();
    labels(&mut found, "", target);
    sides(&mut found, "", target);
    if let Some(shadow) = shadow {
        labels(&mut found, "shadow ", shadow);
        sides(&mut found, "shadow ", shadow);
    }
    found
}

/// Sentences on what the verdicts show: members that score below non-members in most attacks, and scores that are equal
/// so often that the numbers say more about ties than about the attack.
pub fn doubts_of_verdicts(battery: &Battery) -> Vec<String> {
    let mut found = Vec::new();
    let scored: Vec<&Verdict> = battery
        .verdicts
        .iter()
        .filter(|verdict| !verdict.floor)
        .collect();
    let below: Vec<&str> = scored
        .iter()
        .filter(|verdict| turned(verdict))
        .map(|verdict| verdict.attack.as_str())
        .collect();
    if 2 * below.len() > scored.len() {
        found.push(format!(
            "{} of {} attacks ({}) give members lower scores than non-members: members and non-members look swapped; \
             if they are, thresholds and the numbers under `balanced accuracy` are turned round, those under \
             `either way` are not",
            below.len(),
            scored.len(),
            below.join(", ")
        ));
    }
    for verdict in scored {
        let tied = tied(&verdict.scores);
        if tied > TIES {
            found.push(format!(
                "{}: {:.0} % of the pairs of a member and a non-member have equal scores; ties count one half in the AUC, \
                 and a rate at a low FPR is that of the next higher score",
                verdict.attack,
                100.0 * tied
            ));
        }
    }
    found
}

fn labels(found: &mut Vec<String>, whose: &str, sides: &Sides<Outputs>) {
    for (side, outputs) in [
        ("members", &sides.members),
        ("non-members", &sides.nonmembers),
    ] {
        if !outputs.labelled() || outputs.records() < FEW {
            continue;
        }
        let (predicted, classes) = (outputs.predicted(), outputs.classes());
        if let Some(doubt) = label_doubts::doubt(&predicted, outputs.labels(), classes) {
            found.push(format!("the labels of the {whose}{side}: {doubt}"));
        }
    }
}

fn sides(found: &mut Vec<String>, whose: &str, sides: &Sides<Outputs>) {
    if !(sides.members.labelled() && sides.nonmembers.labelled()) {
        return;
    }
    let accuracy = sides.as_ref().map(Outputs::accuracy);
    let variance = |p: f64, outputs: &Outputs| p * (1.0 - p) / outputs.records() as f64;
    let error = (variance(accuracy.members, &sides.members)
        + variance(accuracy.nonmembers, &sides.nonmembers))
    .sqrt();
    let few = sides.members.records().min(sides.nonmembers.records()) < FEW;
    if !few && accuracy.nonmembers - accuracy.members > SURE * error.max(1e-9) {
        found.push(format!(
            "the model is right for {:.1} % of the {whose}members and {:.1} % of the {whose}non-members; a model is \
             rarely better on what it has not seen: the two look swapped",
            100.0 * accuracy.members,
            100.0 * accuracy.nonmembers
        ));
    }
}

/// Whether members' scores are lower by more than chance explains.
fn turned(verdict: &Verdict) -> bool {
    let Ok(curve) = crate::metrics::Roc::new(&verdict.scores) else {
        return false;
    };
    let (m, n) = (
        verdict.scores.members.len() as f64,
        verdict.scores.nonmembers.len() as f64,
    );
    // The deviation of the area where nothing tells the sides apart (Mann and Whitney 1947).
    let deviation = ((m + n + 1.0) / (12.0 * m * n)).sqrt();
    curve.auc() < 0.5 - SURE * deviation
}

/// The share of pairs of a member and a non-member with equal scores.
fn tied(scores: &Sides<Vec<f64>>) -> f64 {
    let mut members: HashMap<u64, usize> = HashMap::new();
    // Both zeros are one.
    let key = |score: f64| (score + 0.0).to_bits();
    for &score in &scores.members {
        *members.entry(key(score)).or_default() += 1;
    }
    let equal = |&score: &f64| members.get(&key(score)).copied().unwrap_or(0);
    let pairs = scores.members.len() as f64 * scores.nonmembers.len() as f64;
    scores.nonmembers.iter().map(equal).sum::<usize>() as f64 / pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// Records of three classes, sure of class `record % 3`, with labels by `label`.
    fn outputs(label: impl Fn(usize) -> usize) -> Outputs {
        let confidences =
            Array2::from_shape_fn(
                (60, 3),
                |(record, class)| {
                    if record % 3 == class { 0.9 } else { 0.05 }
                },
            );
        Outputs::new("o", confidences, (0..60).map(label).collect()).unwrap()
    }

    fn only(target: Sides<Outputs>) -> String {
        let found = doubts(&target, None);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }

    #[test]
    fn labels_that_are_not_the_records_are_told_and_good_ones_are_not() {
        let good = || outputs(|record| record % 3);
        assert_eq!(doubts(&Sides::new(good(), good()), None), [] as [String; 0]);
        // Class numbers 1 and 2 only, so that none is above the last.
        let class = |record: usize| record * record % 7 % 2;
        let ones = Outputs::new(
            "o",
            Array2::from_shape_fn((60, 3), |(r, c)| if class(r) == c { 0.9 } else { 0.05 }),
            (0..60).map(|record| class(record) + 1).collect(),
        );
        let found = doubts(&Sides::new(ones.unwrap(), good()), None).join("\n");
        assert!(found.contains("counted from 1"), "{found}");
        let others = doubts(
            &Sides::new(good(), outputs(|record| (record / 3) % 3)),
            None,
        );
        let others = others.join("\n");
        assert!(others.contains("labels of other records would"), "{others}");
    }

    #[test]
    fn sides_that_are_swapped_are_told() {
        let good = outputs(|record| record % 3);
        let worse = outputs(|record| {
            if record < 20 {
                (record + 1) % 3
            } else {
                record % 3
            }
        });
        assert_eq!(
            doubts(&Sides::new(good.clone(), worse.clone()), None).len(),
            0
        );
        let text = only(Sides::new(worse, good));
        assert!(text.contains("look swapped"), "{text}");
    }

    #[test]
    fn turned_scores_and_ties_are_told() {
        let verdict = |attack: &str, members: Vec<f64>, nonmembers: Vec<f64>| Verdict {
            attack: attack.to_owned(),
            floor: false,
            scores: Sides::new(members, nonmembers),
            decisions: None,
            thresholds: String::new(),
        };
        let rising = |from: f64| (0..100).map(|i| from + f64::from(i)).collect::<Vec<_>>();
        let battery = Battery {
            verdicts: vec![
                verdict("a", rising(0.5), rising(40.0)),
                verdict("b", vec![1.0; 100], vec![1.0; 100]),
            ],
            skipped: Vec::new(),
        };
        let found = doubts_of_verdicts(&battery);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("b: 100 % of the pairs"), "{}", found[0]);
        let battery = Battery {
            verdicts: vec![verdict("a", rising(0.5), rising(40.0))],
            skipped: Vec::new(),
        };
        assert!(doubts_of_verdicts(&battery)[0].contains("look swapped"));
    }
}
