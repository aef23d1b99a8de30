//! Defences that change answers, in the clear.

use ndarray::{Array2, ArrayView2};
use trefoil_guard::{Classifier, Optimiser, memguard};

/// Only the label: 1 for it, 0 for the others.
pub(super) fn label_only(confidences: &Array2<f64>) -> Array2<f64> {
    let mut answers = Array2::zeros(confidences.raw_dim());
    for (mut answer, row) in answers.rows_mut().into_iter().zip(confidences.rows()) {
        answer[order(row)[0]] = 1.0;
    }
    answers
}

/// The `count` largest confidences; the others share what is left.
pub(super) fn top(confidences: &Array2<f64>, count: usize) -> Array2<f64> {
    let mut answers = confidences.clone();
    for mut row in answers.rows_mut() {
        let order = order(row.view());
        let Some((_, rest)) = order.split_at_checked(count).filter(|(_, rest)| !rest.is_empty())
        else {
            continue;
        };
        let mean = rest.iter().map(|&class| row[class]).sum::<f64>() / rest.len() as f64;
        rest.iter().for_each(|&class| row[class] = mean);
    }
    answers
}

/// Confidences with so many decimals. The label keeps a lead of a tenth of the last one where
/// rounding takes it away.
pub(super) fn rounded(confidences: &Array2<f64>, decimals: u32) -> Array2<f64> {
    let unit = 0.1_f64.powi(decimals as i32);
    let mut answers = confidences.mapv(|p| (p / unit).round() * unit);
    for (mut answer, row) in answers.rows_mut().into_iter().zip(confidences.rows()) {
        let label = order(row)[0];
        let tied = (0..row.len()).any(|class| class != label && answer[class] >= answer[label]);
        if tied {
            answer[label] += unit / 10.0;
        }
    }
    answers
}

/// `MemGuard` on logits (rows × classes): the answers, and the steps taken for each row.
pub(super) fn by_memguard(
    optimiser: &Optimiser,
    h: &Classifier,
    logits: ArrayView2<'_, f64>,
) -> (Array2<f64>, Vec<u32>) {
    let mut answers = Array2::zeros(logits.raw_dim());
    let mut iterations = Vec::with_capacity(logits.nrows());
    for (mut answer, row) in answers.rows_mut().into_iter().zip(logits.rows()) {
        let found = memguard(optimiser, h, &row.to_owned());
        answer.assign(&found.confidences);
        iterations.push(found.iterations);
    }
    (answers, iterations)
}

/// The classes, largest confidence first, the first of equal ones first.
fn order(row: ndarray::ArrayView1<'_, f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&x, &y| row[y].total_cmp(&row[x]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn labels_stay_and_the_rest_is_hidden() {
        let confidences = array![[0.46, 0.44, 0.06, 0.04], [0.1, 0.2, 0.3, 0.4]];
        let only = label_only(&confidences);
        assert_eq!(only, array![[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]);
        let two = top(&confidences, 2);
        assert!((two[[0, 2]] - 0.05).abs() < 1e-12 && (two[[0, 3]] - 0.05).abs() < 1e-12);
        assert_eq!(top(&confidences, 4), confidences);
        let round = rounded(&confidences, 1);
        assert!((round[[0, 1]] - 0.4).abs() < 1e-12);
        assert!((round[[1, 3]] - 0.4).abs() < 1e-12);
        for answers in [only, two, round, rounded(&array![[0.51, 0.49]], 0)] {
            for row in answers.rows() {
                let label = order(row)[0];
                assert!(row.iter().filter(|&&p| p >= row[label]).count() == 1);
            }
        }
    }
}
