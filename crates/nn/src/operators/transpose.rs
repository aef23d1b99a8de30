//! `Transpose`.

use super::Reader;
use crate::backend::Backend;
use crate::layer::{Compute, Operand, one};
use crate::shape;
use crate::value::ValueId;
use serde::{Deserialize, Serialize};

/// Axes in another order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transpose {
    /// Axis `i` of the output is axis `axes[i]` of the input.
    pub axes: Vec<usize>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let rank = reader.shape(x).len();
    let axes = match reader.ints("perm")? {
        Some(axes) => axes
            .iter()
            .map(|&axis| shape::axis(axis, rank))
            .collect::<Result<_, _>>()?,
        None => (0..rank).rev().collect(),
    };
    Ok(vec![reader.layer(Transpose { axes }, &[x])?])
}

impl Compute for Transpose {
    const MOVES: bool = true;

    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let x = one(shapes)?;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..x.len()) {
            return Err(format!(
                "axes {:?} are no order of the axes of {x:?}",
                self.axes
            ));
        }
        Ok(self.axes.iter().map(|&axis| x[axis]).collect())
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        self.axes.first() == Some(&0)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        Ok(b.permute(inputs[0], &self.axes))
    }
}
