//! Pixels from what the helper sees around them: a linear map, fitted to public pictures.

use super::first_layer::FirstLayer;
use crate::Random;
use crate::pictures::Picture;

/// Widths and heights of the neighbourhood that a pixel may be read from, the widest first.
const SIDES: [usize; 3] = [7, 5, 3];
/// The widest neighbourhood is used that has no more features than this: the cost of fitting grows with their square.
const MOST_FEATURES: usize = 450;
/// Ridge penalty, relative to the mean square of the features.
const RIDGE: f64 = 1e-3;

/// Maps (filters, height, width) of what the helper saw of each activation: a sign, or a magnitude.
pub(crate) type Maps = Vec<f32>;

/// A least-squares map from windows of maps to pixels.
pub(crate) struct Decoder {
    filters: usize,
    side: usize,
    /// For each channel a weight for each place of the window, and a constant.
    weights: Vec<Vec<f32>>,
}

impl Decoder {
    /// Fit to pictures and their maps, at `samples` random places.
    ///
    /// # Panics
    /// If there are no examples.
    pub(crate) fn fit(
        layer: &FirstLayer,
        examples: &[(Picture, Maps)],
        samples: usize,
        seed: u64,
    ) -> Self {
        assert!(!examples.is_empty(), "a decoder without examples");
        let (channels, area) = (layer.input[0], layer.area());
        let mut random = Random::of(seed, "places of a decoder");
        let fits = |side: &usize| layer.filters * side * side <= MOST_FEATURES;
        let side = SIDES.into_iter().find(fits).unwrap_or(1);
        let size = layer.filters * side * side + 1;
        let mut system = Ridge::new(size, channels);
        let mut features = vec![0.0; size];
        for (picture, maps) in examples {
            for _ in 0..samples.div_ceil(examples.len()) {
                let place = random.below(area);
                window(layer, maps, place, side, &mut features);
                let targets = (0..channels).map(|c| picture.pixels[c * area + place]);
                system.add(&features, targets);
            }
            system.settle();
        }
        Self {
            filters: layer.filters,
            side,
            weights: system.solve(RIDGE),
        }
    }

    /// The picture behind maps.
    pub(crate) fn decode(&self, layer: &FirstLayer, maps: &Maps) -> Picture {
        assert_eq!(self.filters, layer.filters, "maps of a decoder");
        let (channels, area) = (layer.input[0], layer.area());
        let mut features = vec![0.0; self.filters * self.side * self.side + 1];
        let mut pixels = vec![0.0; channels * area];
        for place in 0..area {
            window(layer, maps, place, self.side, &mut features);
            for (c, weights) in self.weights.iter().enumerate() {
                let sum: f32 = weights.iter().zip(&features).map(|(w, f)| w * f).sum();
                pixels[c * area + place] = sum.clamp(0.0, 1.0);
            }
        }
        Picture::new(layer.input, pixels)
    }
}

/// The maps around a place, 0 outside the picture; and 1.
fn window(layer: &FirstLayer, maps: &[f32], place: usize, side: usize, features: &mut [f32]) {
    let [_, height, width] = layer.input;
    let (y, x) = (place / width, place % width);
    let radius = side / 2;
    let (first, last) = (x.saturating_sub(radius), (x + radius + 1).min(width));
    features.fill(0.0);
    for filter in 0..layer.filters {
        for dy in 0..side {
            let Some(row) = (y + dy).checked_sub(radius).filter(|&row| row < height) else {
                continue;
            };
            let from = (filter * height + row) * width;
            let to = (filter * side + dy) * side + first + radius - x;
            features[to..to + last - first].copy_from_slice(&maps[from + first..from + last]);
        }
    }
    if let Some(constant) = features.last_mut() {
        *constant = 1.0;
    }
}

/// Normal equations of a least-squares problem with several right-hand sides.
pub(crate) struct Ridge {
    size: usize,
    /// Lower triangle, summed in single precision until settled.
    recent: Vec<f32>,
    matrix: Vec<f64>,
    right: Vec<Vec<f64>>,
}

impl Ridge {
    pub(crate) fn new(size: usize, targets: usize) -> Self {
        Self {
            size,
            recent: vec![0.0; size * size],
            matrix: vec![0.0; size * size],
            right: vec![vec![0.0; size]; targets],
        }
    }

    /// One sample.
    pub(crate) fn add(&mut self, features: &[f32], targets: impl Iterator<Item = f32>) {
        for (i, &f) in features.iter().enumerate() {
            if f != 0.0 {
                let row = &mut self.recent[i * self.size..=i * self.size + i];
                row.iter_mut().zip(features).for_each(|(m, g)| *m += f * g);
            }
        }
        for (right, target) in self.right.iter_mut().zip(targets) {
            for (r, &f) in right.iter_mut().zip(features) {
                *r += f64::from(f * target);
            }
        }
    }

    /// Move the recent sums to double precision, before they lose digits.
    pub(crate) fn settle(&mut self) {
        for (sum, recent) in self.matrix.iter_mut().zip(&mut self.recent) {
            *sum += f64::from(*recent);
            *recent = 0.0;
        }
    }

    /// The weights for each target, by Cholesky's method. `ridge` is the penalty, relative to the mean square of the
    /// features.
    pub(crate) fn solve(mut self, ridge: f64) -> Vec<Vec<f32>> {
        self.settle();
        let (n, mut l) = (self.size, self.matrix);
        let trace: f64 = (0..n).map(|i| l[i * n + i]).sum();
        let penalty = (ridge * trace / n.max(1) as f64).max(1e-9);
        for i in 0..n {
            l[i * n + i] += penalty;
            for j in 0..=i {
                let (rows, row) = l.split_at_mut(i * n);
                let sum: f64 = if i == j {
                    row[..j].iter().map(|v| v * v).sum()
                } else {
                    let other = &rows[j * n..j * n + j];
                    row[..j].iter().zip(other).map(|(a, b)| a * b).sum()
                };
                row[j] = if i == j {
                    (row[j] - sum).max(1e-12).sqrt()
                } else {
                    (row[j] - sum) / rows[j * n + j]
                };
            }
        }
        let solve = |mut x: Vec<f64>| {
            for i in 0..n {
                let sum: f64 = (0..i).map(|j| l[i * n + j] * x[j]).sum();
                x[i] = (x[i] - sum) / l[i * n + i];
            }
            for i in (0..n).rev() {
                let sum: f64 = (i + 1..n).map(|j| l[j * n + i] * x[j]).sum();
                x[i] = (x[i] - sum) / l[i * n + i];
            }
            x.into_iter().map(|v| v as f32).collect()
        };
        self.right.into_iter().map(solve).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_map_is_found() {
        let mut random = Random::new(1);
        let mut system = Ridge::new(4, 2);
        for _ in 0..200 {
            let mut x = [0.0; 4].map(|_: f32| random.real(-1.0, 1.0) as f32);
            x[3] = 1.0;
            let targets = [2.0 * x[0] - x[2], x[1] + 0.5];
            system.add(&x, targets.into_iter());
        }
        let found = system.solve(0.0);
        let expected = [[2.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.5]];
        for (f, e) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((f - e).abs() < 1e-3, "{found:?}");
        }
    }
}
