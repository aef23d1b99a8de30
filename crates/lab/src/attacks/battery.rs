//! All attacks at once, as far as the evidence goes.

use super::lira::{self, Variant};
use super::rmia::{self, Population};
use super::{
    Outputs, References, Thresholds, Trainer, Verdict, conf, correctness, entr, mentr, nn, top,
};
use crate::{LabError, Sides};
use ndarray::ArrayView1;
use serde::Serialize;

/// What an attacker has.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The target's outputs for the records under attack.
    pub target: &'a Sides<Outputs>,
    /// Outputs of the attacker's shadow model, for choosing thresholds and training.
    pub shadow: Option<&'a Sides<Outputs>>,
    /// Reference models' outputs for the records under attack.
    pub references: Option<&'a Sides<References>>,
    /// Reference models' outputs for the shadow records, for choosing thresholds.
    pub shadow_references: Option<&'a Sides<References>>,
    /// Records to compare with (RMIA).
    pub population: Option<Population<'a>>,
    /// Records to compare with where the shadow model is the target (RMIA's threshold).
    pub shadow_population: Option<Population<'a>>,
    /// Trains the network of NN-M.
    pub trainer: Option<&'a dyn Trainer>,
    /// For the network's training.
    pub seed: u64,
}

impl<'a> Evidence<'a> {
    /// The target's outputs and nothing else.
    pub fn new(target: &'a Sides<Outputs>) -> Self {
        Self {
            target,
            shadow: None,
            references: None,
            shadow_references: None,
            population: None,
            shadow_population: None,
            trainer: None,
            seed: 0,
        }
    }
}

/// What the attacker knows of the defence; a column of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attacker {
    /// Nothing: the shadow outputs are undefended.
    Standard,
    /// All: the shadow outputs went through the same defence.
    Adaptive,
}

/// An attack that the evidence does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The attack.
    pub attack: String,
    /// A sentence on what is missing.
    pub reason: String,
}

/// The verdicts of all attacks.
#[derive(Debug, Clone, PartialEq)]
pub struct Battery {
    /// Of the attacks that ran.
    pub verdicts: Vec<Verdict>,
    /// Of those that could not.
    pub skipped: Vec<Skipped>,
}

/// Run every attack that `evidence` allows. The label-only attack by noise is not among them: it
/// asks the model itself ([`super::label_only`]).
///
/// # Errors
/// If shapes or classes do not fit together, or the network cannot be trained.
pub fn run_all(evidence: &Evidence<'_>) -> Result<Battery, LabError> {
    check_classes(evidence)?;
    let mut battery = Battery {
        verdicts: Vec::new(),
        skipped: Vec::new(),
    };
    metric_attacks(evidence, &mut battery);
    network(evidence, &mut battery)?;
    likelihood_ratios(evidence, &mut battery)?;
    robust(evidence, &mut battery)?;
    Ok(battery)
}

impl Battery {
    fn skip(&mut self, attack: &str, reason: &str) {
        self.skipped.push(Skipped {
            attack: attack.to_owned(),
            reason: reason.to_owned(),
        });
    }
}

fn check_classes(evidence: &Evidence<'_>) -> Result<(), LabError> {
    let expected = evidence.target.members.classes();
    let same = |what: &str, actual: usize| {
        if actual == expected {
            return Ok(());
        }
        let problem = format!("{actual} classes, but the members' confidences have {expected}");
        Err(LabError::input(what, problem))
    };
    same(
        "the non-members' confidences",
        evidence.target.nonmembers.classes(),
    )?;
    if let Some(shadow) = evidence.shadow {
        same("the shadow members' confidences", shadow.members.classes())?;
        same(
            "the shadow non-members' confidences",
            shadow.nonmembers.classes(),
        )?;
    }
    Ok(())
}

/// Whether the attacker knows the labels of the records under attack and of its own.
fn labelled(evidence: &Evidence<'_>) -> bool {
    let known = |sides: &Sides<Outputs>| sides.members.labelled() && sides.nonmembers.labelled();
    known(evidence.target) && evidence.shadow.is_none_or(known)
}

