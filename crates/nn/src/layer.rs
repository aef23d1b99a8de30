//! What every layer of a plan can do.

use crate::backend::Backend;

/// A layer: its shape, and its text, which runs on every back end.
pub(crate) trait Compute {
    /// The output's shape for inputs of `shapes`. Called on plans from elsewhere too, so it checks
    /// everything that [`Compute::run`] relies on.
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String>;

    /// Whether axis 0 of the output counts the same pictures as axis 0 of the batched inputs, each
    /// computed from its own alone.
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool;

    /// Compute the output.
    async fn run<B: Backend>(
        &self,
        backend: &B,
        inputs: &[&B::Tensor],
    ) -> Result<B::Tensor, B::Error>;

    /// Products that are summed, for a layer that fits its inputs.
    fn multiply_accumulates(&self, shapes: &[&[usize]]) -> u64 {
        let _ = shapes;
        0
    }
}

/// What is known of an input of a layer before it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'a> {
    /// Its shape.
    pub(crate) shape: &'a [usize],
    /// Whether its axis 0 counts pictures.
    pub(crate) batched: bool,
}

/// The one operand of a layer that has one.
pub(crate) fn one<'a>(shapes: &[&'a [usize]]) -> Result<&'a [usize], String> {
    match shapes {
        &[x] => Ok(x),
        _ => Err(operands(1, shapes)),
    }
}

/// The two operands of a layer that has two.
pub(crate) fn two<'a>(shapes: &[&'a [usize]]) -> Result<[&'a [usize]; 2], String> {
    match shapes {
        &[x, y] => Ok([x, y]),
        _ => Err(operands(2, shapes)),
    }
}

/// The message for a wrong number of operands.
pub(crate) fn operands(expected: usize, shapes: &[&[usize]]) -> String {
    format!("it takes {expected} operands, not {}", shapes.len())
}

/// [`Compute::keeps_batch`] of element-wise layers: batched operands have all the axes of the
/// result, others are the same for every picture.
pub(crate) fn elementwise_keeps_batch(inputs: &[Operand<'_>]) -> bool {
    let rank = inputs
        .iter()
        .map(|input| input.shape.len())
        .max()
        .unwrap_or(0);
    inputs.iter().all(|input| {
        let full = input.shape.len() == rank;
        if input.batched {
            full
        } else {
            !full || input.shape.first() == Some(&1) || rank == 0
        }
    })
}
