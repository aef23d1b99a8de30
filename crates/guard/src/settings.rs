//! The public half of a guard: everything but the classifier's weights.

use crate::{GuardError, NetworkShape, Softmax};
use serde::{Deserialize, Serialize};
use std::f64::consts::LOG2_E;
use trefoil_ring::{FixedPoint, Z64, power_of_two};

/// Logits lie within ± this.
pub const LOGIT_LIMIT: f64 = 64.0;
/// Class scores below the leading one by more than this much, besides what the noise can move, count as 0.
const NEGLIGIBLE: f64 = 16.0;
/// The farthest that noise may reach for the exponentials to stay anchored at the query's own maximum.
const ANCHORED_REACH: f64 = 10.0;
/// Bits by which anchored scores are scaled up.
pub(crate) const SCORE_BITS: f64 = 6.0;
/// Bits of the largest product before it is rounded.
const LARGEST_BITS: f64 = 61.0;
/// The farthest that noise may reach where SIGuard as printed takes a softmax of the whole logits in every step.
const FAITHFUL_REACH: f64 = 20.0;
/// The same for the other softmaxes, whose sums of scores must fit.
const OTHER_REACH: f64 = 60.0;
/// The most steps of an optimisation.
const MOST_STEPS: u32 = 10_000;

/// Which text computes the guard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Variant {
    /// The same function in few rounds and bytes.
    #[default]
    Fast,
    /// SIGuard's protocols as printed.
    Faithful,
}

/// How far the noise is searched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    /// Searches, each with a ten times larger weight on small noise after a success.
    pub outer: u32,
    /// Gradient steps in a search.
    pub inner: u32,
    /// Length of a step in logits, beta.
    pub beta: f64,
}

/// What everyone may know of a guard. Public: parties run it, users see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Which text computes it.
    pub variant: Variant,
    /// The softmax of the confidences, in the search and in the answer.
    pub softmax: Softmax,
    /// The search.
    pub steps: Steps,
    /// Weights c1, c2, c3 of the loss at the start: membership, label, distortion.
    pub weights: [f64; 3],
    /// The layers of the classifier.
    pub shape: NetworkShape,
    /// A power of two that the classifier's values stay below.
    pub activation_bound: f64,
    /// The gradient is computed divided by two to this, so that its norm fits.
    pub gradient_shift: u32,
    /// Bits after the binary point.
    pub fraction_bits: u32,
}

impl Default for Steps {
    fn default() -> Self {
        let (outer, inner, beta) = (3, 10, 0.5);
        Self { outer, inner, beta }
    }
}

impl Settings {
    /// The defaults for a classifier of this shape.
    pub fn new(shape: NetworkShape) -> Self {
        Self {
            variant: Variant::Fast,
            softmax: Softmax::As19,
            steps: Steps::default(),
            weights: [1.0, 10.0, 0.1],
            shape,
            activation_bound: 1024.0,
            gradient_shift: 0,
            fraction_bits: 20,
        }
    }

    /// The number format.
    pub fn format(&self) -> FixedPoint {
        FixedPoint::new(self.fraction_bits)
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        self.shape.inputs
    }

    /// How far, in each direction, noise can move a logit: each step has length beta.
    pub fn reach(&self) -> f64 {
        // A step is off by some units at most.
        self.steps.beta * f64::from(self.steps.inner) * 1.01
    }

    /// Whether one maximum a query serves all steps: the largest score, at twice the fraction bits, must fit the ring.
    pub(crate) fn anchored(&self) -> bool {
        let largest = self.reach() * LOG2_E + SCORE_BITS + 2.0 * f64::from(self.fraction_bits);
        self.reach() <= ANCHORED_REACH && largest <= LARGEST_BITS
    }

    /// Logits that far below the leading other class do not count.
    pub(crate) fn depth(&self) -> f64 {
        if self.anchored() {
            NEGLIGIBLE + 2.0 * self.reach()
        } else {
            // Against a fresh maximum in every step.
            NEGLIGIBLE + 4.0
        }
    }

