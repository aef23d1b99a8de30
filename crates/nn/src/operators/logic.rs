//! Truth values: `And`, `Or`, `Xor`, `Not`, and what leads from numbers to bits and back.

use super::{Equal, Reader};
use crate::backend::Backend;
use crate::graph::Element;
use crate::layer::{Evaluate, Operand, elementwise_keeps_batch, one, two};
use crate::shape::broadcast;
use crate::value::ValueId;
use crate::value::{Given, Kind, Value};
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

/// Both of two truth values, broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct And {}
/// One of two truth values and not the other, broadcast. Local.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Xor {}
/// The opposite of truth values. Local.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Not {}
/// Truth values as numbers, 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {}
/// The numbers 0 and 1 as truth values: whether a number exceeds 1/2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bits {}

pub(super) fn and(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    Ok(vec![reader.layer(And {}, &[x, y])?])
}

pub(super) fn or(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    // Not neither.
    let [x, y] = [reader.layer(Not {}, &[x])?, reader.layer(Not {}, &[y])?];
    let neither = reader.layer(And {}, &[x, y])?;
    Ok(vec![reader.layer(Not {}, &[neither])?])
}

pub(super) fn xor(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    Ok(vec![reader.layer(Xor {}, &[x, y])?])
}

pub(super) fn not(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Not {}, &[x])?])
}

/// `IsNaN` and `IsInf` of numbers that are computed: a format of fixed point has neither.
pub(super) fn never(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let no = ArrayD::zeros(IxDyn(&reader.shape(x)));
    Ok(vec![reader.add_computed(no, Element::Boolean)?])
}

/// Whether whole numbers are not 0.
pub(super) fn not_zero(reader: &mut Reader<'_>, x: ValueId) -> Result<ValueId, String> {
    if !reader.is_whole(x) {
        return Err(
            "it asks whether numbers that are rounded are exactly 0; whole numbers are asked"
                .into(),
        );
    }
    let zero = reader.add_constant(ArrayD::zeros(IxDyn(&[])), reader.element(x));
    let equal = reader.layer(Equal {}, &[x, zero])?;
    reader.layer(Not {}, &[equal])
}

/// The kind of a layer that takes `expected`.
pub(super) fn takes(kinds: &[Kind], expected: &[Kind], gives: Kind) -> Result<Kind, String> {
    if kinds == expected {
        return Ok(gives);
    }
    Err(if kinds.len() == expected.len() {
        format!("it takes values of kinds {expected:?}, not {kinds:?}")
    } else {
        format!("it takes {} operands, not {}", expected.len(), kinds.len())
    })
}

/// The shape that two operands broadcast to.
pub(super) fn joint(shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
    let [x, y] = two(shapes)?;
    broadcast(x, y).ok_or_else(|| format!("shapes {x:?} and {y:?} do not broadcast"))
}

/// Bits, repeated to `shape`.
pub(super) fn repeated<B: Backend>(b: &B, bits: &B::Bits, shape: &[usize]) -> B::Bits {
    let own = b.bits_shape(bits);
    if own == shape {
        return bits.clone();
    }
    let mut next = 0;
    let places = ArrayD::from_shape_simple_fn(IxDyn(&own), || {
        next += 1;
        next - 1_usize
    });
    b.arrange_bits(&[bits], &crate::backend::arrays::broadcast(&places, shape))
}

/// Both operands of one shape.
fn both<B: Backend>(b: &B, inputs: &[Given<'_, B>]) -> [B::Bits; 2] {
    let [x, y] = [inputs[0].bits(), inputs[1].bits()];
    let shape = broadcast(&b.bits_shape(x), &b.bits_shape(y)).unwrap_or_default();
    [repeated(b, x, &shape), repeated(b, y, &shape)]
}

impl Evaluate for And {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        takes(kinds, &[Kind::Bit; 2], Kind::Bit)
    }
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        joint(shapes)
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        elementwise_keeps_batch(inputs)
    }
    async fn evaluate<B: Backend>(
        &self,
        b: &B,
        inputs: &[Given<'_, B>],
    ) -> Result<Value<B>, B::Error> {
        let [x, y] = both(b, inputs);
        Ok(Value::Bit(b.and(&x, &y).await?))
    }
}

impl Evaluate for Xor {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        takes(kinds, &[Kind::Bit; 2], Kind::Bit)
    }
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        joint(shapes)
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        elementwise_keeps_batch(inputs)
    }
    async fn evaluate<B: Backend>(
        &self,
        b: &B,
        inputs: &[Given<'_, B>],
    ) -> Result<Value<B>, B::Error> {
        let [x, y] = both(b, inputs);
        Ok(Value::Bit(b.xor(&x, &y)))
    }
}

impl Evaluate for Not {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        takes(kinds, &[Kind::Bit], Kind::Bit)
    }
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn evaluate<B: Backend>(
        &self,
        b: &B,
        inputs: &[Given<'_, B>],
    ) -> Result<Value<B>, B::Error> {
        Ok(Value::Bit(b.not(inputs[0].bits())))
    }
}

impl Evaluate for Numbers {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        takes(kinds, &[Kind::Bit], Kind::Number)
    }
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn evaluate<B: Backend>(
        &self,
        b: &B,
        inputs: &[Given<'_, B>],
    ) -> Result<Value<B>, B::Error> {
        Ok(Value::Number(b.numbers(inputs[0].bits()).await?))
    }
}

impl Evaluate for Bits {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        takes(kinds, &[Kind::Number], Kind::Bit)
    }
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn evaluate<B: Backend>(
        &self,
        b: &B,
        inputs: &[Given<'_, B>],
    ) -> Result<Value<B>, B::Error> {
        let half = ArrayD::from_elem(IxDyn(&[]), 0.5);
        let below = b.add_public(&b.neg(inputs[0].number()), &half);
        Ok(Value::Bit(b.is_negative(&below).await?))
    }
}
