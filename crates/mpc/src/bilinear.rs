//! Products: every bilinear map of two shares costs one exchange of its output.

use crate::reshare::{
    Part, reshare_offset, reshare_offset_cost, reshare_truncated, reshare_truncated_cost,
};
use crate::{Abort, Cost, Party, Share};
use trefoil_net::Role;
use trefoil_ring::{Conv2d, Ring};

/// Element-wise product in the ring.
///
/// # Protocol
/// Masked evaluation with a preparing party (ASTRA, ePrint 2019/429, section 3; Trio's order of terms). With
/// the masked values `m` and masks `l = l_0 + l_1`, `xy = m_x m_y + m_x l_y + l_x m_y + l_x l_y`:
/// party 1 computes `m_x (m_y + l_y1) + l_x1 m_y`, party 2 `m_x l_y0 + l_x0 m_y`, party 0
/// `l_x l_y`: five local products in all. All bilinear maps of this file work so.
///
/// # Security
/// Semi-honest, see [`crate`]: each message is masked by a draw that its receiver does not know.
///
/// # Cost
/// [`bilinear_cost`] of the output's length: 1 round, one element from each party.
///
/// # Panics
/// If the shapes differ.
pub async fn mul<R: Ring>(party: &Party, x: &Share<R>, y: &Share<R>) -> Result<Share<R>, Abort> {
    assert_eq!(x.shape(), y.shape(), "operands of mul");
    reshare_offset(party, x.shape(), parts(party, x, y, x.len(), products)).await
}

/// [`mul`] followed by the truncation by `shift` bits: [`bilinear_truncated_cost`].
///
/// # Range
/// As [`crate::truncate`], for the product.
pub async fn mul_truncated<R: Ring>(
    party: &Party,
    x: &Share<R>,
    y: &Share<R>,
    shift: u32,
) -> Result<Share<R>, Abort> {
    assert_eq!(x.shape(), y.shape(), "operands of mul");
    reshare_truncated(
        party,
        x.shape(),
        parts(party, x, y, x.len(), products),
        shift,
    )
    .await
}

/// Inner products of the rows of `x` and `y` (n × d), n elements. Cost: [`bilinear_cost`] of n.
pub async fn dot<R: Ring>(party: &Party, x: &Share<R>, y: &Share<R>) -> Result<Share<R>, Abort> {
    assert_eq!(x.shape(), y.shape(), "operands of dot");
    let (rows, width) = matrix(x);
    let map = |a: &[R], b: &[R], out: &mut [R]| {
        for ((out, a), b) in out
            .iter_mut()
            .zip(a.chunks(width.max(1)))
            .zip(b.chunks(width.max(1)))
        {
            *out += a.iter().zip(b).map(|(&a, &b)| a * b).sum();
        }
    };
    reshare_offset(party, &[rows], parts(party, x, y, rows, map)).await
}

/// Matrix product of `x` (m × k) and `y` (k × n). Cost: [`bilinear_cost`] of m n.
///
/// # Panics
/// If the shapes do not fit.
pub async fn matmul<R: Ring>(party: &Party, x: &Share<R>, y: &Share<R>) -> Result<Share<R>, Abort> {
    let (part, shape) = matmul_parts(party, x, y);
    reshare_offset(party, &shape, part).await
}

/// [`matmul`] plus `bias` (n elements, at the product's scale, added to every row), truncated by
/// `shift` bits: [`bilinear_truncated_cost`] of m n.
pub async fn matmul_truncated<R: Ring>(
    party: &Party,
    x: &Share<R>,
    y: &Share<R>,
    bias: Option<&Share<R>>,
    shift: u32,
) -> Result<Share<R>, Abort> {
    let (mut part, shape) = matmul_parts(party, x, y);
    if let Some(bias) = bias {
        assert_eq!(bias.len(), shape[1], "bias of a matrix product");
        let bias = linear_part(party.role(), bias);
        for row in part.chunks_mut(shape[1].max(1)) {
            row.iter_mut()
                .zip(&bias)
                .for_each(|(v, &b)| *v += Part::of(b));
        }
    }
    reshare_truncated(party, &shape, part, shift).await
}

/// This party's part of a matrix product, and the product's shape.
pub(crate) fn matmul_parts<R: Ring>(
    party: &Party,
    x: &Share<R>,
    y: &Share<R>,
) -> (Vec<Part<R>>, [usize; 2]) {
    let ((m, k), (rows, n)) = (matrix(x), matrix(y));
    assert_eq!(k, rows, "inner dimensions of matmul");
    let block = (BLOCK_ELEMENTS / n.max(1)).max(BLOCK_ROWS);
    if block >= k {
        let map = |a: &[R], b: &[R], out: &mut [R]| trefoil_ring::matmul(m, k, n, a, b, out);
        return (parts(party, x, y, m * n, map), [m, n]);
    }
    // Sums of components of a large matrix of weights are held for a block of its rows at a time.
    let mut part = vec![R::zero(); m * n];
    for first in (0..k).step_by(block) {
        let (last, depth) = (k.min(first + block), block.min(k - first));
        let columns = |x: &[R]| -> Vec<R> {
            let rows = x.chunks_exact(k);
            rows.flat_map(|row| &row[first..last]).copied().collect()
        };
        let x = Share::new(&[m, depth], columns(x.mine()), columns(x.next()));
        let rows = |y: &[R]| y[first * n..last * n].to_vec();
        let y = Share::new(&[depth, n], rows(y.mine()), rows(y.next()));
        let map = |a: &[R], b: &[R], out: &mut [R]| trefoil_ring::matmul(m, depth, n, a, b, out);
        add_parts(party, &x, &y, &mut part, map);
    }
    (Part::all(part), [m, n])
}

