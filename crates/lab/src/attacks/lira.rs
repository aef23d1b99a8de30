//! `LiRA`, the likelihood-ratio attack (Carlini et al. 2022).

use super::{Attack, Border, Evidence, LIKELIHOOD_FLOOR, Need, Outputs, References, Scored};
use crate::{LabError, Sides};
use ndarray::ArrayView1;

/// Smallest standard deviation that a likelihood is computed with.
const DEVIATION_FLOOR: f64 = 1e-30;

/// Models on each side that a deviation takes; one that is pooled takes so many for half of the records.
const FEWEST: usize = 2;

/// Which form of the attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// How far the target's φ is above those of models not trained on the record; the deviation is
    /// that of each record.
    Offline,
    /// The same with one deviation for all records, steadier with few models.
    OfflineFixedVariance,
    /// The log likelihood ratio between models trained on the record and models that were not.
    Online,
    /// The same with one deviation for all records of the models with, and one of those without.
    OnlineFixedVariance,
}

impl Variant {
    /// Whether one deviation serves all records.
    pub fn fixed(self) -> bool {
        matches!(self, Self::OfflineFixedVariance | Self::OnlineFixedVariance)
    }

    /// Whether models trained on each record are needed.
    pub fn online(self) -> bool {
        matches!(self, Self::Online | Self::OnlineFixedVariance)
    }

    fn usable(self, references: &Sides<References>) -> bool {
        let enough = |references: &References| {
            if self.fixed() {
                references.pooled(self.online())
            } else {
                references.fewest(self.online()) >= FEWEST
            }
        };
        enough(&references.members) && enough(&references.nonmembers)
    }
}

impl Attack for Variant {
    fn name(&self) -> &'static str {
        match self {
            Self::Offline => "LiRA",
            Self::OfflineFixedVariance => "LiRA-fixed",
            Self::Online => "LiRA-online",
            Self::OnlineFixedVariance => "LiRA-online-fixed",
        }
    }

    fn decides_by(&self) -> &'static str {
        match self {
            Self::Offline => "likelihood ratio to models of the attacker's own",
            Self::OfflineFixedVariance => "the same with one deviation for all records",
            Self::Online => "likelihood ratio of models with and without the record",
            Self::OnlineFixedVariance => "that with one deviation for all records",
        }
    }

    fn needs(&self) -> &'static [Need] {
        match self {
            Self::Offline => &[
                Need::References,
                Need::Labels,
                Need::Deviation,
                Need::OwnDeviation,
            ],
            Self::OfflineFixedVariance => &[Need::References, Need::Labels, Need::PooledDeviation],
            Self::Online => &[
                Need::References,
                Need::Labels,
                Need::Online,
                Need::OnlineDeviation,
            ],
            Self::OnlineFixedVariance => &[
                Need::References,
                Need::Labels,
                Need::Online,
                Need::OnlinePooledDeviation,
            ],
        }
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        let Some(references) = evidence.references else {
            return Ok(None);
        };
        let own = evidence.own_with_references();
        let own = own.filter(|(_, references)| self.usable(references));
        let border = if self.online() {
            // The sign of a log likelihood ratio is a decision of its own.
            Border::OneOr(0.0, "where both hypotheses are equally likely")
        } else {
            Border::One
        };
        Ok(Some(Scored {
            target: scores(evidence.target.as_ref(), references.as_ref(), *self)?,
            shadow: own
                .map(|(own, references)| scores(own.as_ref(), references.as_ref(), *self))
                .transpose()?,
            border,
        }))
    }
}

/// `φ = log p_y - log Σ_{i≠y} p_i`, close to normal over models; both arguments are raised by
/// [`LIKELIHOOD_FLOOR`], negative confidences count as 0.
pub fn phi(confidences: ArrayView1<'_, f64>, label: usize) -> f64 {
    let positive = |p: &f64| p.max(0.0);
    let all = confidences.indexed_iter();
    let others: f64 = all
        .filter(|(class, _)| *class != label)
        .map(|(_, p)| positive(p))
        .sum();
    (positive(&confidences[label]) + LIKELIHOOD_FLOOR).ln() - (others + LIKELIHOOD_FLOOR).ln()
}

