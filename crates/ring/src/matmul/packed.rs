//! The blocks of a packed product: what is packed when, and where tiles go.

use crate::Ring;
use crate::simd::{self, Job, Level};
use std::marker::PhantomData;

/// Steps of k in a block: a panel of A and one of B stay in the L1 cache, of 48 KiB. Even.
const DEPTH: usize = 192;
/// Rows of A in a block, about: the packed block stays in the L2 cache.
const HEIGHT: usize = 96;
/// Columns of B in a block, about: the packed block stays in the L3 cache.
const WIDTH: usize = 768;
/// Elements of the largest tile.
const MAX_TILE: usize = 256;
/// Rows of the highest tile.
const MAX_ROWS: usize = 8;
/// The most words that a group of steps is packed in.
const MAX_WORDS: usize = 3;

/// A kernel: the product of a packed panel of A (`ROWS` rows) and one of B (`COLUMNS` columns).
///
/// Steps of k are packed in groups of `GROUP` (1 or 2; a missing second step is 0). A group of one
/// row of A is encoded as `A_WORDS` words, one of a column of B as `B_WORDS`. Panels are ordered
/// by group; within a group A by row, then word, and B by word, then column.
pub(super) trait Tile<E> {
    const ROWS: usize;
    const COLUMNS: usize;
    const GROUP: usize;
    const A_WORDS: usize;
    const B_WORDS: usize;

    /// A group of A as `A_WORDS` words; the rest is ignored.
    fn encode_a(first: E, second: E) -> [E; MAX_WORDS];
    /// A group of B as `B_WORDS` words; the rest is ignored.
    fn encode_b(first: E, second: E) -> [E; MAX_WORDS];

    /// Overwrite `out` (`ROWS` × `COLUMNS`, row-major) with the product of two panels.
    ///
    /// # Safety
    /// The processor must have the kernel's instruction set.
    #[allow(unsafe_code)]
    unsafe fn multiply(a: &[E], b: &[E], out: &mut [E]);
}

/// A right operand that is written out piece by piece.
pub(crate) trait Columns<E> {
    /// Write the elements of `row` from column `first` on to `out`.
    fn write(&self, row: usize, first: usize, out: &mut [E]);
}

/// A row-major matrix.
pub(super) struct Dense<'a, E> {
    pub(super) data: &'a [E],
    pub(super) columns: usize,
}

impl<E: Copy> Columns<E> for Dense<'_, E> {
    fn write(&self, row: usize, first: usize, out: &mut [E]) {
        out.copy_from_slice(&self.data[row * self.columns + first..][..out.len()]);
    }
}

/// Where the elements of a product lie: columns come in runs of `run` that are contiguous.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// Position of the first element.
    pub(crate) start: usize,
    /// Elements from a row to the next.
    pub(crate) row_stride: usize,
    /// Columns of a run.
    pub(crate) run: usize,
    /// Elements from the start of a run to that of the next.
    pub(crate) run_stride: usize,
}

impl Layout {
    /// A row-major matrix of `columns` columns.
    pub(super) fn dense(columns: usize) -> Self {
        Self {
            start: 0,
            row_stride: columns,
            run: columns,
            run_stride: 0,
        }
    }
}

/// A product `out += a b` by the kernel `T`.
pub(super) struct Packed<'a, E, T> {
    /// m, k, n.
    shape: [usize; 3],
    a: &'a [E],
    b: &'a dyn Columns<E>,
    out: &'a mut [E],
    layout: Layout,
    tile: PhantomData<T>,
}

impl<'a, E: Ring, T: Tile<E>> Packed<'a, E, T> {
    /// Multiply, at a `level` that has the kernel `T`'s instruction set.
    pub(super) fn multiply(
        level: Level,
        shape: [usize; 3],
        a: &'a [E],
        b: &'a dyn Columns<E>,
        out: &'a mut [E],
        layout: Layout,
    ) {
        assert_eq!(a.len(), shape[0] * shape[1], "left operand of a product");
        if shape.contains(&0) {
            return;
        }
        simd::run(
            level,
            Self {
                shape,
                a,
                b,
                out,
                layout,
                tile: PhantomData,
            },
        );
    }

    /// Pack `depth` steps from `step` on of the columns from `first` on; `rows` is scratch for the
    /// rows of a group, each as wide as `panels` panels.
    #[inline(always)]
    fn pack_b(&self, step: usize, depth: usize, columns: [usize; 2], rows: &mut [E], to: &mut [E]) {
        let [first, count] = columns;
        let groups = depth.div_ceil(T::GROUP);
        let (upper, lower) = rows.split_at_mut(rows.len() / 2);
        for group in 0..groups {
            let at = step + group * T::GROUP;
            self.b.write(at, first, &mut upper[..count]);
            if T::GROUP == 2 {
                if at + 1 < step + depth {
                    self.b.write(at + 1, first, &mut lower[..count]);
                } else {
                    lower.fill(E::zero());
                }
            }
            let panels = to.chunks_exact_mut(groups * T::B_WORDS * T::COLUMNS);
            let pairs = upper
                .chunks_exact(T::COLUMNS)
                .zip(lower.chunks_exact(T::COLUMNS));
            for (panel, (upper, lower)) in panels.zip(pairs) {
                let panel =
                    &mut panel[group * T::B_WORDS * T::COLUMNS..][..T::B_WORDS * T::COLUMNS];
                for j in 0..T::COLUMNS {
                    let words = T::encode_b(upper[j], lower[j]);
                    for w in 0..T::B_WORDS {
                        panel[w * T::COLUMNS + j] = words[w];
                    }
                }
            }
        }
    }

