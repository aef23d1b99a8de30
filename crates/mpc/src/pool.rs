//! Max-pooling.

use crate::{Abort, Cost, Party, Share, max, max_cost};
use trefoil_ring::Ring;

/// Geometry of a two-dimensional pooling: input (N, C, H, W), output (N, C, OH, OW).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool2d {
    /// Pictures times channels, N C.
    pub planes: usize,
    /// Input height and width.
    pub input: [usize; 2],
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Strides down and across.
    pub strides: [usize; 2],
    /// Padding: top, left, bottom, right; padded positions never win.
    pub pads: [usize; 4],
    /// Output height and width.
    pub output: [usize; 2],
}

impl Pool2d {
    /// The input position of each slot of each window: `slots[slot][window]`, windows in output order. A
    /// padded position is replaced by one of the same window that is inside, which changes no maximum.
    ///
    /// # Panics
    /// If a window lies wholly in the padding.
    pub fn slots(&self) -> Vec<Vec<usize>> {
        let [height, width] = self.input;
        let along = |out: usize, k: usize, d: usize| {
            let limit = self.input[d];
            let place = |k: usize| (out * self.strides[d] + k).checked_sub(self.pads[d]).filter(|&p| p < limit);
            let inside = place(k).or_else(|| (0..self.kernel[d]).find_map(place));
            assert!(inside.is_some(), "a pooling window inside the padding");
            inside.unwrap_or(0)
        };
        let mut slots = Vec::with_capacity(self.kernel[0] * self.kernel[1]);
        for ky in 0..self.kernel[0] {
            for kx in 0..self.kernel[1] {
                let mut windows = Vec::with_capacity(self.planes * self.output[0] * self.output[1]);
                for plane in 0..self.planes {
                    for oy in 0..self.output[0] {
                        let row = (plane * height + along(oy, ky, 0)) * width;
                        windows.extend((0..self.output[1]).map(|ox| row + along(ox, kx, 1)));
                    }
                }
                slots.push(windows);
            }
        }
        slots
    }

    fn windows(&self) -> usize {
        self.planes * self.output[0] * self.output[1]
    }
}

/// The maximum of each window, flat in output order; see [`max`] for `bits`, security and method.
///
/// # Cost
/// [`max_pool_cost`].
pub async fn max_pool<R: Ring>(party: &Party, x: &Share<R>, pool: &Pool2d, bits: u32) -> Result<Share<R>, Abort> {
    let slots = pool.slots();
    let gather = |c: &[R]| slots.iter().flatten().map(|&at| c[at]).collect();
    let gathered = Share::new(&[slots.len(), pool.windows()], gather(x.mine()), gather(x.next()));
    max(party, &gathered, bits).await
}

/// Cost of [`max_pool`].
pub fn max_pool_cost<R: Ring>(pool: &Pool2d, bits: u32) -> Cost {
    max_cost::<R>(pool.kernel[0] * pool.kernel[1], pool.windows(), bits)
}