/// The score of each record. Offline it is `(φ - μ_out) / σ_out`, which [`probability`] maps to
/// the paper's `Φ(…)`: the order is the same, but differences far out, where `Φ` rounds to 1, are
/// kept. `μ` is the median and `σ` the standard deviation (not corrected for the sample's size)
/// over the models; fixed deviations pool the squared distances from each record's mean.
///
/// A fixed deviation is pooled over members and non-members at once: one for each side would tell the
/// side by itself, which is what the attacker wants to know.
///
/// # Errors
/// If there are not the same records and classes in both, or too few models on a side that the variant uses: fewer than two for a
/// record, or, with a fixed deviation, none for a record or one each.
pub fn scores(
    target: Sides<&Outputs>,
    references: Sides<&References>,
    variant: Variant,
) -> Result<Sides<Vec<f64>>, LabError> {
    let pairs = target.zip(references);
    let sides = pairs.try_map(|(target, references)| Rows::new(target, references))?;
    sides.as_ref().try_map(|rows| rows.check(variant))?;
    let all = || sides.members.rows.iter().chain(&sides.nonmembers.rows);
    let outside = variant
        .fixed()
        .then(|| pooled_deviation(all().map(|row| &row.without[..])));
    let inside = (variant.fixed() && variant.online())
        .then(|| pooled_deviation(all().map(|row| &row.with[..])));
    let score = |row: &Row| {
        let out = Normal::of(&row.without, outside);
        if variant.online() {
            Normal::of(&row.with, inside).log_density(row.target) - out.log_density(row.target)
        } else {
            out.standardised(row.target)
        }
    };
    Ok(sides
        .as_ref()
        .map(|rows| rows.rows.iter().map(score).collect()))
}

/// `Φ(score)`: the probability that a model not trained on the record is less sure of its label
/// than the target, for an offline score.
pub fn probability(score: f64) -> f64 {
    0.5 * libm::erfc(-score / std::f64::consts::SQRT_2)
}

/// φ of one record.
struct Row {
    target: f64,
    with: Vec<f64>,
    without: Vec<f64>,
}

struct Rows {
    rows: Vec<Row>,
}

impl Rows {
    fn new(target: &Outputs, references: &References) -> Result<Self, LabError> {
        references.check(target)?;
        let row = |(record, &label): (usize, &usize)| {
            let both = references.of(record, |confidences| phi(confidences, label));
            Row {
                target: phi(target.confidences().row(record), label),
                with: both.with,
                without: both.without,
            }
        };
        Ok(Self {
            rows: target.labels().iter().enumerate().map(row).collect(),
        })
    }

    fn check(&self, variant: Variant) -> Result<(), LabError> {
        let name = variant.name();
        let needed = if variant.fixed() { 1 } else { FEWEST };
        let pooled = |row: &&Row| {
            let enough = |values: &[f64]| values.len() >= FEWEST;
            enough(&row.without) && (!variant.online() || enough(&row.with))
        };
        if variant.fixed() && 2 * self.rows.iter().filter(pooled).count() < self.rows.len() {
            let problem =
                format!("{name} needs {FEWEST} or more of a kind for half of the records");
            return Err(LabError::input("the reference models", problem));
        }
        for (record, row) in self.rows.iter().enumerate() {
            let count = if variant.online() {
                row.without.len().min(row.with.len())
            } else {
                row.without.len()
            };
            if count < needed {
                let sides = if variant.online() {
                    "with and as many without it"
                } else {
                    "without it"
                };
                return Err(LabError::input(
                    "the reference models",
                    format!(
                        "{name} needs {needed} or more trained {sides}; record {record} has {count}"
                    ),
                ));
            }
        }
        Ok(())
    }
}

struct Normal {
    mean: f64,
    deviation: f64,
}

impl Normal {
    fn of(values: &[f64], fixed: Option<f64>) -> Self {
        let deviation = fixed.unwrap_or_else(|| deviation(values)) + DEVIATION_FLOOR;
        Self {
            mean: median(values),
            deviation,
        }
    }

    fn standardised(&self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }

    /// Less the constant that cancels in a ratio.
    fn log_density(&self, value: f64) -> f64 {
        -0.5 * self.standardised(value).powi(2) - self.deviation.ln()
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        0.5 * (sorted[middle - 1] + sorted[middle])
    }
}

fn deviation(values: &[f64]) -> f64 {
    pooled_deviation(std::iter::once(values))
}