    /// Pack `depth` steps from `step` on of `height` rows from `first` on.
    #[inline(always)]
    fn pack_a(&self, step: usize, depth: usize, first: usize, height: usize, to: &mut [E]) {
        let groups = depth.div_ceil(T::GROUP);
        let k = self.shape[1];
        let zeros = [E::zero(); DEPTH];
        for (p, panel) in to
            .chunks_exact_mut(groups * T::A_WORDS * T::ROWS)
            .enumerate()
        {
            let mut rows = [&zeros[..depth]; MAX_ROWS];
            for (r, row) in rows[..T::ROWS].iter_mut().enumerate() {
                let index = p * T::ROWS + r;
                if index < height {
                    *row = &self.a[(first + index) * k + step..][..depth];
                }
            }
            let encode = |to: &mut [E], at: usize, paired: bool| {
                for (to, row) in to.chunks_exact_mut(T::A_WORDS).zip(&rows[..T::ROWS]) {
                    let second = if paired { row[at + 1] } else { E::zero() };
                    to.copy_from_slice(&T::encode_a(row[at], second)[..T::A_WORDS]);
                }
            };
            let whole = depth / T::GROUP;
            let (panel, last) = panel.split_at_mut(whole * T::A_WORDS * T::ROWS);
            for (group, to) in panel.chunks_exact_mut(T::A_WORDS * T::ROWS).enumerate() {
                encode(to, T::GROUP * group, T::GROUP == 2);
            }
            if !last.is_empty() {
                encode(last, depth - 1, false);
            }
        }
    }

    /// Add the product of two packed blocks of `groups` groups to `height` rows from `top` on and
    /// `width` columns from `left` on.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn multiply_block(
        &mut self,
        packed_a: &[E],
        [top, height]: [usize; 2],
        packed_b: &[E],
        [left, width]: [usize; 2],
        groups: usize,
    ) {
        let mut tile = [E::zero(); MAX_TILE];
        let tile = &mut tile[..T::ROWS * T::COLUMNS];
        let panels_b = packed_b.chunks_exact(groups * T::B_WORDS * T::COLUMNS);
        for (b, column) in panels_b.zip((0..width).step_by(T::COLUMNS)) {
            let panels_a = packed_a.chunks_exact(groups * T::A_WORDS * T::ROWS);
            for (a, row) in panels_a.zip((0..height).step_by(T::ROWS)) {
                // SAFETY: `Packed::multiply` runs at a level that has this kernel.
                unsafe { T::multiply(a, b, tile) };
                let (rows, columns) = (T::ROWS.min(height - row), T::COLUMNS.min(width - column));
                self.add_tile(tile, top + row, rows, left + column, columns);
            }
        }
    }

    /// Add the top left `rows` × `columns` of a tile to the output from (`row`, `column`) on.
    #[inline(always)]
    fn add_tile(&mut self, tile: &[E], row: usize, rows: usize, column: usize, columns: usize) {
        let Layout {
            start,
            row_stride,
            run,
            run_stride,
        } = self.layout;
        let mut done = 0;
        while done < columns {
            let (index, within) = ((column + done) / run, (column + done) % run);
            let len = (columns - done).min(run - within);
            let at = start + index * run_stride + within;
            for r in 0..rows {
                let to = &mut self.out[at + (row + r) * row_stride..][..len];
                let from = &tile[r * T::COLUMNS + done..][..len];
                for (to, &from) in to.iter_mut().zip(from) {
                    *to += from;
                }
            }
            done += len;
        }
    }
}

impl<E: Ring, T: Tile<E>> Job for Packed<'_, E, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let [m, k, n] = self.shape;
        let max_groups = k.min(DEPTH).div_ceil(T::GROUP);
        let (max_height, max_width) = (
            HEIGHT.next_multiple_of(T::ROWS),
            WIDTH.next_multiple_of(T::COLUMNS),
        );
        let (padded_m, padded_n) = (m.next_multiple_of(T::ROWS), n.next_multiple_of(T::COLUMNS));
        let mut packed_a = vec![E::zero(); max_groups * T::A_WORDS * padded_m.min(max_height)];
        let mut packed_b = vec![E::zero(); max_groups * T::B_WORDS * padded_n.min(max_width)];
        let mut rows = vec![E::zero(); 2 * padded_n.min(max_width)];

        for first in (0..n).step_by(max_width) {
            let width = max_width.min(n - first);
            let padded = width.next_multiple_of(T::COLUMNS);
            for step in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - step);
                let groups = depth.div_ceil(T::GROUP);
                let packed_b = &mut packed_b[..groups * T::B_WORDS * padded];
                let rows = &mut rows[..2 * padded];
                rows.fill(E::zero());
                self.pack_b(step, depth, [first, width], rows, packed_b);
                for top in (0..m).step_by(max_height) {
                    let height = max_height.min(m - top);
                    let packed_a =
                        &mut packed_a[..groups * T::A_WORDS * height.next_multiple_of(T::ROWS)];
                    self.pack_a(step, depth, top, height, packed_a);
                    self.multiply_block(packed_a, [top, height], packed_b, [first, width], groups);
                }
            }
        }
    }
}
