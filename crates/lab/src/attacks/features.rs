//! What a learner sees of a record: everything that the evidence says about it and its label.

use super::odds::{RESOLUTION, log_odds};
use super::{Evidence, Neighbours, Outputs, References};
use crate::{LabError, Sides};
use ndarray::ArrayView1;

/// So many of the largest confidences are features; further ones of many classes are tails, and cost time.
const SORTED: usize = 32;

/// What there is about the records of one model, both sides.
struct About<'a> {
    outputs: &'a Sides<Outputs>,
    references: Option<&'a Sides<References>>,
    undefended: Option<&'a Sides<References>>,
    neighbours: Option<&'a Sides<Neighbours>>,
}

/// Rows of features, one for each record.
pub(super) type Rows = Vec<Vec<f64>>;

/// What a learner is asked about and what it learns from.
pub(super) struct Features {
    /// Of the records under attack.
    pub(super) target: Sides<Rows>,
    /// Of the attacker's own.
    pub(super) own: Sides<Rows>,
}

/// The features of the records under attack and of the attacker's own, of equal width. What only one of the two has is
/// left out; nothing without a shadow model.
///
/// In this order:
/// - φ, the log-odds of the true label; whether it is the predicted one; how many classes have more confidence;
/// - the logarithms of the largest confidences, in falling order;
/// - with reference models: mean and deviation of φ over those not trained on the record, φ less that mean, and the
///   share of them that predict the label;
/// - with reference models that answer without the defence: the mean of their φ, and φ less that mean, *guarded -
///   expected*;
/// - with disturbed copies: the share that keep the label, and mean, least, largest and deviation of φ if there are
///   confidences.
///
/// # Errors
/// If reference models or copies are about other records.
pub(super) fn features(evidence: &Evidence<'_>) -> Result<Option<Features>, LabError> {
    let Some(shadow) = evidence.shadow else {
        return Ok(None);
    };
    let references = evidence.references.zip(evidence.shadow_references);
    let undefended = evidence.undefended.zip(evidence.shadow_undefended);
    let neighbours = evidence.neighbours.zip(evidence.shadow_neighbours);
    let target = About {
        outputs: evidence.target,
        references: references.map(|(target, _)| target),
        undefended: undefended.map(|(target, _)| target),
        neighbours: neighbours.map(|(target, _)| target),
    };
    let own = About {
        outputs: shadow,
        references: references.map(|(_, own)| own),
        undefended: undefended.map(|(_, own)| own),
        neighbours: neighbours.map(|(_, own)| own),
    };
    Ok(Some(Features {
        target: target.rows()?,
        own: own.rows()?,
    }))
}

impl About<'_> {
    fn rows(&self) -> Result<Sides<Rows>, LabError> {
        let side = |of: fn(&Sides<Outputs>) -> &Outputs,
                    references: fn(&Sides<References>) -> &References,
                    neighbours: fn(&Sides<Neighbours>) -> &Neighbours| {
            rows(
                of(self.outputs),
                self.references.map(references),
                self.undefended.map(references),
                self.neighbours.map(neighbours),
            )
        };
        Ok(Sides::new(
            side(|s| &s.members, |s| &s.members, |s| &s.members)?,
            side(|s| &s.nonmembers, |s| &s.nonmembers, |s| &s.nonmembers)?,
        ))
    }
}

fn rows(
    outputs: &Outputs,
    references: Option<&References>,
    undefended: Option<&References>,
    neighbours: Option<&Neighbours>,
) -> Result<Rows, LabError> {
    for references in [references, undefended].into_iter().flatten() {
        references.check(outputs)?;
    }
    if let Some(copies) = neighbours {
        copies.check(outputs)?;
    }
    let labels = outputs.labels().iter().enumerate();
    let row = |(record, &label): (usize, &usize)| {
        let mut row = alone(outputs.confidences().row(record), label);
        let own = row[0];
        if let Some(references) = references {
            let phis = references.of(record, |p| log_odds(p, label)).without;
            let right = |p: ArrayView1<'_, f64>| f64::from(u8::from(rank(p, label) == 0.0));
            let right = references.of(record, right).without;
            let (mean, deviation) = moments(&phis);
            row.extend([mean, deviation, own - mean, moments(&right).0]);
        }
        if let Some(references) = undefended {
            let phis = references.of(record, |p| log_odds(p, label)).without;
            let expected = moments(&phis).0;
            row.extend([expected, own - expected]);
        }
        if let Some(copies) = neighbours {
            row.push(copies.kept(record, label));
            if let Some(phis) = copies.statistic(record, |p| log_odds(p, label)) {
                let (mean, deviation) = moments(&phis);
                let least = phis.iter().copied().fold(f64::INFINITY, f64::min);
                let largest = phis.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                row.extend([mean, least, largest, deviation]);
            }
        }
        row
    };
    Ok(labels.map(row).collect())
}

