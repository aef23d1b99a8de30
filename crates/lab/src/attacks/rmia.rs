//! RMIA, the robust membership inference attack (Zarifzadeh, Liu and Shokri 2024).

pub use super::Population;
use super::{Attack, Border, Evidence, Need, Outputs, References, Scored};
use crate::metrics::Roc;
use crate::{LabError, Sides};

/// What the attack can be set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuning {
    /// In the estimate of `p(x)` from models not trained on `x`: 1 takes their mean, less draws it towards 1.
    pub a: f64,
    /// How much likelier than a record of the population a member is expected to be.
    pub gamma: f64,
}

impl Tuning {
    /// The paper's.
    pub const PAPER: Self = Self { a: 0.3, gamma: 2.0 };

    /// Values of `a` that are tried, smallest first.
    pub const A: [f64; 7] = [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0];

    /// Values of γ that are tried, smallest first.
    pub const GAMMA: [f64; 5] = [1.0, 1.25, 1.5, 2.0, 4.0];
}

/// Smallest confidence that a ratio is formed with.
const FLOOR: f64 = 1e-30;

/// The attack with the paper's settings, as a row of tables.
pub(super) struct Robust;

impl Attack for Robust {
    fn name(&self) -> &'static str {
        "RMIA"
    }

    fn decides_by(&self) -> &'static str {
        "likelihood ratio against other records"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::References, Need::Labels, Need::Population]
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        let (Some(references), Some(population)) = (evidence.references, evidence.population)
        else {
            return Ok(None);
        };
        let own = evidence.own_with_references();
        let own = own.zip(evidence.shadow_population);
        let own = own
            .map(|((own, about_own), population)| both(own, about_own, population, Tuning::PAPER));
        Ok(Some(Scored {
            target: both(evidence.target, references, population, Tuning::PAPER)?,
            shadow: own.transpose()?,
            border: Border::One,
        }))
    }
}

/// The attack with the settings that find the most among the attacker's own records, as a row of tables.
pub(super) struct Tuned;

impl Attack for Tuned {
    fn name(&self) -> &'static str {
        "RMIA-tuned"
    }

    fn decides_by(&self) -> &'static str {
        "RMIA, set on the attacker's own records"
    }

    fn needs(&self) -> &'static [Need] {
        &[
            Need::References,
            Need::Labels,
            Need::Population,
            Need::ShadowReferences,
        ]
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        let (Some(references), Some(population), Some((own, about_own))) = (
            evidence.references,
            evidence.population,
            evidence.own_with_references(),
        ) else {
            return Ok(None);
        };
        // Without a population of its own, the shadow model's non-members stand in: each is one of many.
        let own_population = evidence.shadow_population.unwrap_or(Population {
            target: &own.nonmembers,
            references: &about_own.nonmembers,
        });
        let (tuning, shadow) = best(own, about_own, own_population)?;
        Ok(Some(Scored {
            target: both(evidence.target, references, population, tuning)?,
            shadow: Some(shadow),
            border: Border::One,
        }))
    }
}

/// The settings with the largest area under the curve of the attacker's own records, and those records' scores; of
/// equally good ones the smallest.
fn best(
    own: &Sides<Outputs>,
    references: &Sides<References>,
    population: Population<'_>,
) -> Result<(Tuning, Sides<Vec<f64>>), LabError> {
    let attempt = |a: f64, gamma: f64| {
        let tuning = Tuning { a, gamma };
        let found = both(own, references, population, tuning)?;
        Ok::<_, LabError>((Roc::new(&found)?.auc(), tuning, found))
    };
    let mut best = attempt(Tuning::A[0], Tuning::GAMMA[0])?;
    for a in Tuning::A {
        for gamma in Tuning::GAMMA {
            let found = attempt(a, gamma)?;
            if found.0 > best.0 {
                best = found;
            }
        }
    }
    let (_, tuning, found) = best;
    Ok((tuning, found))
}

fn both(
    outputs: &Sides<Outputs>,
    references: &Sides<References>,
    population: Population<'_>,
    tuning: Tuning,
) -> Result<Sides<Vec<f64>>, LabError> {
    let pairs = outputs.as_ref().zip(references.as_ref());
    pairs.try_map(|(outputs, references)| scores(outputs, references, population, tuning))
}

/// The share of the population that each record beats:
/// `Pr_z[(p_θ(x) / p(x)) / (p_θ(z) / p(z)) > γ]`, where `p_θ` is the confidence in the label and
/// `p(x) = ((1 + a) p̄_out(x) + 1 - a) / 2` estimates its mean over all models from the mean over
/// those not trained on `x` (the offline attack).
///
/// # Errors
/// If outputs and reference models do not have the same records and classes.
pub fn scores(
    target: &Outputs,
    references: &References,
    population: Population<'_>,
    tuning: Tuning,
) -> Result<Vec<f64>, LabError> {
    let Tuning { a, gamma } = tuning;
    let mut beaten = ratios(population.target, population.references, a)?;
    beaten.sort_by(f64::total_cmp);
    let share = |ratio: f64| {
        let count = beaten.partition_point(|&other| ratio / other > gamma);
        count as f64 / beaten.len() as f64
    };
    Ok(ratios(target, references, a)?
        .into_iter()
        .map(share)
        .collect())
}

