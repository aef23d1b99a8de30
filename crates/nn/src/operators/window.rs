//! The attributes of operators with sliding windows.

use super::Reader;

/// Geometry of windows as attributes give it.
pub(super) struct Window {
    pub(super) strides: [usize; 2],
    pub(super) pads: [usize; 4],
    pub(super) dilations: [usize; 2],
}

impl Window {
    /// Read strides, pads (or `auto_pad`) and dilations for windows of `kernel` over `input`.
    pub(super) fn read(
        reader: &Reader<'_>,
        kernel: [usize; 2],
        input: [usize; 2],
    ) -> Result<Self, String> {
        let strides = reader.sizes("strides", 1)?.unwrap_or([1, 1]);
        let dilations = reader.sizes("dilations", 1)?.unwrap_or([1, 1]);
        let given = reader.sizes::<4>("pads", 0)?.unwrap_or([0; 4]);
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

/// Height and width of pictures (N, C, H, W).
pub(super) fn picture(shape: &[usize]) -> Result<[usize; 2], String> {
    match *shape {
        [_, _, h, w] => Ok([h, w]),
        _ => Err(format!(
            "its input has shape {shape:?}; pictures (N, C, H, W) are supported"
        )),
    }
}
