//! Operators on constants: masks, positions and shapes that exporters leave to be computed, and stored weights in
//! other forms. They are evaluated while the model is read, so they may do what no protocol does.

mod elementwise;
mod making;
mod places;
mod quantized;

use super::{Read, Reader};
use crate::graph::Element;
use crate::shape::broadcast;
use crate::value::ValueId;
use ndarray::{ArrayD, IxDyn};
use std::sync::Arc;

/// What evaluates each operator if all its inputs are constant. An operator that is computed on shares too is here where
/// its layers would not give the same: they round, have no infinite numbers and no empty tensors.
const ON_CONSTANTS: &[(&str, Read)] = &[
    ("Acos", elementwise::acos),
    ("Acosh", elementwise::acosh),
    ("And", elementwise::and),
    ("Asin", elementwise::asin),
    ("Asinh", elementwise::asinh),
    ("Atan", elementwise::atan),
    ("Atanh", elementwise::atanh),
    ("Ceil", elementwise::ceil),
    ("Concat", making::concat),
    ("Cos", elementwise::cos),
    ("Cosh", elementwise::cosh),
    ("CumSum", making::cum_sum),
    ("Equal", elementwise::equal),
    ("EyeLike", making::eye_like),
    ("Floor", elementwise::floor),
    ("GatherElements", places::gather_elements),
    ("GatherND", places::gather_nd),
    ("Greater", elementwise::greater),
    ("GreaterOrEqual", elementwise::greater_or_equal),
    ("IsInf", elementwise::is_inf),
    ("IsNaN", elementwise::is_nan),
    ("Less", elementwise::less),
    ("LessOrEqual", elementwise::less_or_equal),
    ("Max", elementwise::max),
    ("Min", elementwise::min),
    ("Mod", elementwise::modulo),
    ("NonZero", places::non_zero),
    ("Not", elementwise::not),
    ("OneHot", making::one_hot),
    ("Or", elementwise::or),
    ("Pow", elementwise::pow),
    ("QuantizeLinear", quantized::quantize),
    ("Range", making::range),
    ("ReduceProd", making::product),
    ("Round", elementwise::round),
    ("ScatterElements", places::scatter_elements),
    ("ScatterND", places::scatter_nd),
    ("Sign", elementwise::sign),
    ("Sin", elementwise::sin),
    ("Sinh", elementwise::sinh),
    ("Size", making::size),
    ("Slice", places::slice),
    ("Tan", elementwise::tan),
    ("Trilu", making::triangle),
    ("Where", elementwise::select),
    ("Xor", elementwise::xor),
];

/// Why an operator of this table is refused where an input is not constant.
pub(crate) const REASON: &str =
    "it is computed of constants alone, and here it depends on the model's inputs";

pub(super) use places::lane_places;
pub(super) use quantized::dequantize;

/// The function that evaluates nodes of `operator` whose inputs are all constant.
pub(crate) fn find(operator: &str) -> Option<Read> {
    let found = ON_CONSTANTS.iter().find(|(name, _)| *name == operator);
    found.map(|&(_, read)| read)
}

/// A constant with what its elements are.
struct Known {
    array: Arc<ArrayD<f64>>,
    element: Element,
}

impl Known {
    /// Input `index` of a node.
    fn input(reader: &Reader<'_>, index: usize) -> Result<Self, String> {
        let id = reader.input(index)?;
        let array = reader.constant(id).ok_or_else(|| {
            format!("its input {index} depends on the model's inputs; it must be constant")
        })?;
        let element = reader.element(id);
        Ok(Self { array, element })
    }

    /// The only element.
    fn scalar(&self) -> Result<f64, String> {
        match (self.array.len(), self.array.first()) {
            (1, Some(&value)) => Ok(value),
            _ => Err(format!(
                "shape {:?} where one number is expected",
                self.array.shape()
            )),
        }
    }
}

/// The node's only output, accounted for.
fn output(
    reader: &mut Reader<'_>,
    array: ArrayD<f64>,
    element: Element,
) -> Result<Vec<ValueId>, String> {
    if element == Element::Integer {
        super::layer_graph::exact(&array)?;
    }
    Ok(vec![reader.add_computed(array, element)?])
}

/// The shape that constants broadcast to, accounted for before anything is made.
fn joint(reader: &mut Reader<'_>, known: &[&Known]) -> Result<Vec<usize>, String> {
    let mut shape = Vec::new();
    for known in known {
        shape = broadcast(&shape, known.array.shape()).ok_or_else(|| {
            format!(
                "shapes {shape:?} and {:?} do not broadcast",
                known.array.shape()
            )
        })?;
    }
    room(reader, &shape)?;
    Ok(shape)
}

/// Check that a constant of `shape` may be made, and the number of its elements.
fn room(reader: &mut Reader<'_>, shape: &[usize]) -> Result<usize, String> {
    let count = shape
        .iter()
        .try_fold(1_usize, |count, &size| count.checked_mul(size));
    let count = count.ok_or_else(|| format!("a tensor of shape {shape:?}"))?;
    reader.spend(count)?;
    Ok(count)
}

/// `array` repeated to `shape`, which it broadcasts to.
fn repeated(array: &ArrayD<f64>, shape: &[usize]) -> Result<ArrayD<f64>, String> {
    let view = array.broadcast(IxDyn(shape));
    let view =
        view.ok_or_else(|| format!("shape {:?} does not become {shape:?}", array.shape()))?;
    Ok(view.to_owned())
}

fn of_bool(value: bool) -> f64 {
    f64::from(u8::from(value))
}
