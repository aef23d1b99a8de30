//! `Concat`.

use super::Reader;
use crate::backend::Backend;
use crate::layer::{Compute, Operand};
use crate::shape;
use crate::value::ValueId;
use serde::{Deserialize, Serialize};

/// Tensors one behind the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concat {
    /// Along this axis.
    pub axis: usize,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let inputs = reader.inputs()?;
    let first = *inputs.first().ok_or("it has no inputs")?;
    let axis = reader.int("axis")?.ok_or("it has no axis")?;
    let axis = shape::axis(axis, reader.shape(first).len())?;
    Ok(vec![reader.layer(Concat { axis }, &inputs)?])
}

impl Compute for Concat {
    const MOVES: bool = true;

    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let mut out = shapes.first().ok_or("nothing to concatenate")?.to_vec();
        if self.axis >= out.len() {
            return Err(format!(
                "axis {} of a tensor of {} axes",
                self.axis,
                out.len()
            ));
        }
        for shape in &shapes[1..] {
            let fits = shape.len() == out.len()
                && (0..out.len()).all(|axis| axis == self.axis || shape[axis] == out[axis]);
            if !fits {
                return Err(format!(
                    "shapes {shapes:?} do not join along axis {}",
                    self.axis
                ));
            }
            out[self.axis] = out[self.axis].saturating_add(shape[self.axis]);
        }
        Ok(out)
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        self.axis != 0 && inputs.iter().all(|input| input.batched)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        Ok(b.concat(inputs, self.axis))
    }
}
