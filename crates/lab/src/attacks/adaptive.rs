//! Attackers who know the defence.
//!
//! The adaptive attacker runs the same defence on the shadow outputs and then any attack: trains
//! and chooses thresholds on [`guarded`] outputs. Where a defence is random, the attacker asks
//! again and [`averaged`] answers are attacked.

use super::Outputs;
use crate::{LabError, Sides};
use ndarray::Array2;

/// The shadow outputs as the defence would have given them.
///
/// # Errors
/// Those of `defence`, or if it changes the shape or gives numbers that are not finite.
pub fn guarded(
    shadow: Sides<&Outputs>,
    mut defence: impl FnMut(&Array2<f64>) -> Result<Array2<f64>, LabError>,
) -> Result<Sides<Outputs>, LabError> {
    shadow.try_map(|outputs| {
        let confidences = defence(outputs.confidences())?;
        outputs.with_confidences("the guarded shadow outputs", confidences)
    })
}

/// The mean of the answers to `repeats` equal queries; `ask` gets the number of the query.
///
/// # Errors
/// Those of `ask`, or if its answers differ in shape.
///
/// # Panics
/// If `repeats` is 0.
pub fn averaged(
    repeats: usize,
    mut ask: impl FnMut(usize) -> Result<Array2<f64>, LabError>,
) -> Result<Array2<f64>, LabError> {
    assert!(repeats > 0, "no query, no answer");
    let mut sum = ask(0)?;
    for repeat in 1..repeats {
        let answer = ask(repeat)?;
        if answer.dim() != sum.dim() {
            let problem = format!(
                "query {repeat} gave the shape {:?}, the first {:?}",
                answer.dim(),
                sum.dim()
            );
            return Err(LabError::input("repeated queries", problem));
        }
        sum += &answer;
    }
    Ok(sum / repeats as f64)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::around;
    use super::*;
    use crate::attacks::Thresholds;
    use crate::random::Stream;
    use ndarray::array;

    /// A defence that reverses what confidences mean.
    fn reverse(confidences: &Array2<f64>) -> Result<Array2<f64>, LabError> {
        Ok(confidences.mapv(|p| 1.0 - p))
    }

    #[test]
    fn thresholds_on_guarded_outputs_fit_the_guarded_target() {
        // Members' label confidence: .6 before the defence, .4 after; non-members' .9 and .1.
        let shadow = Sides::new(around(0.6, 50, 1), around(0.9, 50, 2));
        let target = Sides::new(around(0.6, 50, 3), around(0.9, 50, 4));
        let target = guarded(target.as_ref(), reverse).unwrap();
        let found = |shadow: &Sides<Outputs>| {
            let score = |outputs: &Outputs| outputs.scores(crate::attacks::conf::score);
            let known = shadow.as_ref().map(score);
            let thresholds = Thresholds::global(known.as_ref().map(Vec::as_slice));
            let decide = |outputs: &Outputs| {
                let decided = thresholds.decide(&score(outputs), outputs.labels());
                decided.iter().filter(|&&d| d).count()
            };
            target.as_ref().map(decide)
        };
        let adaptive = guarded(shadow.as_ref(), reverse).unwrap();
        assert_eq!(found(&adaptive), Sides::new(50, 0));
        assert_ne!(found(&shadow), Sides::new(50, 0));
    }

    #[test]
    fn averages_undo_noise_and_refuse_other_shapes() {
        let mut stream = Stream::new(1, "noisy answers");
        let mut ask = |_| Ok(array![[0.3, 0.7]].mapv(|p: f64| p + stream.normal()));
        let mean = averaged(10_000, &mut ask).unwrap();
        assert!((mean[[0, 0]] - 0.3).abs() < 0.05 && (mean[[0, 1]] - 0.7).abs() < 0.05);
        let growing = |query| Ok(Array2::zeros((1, query + 1)));
        assert!(averaged(2, growing).is_err());
    }
}
