//! From strokes to pixels: the hand that distorts a glyph, and the pen that draws it.

use crate::glyphs::{Stroke, variants};
use crate::{Rng, SIDE};
use ndarray::Array2;
use std::f32::consts::TAU;

/// Straight pieces a curve is cut into between two control points.
const PIECES: usize = 6;

/// Draws `digit` once: a picture `[28, 28]` of grey levels `k / 255` in `[0, 1]`, 0 the paper and
/// 1 the full ink.
///
/// The way of writing, its slant, size, place and wobble, the pen and the paper are drawn from
/// `rng`; the same state of `rng` gives the same picture.
///
/// # Panics
///
/// If `digit` is above 9.
pub fn draw(digit: u8, rng: &mut Rng) -> Array2<f32> {
    assert!(digit <= 9, "a digit is 0 to 9, not {digit}");
    let ways = variants(digit);
    let glyph = ways[rng.usize(..ways.len())];
    let hand = Hand::new(rng);
    let mut lines: Vec<Vec<Point>> = glyph.iter().map(|s| hand.trace(s, rng)).collect();
    let pen = Pen::new(rng);
    let mut ink = Array2::from_shape_fn((SIDE, SIDE), |(row, column)| {
        pen.ink(distance(&lines, pixel_centre(row, column)))
    });
    if rng.f32() < STRAY {
        lines = vec![stray(rng)];
        let faint = uniform(rng, 0.25, 0.6);
        for ((row, column), level) in ink.indexed_iter_mut() {
            let stain = faint * pen.ink(distance(&lines, pixel_centre(row, column)));
            *level = level.max(stain);
        }
    }
    let grain = uniform(rng, 0.0, 0.08);
    // Grey levels of eight bits: pictures as a camera gives them, and the same ones on machines
    // whose sine differs in the last place.
    ink.mapv(|level| {
        let noisy = level + grain * bell(rng);
        (noisy.clamp(0.0, 1.0) * 255.0).round() / 255.0
    })
}

/// Share of the pictures that have a stray mark.
const STRAY: f32 = 0.25;

/// A place on the picture, in pixels.
type Point = [f32; 2];

/// One way to distort a glyph: an affine map and a slow wave over the paper.
struct Hand {
    /// Rows of the linear part, in pixels per unit.
    linear: [[f32; 2]; 2],
    /// Where the middle of the glyph falls, in pixels.
    middle: Point,
    /// Amplitude (pixels) and phase of the wave along either axis.
    wave: [(f32, f32); 2],
    /// How far control points stray, in units of the glyph.
    jitter: f32,
}

impl Hand {
    fn new(rng: &mut Rng) -> Self {
        let height = uniform(rng, 14.0, 22.0);
        let width = height * uniform(rng, 0.45, 0.9);
        let (sine, cosine) = (0.2 * bell(rng)).sin_cos();
        let slant = 0.25 * bell(rng);
        Self {
            linear: [
                [cosine * width, -(sine + slant * cosine) * height],
                [sine * width, (cosine - slant * sine) * height],
            ],
            middle: [0, 1].map(|_| SIDE as f32 / 2.0 + uniform(rng, -2.5, 2.5)),
            wave: [0, 1].map(|_| (0.7 * bell(rng), TAU * rng.f32())),
            jitter: 0.04,
        }
    }

    /// The stroke as a polyline on the picture.
    fn trace(&self, stroke: &Stroke, rng: &mut Rng) -> Vec<Point> {
        match stroke {
            Stroke::Straight(points) => self.place(points, rng),
            Stroke::Curved(points) => smooth(&self.place(points, rng)),
        }
    }

    /// Control points, each a little off, on the picture.
    fn place(&self, points: &[Point], rng: &mut Rng) -> Vec<Point> {
        let placed = points.iter().map(|&[x, y]| {
            let x = x - 0.5 + self.jitter * bell(rng);
            let y = y - 0.5 + self.jitter * bell(rng);
            let across = self.middle[0] + self.linear[0][0] * x + self.linear[0][1] * y;
            let down = self.middle[1] + self.linear[1][0] * x + self.linear[1][1] * y;
            let [(sideways, phase), (upright, shift)] = self.wave;
            [
                across + sideways * (phase + TAU * down / SIDE as f32).sin(),
                down + upright * (shift + TAU * across / SIDE as f32).sin(),
            ]
        });
        placed.collect()
    }
}

/// The pen: how ink falls off with the distance from the stroke's middle.
struct Pen {
    /// Half the stroke's width, in pixels.
    radius: f32,
    /// Width of the edge, in pixels; 1 is a sharp edge, antialiased.
    edge: f32,
    /// The full ink's level.
    level: f32,
}

