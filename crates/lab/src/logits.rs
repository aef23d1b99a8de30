//! What logits say: labels and confidences.

use ndarray::{Array2, ArrayView1, ArrayView2};

/// The share of rows whose largest output is at the label.
///
/// # Panics
/// If there are not as many labels as rows.
pub fn accuracy(outputs: ArrayView2<'_, f64>, labels: &[usize]) -> f64 {
    assert_eq!(outputs.nrows(), labels.len(), "a label for each row");
    let right = outputs
        .rows()
        .into_iter()
        .zip(labels)
        .filter(|(row, label)| {
            let best = row
                .iter()
                .enumerate()
                .max_by(|x, y| x.1.total_cmp(y.1).then(y.0.cmp(&x.0)));
            best.is_some_and(|(index, _)| index == **label)
        });
    right.count() as f64 / labels.len().max(1) as f64
}

/// The softmax of each row, in 64-bit floats.
///
/// ```
/// use trefoil_lab::logits::softmax;
/// let confidences = softmax(ndarray::array![[1000.0, 1000.0], [0.0, -1e9]].view());
/// assert_eq!(confidences, ndarray::array![[0.5, 0.5], [1.0, 0.0]]);
/// ```
pub fn softmax(logits: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut all = logits.to_owned();
    for mut row in all.rows_mut() {
        let most = row.fold(f64::NEG_INFINITY, |most, &z| most.max(z));
        row.mapv_inplace(|z| (z - most).exp());
        let sum = row.sum();
        row /= sum;
    }
    all
}

/// How many rows of `answers` have their largest number at another class than those of `logits`, the first of equal ones
/// counting.
///
/// # Panics
/// If they are not of the same shape.
pub fn labels_changed(logits: ArrayView2<'_, f64>, answers: ArrayView2<'_, f64>) -> usize {
    assert_eq!(logits.dim(), answers.dim(), "an answer for each row");
    let label = |row: ArrayView1<'_, f64>| {
        let better = |best: usize, class: usize| if row[class] > row[best] { class } else { best };
        (0..row.len()).fold(0, better)
    };
    let pairs = logits.rows().into_iter().zip(answers.rows());
    pairs.filter(|(z, s)| label(*z) != label(*s)).count()
}
