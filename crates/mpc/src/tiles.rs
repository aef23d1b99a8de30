//! Large tensors in pieces, side by side.
//!
//! What a protocol makes on the way (dealt tables, bit planes, messages) is many times its operand. In tiles
//! it stays in the cache and is freed before the next tile's is made, and one tile's messages travel while
//! the next is computed. Tiles are branches of one program, so they share rounds; their bytes add up to those
//! of the whole, because a tile's bits fill whole bytes.

use crate::{Abort, Party, Share};
use std::ops::Range;
use trefoil_ring::Ring;

/// Elements of a tile: the largest tables, of a comparison, take about half a megabyte. A multiple of 64.
pub(crate) const TILE: usize = 1 << 14;

/// Where each tile of `len` elements lies: the last one takes the rest, so that none is small.
pub(crate) fn tiles(len: usize) -> Vec<Range<usize>> {
    let count = (len / TILE).max(1);
    let end = |tile: usize| {
        if tile + 1 == count {
            len
        } else {
            (tile + 1) * TILE
        }
    };
    (0..count).map(|tile| tile * TILE..end(tile)).collect()
}

/// `f` of each piece of `x`, side by side; `f` keeps the number of elements.
///
/// # Errors
/// The first of `f`.
pub(crate) async fn tiled<R: Ring>(
    party: &Party,
    x: &Share<R>,
    f: impl AsyncFn(&Party, Share<R>) -> Result<Share<R>, Abort>,
) -> Result<Share<R>, Abort> {
    let tiles = tiles(x.len());
    if tiles.len() == 1 {
        return f(party, x.clone()).await;
    }
    let cut = |range: Range<usize>| {
        let (mine, next) = (&x.mine()[range.clone()], &x.next()[range]);
        Share::new(&[mine.len()], mine.to_vec(), next.to_vec())
    };
    let pieces = tiles.into_iter().map(cut).collect();
    joined(x.shape(), party.join_all(pieces, f).await)
}

/// The pieces one behind the other, as a tensor of `shape`.
///
/// # Errors
/// The first of a piece.
pub(crate) fn joined<R: Ring>(
    shape: &[usize],
    pieces: Vec<Result<Share<R>, Abort>>,
) -> Result<Share<R>, Abort> {
    let len = shape.iter().product();
    let (mut mine, mut next) = (Vec::with_capacity(len), Vec::with_capacity(len));
    for piece in pieces {
        let piece = piece?;
        mine.extend_from_slice(piece.mine());
        next.extend_from_slice(piece.next());
    }
    Ok(Share::new(shape, mine, next))
}
