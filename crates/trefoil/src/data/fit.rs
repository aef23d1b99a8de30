//! Samples and the input that a model takes: one order of axes, or words about what differs.

use super::Content;
use super::preparation::{Layout, Preparation};
use crate::Error;
use ndarray::{ArrayD, Axis, IxDyn};
use std::path::Path;
use trefoil_nn::graph::Dimension;

/// The axes of pictures with channels last, as pictures with channels first have them, and the other way round.
const TO_NCHW: [usize; 4] = [0, 3, 1, 2];
const TO_NHWC: [usize; 4] = [0, 2, 3, 1];

/// What a file holds, prepared for an input of shape `axes`: a single sample may lack the first axis, and pictures become rows
/// for a model that takes rows.
///
/// # Errors
/// If it does not fit: how, and what to do about it.
pub(super) fn fitted(
    path: &Path,
    content: Content,
    preparation: &Preparation,
    axes: &[Dimension],
    model: &str,
) -> Result<ArrayD<f64>, Error> {
    let last = preparation.layout == Layout::Nhwc;
    let (mut values, from_pictures) = match content {
        Content::Pictures(values, _) if last => (turned(values, TO_NHWC), true),
        Content::Pictures(values, _) => (values, true),
        Content::Array(values) => (values, false),
    };
    if !fits(values.shape(), axes) && fits(&with_first(values.shape()), axes) {
        values = values.insert_axis(Axis(0));
    }
    let mut channels = if last {
        values.ndim().saturating_sub(1)
    } else {
        1
    };
    if last && !from_pictures && !fits(values.shape(), axes) {
        for (order, place) in [(TO_NCHW, 1), (TO_NHWC, 3)] {
            let single = if values.ndim() == 3 {
                values.view().insert_axis(Axis(0))
            } else {
                values.view()
            };
            if single.ndim() == 4 && fits(&permuted(single.shape(), &order), axes) {
                values = turned(single.into_owned(), order);
                channels = place;
                break;
            }
        }
    }
    preparation.scale(path, &mut values, channels)?;
    let values = flattened(values, axes);
    let shape = values.shape().to_vec();
    if axes.is_empty() || !fits(&shape, axes) {
        let takes = shown(axes);
        let failure = Error::new(format!(
            "{} has shape {shape:?}, the model {model} takes {takes}",
            path.display()
        ));
        return Err(failure.with_help(advice(&shape, axes, from_pictures)));
    }
    if values.is_empty() {
        return Err(Error::new(format!(
            "{} holds no samples: shape {shape:?}, so no pictures either",
            path.display()
        )));
    }
    Ok(values)
}

/// Whether an array of `shape` is what an input of shape `axes` takes, for any number of samples.
fn fits(shape: &[usize], axes: &[Dimension]) -> bool {
    let mut pairs = shape.iter().zip(axes).skip(1);
    shape.len() == axes.len()
        && pairs.all(|(size, axis)| match axis {
            Dimension::Fixed(expected) => size == expected,
            // The compiler refuses it, with its name.
            Dimension::Free(_) => true,
        })
}

fn with_first(shape: &[usize]) -> Vec<usize> {
    [&[1], shape].concat()
}

fn permuted(shape: &[usize], order: &[usize]) -> Vec<usize> {
    order.iter().map(|&axis| shape[axis]).collect()
}

fn turned(values: ArrayD<f64>, order: [usize; 4]) -> ArrayD<f64> {
    let turned = values.permuted_axes(IxDyn(&order));
    turned.as_standard_layout().into_owned()
}

/// The sizes behind the first axis, if all are known.
fn sizes(axes: &[Dimension]) -> Option<Vec<usize>> {
    let size = |axis: &Dimension| match axis {
        Dimension::Fixed(size) => Some(*size),
        Dimension::Free(_) => None,
    };
    axes.iter().skip(1).map(size).collect()
}

/// Pictures (N, C, H, W) for a model that takes each as one row of numbers, or a column: in row-major order.
fn flattened(values: ArrayD<f64>, axes: &[Dimension]) -> ArrayD<f64> {
    let Some(sizes) = sizes(axes) else {
        return values;
    };
    let pixels = values.shape().iter().skip(1).product::<usize>();
    let is_row = sizes.iter().filter(|&&size| size > 1).count() == 1;
    if values.ndim() != 4 || axes.len() >= 4 || !is_row || sizes.iter().product::<usize>() != pixels
    {
        return values;
    }
    let shape = [&values.shape()[..1], &sizes].concat();
    values.into_shape_with_order(shape).unwrap_or_default()
}