type Score = fn(ArrayView1<'_, f64>, usize) -> f64;

/// The attacks that look at one output at a time.
fn metric_attacks(evidence: &Evidence<'_>, battery: &mut Battery) {
    let known = labelled(evidence);
    if known {
        let score = |outputs: &Outputs| outputs.scores(correctness::score);
        let scores = evidence.target.as_ref().map(score);
        let right = |scores: &Vec<f64>| scores.iter().map(|&score| score > 0.5).collect();
        battery.verdicts.push(Verdict {
            attack: "correctness".to_owned(),
            decisions: Some(scores.as_ref().map(right)),
            scores,
            thresholds: "needs none: members are those whose label is right".to_owned(),
        });
    } else {
        battery.skip("correctness", "needs the records' labels");
    }
    let attacks: [(&str, Score, bool); 4] = [
        ("conf", conf::score, true),
        ("entr", entr::score, false),
        ("Mentr", mentr::score, true),
        ("top", top::score, false),
    ];
    // If one side lacks labels, predicted ones tell the classes apart on all.
    let classes = |outputs: &Outputs| {
        if known {
            outputs.labels().to_vec()
        } else {
            outputs.predicted()
        }
    };
    for (attack, score, needs_labels) in attacks {
        if needs_labels && !known {
            battery.skip(attack, "needs the records' labels");
            continue;
        }
        let score = |outputs: &Outputs| outputs.scores(score);
        let scores = evidence.target.as_ref().map(score);
        let by_class = if known { "label" } else { "predicted label" };
        let (decisions, thresholds) = match evidence.shadow {
            Some(shadow) => {
                let shadow_scores = shadow.as_ref().map(score);
                let shadow_labels = shadow.as_ref().map(classes);
                let thresholds = Thresholds::per_class(
                    shadow_scores.as_ref().map(Vec::as_slice),
                    shadow_labels.as_ref().map(Vec::as_slice),
                    shadow.members.classes(),
                );
                let decide = |(scores, outputs): (&Vec<f64>, &Outputs)| {
                    thresholds.decide(scores, &classes(outputs))
                };
                let decisions = scores.as_ref().zip(evidence.target.as_ref()).map(decide);
                (
                    Some(decisions),
                    format!("one for each {by_class}, best on the shadow outputs"),
                )
            }
            None => (None, NO_SHADOW.to_owned()),
        };
        battery.verdicts.push(Verdict {
            attack: attack.to_owned(),
            scores,
            decisions,
            thresholds,
        });
    }
}

/// Why an attack decides nothing.
const NO_SHADOW: &str = "none: they would be chosen on shadow outputs";

fn network(evidence: &Evidence<'_>, battery: &mut Battery) -> Result<(), LabError> {
    let name = "NN-M";
    let Some(shadow) = evidence.shadow else {
        battery.skip(name, "needs shadow outputs to train its network on");
        return Ok(());
    };
    let Some(trainer) = evidence.trainer else {
        battery.skip(name, "left out, for it was given no network to train");
        return Ok(());
    };
    let target = evidence.target.as_ref();
    let scores = nn::scores(target, shadow.as_ref(), trainer, evidence.seed)?;
    let decide = |scores: &Vec<f64>| scores.iter().map(|&score| score >= 0.5).collect();
    battery.verdicts.push(Verdict {
        attack: name.to_owned(),
        decisions: Some(scores.as_ref().map(decide)),
        scores,
        thresholds: "0.5, the border that the network was trained for".to_owned(),
    });
    Ok(())
}

fn likelihood_ratios(evidence: &Evidence<'_>, battery: &mut Battery) -> Result<(), LabError> {
    let variants = [
        Variant::Offline,
        Variant::OfflineFixedVariance,
        Variant::Online,
        Variant::OnlineFixedVariance,
    ];
    for variant in variants {
        let name = variant.name();
        let Some(references) = needs(evidence, name, battery) else {
            continue;
        };
        let online = references.members.online() && references.nonmembers.online();
        if variant.online() && !online {
            battery.skip(
                name,
                "needs, for every record, reference models that were trained on it",
            );
            continue;
        }
        if !variant.fixed() && !enough(references, variant) {
            battery.skip(name, "needs two or more reference models for a deviation");
            continue;
        }
        let scores = lira::scores(evidence.target.as_ref(), references.as_ref(), variant)?;
        let shadow_scores = match (evidence.shadow, evidence.shadow_references) {
            (Some(shadow), Some(references)) if usable(references, variant) => {
                Some(lira::scores(shadow.as_ref(), references.as_ref(), variant)?)
            }
            _ => None,
        };
        // The sign of a log likelihood ratio is a decision of its own.
        let natural = variant.online().then_some(0.0);
        battery
            .verdicts
            .push(Verdict::by_shadow(name, scores, shadow_scores, natural));
    }
    Ok(())
}

fn enough(references: &Sides<References>, variant: Variant) -> bool {
    references.members.fewest(variant.online()) >= 2
        && references.nonmembers.fewest(variant.online()) >= 2
}

fn usable(references: &Sides<References>, variant: Variant) -> bool {
    let online = references.members.online() && references.nonmembers.online();
    (!variant.online() || online) && (variant.fixed() || enough(references, variant))
}

fn robust(evidence: &Evidence<'_>, battery: &mut Battery) -> Result<(), LabError> {
    let name = "RMIA";
    let Some(references) = needs(evidence, name, battery) else {
        return Ok(());
    };
    let Some(population) = evidence.population else {
        battery.skip(
            name,
            "needs a population: other records that the target was not trained on, with the \
             outputs of the target and of the reference models",
        );
        return Ok(());
    };
    let score = |(outputs, references)| rmia::scores(outputs, references, population, rmia::GAMMA);
    let scores = evidence.target.as_ref().zip(references.as_ref());
    let scores = scores.try_map(score)?;
    let shadow = (
        evidence.shadow,
        evidence.shadow_references,
        evidence.shadow_population,
    );
    let shadow_scores = match shadow {
        (Some(shadow), Some(references), Some(population)) => {
            let pairs = shadow.as_ref().zip(references.as_ref());
            let score = |(o, r)| rmia::scores(o, r, population, rmia::GAMMA);
            Some(pairs.try_map(score)?)
        }
        _ => None,
    };
    battery
        .verdicts
        .push(Verdict::by_shadow(name, scores, shadow_scores, None));
    Ok(())
}

/// The reference models of an attack that also needs labels; if one is missing it is skipped.
fn needs<'a>(
    evidence: &Evidence<'a>,
    name: &str,
    battery: &mut Battery,
) -> Option<&'a Sides<References>> {
    if evidence.references.is_none() {
        battery.skip(
            name,
            "needs reference models: outputs, for the same records, of models not trained on \
             them",
        );
    } else if !labelled(evidence) {
        battery.skip(name, "needs the records' labels");
        return None;
    }
    evidence.references
}

