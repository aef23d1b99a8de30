//! What the values of a plan are: tensors of numbers, or of bits.

use crate::backend::Backend;
use serde::{Deserialize, Serialize};

/// Index of a value in `LayerGraph::values` (and, after numbering, in a plan).
pub type ValueId = usize;

/// What a value of a plan holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Numbers of the plan's format.
    Number,
    /// Bits, as comparisons make them. On shares they are shared as bits, not as numbers.
    Bit,
}

/// A value while a plan runs.
pub enum Value<B: Backend> {
    /// Numbers.
    Number(B::Tensor),
    /// Bits.
    Bit(B::Bits),
}

/// An operand of a layer: a [`Value`] of someone else's.
pub enum Given<'a, B: Backend> {
    /// Numbers.
    Number(&'a B::Tensor),
    /// Bits.
    Bit(&'a B::Bits),
}

impl<B: Backend> Clone for Value<B> {
    fn clone(&self) -> Self {
        match self {
            Self::Number(tensor) => Self::Number(tensor.clone()),
            Self::Bit(bits) => Self::Bit(bits.clone()),
        }
    }
}

impl<B: Backend> Clone for Given<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Given<'_, B> {}

impl<B: Backend> Value<B> {
    /// This value as an operand.
    pub fn given(&self) -> Given<'_, B> {
        match self {
            Self::Number(tensor) => Given::Number(tensor),
            Self::Bit(bits) => Given::Bit(bits),
        }
    }

    /// Its shape.
    pub fn shape(&self, backend: &B) -> Vec<usize> {
        match self {
            Self::Number(tensor) => backend.shape(tensor),
            Self::Bit(bits) => backend.bits_shape(bits),
        }
    }

    /// The numbers, if it holds numbers.
    pub fn number(self) -> Option<B::Tensor> {
        match self {
            Self::Number(tensor) => Some(tensor),
            Self::Bit(_) => None,
        }
    }
}

impl<'a, B: Backend> Given<'a, B> {
    /// The numbers.
    ///
    /// # Panics
    /// If it holds bits: layers of checked plans get the kinds that they ask for.
    pub(crate) fn number(self) -> &'a B::Tensor {
        match self {
            Self::Number(tensor) => tensor,
            Self::Bit(_) => unreachable!("bits in the place of numbers"),
        }
    }

    /// The bits.
    ///
    /// # Panics
    /// If it holds numbers, as [`Given::number`].
    pub(crate) fn bits(self) -> &'a B::Bits {
        match self {
            Self::Bit(bits) => bits,
            Self::Number(_) => unreachable!("numbers in the place of bits"),
        }
    }
}
