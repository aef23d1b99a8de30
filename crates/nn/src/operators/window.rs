//! The attributes of operators with sliding windows.

use super::Reader;

/// Geometry of windows as attributes give it.
pub(super) struct Window {
    pub(super) strides: [usize; 2],
    pub(super) pads: [usize; 4],
    pub(super) dilations: [usize; 2],
}

impl Window {
    /// Read strides, pads (or `auto_pad`) and dilations for windows of `kernel` over tensors of `shape`.
    pub(super) fn read(
        reader: &Reader<'_>,
        kernel: [usize; 2],
        shape: &[usize],
    ) -> Result<Self, String> {
        let (input, axes) = (picture(shape)?, shape.len() - 2);
        let strides = pair(reader, "strides", axes)?.unwrap_or([1, 1]);
        let dilations = pair(reader, "dilations", axes)?.unwrap_or([1, 1]);
        let given = match axes {
            1 => reader
                .sizes("pads", 0)?
                .map(|[before, after]| [0, before, 0, after]),
            _ => reader.sizes::<4>("pads", 0)?,
        };
        let given = given.unwrap_or([0; 4]);
        let pads = match reader.text("auto_pad", "NOTSET")? {
            "NOTSET" | "" => given,
            "VALID" => [0; 4],
            kind @ ("SAME_UPPER" | "SAME_LOWER") => {
                let mut pads = [0; 4];
                for d in 0..2 {
                    // ceil(input / stride) windows, the odd cell of padding behind or before.
                    let span = dilations[d] * (kernel[d] - 1) + 1;
                    let reach = (input[d].div_ceil(strides[d]) - 1) * strides[d] + span;
                    let total = reach.saturating_sub(input[d]);
                    let before = if kind == "SAME_UPPER" {
                        total / 2
                    } else {
                        total.div_ceil(2)
                    };
                    (pads[d], pads[d + 2]) = (before, total - before);
                }
                pads
            }
            other => return Err(format!("its attribute auto_pad is `{other}`")),
        };
        Ok(Self {
            strides,
            pads,
            dilations,
        })
    }
}

/// A list attribute with a size for each of `axes` axes; rows are pictures of height 1.
pub(super) fn pair(
    reader: &Reader<'_>,
    name: &str,
    axes: usize,
) -> Result<Option<[usize; 2]>, String> {
    match axes {
        1 => Ok(reader.sizes(name, 1)?.map(|[size]| [1, size])),
        _ => reader.sizes(name, 1),
    }
}

/// Height and width of pictures (N, C, H, W), or of rows (N, C, L), whose height is 1.
pub(super) fn picture(shape: &[usize]) -> Result<[usize; 2], String> {
    match *shape {
        [_, _, h, w] => Ok([h, w]),
        [_, _, length] => Ok([1, length]),
        _ => Err(format!(
            "its input has shape {shape:?}; pictures (N, C, H, W) and rows (N, C, L) are supported"
        )),
    }
}
