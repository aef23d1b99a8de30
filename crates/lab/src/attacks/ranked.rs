//! Right labels ranked by how hard they were to get right.

use super::{Attack, Border, Evidence, Need, Outputs, References, Scored};
use crate::{LabError, Sides};

/// Where a label is right, the record is the likelier a member the less models that were not trained on it believe in
/// the label. It uses the target's label and nothing else of its answers: a floor for every defence that keeps labels.
pub(super) struct Ranked;

impl Attack for Ranked {
    fn name(&self) -> &'static str {
        "ranked"
    }

    fn decides_by(&self) -> &'static str {
        "a right label that other models did not expect"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::References, Need::Labels]
    }

    fn floor(&self) -> bool {
        true
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        let Some(references) = evidence.undefended.or(evidence.references) else {
            return Ok(None);
        };
        let all = |outputs: &Sides<Outputs>, references: &Sides<References>| {
            let pairs = outputs.as_ref().zip(references.as_ref());
            pairs.try_map(|(outputs, references)| scores(outputs, references))
        };
        let own = evidence.shadow_undefended.or(evidence.shadow_references);
        let own = evidence.shadow.zip(own);
        Ok(Some(Scored {
            target: all(evidence.target, references)?,
            shadow: own
                .map(|(own, references)| all(own, references))
                .transpose()?,
            border: Border::OneOr(1.0, "a right label"),
        }))
    }
}

/// With `p` the reference models' mean confidence in the label, `2 - p` for a right label and `p` for a wrong one: a model
/// that was not trained on the record is wrong about it the likelier the smaller `p` is.
fn scores(outputs: &Outputs, references: &References) -> Result<Vec<f64>, LabError> {
    references.check(outputs)?;
    let labels = outputs.labels().iter().zip(outputs.predicted());
    let score = |(record, (&label, predicted))| {
        let others = references.of(record, |p| p[label].clamp(0.0, 1.0)).without;
        let mean = others.iter().sum::<f64>() / others.len() as f64;
        if label == predicted { 2.0 - mean } else { mean }
    };
    Ok(labels.enumerate().map(score).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn scores_by_hand() {
        let outputs = Outputs::new(
            "o",
            array![[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]],
            vec![0, 0, 1],
        );
        let models = array![
            [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]],
            [[0.7, 0.3], [0.4, 0.6], [0.6, 0.4]]
        ];
        let references = References::offline("r", models).unwrap();
        let scores = scores(&outputs.unwrap(), &references).unwrap();
        for (score, expected) in scores.iter().zip([1.2, 1.7, 0.4]) {
            assert!((score - expected).abs() < 1e-12, "{scores:?}");
        }
    }
}
