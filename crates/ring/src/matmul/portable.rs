//! The kernel without explicit vector instructions: plain loops over fixed sizes, which the
//! compiler unrolls and vectorises.

use super::packed::Tile;
use crate::Ring;

/// 4 × 8 for elements of 64 bits.
pub(super) struct Tile4x8;
/// 4 × 16 for elements of 32 bits.
pub(super) struct Tile4x16;

macro_rules! tile {
    ($name:ty, $rows:literal, $columns:literal) => {
        impl<E: Ring> Tile<E> for $name {
            const ROWS: usize = $rows;
            const COLUMNS: usize = $columns;
            const GROUP: usize = 1;
            const A_WORDS: usize = 1;
            const B_WORDS: usize = 1;

            #[inline(always)]
            fn encode_a(first: E, _: E) -> [E; 3] {
                [first; 3]
            }

            #[inline(always)]
            fn encode_b(first: E, _: E) -> [E; 3] {
                [first; 3]
            }

            #[inline(always)]
            #[allow(unsafe_code)]
            unsafe fn multiply(a: &[E], b: &[E], out: &mut [E]) {
                multiply::<E, $rows, $columns>(a, b, out);
            }
        }
    };
}

tile!(Tile4x8, 4, 8);
tile!(Tile4x16, 4, 16);

#[inline(always)]
fn multiply<E: Ring, const ROWS: usize, const COLUMNS: usize>(a: &[E], b: &[E], out: &mut [E]) {
    let mut sums = [[E::zero(); COLUMNS]; ROWS];
    for (a, b) in a
        .as_chunks::<ROWS>()
        .0
        .iter()
        .zip(b.as_chunks::<COLUMNS>().0)
    {
        for (sums, &a) in sums.iter_mut().zip(a) {
            for (sum, &b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    out.copy_from_slice(sums.as_flattened());
}
