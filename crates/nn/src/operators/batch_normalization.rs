//! `BatchNormalization` in inference mode, read as a scale and a shift of each channel.

use super::{Add, Mul, Reader};
use crate::graph::Element;
use crate::value::ValueId;
use ndarray::{ArrayD, IxDyn};

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let statistics = reader
        .node
        .outputs
        .iter()
        .skip(1)
        .any(|output| !output.is_empty());
    if reader.int("training_mode")?.unwrap_or(0) != 0 || statistics {
        return Err("it is in training mode; call model.eval() before exporting".into());
    }
    if reader.int("spatial")?.unwrap_or(1) == 0 {
        return Err("only spatial=1 is supported".into());
    }
    let epsilon = reader.float("epsilon", 1e-5)?;
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let &[_, channels, ..] = shape.as_slice() else {
        return Err(format!("its input has shape {shape:?}, without channels"));
    };
    let mut parameters = Vec::with_capacity(4);
    for index in 1..5 {
        let id = reader.input(index)?;
        let values = reader
            .constant(id)
            .ok_or_else(|| format!("its input {index} is not constant"))?;
        if values.len() != channels || reader.is_integer(id) {
            let actual = values.shape();
            return Err(format!(
                "its input {index} has shape {actual:?} for {channels} channels"
            ));
        }
        parameters.push(values.iter().copied().collect::<Vec<f64>>());
    }
    let [gamma, beta, mean, variance] = [0, 1, 2, 3].map(|index| &parameters[index]);
    if variance.iter().any(|v| v + epsilon <= 0.0) {
        return Err("a variance is not positive".into());
    }
    // One value for each channel, on axis 1.
    let mut axes = vec![1; shape.len() - 1];
    axes[0] = channels;
    let scale = |c: usize| gamma[c] / (variance[c] + epsilon).sqrt();
    let each = |f: &dyn Fn(usize) -> f64| {
        let values = (0..channels).map(f).collect();
        ArrayD::from_shape_vec(IxDyn(&axes), values).unwrap_or_default()
    };
    let (scales, shifts) = (each(&scale), each(&|c| beta[c] - mean[c] * scale(c)));
    let scales = reader.add_constant(scales, Element::Float);
    let shifts = reader.add_constant(shifts, Element::Float);
    let scaled = reader.layer(Mul {}, &[x, scales])?;
    Ok(vec![reader.layer(Add {}, &[scaled, shifts])?])
}