/// The deviation of all values from the means of their groups.
fn pooled_deviation<'a>(groups: impl Iterator<Item = &'a [f64]>) -> f64 {
    let (mut squares, mut count) = (0.0, 0_usize);
    // One value is at its own mean, and says nothing of how far others are from theirs.
    for group in groups.filter(|group| group.len() > 1) {
        let mean = group.iter().sum::<f64>() / group.len() as f64;
        squares += group.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        count += group.len();
    }
    (squares / count.max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3, array};

    /// Confidences of two classes with the given φ for class 0.
    fn confidences(phi: f64) -> [f64; 2] {
        let p = 1.0 / (1.0 + (-phi).exp());
        [p, 1.0 - p]
    }

    fn references(phis: &Array2<f64>, trained: Array2<bool>) -> References {
        let (models, records) = phis.dim();
        let confidences = Array3::from_shape_fn((models, records, 2), |(model, record, class)| {
            confidences(phis[[model, record]])[class]
        });
        References::new("references", confidences, trained).unwrap()
    }

    fn target(phis: &[f64]) -> Outputs {
        let confidences = Array2::from_shape_fn((phis.len(), 2), |(record, class)| {
            confidences(phis[record])[class]
        });
        Outputs::new("target", confidences, vec![0; phis.len()]).unwrap()
    }

    /// Scores of records all of which are on one side; the other side holds the same again, which changes no mean
    /// and no pooled deviation.
    fn scores(
        target: &Outputs,
        references: &References,
        variant: Variant,
    ) -> Result<Vec<f64>, LabError> {
        let both = super::scores(
            Sides::new(target, target),
            Sides::new(references, references),
            variant,
        )?;
        assert_eq!(both.members, both.nonmembers);
        Ok(both.members)
    }

    fn near(actual: &[f64], expected: &[f64]) {
        assert_eq!(actual.len(), expected.len());
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 1e-9, "{actual:?} {expected:?}");
        }
    }

    #[test]
    fn phi_by_hand_and_at_the_ends() {
        assert!((phi(array![0.5, 0.3, 0.2].view(), 1) - (0.3_f64 / 0.7).ln()).abs() < 1e-12);
        let end = phi(array![1.0, 0.0, 0.0].view(), 0);
        assert!((end + LIKELIHOOD_FLOOR.ln()).abs() < 1e-9);
        assert!((phi(array![1.0, 0.0, -1e-6].view(), 1) + end).abs() < 1e-9);
    }

    #[test]
    fn offline_scores_by_hand() {
        // Record 0: models at 0, 1, 5: median 1, mean 2, deviation sqrt((4 + 1 + 9) / 3).
        // Record 1: models at -1, -1, 2: median -1, mean 0, deviation sqrt((1 + 1 + 4) / 3).
        let phis = array![[0.0, -1.0], [1.0, -1.0], [5.0, 2.0]];
        let references = references(&phis, Array2::from_elem((3, 2), false));
        let target = target(&[3.0, -2.0]);
        let own = scores(&target, &references, Variant::Offline).unwrap();
        near(
            &own,
            &[2.0 / (14.0_f64 / 3.0).sqrt(), -1.0 / 2.0_f64.sqrt()],
        );
        let fixed = scores(&target, &references, Variant::OfflineFixedVariance).unwrap();
        let pooled = (20.0_f64 / 6.0).sqrt();
        near(&fixed, &[2.0 / pooled, -1.0 / pooled]);
        // Φ(0.925820) and Φ(-0.707107), from tables.
        assert!((probability(own[0]) - 0.822_731).abs() < 1e-5);
        assert!((probability(own[1]) - 0.239_750).abs() < 1e-5);
    }

    #[test]
    fn online_scores_by_hand() {
        // With the record: 4 and 6 (mean 5, deviation 1); without: 0 and 4 (mean 2, deviation 2).
        let phis = array![[4.0], [6.0], [0.0], [4.0]];
        let trained = array![[true], [true], [false], [false]];
        let references = references(&phis, trained);
        let target = target(&[4.0]);
        let online = scores(&target, &references, Variant::Online).unwrap();
        near(&online, &[-0.5 + 0.5 + 2.0_f64.ln()]);
        let fixed = scores(&target, &references, Variant::OnlineFixedVariance).unwrap();
        near(&fixed, &online);
    }

    #[test]
    fn too_few_models_are_refused() {
        let references = references(&array![[0.0]], array![[false]]);
        let target = target(&[1.0]);
        for variant in [
            Variant::Offline,
            Variant::OfflineFixedVariance,
            Variant::OnlineFixedVariance,
        ] {
            let error = scores(&target, &references, variant).unwrap_err();
            assert!(error.to_string().contains("needs 2 or more"), "{error}");
        }
    }

    #[test]
    fn a_fixed_deviation_does_not_tell_the_side() {
        // The target is one above the mean of every record's models on both sides: nothing to find. But the models
        // disagree three times as much about non-members, and a deviation for each side would show it.
        let side = |spread: f64, seed: u64| {
            let mut stream = crate::random::Stream::new(seed, "models about records");
            let (models, records) = (8, 500);
            let mut phis = Array2::zeros((models, records));
            let mut own = Vec::new();
            for mut models in phis.columns_mut() {
                models.mapv_inplace(|_: f64| spread * stream.normal());
                own.push(1.0 + median(models.to_vec().as_slice()) + 0.1 * stream.normal());
            }
            let trained = Array2::from_elem((models, records), false);
            (target(&own), references(&phis, trained))
        };
        let (members, about_members) = side(1.0, 1);
        let (others, about_others) = side(3.0, 2);
        let scores = super::scores(
            Sides::new(&members, &others),
            Sides::new(&about_members, &about_others),
            Variant::OfflineFixedVariance,
        )
        .unwrap();
        let auc = crate::metrics::Roc::new(&scores).unwrap().auc();
        assert!((auc - 0.5).abs() < 0.06, "{auc}");
        // The case is one that a deviation for each side gives away.
        let alone = |target: &Outputs, references: &References| {
            self::scores(target, references, Variant::OfflineFixedVariance).unwrap()
        };
        let apart = Sides::new(
            alone(&members, &about_members),
            alone(&others, &about_others),
        );
        let auc = crate::metrics::Roc::new(&apart).unwrap().auc();
        assert!(auc > 0.99, "{auc}");
    }
}