/// Elements of a right operand that are worked on at once, about.
const BLOCK_ELEMENTS: usize = 1 << 20;
/// Fewest rows of a block, so that sums stay long.
const BLOCK_ROWS: usize = 64;

fn matrix<R: Ring>(x: &Share<R>) -> (usize, usize) {
    assert_eq!(
        x.shape().len(),
        2,
        "a matrix, not a tensor of shape {:?}",
        x.shape()
    );
    (x.shape()[0], x.shape()[1])
}

/// Convolution of `x` (N, C, H, W) with `w` (O, C / groups, KH, KW). Cost: [`bilinear_cost`] of the
/// output's length.
///
/// # Panics
/// If the shapes are not those of `geometry`.
pub async fn conv2d<R: Ring>(
    party: &Party,
    x: &Share<R>,
    w: &Share<R>,
    geometry: &Conv2d,
) -> Result<Share<R>, Abort> {
    let shape = conv2d_shape(geometry);
    reshare_offset(party, &shape, conv2d_parts(party, x, w, geometry)).await
}

/// [`conv2d`] plus `bias` (O elements, at the product's scale), truncated by `shift` bits:
/// [`bilinear_truncated_cost`] of the output's length.
pub async fn conv2d_truncated<R: Ring>(
    party: &Party,
    x: &Share<R>,
    w: &Share<R>,
    bias: Option<&Share<R>>,
    geometry: &Conv2d,
    shift: u32,
) -> Result<Share<R>, Abort> {
    let shape = conv2d_shape(geometry);
    let mut part = conv2d_parts(party, x, w, geometry);
    if let Some(bias) = bias {
        assert_eq!(bias.len(), geometry.filters, "bias of a convolution");
        let bias = linear_part(party.role(), bias);
        let plane = shape[2] * shape[3];
        for (i, out) in part.chunks_mut(plane.max(1)).enumerate() {
            let b = Part::of(bias[i % geometry.filters]);
            for v in out {
                *v += b;
            }
        }
    }
    reshare_truncated(party, &shape, part, shift).await
}

fn conv2d_shape(geometry: &Conv2d) -> [usize; 4] {
    let [height, width] = geometry.output();
    [geometry.batch, geometry.filters, height, width]
}

fn conv2d_parts<R: Ring>(
    party: &Party,
    x: &Share<R>,
    w: &Share<R>,
    geometry: &Conv2d,
) -> Vec<Part<R>> {
    let map = |a: &[R], b: &[R], out: &mut [R]| trefoil_ring::conv2d(geometry, a, b, out);
    parts(party, x, w, conv2d_shape(geometry).iter().product(), map)
}

/// Cost of an untruncated bilinear map with `len` outputs.
pub fn bilinear_cost<R: Ring>(len: usize) -> Cost {
    reshare_offset_cost::<R>(len)
}

/// Cost of a bilinear map with `len` outputs, truncated by `shift` bits.
pub fn bilinear_truncated_cost<R: Ring>(len: usize, shift: u32) -> Cost {
    reshare_truncated_cost::<R>(len, shift)
}

/// Element-wise products, added to `out`.
pub(crate) fn products<R: Ring>(a: &[R], b: &[R], out: &mut [R]) {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out += a * b;
    }
}

/// This party's part of a bilinear map of `x` and `y` with `len` outputs; see [`mul`].
pub(crate) fn parts<R: Ring>(
    party: &Party,
    x: &Share<R>,
    y: &Share<R>,
    len: usize,
    map: impl Fn(&[R], &[R], &mut [R]),
) -> Vec<Part<R>> {
    let mut part = vec![R::zero(); len];
    add_parts(party, x, y, &mut part, map);
    Part::all(part)
}

/// Add this party's part of a bilinear map of `x` and `y` to `part`; see [`mul`].
pub(crate) fn add_parts<R: Ring>(
    party: &Party,
    x: &Share<R>,
    y: &Share<R>,
    part: &mut [R],
    map: impl Fn(&[R], &[R], &mut [R]),
) {
    match party.role() {
        Role::P0 => map(&x.mask(), &y.mask(), part),
        Role::P1 => {
            let sum = |share: &Share<R>| -> Vec<R> {
                let components = share.mine().iter().zip(share.next());
                components.map(|(&l, &m)| l + m).collect()
            };
            // `m_x (m_y + l_y1) + l_x1 m_y = (m_x + l_x1) m_y + m_x l_y1`: the smaller operand is summed, so that a layer builds no
            // copy of its weights.
            if x.len() < y.len() {
                map(&sum(x), y.masked(Role::P1), part);
                map(x.masked(Role::P1), y.half_mask(Role::P1), part);
            } else {
                map(x.masked(Role::P1), &sum(y), part);
                map(x.half_mask(Role::P1), y.masked(Role::P1), part);
            }
        }
        Role::P2 => {
            map(x.masked(Role::P2), y.half_mask(Role::P2), part);
            map(x.half_mask(Role::P2), y.masked(Role::P2), part);
        }
    }
}

/// This party's part of a shared value that is added to a bilinear map.
pub(crate) fn linear_part<R: Ring>(role: Role, x: &Share<R>) -> Vec<R> {
    match role {
        // The evaluators' parts hold the whole value: nothing is left for party 0.
        Role::P0 => vec![R::zero(); x.len()],
        Role::P1 => x
            .mine()
            .iter()
            .zip(x.next())
            .map(|(&l, &m)| l + m)
            .collect(),
        Role::P2 => x.half_mask(Role::P2).to_vec(),
    }
}
