//! What theory says about the degree.

use super::basis::from_unit;
use super::{Function, Interval};
use serde::{Deserialize, Serialize};

/// Degrees that are certain to be enough for an error, for a function whose slope is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DegreeBound {
    /// The largest slope on the interval, on a grid of 4,001 points.
    pub slope: f64,
    /// Of Bernstein's polynomials, the constructive proof that every continuous function is close to a polynomial:
    /// `|f - B_n f| ≤ 5/4 ω(n^-1/2)` on [0, 1] (Lorentz, Bernstein Polynomials, 1953, section 1.6).
    pub bernstein: f64,
    /// Of the best polynomial: `E_n(f) ≤ π/2 · L / (n + 1)` on [-1, 1] for slopes up to `L` (Jackson's theorem with the best
    /// constant; Cheney, Introduction to Approximation Theory, 1966, chapter 4.6).
    pub jackson: f64,
}

/// The degrees from which theory guarantees an error of at most `error` for `function` on `interval`, to be shown beside the degree at
/// which a measured fit gets there ([`super::fit_for_error`]).
pub fn degree_bound(function: &Function, interval: Interval, error: f64) -> DegreeBound {
    let grid = (0..=4000).map(|i| function.slope(from_unit(interval, f64::from(i) / 2000.0 - 1.0)));
    let slope = grid.map(f64::abs).fold(0.0, f64::max);
    let width = interval.high - interval.low;
    DegreeBound {
        slope,
        bernstein: (1.25 * slope * width / error).powi(2).ceil(),
        jackson: (std::f64::consts::FRAC_PI_2 * slope * width / 2.0 / error - 1.0)
            .ceil()
            .max(0.0),
    }
}