#[cfg(test)]
mod tests {
    use super::super::nn::tests::{Logistic, around};
    use super::*;
    use ndarray::Array3;

    fn accuracy(battery: &Battery, attack: &str) -> f64 {
        let verdict = battery.verdicts.iter().find(|v| v.attack == attack);
        let evaluation = verdict.unwrap().evaluate(1).unwrap();
        evaluation.balanced_accuracy.unwrap().value
    }

    /// Reference models that know nothing of any record.
    fn references(outputs: &Outputs) -> References {
        let shape = (4, outputs.records(), outputs.classes());
        let confidences =
            Array3::from_shape_fn(shape, |(model, _, _)| 1.0 / 3.0 + 0.01 * model as f64);
        References::offline("references", confidences).unwrap()
    }

    #[test]
    fn every_attack_runs_on_full_evidence_and_says_what_is_missing_on_less() {
        let target = Sides::new(around(0.9, 60, 1), around(0.6, 60, 2));
        let shadow = Sides::new(around(0.9, 60, 3), around(0.6, 60, 4));
        let about_target = target.as_ref().map(references);
        let about_shadow = shadow.as_ref().map(references);
        // Of less than half the members' confidence, as RMIA's γ of 2 asks for.
        let others = around(0.4, 40, 5);
        let about_others = references(&others);
        let population = Some(Population {
            target: &others,
            references: &about_others,
        });
        let full = Evidence {
            shadow: Some(&shadow),
            references: Some(&about_target),
            shadow_references: Some(&about_shadow),
            population,
            shadow_population: population,
            trainer: Some(&Logistic),
            ..Evidence::new(&target)
        };
        let battery = run_all(&full).unwrap();
        let skipped: Vec<&str> = battery.skipped.iter().map(|s| s.attack.as_str()).collect();
        assert_eq!(skipped, ["LiRA-online", "LiRA-online-fixed"]);
        for attack in ["conf", "entr", "Mentr", "top", "NN-M", "RMIA"] {
            assert!(accuracy(&battery, attack) > 0.9, "{attack}");
        }
        assert!((accuracy(&battery, "correctness") - 0.5).abs() < 1e-12);
        let bare = run_all(&Evidence::new(&target)).unwrap();
        let skipped: Vec<&str> = bare.skipped.iter().map(|s| s.attack.as_str()).collect();
        assert_eq!(skipped.len(), 6);
        assert!(bare.verdicts[1..].iter().all(|v| v.decisions.is_none()));
    }

    /// A split in which members and non-members change places must change every decision that
    /// rests on it, and no other data may.
    #[test]
    fn decisions_follow_the_shadow_split_and_not_the_evaluation_split() {
        let target = Sides::new(around(0.9, 60, 1), around(0.6, 60, 2));
        let shadow = Sides::new(around(0.9, 60, 3), around(0.6, 60, 4));
        let run = |target: &Sides<Outputs>, shadow: &Sides<Outputs>| {
            let evidence = Evidence {
                shadow: Some(shadow),
                trainer: Some(&Logistic),
                ..Evidence::new(target)
            };
            run_all(&evidence).unwrap()
        };
        let turn =
            |sides: &Sides<Outputs>| Sides::new(sides.nonmembers.clone(), sides.members.clone());
        let straight = run(&target, &shadow);
        let other_shadow = run(&target, &turn(&shadow));
        for attack in ["conf", "Mentr", "NN-M"] {
            assert!(accuracy(&straight, attack) > 0.95);
            assert!(accuracy(&other_shadow, attack) < 0.6, "{attack}");
        }
        // Turning the evaluation split turns the result: the same records get the same decisions.
        let other_target = run(&turn(&target), &shadow);
        for (a, b) in straight.verdicts.iter().zip(&other_target.verdicts) {
            let (a, b) = (a.decisions.as_ref().unwrap(), b.decisions.as_ref().unwrap());
            assert_eq!((&a.members, &a.nonmembers), (&b.nonmembers, &b.members));
        }
    }

    #[test]
    fn classes_that_differ_are_refused() {
        let two = Outputs::new("o", ndarray::array![[0.5, 0.5]], vec![0]).unwrap();
        let target = Sides::new(around(0.9, 5, 1), two);
        let error = run_all(&Evidence::new(&target)).unwrap_err().to_string();
        assert!(
            error.contains("2 classes") && error.contains("have 3"),
            "{error}"
        );
    }
}
