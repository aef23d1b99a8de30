//! Filters learned from queries: the helper, together with one user, needs no model to invert the signs.

use super::decoder::{Maps, Ridge};
use super::first_layer::FirstLayer;
use crate::Random;
use crate::pictures::Picture;

/// Newton steps of the logistic regression.
const STEPS: usize = 12;
/// Places looked at.
const SAMPLES: usize = 12_000;
/// Ridge penalty, relative to the mean square of the features: signs are a linear function of a patch without exception, so that the weights of an
/// unpenalised fit would grow for ever.
const RIDGE: f64 = 1e-5;

/// Filters and biases, up to a factor each, from pictures and the signs that they made the helper see.
///
/// A logistic regression of each filter's signs on the patch of prepared pixels under it, by Newton's method. Of the
/// served layer only its shape is used.
pub(crate) fn learned(shape: &FirstLayer, examples: &[(Picture, Maps)], seed: u64) -> FirstLayer {
    let size = shape.input[0] * shape.kernel * shape.kernel;
    let mut random = Random::of(seed, "places of learned filters");
    let mut patches = Vec::with_capacity(SAMPLES);
    for (number, (picture, _)) in examples.iter().enumerate() {
        let prepared = shape.preparation.apply(picture);
        for _ in 0..SAMPLES.div_ceil(examples.len().max(1)) {
            let place = random.below(shape.area());
            patches.push((number, place, patch(shape, &prepared, place)));
        }
    }
    // Prepared pixels may be large: a common factor keeps the regression's numbers near 1.
    let square: f32 = patches.iter().flat_map(|p| &p.2).map(|v| v * v).sum();
    let unit = (square / (patches.len() * size).max(1) as f32)
        .sqrt()
        .max(1e-12);
    for (_, _, patch) in &mut patches {
        for v in patch.iter_mut() {
            *v /= unit;
        }
        patch.push(1.0);
    }
    let mut layer = shape.clone();
    layer.weights.clear();
    layer.bias.clear();
    for filter in 0..shape.filters {
        let sign = |number: usize, place: usize| examples[number].1[filter * shape.area() + place];
        let mut weights = vec![0.0_f32; size + 1];
        for _ in 0..STEPS {
            let mut system = Ridge::new(size + 1, 1);
            for (at, (number, place, patch)) in patches.iter().enumerate() {
                if at % 256 == 0 {
                    system.settle();
                }
                let z: f32 = patch.iter().zip(&weights).map(|(a, b)| a * b).sum();
                // Beyond this the exponential says nothing new.
                let z = z.clamp(-12.0, 12.0);
                let p = 1.0 / (1.0 + (-z).exp());
                let variance = (p * (1.0 - p)).max(1e-4);
                let wanted = f32::from(sign(*number, *place) > 0.0);
                let root = variance.sqrt();
                let scaled: Vec<f32> = patch.iter().map(|v| v * root).collect();
                let target = (z + (wanted - p) / variance) * root;
                system.add(&scaled, std::iter::once(target));
            }
            weights = system.solve(RIDGE).remove(0);
        }
        layer.bias.push(weights[size] * unit);
        layer.weights.extend_from_slice(&weights[..size]);
    }
    layer
}

/// The prepared pixels under the filter at a place, 0 outside.
fn patch(shape: &FirstLayer, prepared: &[f32], place: usize) -> Vec<f32> {
    let [channels, height, width] = shape.input;
    let (side, pad) = (shape.kernel, shape.kernel / 2);
    let (y, x) = (place / width, place % width);
    let taps = (0..channels).flat_map(|c| (0..side * side).map(move |t| (c, t / side, t % side)));
    taps.map(|(c, dy, dx)| {
        let row = (y + dy).checked_sub(pad).filter(|&row| row < height);
        let column = (x + dx).checked_sub(pad).filter(|&column| column < width);
        match (row, column) {
            (Some(row), Some(column)) => prepared[(c * height + row) * width + column],
            _ => 0.0,
        }
    })
    .collect()
}

/// Mean cosine of the angle between the filters of two layers.
pub(crate) fn likeness(a: &FirstLayer, b: &FirstLayer) -> f64 {
    let size = a.weights.len() / a.filters.max(1);
    let pairs = a.weights.chunks(size).zip(b.weights.chunks(size));
    let cosine = |(x, y): (&[f32], &[f32])| {
        let dot = |x: &[f32], y: &[f32]| {
            x.iter()
                .zip(y)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum::<f64>()
        };
        dot(x, y) / (dot(x, x) * dot(y, y)).sqrt().max(1e-12)
    };
    pairs.map(cosine).sum::<f64>() / a.filters.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::first_layer::Preparation;

    #[test]
    fn filters_are_learned_from_signs() {
        let mut random = Random::new(1);
        let mut some =
            |len: usize| -> Vec<f32> { (0..len).map(|_| random.real(-1.0, 1.0) as f32).collect() };
        let layer = FirstLayer {
            input: [1, 12, 12],
            filters: 2,
            kernel: 3,
            weights: some(18),
            bias: some(2),
            preparation: Preparation::scale(1, 255.0),
        };
        let examples: Vec<(Picture, Maps)> = (0..60)
            .map(|_| {
                let picture = some(144).iter().map(|v| v.abs()).collect();
                let picture = Picture::new([1, 12, 12], picture);
                let signs = layer.apply(&picture).iter().map(|z| z.signum()).collect();
                (picture, signs)
            })
            .collect();
        let found = learned(&layer, &examples, 1);
        assert!(
            likeness(&found, &layer) > 0.99,
            "{}",
            likeness(&found, &layer)
        );
    }
}
