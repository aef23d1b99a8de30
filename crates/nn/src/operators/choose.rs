//! `Where`: one of two numbers, as a truth value says.

use super::logic::{repeated, takes};
use super::{Add, And, Mul, Reader, Sub, Xor};
use crate::backend::Backend;
use crate::graph::Element;
use crate::layer::{Evaluate, Operand, elementwise_keeps_batch, operands};
use crate::shape::{broadcast, elements};
use crate::value::ValueId;
use crate::value::{Given, Kind, Value};
use ndarray::{ArrayD, IxDyn, Zip};
use serde::{Deserialize, Serialize};

/// The second of three operands where the first is true, else the third, broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Where {}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [condition, x, y] = [reader.input(0)?, reader.input(1)?, reader.input(2)?];
    if reader.element(condition) != Element::Boolean {
        return Err("its condition holds numbers, not truth values".into());
    }
    if reader.element(x) == Element::Boolean || reader.element(y) == Element::Boolean {
        // y, changed where the condition holds and x differs.
        let differ = reader.layer(Xor {}, &[x, y])?;
        let change = reader.layer(And {}, &[condition, differ])?;
        return Ok(vec![reader.layer(Xor {}, &[y, change])?]);
    }
    if let Some(mask) = reader.constant(condition) {
        return Ok(vec![masked(reader, &mask, x, y)?]);
    }
    Ok(vec![reader.layer(Where {}, &[condition, x, y])?])
}

/// `Where` with a condition that is stored: as secret as all stored numbers, so it multiplies as a tensor of 0 and 1.
fn masked(
    reader: &mut Reader<'_>,
    mask: &ArrayD<f64>,
    x: ValueId,
    y: ValueId,
) -> Result<ValueId, String> {
    let element = reader.element(x);
    if reader.constant(x).is_none() && reader.constant(y).is_none() {
        let mask = reader.add_constant(mask.clone(), element);
        let excess = reader.layer(Sub {}, &[x, y])?;
        let chosen = reader.layer(Mul {}, &[excess, mask])?;
        return reader.layer(Add {}, &[y, chosen]);
    }
    let mut terms = Vec::with_capacity(2);
    for (id, mask) in [(x, mask.clone()), (y, mask.mapv(|v| 1.0 - v))] {
        // What is stored is chosen now: it may be infinite where it is not wanted.
        terms.push(if let Some(stored) = reader.constant(id) {
            let chosen = chosen_or_zero(&mask, &stored)?;
            reader.add_computed(chosen, element)?
        } else {
            let mask = reader.add_constant(mask, element);
            reader.layer(Mul {}, &[id, mask])?
        });
    }
    reader.layer(Add {}, &terms)
}

/// `x` where the mask is 1, else 0.
fn chosen_or_zero(mask: &ArrayD<f64>, x: &ArrayD<f64>) -> Result<ArrayD<f64>, String> {
    let shape = broadcast(mask.shape(), x.shape()).ok_or_else(|| {
        format!(
            "shapes {:?} and {:?} do not broadcast",
            mask.shape(),
            x.shape()
        )
    })?;
    elements(&shape)?;
    let (Some(mask), Some(x)) = (mask.broadcast(IxDyn(&shape)), x.broadcast(IxDyn(&shape))) else {
        return Err(format!("a condition of shape {:?}", mask.shape()));
    };
    let chosen = Zip::from(mask).and(x);
    Ok(chosen.map_collect(|&mask, &x| if mask == 0.0 { 0.0 } else { x }))
}

/// The shape that three operands broadcast to.
fn joint(shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
    let &[c, x, y] = shapes else {
        return Err(operands(3, shapes));
    };
    broadcast(c, x)
        .and_then(|shape| broadcast(&shape, y))
        .ok_or_else(|| format!("shapes {c:?}, {x:?} and {y:?} do not broadcast"))
}

impl Evaluate for Where {
    fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
        takes(
            kinds,
            &[Kind::Bit, Kind::Number, Kind::Number],
            Kind::Number,
        )
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
        let (bits, x, y) = (inputs[0].bits(), inputs[1].number(), inputs[2].number());
        let (of_bits, of_x, of_y) = (b.bits_shape(bits), b.shape(x), b.shape(y));
        let shape = joint(&[&of_bits, &of_x, &of_y]).unwrap_or_default();
        let bits = repeated(b, bits, &shape);
        let [x, y] = [x, y].map(|tensor| b.broadcast(tensor, &shape));
        Ok(Value::Number(b.select(&bits, &x, &y).await?))
    }
}
