//! Where a function's inputs lie.

use crate::HeError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A closed interval of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end, above the lower one.
    pub high: f64,
}

impl Interval {
    /// An interval; refuses ends that are not finite or not in order.
    pub fn new(low: f64, high: f64) -> Result<Self, HeError> {
        if low.is_finite() && high.is_finite() && low < high {
            return Ok(Self { low, high });
        }
        Err(HeError::Fit {
            problem: format!("[{low}, {high}] is no interval"),
        })
    }

    /// Whether it holds `x`.
    pub fn contains(self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }

    /// The same middle, `factor` times as wide.
    #[must_use]
    pub fn widened(self, factor: f64) -> Self {
        let (middle, radius) = (
            self.low.midpoint(self.high),
            (self.high - self.low) / 2.0 * factor,
        );
        Self {
            low: middle - radius,
            high: middle + radius,
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:.4}, {:.4}]", self.low, self.high)
    }
}

/// How often a layer's inputs fall where, on calibration samples: bins of equal width over an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// From the lower end of the first bin to the upper end of the last.
    pub interval: Interval,
    /// How many values fell into each bin.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// The histogram of `values` in `bins` bins; values outside the interval count in the outermost bins.
    pub fn of(values: impl IntoIterator<Item = f64>, interval: Interval, bins: usize) -> Self {
        let mut counts = vec![0; bins.max(1)];
        let last = counts.len() - 1;
        for value in values {
            let part = (value - interval.low) / (interval.high - interval.low);
            // Negative parts and those beyond the last bin are clamped by the casts and `min`.
            counts[((part * (last + 1) as f64) as usize).min(last)] += 1;
        }
        Self { interval, counts }
    }

    /// The middle of each bin that holds a value, and the part of all values in it.
    pub fn weights(&self) -> Vec<(f64, f64)> {
        let total: u64 = self.counts.iter().sum();
        let width = (self.interval.high - self.interval.low) / self.counts.len() as f64;
        let bins = self.counts.iter().enumerate().filter(|(_, c)| **c > 0);
        bins.map(|(bin, &count)| {
            let middle = self.interval.low + (bin as f64 + 0.5) * width;
            (middle, count as f64 / total.max(1) as f64)
        })
        .collect()
    }
}
