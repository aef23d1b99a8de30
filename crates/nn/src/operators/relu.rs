//! `Relu`.

use super::Reader;
use crate::backend::Backend;
use crate::layer::{Compute, Operand, one};
use crate::value::ValueId;
use serde::{Deserialize, Serialize};

/// `max(x, 0)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relu {}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Relu {}, &[x])?])
}

impl Compute for Relu {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.relu(inputs[0]).await
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}
