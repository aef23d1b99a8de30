//! Constant, and the operators that do nothing in inference.

use super::Reader;
use crate::graph::{Attribute, Element};
use crate::value::ValueId;
use ndarray::{ArrayD, IxDyn};

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let found = [
        "value",
        "value_float",
        "value_int",
        "value_floats",
        "value_ints",
    ]
    .into_iter()
    .find_map(|name| reader.attribute(name));
    let list = |values: Vec<f64>| ArrayD::from_shape_vec(IxDyn(&[values.len()]), values);
    let scalar = |value: f64| ArrayD::from_elem(IxDyn(&[]), value);
    let (array, element) = match found {
        Some(Attribute::Tensor(tensor)) => (tensor.to_f64(), tensor.element()),
        Some(&Attribute::Float(value)) => (scalar(f64::from(value)), Element::Float),
        Some(&Attribute::Int(value)) => (scalar(value as f64), Element::Integer),
        Some(Attribute::Floats(values)) => (
            list(values.iter().map(|&v| f64::from(v)).collect()).unwrap_or_default(),
            Element::Float,
        ),
        Some(Attribute::Ints(values)) => (
            list(values.iter().map(|&v| v as f64).collect()).unwrap_or_default(),
            Element::Integer,
        ),
        _ => return Err("it has no value of a supported kind".into()),
    };
    Ok(vec![reader.add_constant(array, element)])
}

/// Identity, and Dropout, which drops nothing in inference.
pub(super) fn identity(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    if let Some(training) = reader.optional(2) {
        let off = reader
            .constant(training)
            .is_some_and(|flag| flag.iter().all(|&v| v == 0.0));
        if !off {
            return Err("it is in training mode; call model.eval() before exporting".into());
        }
    }
    Ok(vec![reader.input(0)?])
}
