//! Drawn digits: a generator of labelled pictures and the small networks trained on them.
//!
//! The demo, the tests and the benchmarks need pictures and a model that are the project's own, so
//! that nothing has to be downloaded. [`generate`] draws as many handwriting-like digits as one
//! wants; [`MODEL`] is a convolutional network that tells them apart, trained by `train.py` and
//! exported by PyTorch to ONNX; [`render`] shows pictures in a terminal.
//!
//! ```
//! use trefoil_digits::{Style, generate, picture, render};
//!
//! let (pictures, labels) = generate(8, 1);
//! for line in render(&picture(&pictures, 0), 28, Style::Plain) {
//!     assert_eq!(line.chars().count(), 28);
//! }
//! assert_eq!(labels.len(), 8);
//! ```

mod draw;
mod glyphs;
mod ink;
mod terminal;

pub use draw::draw;
pub use fastrand::Rng;
pub use ink::Ink;
pub use terminal::{Style, ascii, render, side_by_side};

use ndarray::{Array4, ArrayView2, Axis, s};

/// Height and width of a picture, in pixels.
pub const SIDE: usize = 28;

/// The demo's model, an ONNX file: pictures `[batch, 1, 28, 28]` in `[0, 1]` in, logits
/// `[batch, 10]` out.
pub const MODEL: &[u8] = include_bytes!("../digits.onnx");

/// LeNet-5 for tests and benchmarks, an ONNX file of the same input and output as [`MODEL`].
pub const LENET5: &[u8] = include_bytes!("../lenet5.onnx");

/// A small network for tests, an ONNX file that holds nodes `BatchNormalization` (behind a
/// convolution and behind a dense layer), `AveragePool` (overlapping, padded), `Dropout` and
/// `Softmax`: pictures as for [`MODEL`] in, probabilities `[batch, 10]` out.
pub const NORM: &[u8] = include_bytes!("../norm.onnx");

/// What ONNX Runtime computes from the three models: an .npz archive with `pictures`
/// `[8, 1, 28, 28]`, their `labels` `[8]` (u8) and the outputs `digits`, `lenet5` and `norm`,
/// `[8, 10]` each. The pictures are those of `generate(8, 2)`.
pub const REFERENCE: &[u8] = include_bytes!("../reference.npz");

/// Draws `count` digits: pictures `[count, 1, 28, 28]` in `[0, 1]` and their labels, 0 to 9.
///
/// Every digit is equally likely. The same `seed` gives the same pictures, and a smaller `count`
/// the first ones of them.
pub fn generate(count: usize, seed: u64) -> (Array4<f32>, Vec<u8>) {
    let mut rng = Rng::with_seed(seed);
    let mut pictures = Array4::zeros((count, 1, SIDE, SIDE));
    let mut labels = Vec::with_capacity(count);
    for mut picture in pictures.axis_iter_mut(Axis(0)) {
        let digit = rng.u8(0..10);
        picture
            .index_axis_mut(Axis(0), 0)
            .assign(&draw(digit, &mut rng));
        labels.push(digit);
    }
    (pictures, labels)
}

/// Picture number `index` of a batch `[count, 1, height, width]`.
///
/// # Panics
///
/// If the batch has no such picture.
pub fn picture(batch: &Array4<f32>, index: usize) -> ArrayView2<'_, f32> {
    batch.slice(s![index, 0, .., ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, ArrayView1};
    use ndarray_npy::NpzReader;
    use std::io::Cursor;

    #[test]
    fn a_seed_gives_the_same_pictures_and_another_seed_others() {
        let (pictures, labels) = generate(40, 7);
        assert_eq!(generate(40, 7), (pictures.clone(), labels.clone()));
        assert_ne!(generate(40, 8).0, pictures);
        let (fewer, their_labels) = generate(15, 7);
        assert_eq!(fewer, pictures.slice(s![..15, .., .., ..]));
        assert_eq!(their_labels, labels[..15]);
    }

    #[test]
    fn pictures_hold_grey_levels_with_both_paper_and_ink() {
        let (pictures, labels) = generate(500, 2);
        assert_eq!(pictures.dim(), (500, 1, SIDE, SIDE));
        assert_eq!(labels.len(), 500);
        for index in 0..500 {
            let levels = picture(&pictures, index);
            for &level in levels {
                assert!((0.0..=1.0).contains(&level));
                assert!(((level * 255.0).round() / 255.0 - level).abs() < f32::EPSILON);
            }
            assert!(levels.iter().any(|&level| level < 0.1), "picture {index}");
            assert!(levels.iter().any(|&level| level > 0.5), "picture {index}");
        }
    }

    #[test]
    fn all_digits_are_about_equally_frequent() {
        let mut counts = [0_u32; 10];
        for label in generate(2000, 3).1 {
            counts[usize::from(label)] += 1;
        }
        // Five standard deviations (13.4 each) around the mean of 200.
        assert!(counts.iter().all(|c| (133..=267).contains(c)), "{counts:?}");
    }

    #[test]
    fn no_two_pictures_are_alike() {
        let (pictures, _) = generate(300, 4);
        for first in 0..300 {
            for second in 0..first {
                let difference = &picture(&pictures, first) - &picture(&pictures, second);
                let gap = difference.mapv(f32::abs).sum();
                assert!(gap > 8.0, "pictures {first} and {second}: {gap}");
            }
        }
    }

    #[test]
    fn an_empty_batch_is_allowed() {
        let (pictures, labels) = generate(0, 1);
        assert!(pictures.is_empty() && labels.is_empty());
    }

    #[test]
    fn the_models_are_onnx_files_of_a_known_size() {
        let normalization = "BatchNormalization AveragePool Dropout Softmax";
        for (model, limit, nodes) in [
            (MODEL, 300_000, "Conv MaxPool Relu Gemm"),
            (LENET5, 300_000, "Conv MaxPool Relu Gemm"),
            (NORM, 50_000, normalization),
        ] {
            assert!(model.len() < limit);
            // Field 1 (the version of the format) as a varint opens every ONNX file.
            assert_eq!(model[0], 0x08);
            for node in nodes.split(' ') {
                assert!(contains(model, node), "no {node}");
            }
        }
    }

    fn contains(file: &[u8], text: &str) -> bool {
        file.windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    }

    #[test]
    fn the_reference_belongs_to_the_generator_and_the_models() {
        let mut archive = NpzReader::new(Cursor::new(REFERENCE)).unwrap();
        let pictures: Array4<f32> = archive.by_name("pictures").unwrap();
        let labels: Array1<u8> = archive.by_name("labels").unwrap();
        let (drawn, drawn_labels) = generate(8, 2);
        assert_eq!(labels.to_vec(), drawn_labels);
        // One grey level: the sine of another machine may round otherwise.
        let gap = (&pictures - &drawn).mapv(f32::abs);
        assert!(gap.iter().all(|&gap| gap < 1.5 / 255.0));
        for name in ["digits", "lenet5", "norm"] {
            let outputs: Array2<f32> = archive.by_name(name).unwrap();
            assert_eq!(outputs.dim(), (8, 10));
            let hits = outputs.rows().into_iter().zip(&labels);
            let hits = hits.filter(|(row, label)| argmax(row) == usize::from(**label));
            assert!(
                hits.count() >= 7,
                "{name} errs more often than once in eight"
            );
        }
        let probabilities: Array2<f32> = archive.by_name("norm").unwrap();
        for sum in probabilities.sum_axis(Axis(1)) {
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
    }

    fn argmax(row: &ArrayView1<'_, f32>) -> usize {
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.map(|(index, _)| index).unwrap()
    }
}
