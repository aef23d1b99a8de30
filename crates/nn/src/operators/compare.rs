//! Comparisons of numbers: `Less` and its relatives, `Equal`, `Sign`.

use super::logic::{joint, takes};
use super::{Not, Reader, Xor};
use crate::backend::Backend;
use crate::graph::Element;
use crate::layer::{Evaluate, Operand, elementwise_keeps_batch, one};
use crate::value::ValueId;
use crate::value::{Given, Kind, Value};
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

/// Whether the first of two numbers is less than the second, broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Less {
    /// Whether the model calls both integers: then a rounding in the last place, which is far from 1/2, decides
    /// nothing.
    pub integers: bool,
}

/// Whether two whole numbers are equal, broadcast: whether they differ by less than 1/2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equal {}

/// -1, 0 or 1, as a number is negative, 0 or positive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// As [`Less::integers`].
    pub integers: bool,
}

pub(super) fn less(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    Ok(vec![below(reader, x, y)?])
}

pub(super) fn greater(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    Ok(vec![below(reader, y, x)?])
}

pub(super) fn less_or_equal(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    let above = below(reader, y, x)?;
    Ok(vec![reader.layer(Not {}, &[above])?])
}

pub(super) fn greater_or_equal(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    let below = below(reader, x, y)?;
    Ok(vec![reader.layer(Not {}, &[below])?])
}

fn below(reader: &mut Reader<'_>, x: ValueId, y: ValueId) -> Result<ValueId, String> {
    let integers = reader.is_integer(x) && reader.is_integer(y);
    reader.layer(Less { integers }, &[x, y])
}

pub(super) fn equal(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    if [x, y].map(|id| reader.element(id)) == [Element::Boolean; 2] {
        let differ = reader.layer(Xor {}, &[x, y])?;
        return Ok(vec![reader.layer(Not {}, &[differ])?]);
    }
    if !reader.is_whole(x) || !reader.is_whole(y) {
        return Err(
            "it asks whether numbers that are rounded are equal, which the rounding would decide; whole numbers \
             and truth values are asked, other numbers are compared by Less"
                .into(),
        );
    }
    Ok(vec![reader.layer(Equal {}, &[x, y])?])
}

pub(super) fn sign(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let integers = reader.is_integer(x);
    Ok(vec![reader.layer(Sign { integers }, &[x])?])
}

fn half() -> ArrayD<f64> {
    ArrayD::from_elem(IxDyn(&[]), 0.5)
}

/// Whether `x`, and whether `-x`, is below 0, or below -1/2: in one comparison of twice the length.
async fn either_side<B: Backend>(
    b: &B,
    x: &B::Tensor,
    by_half: bool,
) -> Result<(B::Bits, Vec<usize>), B::Error> {
    let shape = b.shape(x);
    let flat = b.reshape(x, &[shape.iter().product()]);
    let mut both = b.concat(&[&flat, &b.neg(&flat)], 0);
    if by_half {
        both = b.add_public(&both, &half());
    }
    Ok((b.is_negative(&both).await?, shape))
}

/// Places of one half of [`either_side`].
fn side(shape: &[usize], second: bool) -> ArrayD<usize> {
    let count: usize = shape.iter().product();
    let mut next = if second { count } else { 0 };
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        next += 1;
        next - 1
    })
}

impl Evaluate for Less {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        takes(kinds, &[Kind::Number; 2], Kind::Bit)
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
        let mut difference = b.sub(inputs[0].number(), inputs[1].number());
        if self.integers {
            difference = b.add_public(&difference, &half());
        }
        Ok(Value::Bit(b.is_negative(&difference).await?))
    }
}

impl Evaluate for Equal {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        takes(kinds, &[Kind::Number; 2], Kind::Bit)
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
        let difference = b.sub(inputs[0].number(), inputs[1].number());
        let (sides, shape) = either_side(b, &difference, true).await?;
        // Equal where neither side is below -1/2.
        let neither = b.not(&sides);
        let [first, second] = [false, true].map(|second| {
            let places = side(&shape, second);
            b.arrange_bits(&[&neither], &places)
        });
        Ok(Value::Bit(b.and(&first, &second).await?))
    }
}

impl Evaluate for Sign {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        takes(kinds, &[Kind::Number], Kind::Number)
    }
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    fn gives_whole(&self, _: bool) -> bool {
        true
    }
    async fn evaluate<B: Backend>(
        &self,
        b: &B,
        inputs: &[Given<'_, B>],
    ) -> Result<Value<B>, B::Error> {
        let (sides, shape) = either_side(b, inputs[0].number(), self.integers).await?;
        let numbers = b.numbers(&sides).await?;
        let count: usize = shape.iter().product();
        let [negative, positive] =
            [0..count, count..2 * count].map(|part| b.slice(&numbers, 0, part));
        Ok(Value::Number(
            b.reshape(&b.sub(&positive, &negative), &shape),
        ))
    }
}
