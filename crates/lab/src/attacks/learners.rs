//! Learners that know the label: boosted trees and a random forest on all that the evidence says about a record.
//!
//! An attack by one number of a record, such as its label's confidence, misses what label and confidences say together.
//! These learn it from the shadow model's answers ([`super::features`]), as the strongest attackers of the literature
//! do (Carlini et al. 2022, section 2; Zarifzadeh et al. 2024, appendix B.7), and serve all classes with one model.

use super::features::{Features, Rows, features};
use super::{Attack, Border, Evidence, Need, Scored};
use crate::{LabError, Sides};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::xgboost::{XGRegressor, XGRegressorParameters};

/// Trees that are boosted.
const BOOSTED: usize = 100;
/// Shrinks what each of them adds.
const RATE: f64 = 0.1;
/// Questions on the way to a leaf.
const DEPTH: u16 = 3;
/// Records that a leaf of a boosted tree must have: a thousand shadow records are few.
const BOOSTED_LEAF: usize = 10;
/// The share of records that each boosted tree sees (Friedman 2002).
const SAMPLED: f64 = 0.5;
/// Trees of the forest.
const FOREST: usize = 300;
/// Records that a leaf of the forest must have.
const FOREST_LEAF: usize = 5;

/// Boosted trees by squared error (Friedman 2002; regularised as by Chen and Guestrin 2016) on members 1 and others 0.
pub(super) struct Trees;

impl Attack for Trees {
    fn name(&self) -> &'static str {
        "trees"
    }

    fn decides_by(&self) -> &'static str {
        "boosted trees that know label and confidences"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Labels, Need::Shadow]
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        learnt(evidence, |known, members, asked| {
            let options = XGRegressorParameters::default()
                .with_n_estimators(BOOSTED)
                .with_learning_rate(RATE)
                .with_max_depth(DEPTH)
                .with_min_child_weight(BOOSTED_LEAF)
                .with_subsample(SAMPLED)
                .with_base_score(fraction(members))
                .with_seed(evidence.seed);
            let model = XGRegressor::fit(known, members, options)?;
            asked.try_map(|rows| model.predict(&rows))
        })
    }
}

/// A random forest (Breiman 2001) on members 1 and others 0.
pub(super) struct Forest;

impl Attack for Forest {
    fn name(&self) -> &'static str {
        "forest"
    }

    fn decides_by(&self) -> &'static str {
        "a random forest that knows label and confidences"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Labels, Need::Shadow]
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        learnt(evidence, |known, members, asked| {
            let options = RandomForestRegressorParameters::default()
                .with_n_trees(FOREST)
                .with_min_samples_leaf(FOREST_LEAF)
                .with_seed(evidence.seed);
            let model = RandomForestRegressor::fit(known, members, options)?;
            asked.try_map(|rows| model.predict(&rows))
        })
    }
}

/// The share of members.
fn fraction(members: &[f64]) -> f64 {
    members.iter().sum::<f64>() / members.len() as f64
}

/// Learn from the shadow records, of which `members` is 1 or 0 for each, and score those under attack. What is learnt is
/// a record's probability of being a member among the shadow records, so the border that serves balanced accuracy is
/// the share of members there.
fn learnt(
    evidence: &Evidence<'_>,
    learn: impl FnOnce(
        &DenseMatrix<f64>,
        &Vec<f64>,
        Sides<DenseMatrix<f64>>,
    ) -> Result<Sides<Vec<f64>>, Failed>,
) -> Result<Option<Scored>, LabError> {
    let Some(Features { target, own }) = features(evidence)? else {
        return Ok(None);
    };
    let failed = |error: Failed| LabError::Model(error.to_string());
    let matrix = |rows: &Rows| DenseMatrix::from_2d_vec(rows).map_err(failed);
    let ones = std::iter::repeat_n(1.0, own.members.len());
    let zeros = std::iter::repeat_n(0.0, own.nonmembers.len());
    let members: Vec<f64> = ones.chain(zeros).collect();
    let known = matrix(&[own.members, own.nonmembers].concat())?;
    let asked = target.as_ref().try_map(matrix)?;
    Ok(Some(Scored {
        target: learn(&known, &members, asked).map_err(failed)?,
        // Scores of what was learnt from would flatter any threshold.
        shadow: None,
        border: Border::At(
            fraction(&members),
            "the share of members that it learnt from",
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::{Outputs, conf, correctness, entr, mentr, top};
    use crate::metrics::Roc;
    use crate::random::Stream;
    use ndarray::Array2;

    /// Records of four classes, half of them with a right label. With a right label members' largest confidence lies in
    /// two bands around the others', with a wrong one the others' around the members': neither the label nor any
    /// number of the confidences alone tells them apart, and no threshold does.
    fn banded(member: bool, records: usize, seed: u64) -> Outputs {
        let mut stream = Stream::new(seed, "bands");
        let mut confidences = Array2::zeros((records, 4));
        let mut labels = Vec::new();
        for mut row in confidences.rows_mut() {
            let (predicted, right) = (stream.below(4), stream.below(2) == 0);
            let shift = if stream.below(2) == 0 { 0.1 } else { -0.1 };
            let p = 0.7 + 0.08 * (stream.unit() - 0.5) + if right == member { shift } else { 0.0 };
            row.fill((1.0 - p) / 3.0);
            row[predicted] = p;
            labels.push(if right {
                predicted
            } else {
                (predicted + 1) % 4
            });
        }
        Outputs::new("o", confidences, labels).unwrap()
    }

    #[test]
    fn what_only_label_and_confidences_together_tell_is_learnt() {
        let side = |seed| Sides::new(banded(true, 300, seed), banded(false, 300, seed + 1));
        let (target, shadow) = (side(1), side(3));
        let evidence = Evidence {
            shadow: Some(&shadow),
            seed: 5,
            ..Evidence::new(&target)
        };
        let metrics = [
            correctness::score,
            conf::score,
            entr::score,
            mentr::score,
            top::score,
        ];
        for (index, score) in metrics.into_iter().enumerate() {
            let scores = target.as_ref().map(|outputs| outputs.scores(score));
            let auc = Roc::new(&scores).unwrap().auc();
            assert!((auc - 0.5).abs() < 0.1, "metric {index}: {auc}");
        }
        for attack in [&Trees as &dyn Attack, &Forest] {
            let scored = attack.score(&evidence).unwrap().unwrap();
            let auc = Roc::new(&scored.target).unwrap().auc();
            assert!(auc > 0.99, "{}: {auc}", attack.name());
            assert_eq!(attack.score(&evidence).unwrap().unwrap(), scored);
        }
    }

    #[test]
    fn a_few_lopsided_records_have_a_border_of_their_own() {
        let shadow = Sides::new(banded(true, 30, 1), banded(false, 10, 2));
        let target = Sides::new(banded(true, 3, 3), banded(false, 2, 4));
        let evidence = Evidence {
            shadow: Some(&shadow),
            ..Evidence::new(&target)
        };
        for attack in [&Trees as &dyn Attack, &Forest] {
            let scored = attack.score(&evidence).unwrap().unwrap();
            assert!(matches!(scored.border, Border::At(share, _) if share == 0.75));
            let scores = [scored.target.members, scored.target.nonmembers].concat();
            assert!(scores.len() == 5 && scores.iter().all(|s| s.is_finite()));
        }
    }
}