impl Pen {
    fn new(rng: &mut Rng) -> Self {
        Self {
            radius: uniform(rng, 0.55, 1.7),
            edge: uniform(rng, 1.0, 1.8),
            level: uniform(rng, 0.65, 1.0),
        }
    }

    fn ink(&self, distance: f32) -> f32 {
        self.level * ((self.radius - distance) / self.edge + 0.5).clamp(0.0, 1.0)
    }
}

/// A short line anywhere, such as a scanner finds beside a digit.
fn stray(rng: &mut Rng) -> Vec<Point> {
    let from = [0, 1].map(|_| uniform(rng, 0.0, SIDE as f32));
    let (sine, cosine) = (TAU * rng.f32()).sin_cos();
    let length = uniform(rng, 2.0, 8.0);
    vec![from, [from[0] + length * cosine, from[1] + length * sine]]
}

/// A Catmull-Rom spline through `points`, as a polyline.
fn smooth(points: &[Point]) -> Vec<Point> {
    let last = points.len() - 1;
    let mut line = Vec::with_capacity(last * PIECES + 1);
    for index in 0..last {
        let around = [
            points[index.saturating_sub(1)],
            points[index],
            points[index + 1],
            points[(index + 2).min(last)],
        ];
        line.extend((0..PIECES).map(|piece| between(around, piece as f32 / PIECES as f32)));
    }
    line.push(points[last]);
    line
}

/// The spline at `t` in `[0, 1]` between the middle two of four points.
fn between([before, from, to, after]: [Point; 4], t: f32) -> Point {
    [0, 1].map(|axis| {
        let (p, q, r, s) = (before[axis], from[axis], to[axis], after[axis]);
        let cubic = 3.0 * (q - r) + s - p;
        let square = 2.0 * p - 5.0 * q + 4.0 * r - s;
        0.5 * (2.0 * q + t * (r - p + t * (square + t * cubic)))
    })
}

/// Distance from `point` to the nearest of the polylines, in pixels.
fn distance(lines: &[Vec<Point>], point: Point) -> f32 {
    let pieces = lines.iter().flat_map(|line| line.windows(2));
    let squares = pieces.map(|ends| {
        let [dx, dy] = [ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]];
        let [px, py] = [point[0] - ends[0][0], point[1] - ends[0][1]];
        let length = (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
        let along = ((px * dx + py * dy) / length).clamp(0.0, 1.0);
        (px - along * dx).powi(2) + (py - along * dy).powi(2)
    });
    squares.fold(f32::INFINITY, f32::min).sqrt()
}

fn pixel_centre(row: usize, column: usize) -> Point {
    [column as f32 + 0.5, row as f32 + 0.5]
}

fn uniform(rng: &mut Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.f32()
}

/// A bell-shaped value: mean 0, variance 1, never beyond ±3 (so that no picture is absurd).
fn bell(rng: &mut Rng) -> f32 {
    // Three uniform values on [-1, 1] have variance 1/3 each.
    (0..3).map(|_| uniform(rng, -1.0, 1.0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spline_passes_through_its_points() {
        let points = [[0.0, 0.0], [1.0, 2.0], [4.0, 1.0], [5.0, 5.0]];
        let line = smooth(&points);
        assert_eq!(line.len(), 3 * PIECES + 1);
        for (index, point) in points.iter().enumerate() {
            let met = line[index * PIECES];
            let gap = (met[0] - point[0]).hypot(met[1] - point[1]);
            assert!(gap < 1e-6, "point {index}: {met:?}");
        }
    }

    #[test]
    fn the_distance_is_to_the_nearest_piece() {
        let lines = vec![
            vec![[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]],
            vec![[9.0, 9.0], [9.0, 9.0]],
        ];
        for (point, expected) in [
            ([2.0, 1.0], 1.0),
            ([-3.0, 4.0], 5.0),
            ([5.5, 2.0], 1.5),
            ([9.0, 8.0], 1.0),
        ] {
            assert!((distance(&lines, point) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn bell_values_have_mean_zero_and_variance_one() {
        let mut rng = Rng::with_seed(5);
        let values: Vec<f32> = (0..20_000).map(|_| bell(&mut rng)).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.04, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
        assert!(values.iter().all(|v| v.abs() <= 3.0));
    }

    #[test]
    fn every_way_of_writing_every_digit_leaves_ink_on_the_picture() {
        let mut rng = Rng::with_seed(8);
        for digit in 0..10 {
            for _ in 0..200 {
                let ink = draw(digit, &mut rng).sum();
                assert!((12.0..350.0).contains(&ink), "digit {digit}: ink {ink}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a digit is 0 to 9, not 10")]
    fn ten_is_no_digit() {
        draw(10, &mut Rng::with_seed(0));
    }
}
