//! What numbers a model's format holds.

use crate::model::Model;

/// What a number format can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberLimits {
    /// The distance of neighbouring numbers.
    pub unit: f64,
    /// Bound of inputs, weights and values.
    pub value: f64,
    /// Bound of a product, or of a sum of products, before it is rounded.
    pub product: f64,
}

impl Model {
    /// What its numbers can hold.
    pub fn limits(&self) -> NumberLimits {
        let (ring, bits) = (
            f64::from(self.plan.ring_bits),
            f64::from(self.plan.fraction_bits),
        );
        NumberLimits {
            unit: (-bits).exp2(),
            value: (ring - 2.0 - bits).exp2(),
            product: (ring - 2.0 - 2.0 * bits).exp2(),
        }
    }
}