    /// What `scale` loss weights are multiplied with.
    pub(crate) fn gradient_scale(&self) -> f64 {
        power_of_two(-(self.gradient_shift as i32))
    }

    /// Check that every value fits its place, whatever the logits and weights that [`crate::Classifier::check`] admits.
    ///
    /// # Errors
    /// The first setting that cannot work, and what would.
    pub fn check(&self) -> Result<(), GuardError> {
        let wrong = |name, value: String, problem: &str| {
            let problem = problem.to_owned();
            Err(GuardError::Setting {
                name,
                value,
                problem,
            })
        };
        let Steps { outer, inner, beta } = self.steps;
        if !(1..=8).contains(&outer) {
            return wrong("outer", outer.to_string(), "take 1 to 8 searches");
        }
        if !(1..=MOST_STEPS).contains(&inner) {
            return wrong("inner", inner.to_string(), "take 1 to 10000 steps");
        }
        if !(beta.is_finite() && (1e-3..=100.0).contains(&beta)) {
            return wrong("beta", beta.to_string(), "take a step from 0.001 to 100");
        }
        if !(14..=24).contains(&self.fraction_bits) {
            let problem = "take 14 to 24 fraction bits: fewer lose small gradients, more overflow";
            return wrong("fraction_bits", self.fraction_bits.to_string(), problem);
        }
        let [c1, c2, c3] = self.weights;
        for (name, c) in [("c1", c1), ("c2", c2), ("c3", c3)] {
            if !(c.is_finite() && (1e-3..=1e3).contains(&c)) {
                return wrong(name, c.to_string(), "take a weight from 0.001 to 1000");
            }
        }
        self.shape.check()?;
        let bound = self.activation_bound;
        if !(bound.is_finite() && bound.log2().fract() == 0.0 && (1.0..=1e9).contains(&bound)) {
            return wrong(
                "activation bound",
                bound.to_string(),
                "take a power of two up to 2^29",
            );
        }
        if self.gradient_shift > 16 {
            let problem =
                "take at most 16 bits: a gradient that large is a mistake in the classifier";
            return wrong("gradient shift", self.gradient_shift.to_string(), problem);
        }
        let range = |what, value, limit, advice| {
            Err(GuardError::Range {
                what,
                value,
                limit,
                advice,
            })
        };
        // A layer's products are rounded after they are summed.
        let limit = power_of_two(LARGEST_BITS as i32 - 2 * self.fraction_bits as i32);
        if bound > limit {
            let advice = "take fewer fraction bits, or train the classifier with weight decay";
            return range("a value of the classifier", bound, limit, advice);
        }
        let limit = match (self.variant, self.softmax) {
            (Variant::Faithful, _) => FAITHFUL_REACH,
            (Variant::Fast, Softmax::As19) => f64::INFINITY,
            (Variant::Fast, _) => OTHER_REACH,
        };
        if self.reach() > limit {
            let advice = "take fewer or shorter steps, or the fast variant with as19";
            return range("the noise", self.reach(), limit, advice);
        }
        // What the loss alone adds to the gradient: the label's part, and the distortion's after all successes.
        let largest = c2 * 2_f64.sqrt() + 2.0 * c3 * 10_f64.powi(outer as i32);
        let value = largest * self.gradient_scale();
        let limit = self.largest_norm() / 2.0;
        if value > limit {
            let advice = "raise the gradient shift, or lower c2, c3 or outer";
            return range("the gradient of the loss", value, limit, advice);
        }
        Ok(())
    }

    /// The norm of a gradient that fits.
    pub fn largest_norm(&self) -> f64 {
        trefoil_nn::RangedBackend::largest_norm(&trefoil_nn::Priced::<Z64>::new(self.format()))
    }
}