/// What one output says.
fn alone(confidences: ArrayView1<'_, f64>, label: usize) -> Vec<f64> {
    let rank = rank(confidences, label);
    let right = f64::from(u8::from(rank == 0.0));
    let mut sorted: Vec<f64> = confidences.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted.truncate(SORTED);
    let mut row = vec![log_odds(confidences, label), right, rank];
    row.extend(sorted.into_iter().map(|p| p.max(RESOLUTION).ln()));
    row
}

/// How many classes come before the label; of equal confidences the first class comes first, as in predicted labels.
fn rank(confidences: ArrayView1<'_, f64>, label: usize) -> f64 {
    let own = confidences[label];
    let before = confidences.indexed_iter();
    let before = before.filter(|&(class, &p)| p > own || (p >= own && class < label));
    before.count() as f64
}

/// Mean and deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3, array};

    fn outputs(rows: Array2<f64>, label: usize) -> Sides<Outputs> {
        let labels = vec![label; rows.nrows()];
        let outputs = Outputs::new("o", rows, labels).unwrap();
        Sides::new(outputs.clone(), outputs)
    }

    fn near(actual: &[f64], expected: &[f64]) {
        assert_eq!(actual.len(), expected.len(), "{actual:?}");
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 1e-9, "{actual:?} {expected:?}");
        }
    }

    #[test]
    fn features_by_hand() {
        let target = outputs(array![[0.2, 0.7, 0.1]], 0);
        let odds = 0.25_f64.ln();
        let logs = [0.7_f64.ln(), 0.2_f64.ln(), 0.1_f64.ln()];
        let bare = Evidence {
            shadow: Some(&target),
            ..Evidence::new(&target)
        };
        let found = features(&bare).unwrap().unwrap();
        let (rows, own) = (found.target, found.own);
        let alone = [odds, 0.0, 1.0, logs[0], logs[1], logs[2]];
        near(&rows.members[0], &alone);
        assert_eq!(rows, own);
        assert!(features(&Evidence::new(&target)).unwrap().is_none());

        // Two models with log-odds 0 and log 4; copies with log-odds log 4 and -log 4.
        let models = array![[[0.5, 0.25, 0.25]], [[0.8, 0.1, 0.1]]];
        let models = References::offline("r", models).unwrap();
        let models = Sides::new(models.clone(), models);
        let copies = array![[[0.8, 0.1, 0.1]], [[0.2, 0.8, 0.0]]];
        let copies = Neighbours::new("c", copies).unwrap();
        let copies = Sides::new(copies.clone(), copies);
        let full = Evidence {
            references: Some(&models),
            shadow_references: Some(&models),
            undefended: Some(&models),
            shadow_undefended: Some(&models),
            neighbours: Some(&copies),
            shadow_neighbours: Some(&copies),
            ..bare
        };
        let rows = features(&full).unwrap().unwrap().target;
        let (four, two) = (4.0_f64.ln(), 2.0_f64.ln());
        let more = [
            two,
            two,
            odds - two,
            1.0,
            two,
            odds - two,
            0.5,
            0.0,
            -four,
            four,
            four,
        ];
        near(&rows.members[0], &[&alone[..], &more].concat());
        // What only one side has is left out.
        let half = Evidence {
            shadow_references: None,
            shadow_undefended: None,
            shadow_neighbours: None,
            ..full
        };
        near(&features(&half).unwrap().unwrap().target.members[0], &alone);
    }

    #[test]
    fn ends_are_finite_and_other_records_refused() {
        let target = outputs(array![[1.0, 0.0], [0.0, 1.0]], 0);
        let evidence = Evidence {
            shadow: Some(&target),
            ..Evidence::new(&target)
        };
        let rows = features(&evidence).unwrap().unwrap().target;
        assert!(rows.members.iter().flatten().all(|v| v.is_finite()));
        let models = References::offline("r", Array3::from_elem((1, 3, 2), 0.5)).unwrap();
        let models = Sides::new(models.clone(), models);
        let other = Evidence {
            references: Some(&models),
            shadow_references: Some(&models),
            ..evidence
        };
        assert!(features(&other).is_err());
    }
}
