//! `Resize` and `Upsample` to the nearest element.

use super::{Gather, Reader};
use crate::defaults::MAX_SIZE;
use crate::shape;
use crate::value::ValueId;

/// `Resize` in the mode `nearest`: every element of the output is one of the input.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let mode = reader.text("mode", "nearest")?;
    if mode != "nearest" {
        return Err(format!("its mode is `{mode}`; `nearest` is supported"));
    }
    let axes: Vec<usize> = match reader.ints("axes")? {
        Some(axes) => axes
            .iter()
            .map(|&axis| shape::axis(axis, shape.len()))
            .collect::<Result<_, _>>()?,
        None => (0..shape.len()).collect(),
    };
    // Up to operator set 10 scales are the second input.
    let (scales, sizes) = if reader.opset < 11 { (1, 9) } else { (2, 3) };
    let filled = |index: usize| {
        let constant = reader.optional(index).map(|id| reader.constant(id));
        match constant {
            None => Ok(None),
            Some(Some(list)) => Ok(
                Some(list.iter().copied().collect::<Vec<f64>>()).filter(|list| !list.is_empty())
            ),
            Some(None) => Err(format!(
                "its input {index} depends on the model's inputs; it must be constant"
            )),
        }
    };
    let old = reader.opset < 11;
    let transform = reader.text(
        "coordinate_transformation_mode",
        if old { "asymmetric" } else { "half_pixel" },
    )?;
    let rounding = reader.text(
        "nearest_mode",
        if old { "floor" } else { "round_prefer_floor" },
    )?;
    let policy = reader.text("keep_aspect_ratio_policy", "stretch")?;
    if policy != "stretch" {
        return Err(format!(
            "its keep_aspect_ratio_policy is `{policy}`; `stretch` is supported"
        ));
    }
    let given = match (filled(scales)?, filled(sizes)?) {
        (Some(scales), None) => scales.into_iter().map(Given::Scale).collect(),
        (None, Some(sizes)) => sizes.into_iter().map(Given::Size).collect(),
        _ => return Err("it has not one of scales and sizes".into()),
    };
    resized(reader, x, &axes, given, transform, rounding)
}

/// `Upsample`, which `Resize` has replaced.
pub(super) fn upsample(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let mode = reader.text("mode", "nearest")?;
    if mode != "nearest" {
        return Err(format!("its mode is `{mode}`; `nearest` is supported"));
    }
    let scales: Vec<f64> = match (reader.attribute("scales"), reader.optional(1)) {
        (Some(crate::graph::Attribute::Floats(scales)), _) => {
            scales.iter().map(|&scale| f64::from(scale)).collect()
        }
        (None, Some(id)) => {
            let scales = reader
                .constant(id)
                .ok_or("its scales depend on the model's inputs; it must be constant")?;
            scales.iter().copied().collect()
        }
        _ => return Err("it has no scales".into()),
    };
    let axes: Vec<usize> = (0..reader.shape(x).len()).collect();
    let given = scales.into_iter().map(Given::Scale).collect();
    resized(reader, x, &axes, given, "asymmetric", "floor")
}

/// What a node says of an axis.
#[derive(Clone, Copy)]
enum Given {
    /// The factor.
    Scale(f64),
    /// The size.
    Size(f64),
}

fn resized(
    reader: &mut Reader<'_>,
    mut x: ValueId,
    axes: &[usize],
    given: Vec<Given>,
    transform: &str,
    rounding: &str,
) -> Result<Vec<ValueId>, String> {
    if given.len() != axes.len() {
        return Err(format!(
            "{} scales or sizes for {} axes",
            given.len(),
            axes.len()
        ));
    }
    for (&axis, given) in axes.iter().zip(given) {
        let size = reader.shape(x)[axis] as f64;
        let (scale, to) = match given {
            Given::Scale(scale) => (scale, (size * scale).floor()),
            Given::Size(to) => (to / size, to),
        };
        if !(scale > 0.0 && (1.0..=MAX_SIZE as f64).contains(&to)) {
            return Err(format!("axis {axis} of {size} resized by {scale}"));
        }
        let source = |at: usize| -> Result<usize, String> {
            let at = at as f64;
            let at = match transform {
                "half_pixel" => (at + 0.5) / scale - 0.5,
                "half_pixel_symmetric" => {
                    let adjusted = to / (size * scale);
                    size / 2.0 * (1.0 - adjusted) + (at + 0.5) / scale - 0.5
                }
                "pytorch_half_pixel" if to > 1.0 => (at + 0.5) / scale - 0.5,
                "align_corners" if to > 1.0 => at * (size - 1.0) / (to - 1.0),
                "pytorch_half_pixel" | "align_corners" => 0.0,
                "asymmetric" => at / scale,
                other => return Err(format!("its coordinate_transformation_mode is `{other}`")),
            };
            let nearest = match rounding {
                "round_prefer_floor" => (at - 0.5).ceil(),
                "round_prefer_ceil" => (at + 0.5).floor(),
                "floor" => at.floor(),
                "ceil" => at.ceil(),
                other => return Err(format!("its nearest_mode is `{other}`")),
            };
            Ok(nearest.clamp(0.0, size - 1.0) as usize)
        };
        let indices = (0..to as usize)
            .map(source)
            .collect::<Result<Vec<_>, _>>()?;
        if !indices.iter().copied().eq(0..size as usize) {
            x = reader.layer(Gather { axis, indices }, &[x])?;
        }
    }
    Ok(vec![x])
}
