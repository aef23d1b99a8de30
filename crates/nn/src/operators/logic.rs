//! `Equal` and `Where` of constants: exporters compute the shapes of `Expand` with them.

use super::Reader;
use crate::network::ValueId;
use crate::shape::{broadcast, elements};
use ndarray::{ArrayD, IxDyn, Zip};

pub(super) fn equal(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = together([constant(reader, 0)?, constant(reader, 1)?])?;
    let equal = Zip::from(&x)
        .and(&y)
        .map_collect(|x, y| f64::from(x.total_cmp(y).is_eq()));
    Ok(vec![reader.add_constant(equal, true)])
}

pub(super) fn select(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [condition, x, y] = together([
        constant(reader, 0)?,
        constant(reader, 1)?,
        constant(reader, 2)?,
    ])?;
    let chosen = Zip::from(&condition)
        .and(&x)
        .and(&y)
        .map_collect(|&condition, &x, &y| if condition == 0.0 { y } else { x });
    let integer = reader.is_integer(reader.input(1)?) && reader.is_integer(reader.input(2)?);
    Ok(vec![reader.add_constant(chosen, integer)])
}

fn constant(reader: &Reader<'_>, index: usize) -> Result<ArrayD<f64>, String> {
    let id = reader.input(index)?;
    let found = reader.constant(id).map(|array| ArrayD::clone(&array));
    found.ok_or_else(|| {
        format!("its input {index} depends on the model's inputs; it must be constant")
    })
}

/// All arrays, repeated to their common shape.
fn together<const N: usize>(arrays: [ArrayD<f64>; N]) -> Result<[ArrayD<f64>; N], String> {
    let mut shape = Vec::new();
    for array in &arrays {
        shape = broadcast(&shape, array.shape())
            .ok_or_else(|| format!("shapes {shape:?} and {:?} do not broadcast", array.shape()))?;
    }
    elements(&shape)?;
    Ok(arrays.map(|array| {
        let repeated = array.broadcast(IxDyn(&shape)).map(|view| view.to_owned());
        repeated.unwrap_or(array)
    }))
}
