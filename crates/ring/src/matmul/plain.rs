//! Products that packing would not repay: few rows, few columns, or few elements in all.

use crate::Ring;
use crate::simd::{self, Job, Level};

/// Up to this many rows of A a product is not packed.
const FLAT: usize = 4;
/// Up to this many bits of columns of B a product is not packed: tiles are wide, and would be
/// padded.
pub(crate) const NARROW: usize = 384;
/// Up to this many multiply-adds a product is not packed.
const TINY: usize = 4096;
/// Columns at a time: their sums stay in the L1 cache.
const CHUNK: usize = 1024;

/// `out += a b` if the shape is one for the plain loops; whether it was.
pub(super) fn gemm<E: Ring>(
    level: Level,
    m: usize,
    k: usize,
    n: usize,
    a: &[E],
    b: &[E],
    out: &mut [E],
) -> bool {
    if m == 0 || k == 0 || n == 0 {
        return true;
    }
    if n * E::BITS as usize <= NARROW && n < m {
        simd::run(level, Dots { k, n, a, b, out });
        return true;
    }
    if m <= FLAT || m.saturating_mul(k).saturating_mul(n) <= TINY {
        simd::run(level, Rows { k, n, a, b, out });
        return true;
    }
    false
}

/// Every row of the output as a sum of rows of B, four at a time.
struct Rows<'a, E> {
    k: usize,
    n: usize,
    a: &'a [E],
    b: &'a [E],
    out: &'a mut [E],
}

impl<E: Ring> Job for Rows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { k, n, a, b, out } = self;
        for first in (0..n).step_by(CHUNK) {
            let width = CHUNK.min(n - first);
            let row = |p: usize| &b[p * n + first..][..width];
            let whole = k / 4 * 4;
            for p in (0..whole).step_by(4) {
                let (b0, b1, b2, b3) = (row(p), row(p + 1), row(p + 2), row(p + 3));
                for (a, out) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
                    let out = &mut out[first..][..width];
                    let (a0, a1, a2, a3) = (a[p], a[p + 1], a[p + 2], a[p + 3]);
                    for j in 0..width {
                        out[j] += (a0 * b0[j] + a1 * b1[j]) + (a2 * b2[j] + a3 * b3[j]);
                    }
                }
            }
            for p in whole..k {
                let b = row(p);
                for (a, out) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
                    for (out, &b) in out[first..][..width].iter_mut().zip(b) {
                        *out += a[p] * b;
                    }
                }
            }
        }
    }
}

/// Every element of the output as the dot product of a row of A and a column of B.
struct Dots<'a, E> {
    k: usize,
    n: usize,
    a: &'a [E],
    b: &'a [E],
    out: &'a mut [E],
}

impl<E: Ring> Job for Dots<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { k, n, a, b, out } = self;
        let mut columns = vec![E::zero(); n * k];
        for (j, column) in columns.chunks_exact_mut(k).enumerate() {
            for (p, value) in column.iter_mut().enumerate() {
                *value = b[p * n + j];
            }
        }
        for (a, out) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
            for (column, out) in columns.chunks_exact(k).zip(out) {
                let mut sum = E::zero();
                for (&x, &y) in a.iter().zip(column) {
                    sum += x * y;
                }
                *out += sum;
            }
        }
    }
}
