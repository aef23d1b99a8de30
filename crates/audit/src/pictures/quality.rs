//! How alike two pictures are.

use super::Picture;

/// Width of SSIM's window.
const WINDOW: usize = 11;
/// Its standard deviation.
const DEVIATION: f64 = 1.5;

/// Peak signal-to-noise ratio in decibels, 100 for equal pictures.
///
/// # Panics
/// If the shapes differ.
pub fn psnr(a: &Picture, b: &Picture) -> f64 {
    assert_eq!(a.shape, b.shape, "shapes of compared pictures");
    let square = |(x, y): (&f32, &f32)| f64::from(x - y).powi(2);
    let sum: f64 = a.pixels.iter().zip(&b.pixels).map(square).sum();
    let mean = sum / a.pixels.len().max(1) as f64;
    (-10.0 * mean.max(1e-10).log10()).min(100.0)
}

/// Structural similarity: mean over all windows and channels; 1 for equal pictures, about 0 for unrelated ones.
///
/// # Source
/// Wang, Bovik, Sheikh, Simoncelli 2004: Gaussian windows of 11 pixels and deviation 1.5, `K = (0.01, 0.03)`; windows
/// that leave the picture are left out.
///
/// # Panics
/// If the shapes differ.
pub fn ssim(a: &Picture, b: &Picture) -> f64 {
    assert_eq!(a.shape, b.shape, "shapes of compared pictures");
    let [channels, height, width] = a.shape;
    let side = WINDOW.min(height).min(width);
    let kernel = gaussian(side);
    let area = height * width;
    let mut sum = 0.0;
    for channel in 0..channels {
        let cut = |p: &Picture| -> Vec<f64> {
            let plane = &p.pixels[channel * area..(channel + 1) * area];
            plane.iter().map(|&v| f64::from(v)).collect()
        };
        let (x, y) = (cut(a), cut(b));
        let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| a * b).collect();
        let blur = |plane: &Vec<f64>| blurred(plane, [height, width], &kernel);
        let (mean_x, mean_y) = (blur(&x), blur(&y));
        let (xx, yy, xy) = (
            blur(&product(&x, &x)),
            blur(&product(&y, &y)),
            blur(&product(&x, &y)),
        );
        let (c1, c2) = (0.01_f64.powi(2), 0.03_f64.powi(2));
        let local = (0..mean_x.len()).map(|i| {
            let (m, n) = (mean_x[i], mean_y[i]);
            let (v, w, c) = (xx[i] - m * m, yy[i] - n * n, xy[i] - m * n);
            (2.0 * m * n + c1) * (2.0 * c + c2) / ((m * m + n * n + c1) * (v + w + c2))
        });
        sum += local.sum::<f64>() / mean_x.len().max(1) as f64;
    }
    sum / channels.max(1) as f64
}

fn gaussian(side: usize) -> Vec<f64> {
    let middle = (side as f64 - 1.0) / 2.0;
    let weight = |i: usize| (-(i as f64 - middle).powi(2) / (2.0 * DEVIATION * DEVIATION)).exp();
    let weights: Vec<f64> = (0..side).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

/// The weighted means under all windows inside the plane.
fn blurred(plane: &[f64], [height, width]: [usize; 2], kernel: &[f64]) -> Vec<f64> {
    let side = kernel.len();
    let mut rows = Vec::with_capacity(height * width);
    for row in plane.chunks_exact(width) {
        let mean = |w: &[f64]| w.iter().zip(kernel).map(|(a, b)| a * b).sum::<f64>();
        rows.extend(row.windows(side).map(mean));
    }
    let across = width + 1 - side;
    let mut out = Vec::with_capacity(rows.len());
    for top in 0..=height - side {
        for x in 0..across {
            let column = kernel.iter().enumerate();
            out.push(column.map(|(i, k)| k * rows[(top + i) * across + x]).sum());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    fn noise(seed: u64) -> Picture {
        let mut random = Random::new(seed);
        let pixels = (0..2 * 20 * 16).map(|_| random.real(0.0, 1.0) as f32);
        Picture::new([2, 20, 16], pixels.collect())
    }

    #[test]
    fn equal_pictures_are_equal_and_noise_is_not() {
        let picture = noise(1);
        assert!((ssim(&picture, &picture) - 1.0).abs() < 1e-12);
        assert!((psnr(&picture, &picture) - 100.0).abs() < 1e-12);
        assert!(ssim(&picture, &noise(2)).abs() < 0.15);
        // The mean square of the difference of two uniform numbers is 1/6.
        assert!((psnr(&picture, &noise(2)) - 7.78).abs() < 0.5);
    }

    #[test]
    fn constant_pictures_have_the_formula_s_value() {
        let flat = |v| Picture::new([1, 12, 12], vec![v; 144]);
        let expected = (2.0 * 0.2 * 0.6 + 1e-4) / (0.04 + 0.36 + 1e-4);
        assert!((ssim(&flat(0.2), &flat(0.6)) - expected).abs() < 1e-6);
        assert!((psnr(&flat(0.2), &flat(0.6)) - 7.9588).abs() < 1e-3);
    }
}
