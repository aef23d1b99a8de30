//! All attacks at once, as far as the evidence goes.

use super::{ATTACKS, Evidence, Verdict, decide};
use crate::LabError;
use serde::Serialize;

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

/// Run every attack of [`ATTACKS`] that `evidence` allows.
///
/// # Errors
/// If shapes or classes do not fit together, or something that an attack learns cannot be learnt.
pub fn run_all(evidence: &Evidence<'_>) -> Result<Battery, LabError> {
    evidence.check_classes()?;
    let mut battery = Battery {
        verdicts: Vec::new(),
        skipped: Vec::new(),
    };
    for attack in ATTACKS {
        let missing = attack.needs().iter().find(|need| !need.met(evidence));
        let scored = match missing {
            Some(_) => None,
            None => attack.score(evidence)?,
        };
        let Some(scored) = scored else {
            let reason = missing.map_or("needs more than there is", |need| need.reason());
            battery.skipped.push(Skipped {
                attack: attack.name().to_owned(),
                reason: reason.to_owned(),
            });
            continue;
        };
        let (decisions, thresholds) = decide(&scored, evidence);
        battery.verdicts.push(Verdict {
            attack: attack.name().to_owned(),
            floor: attack.floor(),
            scores: scored.target,
            decisions,
            thresholds,
        });
    }
    Ok(battery)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Logistic, around};
    use super::*;
    use crate::Sides;
    use crate::attacks::rmia::Population;
    use crate::attacks::{Outputs, References};
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
        let asking = ["label noise", "neighbours"];
        assert_eq!(
            skipped,
            [&["LiRA-online", "LiRA-online-fixed"][..], &asking].concat()
        );
        let learnt = cfg!(feature = "train").then_some("NN-M");
        for attack in ["conf", "entr", "Mentr", "top", "RMIA"]
            .into_iter()
            .chain(learnt)
        {
            assert!(accuracy(&battery, attack) > 0.9, "{attack}");
        }
        assert!((accuracy(&battery, "correctness") - 0.5).abs() < 1e-12);
        let bare = run_all(&Evidence::new(&target)).unwrap();
        assert_eq!(bare.verdicts.len() + bare.skipped.len(), ATTACKS.len());
        let decided = bare.verdicts.iter().filter(|v| v.decisions.is_some());
        let decided: Vec<&str> = decided.map(|v| v.attack.as_str()).collect();
        assert_eq!(decided, ["correctness"]);
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
        let learnt = cfg!(feature = "train").then_some("NN-M");
        for attack in ["conf", "Mentr"].into_iter().chain(learnt) {
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
