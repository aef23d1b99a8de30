//! What flows between layers.

use burn_tensor::{Device, Tensor};

/// What flows between layers.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Vectors: (examples, numbers).
    Rows(Tensor<2>),
    /// Pictures: (examples, channels, height, width).
    Pictures(Tensor<4>),
}

impl Value {
    /// As vectors; pictures are flattened.
    pub(super) fn rows(self) -> Tensor<2> {
        match self {
            Self::Rows(x) => x,
            Self::Pictures(x) => x.flatten(1, 3),
        }
    }

    /// As pictures; vectors are pictures of one column.
    pub(super) fn pictures(self) -> Tensor<4> {
        match self {
            Self::Pictures(x) => x,
            Self::Rows(x) => {
                let [n, c] = x.dims();
                x.reshape([n, c, 1, 1])
            }
        }
    }

    /// Each kind by its own function.
    pub(super) fn map(
        self,
        rows: impl FnOnce(Tensor<2>) -> Tensor<2>,
        pictures: impl FnOnce(Tensor<4>) -> Tensor<4>,
    ) -> Self {
        match self {
            Self::Rows(x) => Self::Rows(rows(x)),
            Self::Pictures(x) => Self::Pictures(pictures(x)),
        }
    }

    /// Tracked zeros of the same shape.
    pub(super) fn zeros(&self, device: &Device) -> Self {
        match self {
            Self::Rows(x) => Self::Rows(Tensor::zeros(x.dims(), device).require_grad()),
            Self::Pictures(x) => Self::Pictures(Tensor::zeros(x.dims(), device).require_grad()),
        }
    }
}