/// A shape with N for the first axis.
fn shown(axes: &[Dimension]) -> String {
    let rest = axes.iter().skip(1).map(|axis| match axis {
        Dimension::Fixed(size) => size.to_string(),
        Dimension::Free(name) if name.is_empty() => "any".to_owned(),
        Dimension::Free(name) => name.clone(),
    });
    let sizes: Vec<String> = ["N".to_owned()].into_iter().chain(rest).collect();
    format!("[{}]", sizes.join(", "))
}

/// What to do about samples of `shape` that do not fit. Never a way that runs and gives wrong answers: numbers are moved only
/// where the axes tell how.
fn advice(shape: &[usize], axes: &[Dimension], from_pictures: bool) -> String {
    let takes = shown(axes);
    if let Some(advice) = other_order(shape, axes, from_pictures) {
        return advice;
    }
    let Some(sizes) = sizes(axes) else {
        return format!("give an array of shape {takes}, N being the number of samples");
    };
    let list = |sizes: &[usize]| {
        sizes
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let rest = shape.get(1..).unwrap_or_default();
    let beyond_one = |sizes: &[usize]| -> Vec<usize> {
        sizes.iter().copied().filter(|&size| size > 1).collect()
    };
    let target = list(&sizes);
    if shape.len() >= 2 && beyond_one(rest) == beyond_one(&sizes) {
        return format!(
            "only axes of size 1 differ: reshape the array with array.reshape(-1, {target})"
        );
    }
    if beyond_one(shape) == beyond_one(&sizes) {
        return format!(
            "that is one sample of {takes}: reshape the array with array.reshape(1, {target})"
        );
    }
    if rest.iter().product::<usize>() == sizes.iter().product::<usize>() {
        return match (rest, &sizes[..]) {
            ([_], [channels, height, width]) if *channels > 1 => format!(
                "each row holds as many numbers as a picture. If the rows were made from pictures [{target}], reshape with \
                 array.reshape(-1, {target}); if from pictures [{height}, {width}, {channels}], with \
                 array.reshape(-1, {height}, {width}, {channels}).transpose(0, 3, 1, 2). The wrong one of the two mixes up \
                 the pixels"
            ),
            ([_], _) => format!(
                "each row holds as many numbers as a sample: reshape the array with array.reshape(-1, {target}), if rows were \
                 made from samples of that shape"
            ),
            (_, [_]) => "each sample holds as many numbers as the model takes in a row: flatten them as in training, such as with \
                 array.reshape(len(array), -1)"
                .to_owned(),
            _ => format!(
                "each sample holds as many numbers as the model takes, but along other axes: bring them to {takes} as in \
                 training"
            ),
        };
    }
    if shape.len() == axes.len() {
        let differ = rest.iter().zip(&sizes).position(|(a, b)| a != b);
        let (at, given, wanted) = match differ {
            Some(index) => (index + 1, rest[index], sizes[index]),
            None => (0, 0, 0),
        };
        let cause = match shape.len() {
            2 => {
                "give the columns that the model was trained on, in their order; is an index or the label among them?"
            }
            4 => "bring pictures to the size and the colours that the model was trained on",
            _ => "bring the samples to the size that the model was trained on",
        };
        return format!("axis {at} has size {given}, the model takes {wanted}: {cause}");
    }
    format!("give an array of shape {takes}, N being the number of samples")
}

/// What to do if the array has the model's axes in another order.
fn other_order(shape: &[usize], axes: &[Dimension], from_pictures: bool) -> Option<String> {
    let takes = shown(axes);
    let single;
    let (shape, whole) = if shape.len() + 1 == axes.len() {
        single = with_first(shape);
        (single.as_slice(), false)
    } else {
        (shape, true)
    };
    if shape.len() != axes.len() {
        return None;
    }
    if shape.len() == 4 {
        for (order, given, wanted, channel) in [
            (
                TO_NCHW,
                "height, width, channels",
                "channels, height, width",
                3,
            ),
            (
                TO_NHWC,
                "channels, height, width",
                "height, width, channels",
                1,
            ),
        ] {
            if !fits(&permuted(shape, &order), axes) {
                continue;
            }
            let channels = shape[channel];
            let because = format!(
                "the axes look like [N, {given}], with {channels} along axis {channel} as the model's channels, but the model \
                 takes [N, {wanted}], {takes}"
            );
            if from_pictures {
                return Some(format!("{because}: add --layout nhwc"));
            }
            let order = if whole {
                order.map(|axis| axis.to_string()).join(", ")
            } else {
                [order[1], order[2], order[3]]
                    .map(|axis| (axis - 1).to_string())
                    .join(", ")
            };
            return Some(format!(
                "{because}: add --layout nhwc, or transpose the array with array.transpose({order}). Other ways to that shape \
                 mix up the pixels"
            ));
        }
    }
    if shape.len() == 2 && fits(&[shape[1], shape[0]], axes) {
        return Some(format!(
            "the array looks transposed, with samples as columns: the model takes {takes}, save array.T"
        ));
    }
    if shape.len() == 3 && whole && fits(&permuted(shape, &[0, 2, 1]), axes) {
        return Some(format!(
            "the last two axes look exchanged: the model takes {takes}, transpose the array with array.transpose(0, 2, 1)"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(sizes: &[usize]) -> Vec<Dimension> {
        let fixed = sizes.iter().map(|&size| Dimension::Fixed(size));
        [Dimension::Free("N".into())]
            .into_iter()
            .chain(fixed)
            .collect()
    }

    #[test]
    fn advice_moves_numbers_only_where_the_axes_tell_how() {
        for (shape, takes, word, never) in [
            (
                &[5, 32, 32, 3][..],
                &[3, 32, 32][..],
                "transpose(0, 3, 1, 2)",
                "reshape",
            ),
            (&[32, 32, 3], &[3, 32, 32], "transpose(2, 0, 1)", "reshape"),
            (
                &[5, 3, 32, 32],
                &[32, 32, 3],
                "transpose(0, 2, 3, 1)",
                "reshape",
            ),
            (
                &[5, 28, 28],
                &[1, 28, 28],
                "reshape(-1, 1, 28, 28)",
                "transpose",
            ),
            (
                &[28, 28],
                &[1, 28, 28],
                "reshape(1, 1, 28, 28)",
                "transpose",
            ),
            (
                &[5, 784],
                &[1, 28, 28],
                "reshape(-1, 1, 28, 28)",
                "transpose",
            ),
            (
                &[5, 3072],
                &[3, 32, 32],
                "transpose(0, 3, 1, 2)",
                "--layout",
            ),
            (&[12, 5], &[12], "array.T", "reshape"),
            (&[5, 13], &[12], "index or the label", "reshape"),
            (&[5, 8, 20], &[20, 8], "transpose(0, 2, 1)", "reshape"),
            (
                &[5, 1, 28, 32],
                &[1, 28, 28],
                "axis 3 has size 32",
                "reshape",
            ),
            (&[5, 4, 6, 2], &[3, 4, 4], "training", "reshape"),
            (&[5, 4, 6], &[3, 8], "training", "reshape"),
        ] {
            let advice = advice(shape, &axes(takes), false);
            assert!(advice.contains(word), "{shape:?} for {takes:?}: {advice}");
            assert!(!advice.contains(never), "{shape:?} for {takes:?}: {advice}");
        }
        let pictures = advice(&[5, 3, 32, 32], &axes(&[32, 32, 3]), true);
        assert!(pictures.contains("--layout nhwc") && !pictures.contains("array."));
    }

    #[test]
    fn with_channels_last_arrays_are_transposed_where_the_model_has_them_first() {
        let nhwc = ArrayD::from_shape_fn(IxDyn(&[2, 4, 5, 3]), |index| {
            (index[1] * 10 + index[3]) as f64
        });
        let last = Preparation {
            layout: Layout::Nhwc,
            mean: vec![0.0, 1.0, 2.0],
            ..Preparation::default()
        };
        let fit = |values: &ArrayD<f64>, takes: &[usize]| {
            let content = Content::Array(values.clone());
            fitted(Path::new("x.npy"), content, &last, &axes(takes), "m.onnx")
        };
        let nchw = fit(&nhwc, &[3, 4, 5]).unwrap();
        assert_eq!(nchw.shape(), [2, 3, 4, 5]);
        assert!((nchw[[1, 2, 3, 4]] - 30.0).abs() < 1e-12);
        // A model with channels last takes it as it is, and one sample alone.
        assert_eq!(fit(&nhwc, &[4, 5, 3]).unwrap().shape(), nhwc.shape());
        let one = nhwc.index_axis(Axis(0), 0).to_owned();
        assert_eq!(fit(&one, &[3, 4, 5]).unwrap().shape(), [1, 3, 4, 5]);
    }
}