/// `p_θ(x) / p(x)` of each record; positive.
fn ratios(target: &Outputs, references: &References, a: f64) -> Result<Vec<f64>, LabError> {
    references.check(target)?;
    let ratio = |(record, &label): (usize, &usize)| {
        let without = references.of(record, |row| row[label].max(0.0)).without;
        let mean = without.iter().sum::<f64>() / without.len() as f64;
        let expected = 0.5 * ((1.0 + a) * mean + 1.0 - a);
        target.confidences()[[record, label]].max(FLOOR) / expected.max(FLOOR)
    };
    Ok(target.labels().iter().enumerate().map(ratio).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3, array};

    fn outputs(p: &[f64]) -> Outputs {
        let confidences = Array2::from_shape_fn((p.len(), 2), |(record, class)| {
            if class == 0 {
                p[record]
            } else {
                1.0 - p[record]
            }
        });
        Outputs::new("o", confidences, vec![0; p.len()]).unwrap()
    }

    fn offline(p: &Array2<f64>) -> References {
        let (models, records) = p.dim();
        let confidences = Array3::from_shape_fn((models, records, 2), |(model, record, class)| {
            let p = p[[model, record]];
            if class == 0 { p } else { 1.0 - p }
        });
        References::offline("r", confidences).unwrap()
    }

    #[test]
    fn scores_by_hand() {
        // p(x): means .2 and .6 give (1.3 * .2 + .7) / 2 = .48 and (1.3 * .6 + .7) / 2 = .74.
        let target = outputs(&[0.96, 0.37]);
        let references = offline(&array![[0.1, 0.6], [0.3, 0.6]]);
        // Ratios of the records: 2 and .5. Of the population, with p = (1.3 * 0 + .7) / 2 = .35:
        let population = outputs(&[0.7, 0.35, 0.14, 0.07]);
        let about_population = offline(&Array2::zeros((1, 4)));
        let population = Population {
            target: &population,
            references: &about_population,
        };
        let ratios = ratios(population.target, population.references, 0.3).unwrap();
        for (ratio, expected) in ratios.iter().zip([2.0, 1.0, 0.4, 0.2]) {
            assert!((ratio - expected).abs() < 1e-12);
        }
        // 2 / (2, 1, .4, .2) = (1, 2, 5, 10); .5 / … = (.25, .5, 1.25, 2.5).
        let at = |gamma| {
            let tuning = Tuning { a: 0.3, gamma };
            scores(&target, &references, population, tuning).unwrap()
        };
        assert_eq!(at(1.5), [0.75, 0.25]);
        assert_eq!(at(3.0), [0.5, 0.0]);
        assert_eq!(at(0.9), [1.0, 0.5]);
    }

    #[test]
    fn models_trained_on_the_record_do_not_count() {
        let target = outputs(&[0.5]);
        let both = Array3::from_shape_vec((2, 1, 2), vec![0.9, 0.1, 0.2, 0.8]).unwrap();
        let mixed = References::new("r", both, array![[true], [false]]).unwrap();
        let ratio = ratios(&target, &mixed, 0.3).unwrap()[0];
        assert!((ratio - 0.5 / 0.48).abs() < 1e-12);
    }

    #[test]
    fn other_records_are_refused() {
        let references = offline(&Array2::zeros((1, 3)));
        assert!(ratios(&outputs(&[0.5]), &references, 0.3).is_err());
    }

    #[test]
    fn settings_are_chosen_on_the_attackers_records() {
        // Members are a little likelier than the models expect, at every level: γ of 2 finds none.
        let level = |record: usize| 0.1 + 0.8 * record as f64 / 40.0;
        let side = |gain: f64| {
            let own: Vec<f64> = (0..40).map(|record| gain * level(record)).collect();
            outputs(&own)
        };
        let about = offline(&Array2::from_shape_fn((2, 40), |(_, record)| level(record)));
        let sides = Sides::new(side(1.1), side(1.0));
        let references = Sides::new(about.clone(), about.clone());
        let evidence = Evidence {
            shadow: Some(&sides),
            references: Some(&references),
            shadow_references: Some(&references),
            population: Some(Population {
                target: &sides.nonmembers,
                references: &about,
            }),
            ..Evidence::new(&sides)
        };
        let auc = |attack: &dyn Attack| {
            let scored = attack.score(&evidence).unwrap().unwrap();
            Roc::new(&scored.target).unwrap().auc()
        };
        assert!(auc(&Robust) < auc(&Tuned) - 0.2 && auc(&Tuned) > 0.95);
    }
}
