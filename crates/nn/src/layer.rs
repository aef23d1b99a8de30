//! What every layer of a plan can do.

use crate::backend::{Backend, Clear};
use crate::ready::ready;
use crate::value::{Given, Kind, Value};
use ndarray::ArrayD;

/// A layer of numbers: its shape, and its text, which runs on every back end.
pub(crate) trait Compute {
    /// Whether it only moves elements, so that it moves bits as well.
    const MOVES: bool = false;

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

    /// Whether the output holds whole numbers alone, if the inputs do (`whole`).
    fn gives_whole(&self, whole: bool) -> bool {
        whole && Self::MOVES
    }
}

/// A layer of values of any kind. Layers of numbers are [`Compute`], which makes them this; layers that take or give
/// bits are this.
pub(crate) trait Evaluate {
    /// The kind of the output for inputs of `kinds`. Called on plans from elsewhere too.
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String>;

    /// See [`Compute::output_shape`].
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String>;

    /// See [`Compute::keeps_batch`].
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool;

    /// Compute the output from inputs of kinds that fit.
    async fn evaluate<B: Backend>(
        &self,
        backend: &B,
        inputs: &[Given<'_, B>],
    ) -> Result<Value<B>, B::Error>;

    /// See [`Compute::multiply_accumulates`].
    fn multiply_accumulates(&self, shapes: &[&[usize]]) -> u64 {
        let _ = shapes;
        0
    }

    /// See [`Compute::gives_whole`]; bits count as whole.
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}

impl<L: Compute> Evaluate for L {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        if kinds.iter().all(|&kind| kind == Kind::Number) {
            Ok(Kind::Number)
        } else if L::MOVES && kinds.iter().all(|&kind| kind == Kind::Bit) {
            Ok(Kind::Bit)
        } else {
            Err("it takes numbers, not truth values; cast them to FLOAT".into())
        }
    }

    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        Compute::output_shape(self, shapes)
    }

    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        Compute::keeps_batch(self, inputs)
    }

    async fn evaluate<B: Backend>(
        &self,
        backend: &B,
        inputs: &[Given<'_, B>],
    ) -> Result<Value<B>, B::Error> {
        if matches!(inputs.first(), Some(Given::Bit(_))) {
            let places = |shapes| places(self, shapes);
            return Ok(Value::Bit(arranged(backend, inputs, &places)));
        }
        Ok(Value::Number(self.run(backend, &numbers(inputs)).await?))
    }

    fn multiply_accumulates(&self, shapes: &[&[usize]]) -> u64 {
        Compute::multiply_accumulates(self, shapes)
    }

    fn gives_whole(&self, whole: bool) -> bool {
        Compute::gives_whole(self, whole)
    }
}

// What follows is compiled for every back end, or once; `evaluate` for every back end and layer, so little stands there.

/// Operands of which all are numbers.
fn numbers<'a, B: Backend>(inputs: &[Given<'a, B>]) -> Vec<&'a B::Tensor> {
    inputs.iter().map(|input| input.number()).collect()
}

/// Operands of which all are bits, moved: `places` says for their shapes which bit goes where.
fn arranged<B: Backend>(
    backend: &B,
    inputs: &[Given<'_, B>],
    places: &dyn Fn(Vec<Vec<usize>>) -> ArrayD<usize>,
) -> B::Bits {
    let bits: Vec<&B::Bits> = inputs.iter().map(|input| input.bits()).collect();
    let shapes = bits.iter().map(|bits| backend.bits_shape(bits)).collect();
    backend.arrange_bits(&bits, &places(shapes))
}

/// For each element of the output of a layer that only moves elements, its place among the elements of all inputs, of these
/// shapes, one behind the other: what the layer makes of the places themselves.
fn places<L: Compute>(layer: &L, shapes: Vec<Vec<usize>>) -> ArrayD<usize> {
    let numbered = numbered(shapes);
    let Ok(moved) = ready(layer.run(&Clear, &numbered.iter().collect::<Vec<_>>()));
    whole(&moved)
}

/// Arrays of these shapes whose elements are counted through, one array behind the other.
fn numbered(shapes: Vec<Vec<usize>>) -> Vec<ArrayD<f64>> {
    let mut next = 0.0;
    let count = |shape| {
        ArrayD::from_shape_simple_fn(shape, || {
            next += 1.0;
            next - 1.0
        })
    };
    shapes.into_iter().map(count).collect()
}

/// Counts as counts.
fn whole(counts: &ArrayD<f64>) -> ArrayD<usize> {
    counts.mapv(|place| place as usize)
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
