//! Constrained least squares: the picture nearest to a first guess whose activations have the signs seen.

use super::first_layer::FirstLayer;
use crate::pictures::Picture;

/// Weight of the distance to the first guess against that of a violated sign.
const ANCHOR: f32 = 2e-4;
/// Steps of the accelerated gradient method.
const STEPS: usize = 120;

/// Minimise `sum of squares of violations + ANCHOR * |x - guess|^2` over pictures in `[0, 1]`, where the violation of a
/// sign is how far the activation, divided by the norm of its filter, is on the wrong side of 0.
///
/// Convex; solved by the accelerated projected gradient method with restarts (Beck and Teboulle 2009; O'Donoghue and
/// Candès 2015). `signs` are 1 and -1; a sign of 0 is not known.
pub(crate) fn nearest_with_signs(layer: &FirstLayer, signs: &[f32], guess: &Picture) -> Picture {
    let area = layer.area();
    let norms = layer.norms();
    let scale = |pixel: usize| layer.preparation.factor[pixel / area];
    let step = 1.0 / (largest_eigenvalue(layer, &norms) + ANCHOR);
    let anchor = &guess.pixels;
    let mut x = anchor.clone();
    let mut y = x.clone();
    let mut momentum = 1.0_f32;
    let mut picture = guess.clone();
    for _ in 0..STEPS {
        picture.pixels.clone_from(&y);
        let mut residual = layer.apply(&picture);
        for ((plane, signs), norm) in residual
            .chunks_mut(area)
            .zip(signs.chunks(area))
            .zip(&norms)
        {
            for (z, &sign) in plane.iter_mut().zip(signs) {
                *z = if *z * sign < 0.0 {
                    *z / (norm * norm)
                } else {
                    0.0
                };
            }
        }
        let mut gradient = vec![0.0; x.len()];
        layer.add_transposed(&residual, &mut gradient);
        let next: Vec<f32> = (0..x.len())
            .map(|i| {
                let slope = gradient[i] * scale(i) + ANCHOR * (y[i] - anchor[i]);
                (y[i] - step * slope).clamp(0.0, 1.0)
            })
            .collect();
        let uphill: f32 = (0..x.len())
            .map(|i| (y[i] - next[i]) * (next[i] - x[i]))
            .sum();
        let beta = if uphill > 0.0 {
            momentum = 1.0;
            0.0
        } else {
            let grown = f32::midpoint(1.0, (1.0 + 4.0 * momentum * momentum).sqrt());
            let beta = (momentum - 1.0) / grown;
            momentum = grown;
            beta
        };
        for i in 0..x.len() {
            y[i] = next[i] + beta * (next[i] - x[i]);
        }
        x = next;
    }
    Picture::new(layer.input, x)
}

/// Of the normalised filters' map composed with its transpose, by the power method; 5 % too much.
fn largest_eigenvalue(layer: &FirstLayer, norms: &[f32]) -> f32 {
    let area = layer.area();
    let len = layer.input[0] * area;
    let scale = |pixel: usize| layer.preparation.factor[pixel / area];
    let mut v: Vec<f32> = (0..len).map(|i| (i * 7919 % 13) as f32 - 6.0).collect();
    let mut value = 1.0;
    for _ in 0..20 {
        let prepared: Vec<f32> = v.iter().enumerate().map(|(i, v)| v * scale(i)).collect();
        let mut out = vec![0.0; layer.outputs()];
        layer.add_filtered(&prepared, &mut out);
        for (plane, norm) in out.chunks_mut(area).zip(norms) {
            for z in plane {
                *z /= norm * norm;
            }
        }
        let mut back = vec![0.0; len];
        layer.add_transposed(&out, &mut back);
        back.iter_mut()
            .enumerate()
            .for_each(|(i, b)| *b *= scale(i));
        value = back.iter().map(|b| b * b).sum::<f32>().sqrt().max(1e-12);
        v = back.into_iter().map(|b| b / value).collect();
    }
    1.05 * value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;
    use crate::attack::first_layer::Preparation;

    #[test]
    fn signs_are_met_and_a_consistent_guess_stays() {
        let mut random = Random::new(1);
        let mut some =
            |len| -> Vec<f32> { (0..len).map(|_| random.real(-1.0, 1.0) as f32).collect() };
        let layer = FirstLayer {
            input: [1, 8, 8],
            filters: 8,
            kernel: 3,
            weights: some(72),
            bias: some(8),
            preparation: Preparation::scale(1, 1.0),
        };
        let truth = some(64).iter().map(|v| v.abs()).collect();
        let truth = Picture::new([1, 8, 8], truth);
        let signs: Vec<f32> = layer.apply(&truth).iter().map(|z| z.signum()).collect();
        let wrong = |picture: &Picture| {
            let signs = signs.iter().zip(layer.apply(picture));
            signs.filter(|(s, z)| **s * z < -1e-3).count()
        };
        let grey = Picture::new([1, 8, 8], vec![0.5; 64]);
        let found = nearest_with_signs(&layer, &signs, &grey);
        let (before, after) = (wrong(&grey), wrong(&found));
        assert!(before > 20 && after <= before / 4, "{before} and {after}");
        let same = nearest_with_signs(&layer, &signs, &truth);
        let moved = same
            .pixels
            .iter()
            .zip(&truth.pixels)
            .map(|(a, b)| (a - b).abs());
        assert!(moved.fold(0.0, f32::max) < 1e-6);
    }
}
