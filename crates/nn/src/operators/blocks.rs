//! Blocks of elements moved as a whole: `DepthToSpace`, `SpaceToDepth`, `Tile`.

use super::{Expand, Reader, Reshape, Transpose};
use crate::defaults::MAX_SIZE;
use crate::value::ValueId;

/// Channels become blocks of pixels: upsampling by "pixel shuffle".
pub(super) fn depth_to_space(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, [n, c, h, w], size) = picture(reader)?;
    if c % (size * size) != 0 {
        return Err(format!("{c} channels as blocks of {size} x {size}"));
    }
    let deep = c / (size * size);
    let (split, axes) = match reader.text("mode", "DCR")? {
        "DCR" => ([n, size, size, deep, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, deep, size, size, h, w], [0, 1, 4, 2, 5, 3]),
        other => return Err(format!("its mode is `{other}`")),
    };
    moved(reader, x, &split, &axes, [n, deep, h * size, w * size])
}

/// Blocks of pixels become channels.
pub(super) fn space_to_depth(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, [n, c, h, w], size) = picture(reader)?;
    if h % size != 0 || w % size != 0 {
        return Err(format!(
            "pictures of {h} x {w} as blocks of {size} x {size}"
        ));
    }
    let (high, wide) = (h / size, w / size);
    let split = [n, c, high, size, wide, size];
    let out = [n, c * size * size, high, wide];
    moved(reader, x, &split, &[0, 3, 5, 1, 2, 4], out)
}

/// The tensor repeated along each axis, a constant number of times.
pub(super) fn tile(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let (shape, repeats) = (reader.shape(x), reader.integers(1)?);
    let sizes: Option<Vec<usize>> = repeats
        .iter()
        .map(|&count| {
            usize::try_from(count)
                .ok()
                .filter(|&count| count <= MAX_SIZE)
        })
        .collect();
    let repeats = sizes
        .filter(|sizes| sizes.len() == shape.len())
        .ok_or_else(|| format!("repeats of {repeats:?} for an input of shape {shape:?}"))?;
    // One more axis for each that repeats, as few axes as that takes.
    let (mut apart, mut wide, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for (&size, &count) in shape.iter().zip(&repeats) {
        if count != 1 {
            apart.push(1);
            wide.push(count);
        }
        apart.push(size);
        wide.push(size);
        out.push(size.saturating_mul(count));
    }
    let apart = reader.layer(Reshape { shape: apart }, &[x])?;
    let wide = reader.layer(Expand { shape: wide }, &[apart])?;
    Ok(vec![reader.layer(Reshape { shape: out }, &[wide])?])
}

/// The node's pictures, their shape, and its block size.
fn picture(reader: &Reader<'_>) -> Result<(ValueId, [usize; 4], usize), String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let size = reader.int("blocksize")?.ok_or("it has no blocksize")?;
    let size = usize::try_from(size)
        .ok()
        .filter(|size| (1..=MAX_SIZE).contains(size));
    let size = size.ok_or("its blocksize is no size")?;
    match *shape {
        [n, c, h, w] => Ok((x, [n, c, h, w], size)),
        _ => Err(format!(
            "its input has shape {shape:?}; pictures (N, C, H, W) are supported"
        )),
    }
}

fn moved(
    reader: &mut Reader<'_>,
    x: ValueId,
    split: &[usize],
    axes: &[usize],
    shape: [usize; 4],
) -> Result<Vec<ValueId>, String> {
    let (split, axes, shape) = (split.to_vec(), axes.to_vec(), shape.to_vec());
    let blocks = reader.layer(Reshape { shape: split }, &[x])?;
    let turned = reader.layer(Transpose { axes }, &[blocks])?;
    Ok(vec![reader.layer(Reshape { shape }, &[turned])?])
}
