//! NN-M: a network that tells members from non-members (Shokri et al. 2017).

use super::{Attack, Border, Evidence, MembershipTrainer, Need, Outputs, Scored};
use crate::{LabError, Sides};
use ndarray::Array2;

/// The attack by a network, as a row of tables.
pub(super) struct NnM;

impl Attack for NnM {
    fn name(&self) -> &'static str {
        "NN-M"
    }

    fn decides_by(&self) -> &'static str {
        "a network on sorted confidences"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Shadow, Need::Network]
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        let (Some(shadow), Some(trainer)) = (evidence.shadow, evidence.trainer) else {
            return Ok(None);
        };
        let target = evidence.target.as_ref();
        Ok(Some(Scored {
            target: scores(target, shadow.as_ref(), trainer, evidence.seed)?,
            // Its scores of what it was trained on would say nothing.
            shadow: None,
            border: Border::At(0.5, "the border that the network was trained for"),
        }))
    }
}

/// What the network sees of an output: the confidences in falling order, as in MemGuard's
/// evaluation (Jia et al. 2019), which makes one network serve all classes.
pub fn features(outputs: &Outputs) -> Array2<f64> {
    let mut features = outputs.confidences().clone();
    for mut row in features.rows_mut() {
        let mut sorted = row.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        row.iter_mut().zip(sorted).for_each(|(to, from)| *to = from);
    }
    features
}

/// Train on the shadow outputs and score the target's.
///
/// # Errors
/// If shadow and target have not the same classes, or training or running the model fails.
pub fn scores(
    target: Sides<&Outputs>,
    shadow: Sides<&Outputs>,
    trainer: &dyn MembershipTrainer,
    seed: u64,
) -> Result<Sides<Vec<f64>>, LabError> {
    let (width, expected) = (shadow.members.classes(), target.members.classes());
    if width != expected {
        let problem = format!("{width} classes, but the target has {expected}");
        return Err(LabError::input("the shadow outputs", problem));
    }
    let known = shadow.map(features);
    let model = trainer.train(known.as_ref(), seed)?;
    target.try_map(|outputs| {
        let scores = model.likelihood(&features(outputs))?;
        if scores.len() == outputs.records() {
            return Ok(scores);
        }
        let (actual, expected) = (scores.len(), outputs.records());
        Err(LabError::Model(format!(
            "{actual} scores for {expected} records"
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Logistic, around};
    use super::*;

    #[test]
    fn features_are_the_sorted_confidences() {
        let outputs = Outputs::new("o", ndarray::array![[0.2, 0.7, 0.1]], vec![0]).unwrap();
        assert_eq!(features(&outputs), ndarray::array![[0.7, 0.2, 0.1]]);
    }

    #[test]
    fn what_separates_the_shadow_separates_the_target() {
        let shadow = Sides::new(around(0.9, 100, 1), around(0.6, 100, 2));
        let target = Sides::new(around(0.9, 50, 3), around(0.6, 50, 4));
        let scores = scores(target.as_ref(), shadow.as_ref(), &Logistic, 0).unwrap();
        assert!(scores.members.iter().all(|&score| score > 0.5));
        assert!(scores.nonmembers.iter().all(|&score| score < 0.5));
    }
}
