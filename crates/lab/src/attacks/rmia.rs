//! RMIA, the robust membership inference attack (Zarifzadeh, Liu and Shokri 2024).

use super::{Outputs, References};
use crate::LabError;

/// `a` in the estimate of `p(x)` from models not trained on `x`.
pub const OFFLINE_A: f64 = 0.3;

/// How much likelier than a record of the population a member is expected to be.
pub const GAMMA: f64 = 2.0;

/// Smallest confidence that a ratio is formed with.
const FLOOR: f64 = 1e-30;

/// Records that the target was not trained on, to compare with.
#[derive(Debug, Clone, Copy)]
pub struct Population<'a> {
    /// The target's outputs for them.
    pub target: &'a Outputs,
    /// The reference models' outputs for them.
    pub references: &'a References,
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
    gamma: f64,
) -> Result<Vec<f64>, LabError> {
    let mut beaten = ratios(population.target, population.references)?;
    beaten.sort_by(f64::total_cmp);
    let share = |ratio: f64| {
        let count = beaten.partition_point(|&other| ratio / other > gamma);
        count as f64 / beaten.len() as f64
    };
    Ok(ratios(target, references)?.into_iter().map(share).collect())
}

/// `p_θ(x) / p(x)` of each record; positive.
fn ratios(target: &Outputs, references: &References) -> Result<Vec<f64>, LabError> {
    same_records(target, references)?;
    let ratio = |(record, &label): (usize, &usize)| {
        let without = references.of(record, |row| row[label].max(0.0)).nonmembers;
        let mean = without.iter().sum::<f64>() / without.len() as f64;
        let expected = 0.5 * ((1.0 + OFFLINE_A) * mean + 1.0 - OFFLINE_A);
        target.confidences()[[record, label]].max(FLOOR) / expected.max(FLOOR)
    };
    Ok(target.labels().iter().enumerate().map(ratio).collect())
}

/// Whether the reference models were asked about the same records.
pub(super) fn same_records(target: &Outputs, references: &References) -> Result<(), LabError> {
    let asked = (references.records(), references.classes());
    let expected = (target.records(), target.classes());
    if asked == expected {
        return Ok(());
    }
    Err(LabError::input(
        "the reference models",
        format!("outputs for (records, classes) {asked:?}, but the target's for {expected:?}"),
    ))
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
        let ratios = ratios(population.target, population.references).unwrap();
        for (ratio, expected) in ratios.iter().zip([2.0, 1.0, 0.4, 0.2]) {
            assert!((ratio - expected).abs() < 1e-12);
        }
        // 2 / (2, 1, .4, .2) = (1, 2, 5, 10); .5 / … = (.25, .5, 1.25, 2.5).
        let at = |gamma| scores(&target, &references, population, gamma).unwrap();
        assert_eq!(at(1.5), [0.75, 0.25]);
        assert_eq!(at(3.0), [0.5, 0.0]);
        assert_eq!(at(0.9), [1.0, 0.5]);
    }

    #[test]
    fn models_trained_on_the_record_do_not_count() {
        let target = outputs(&[0.5]);
        let both = Array3::from_shape_vec((2, 1, 2), vec![0.9, 0.1, 0.2, 0.8]).unwrap();
        let mixed = References::new("r", both, array![[true], [false]]).unwrap();
        let ratio = ratios(&target, &mixed).unwrap()[0];
        assert!((ratio - 0.5 / 0.48).abs() < 1e-12);
    }

    #[test]
    fn other_records_are_refused() {
        let references = offline(&Array2::zeros((1, 3)));
        assert!(ratios(&outputs(&[0.5]), &references).is_err());
    }
}
