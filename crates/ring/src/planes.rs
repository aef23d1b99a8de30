//! Bit planes: the transposition between words and vectors of their bits.

use crate::Ring;
use crate::bits::Bits;
use crate::simd::{self, Job, Level};

/// Values that one word of a plane holds a bit of.
const BLOCK: usize = 64;
/// Blocks transposed side by side: one cache line of every plane, one vector lane each.
const LANES: usize = 8;

/// Bit planes of `values`: plane `b` (of `R::BITS`, least significant first) holds bit `b` of every
/// value. Returned flat, plane-major, each plane `Bits::words_for(values.len())` words.
pub fn to_planes<R: Ring>(values: &[R]) -> Vec<u64> {
    to_planes_at(Level::best(), values)
}

/// Inverse of [`to_planes`]: `len` values from flat planes, least significant first; missing high
/// planes count as 0. Bits of a plane behind `len` are ignored.
///
/// # Panics
/// If `planes` is not made of whole planes of `Bits::words_for(len)` words, or of more than
/// `R::BITS`.
pub fn from_planes<R: Ring>(len: usize, planes: &[u64]) -> Vec<R> {
    from_planes_at(Level::best(), len, planes)
}

fn to_planes_at<R: Ring>(level: Level, values: &[R]) -> Vec<u64> {
    let words = Bits::words_for(values.len());
    let mut planes = vec![0; words * R::BITS as usize];
    if words > 0 {
        simd::run(
            level,
            Split {
                values,
                planes: &mut planes,
                words,
            },
        );
    }
    planes
}

fn from_planes_at<R: Ring>(level: Level, len: usize, planes: &[u64]) -> Vec<R> {
    let words = Bits::words_for(len);
    let mut values = vec![R::zero(); len];
    if words > 0 {
        assert!(
            planes.len().is_multiple_of(words) && planes.len() / words <= R::BITS as usize,
            "{} words are not up to {} planes of {words} words",
            planes.len(),
            R::BITS
        );
        simd::run(
            level,
            Merge {
                planes,
                values: &mut values,
                words,
            },
        );
    }
    values
}

/// [`to_planes`] into zeroed planes of `words` words, `words > 0`.
struct Split<'a, R> {
    values: &'a [R],
    planes: &'a mut [u64],
    words: usize,
}

impl<R: Ring> Job for Split<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let whole = self.words / LANES * LANES;
        for first in (0..whole).step_by(LANES) {
            split::<R, LANES>(self.values, self.planes, self.words, first);
        }
        for first in whole..self.words {
            split::<R, 1>(self.values, self.planes, self.words, first);
        }
    }
}

/// Words `first .. first + L` of every plane.
#[inline(always)]
fn split<R: Ring, const L: usize>(values: &[R], planes: &mut [u64], words: usize, first: usize) {
    let mut rows = [[0; L]; BLOCK];
    for lane in 0..L {
        let start = (first + lane) * BLOCK;
        let block = &values[start..values.len().min(start + BLOCK)];
        if R::BITS == u64::BITS {
            for (row, value) in rows.iter_mut().zip(block) {
                row[lane] = value.to_u64();
            }
        } else {
            // Two squares of 32 bits side by side: value i + 32 sits above value i.
            let (low, high) = block.split_at(block.len().min(BLOCK / 2));
            for (row, value) in rows.iter_mut().zip(low) {
                row[lane] = value.to_u64();
            }
            for (row, value) in rows.iter_mut().zip(high) {
                row[lane] |= value.to_u64() << 32;
            }
        }
    }
    transpose::<R, L>(&mut rows);
    for (plane, row) in planes.chunks_exact_mut(words).zip(&rows) {
        plane[first..first + L].copy_from_slice(row);
    }
}

/// [`from_planes`] of planes of `words` words, `words > 0`.
struct Merge<'a, R> {
    planes: &'a [u64],
    values: &'a mut [R],
    words: usize,
}

impl<R: Ring> Job for Merge<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let whole = self.words / LANES * LANES;
        for first in (0..whole).step_by(LANES) {
            merge::<R, LANES>(self.planes, self.values, self.words, first);
        }
        for first in whole..self.words {
            merge::<R, 1>(self.planes, self.values, self.words, first);
        }
    }
}

/// The values of words `first .. first + L` of every plane.
#[inline(always)]
fn merge<R: Ring, const L: usize>(planes: &[u64], values: &mut [R], words: usize, first: usize) {
    let mut rows = [[0; L]; BLOCK];
    for (plane, row) in planes.chunks_exact(words).zip(&mut rows) {
        row.copy_from_slice(&plane[first..first + L]);
    }
    transpose::<R, L>(&mut rows);
    for lane in 0..L {
        let start = (first + lane) * BLOCK;
        let end = values.len().min(start + BLOCK);
        let block = &mut values[start..end];
        if R::BITS == u64::BITS {
            for (value, row) in block.iter_mut().zip(&rows) {
                *value = R::from_u64(row[lane]);
            }
        } else {
            let (low, high) = block.split_at_mut(block.len().min(BLOCK / 2));
            for (value, row) in low.iter_mut().zip(&rows) {
                *value = R::from_u64(row[lane]);
            }
            for (value, row) in high.iter_mut().zip(&rows) {
                *value = R::from_u64(row[lane] >> 32);
            }
        }
    }
}

/// Transpose the first `R::BITS` rows of every lane as squares of `R::BITS` bits, by swapping
/// ever smaller off-diagonal squares (Warren, Hacker's Delight, section 7-3).
#[inline(always)]
fn transpose<R: Ring, const L: usize>(rows: &mut [[u64; L]; BLOCK]) {
    let bits = R::BITS as usize;
    let mut half = bits / 2;
    while half > 0 {
        // The low `half` bits of every 2 `half`.
        let mask = u64::MAX / ((1 << half) + 1);
        for base in (0..bits).step_by(2 * half) {
            for row in base..base + half {
                #[allow(clippy::needless_range_loop)] // Two rows of one array.
                for lane in 0..L {
                    let (upper, lower) = (rows[row][lane], rows[row + half][lane]);
                    let swap = ((upper >> half) ^ lower) & mask;
                    rows[row][lane] = upper ^ (swap << half);
                    rows[row + half][lane] = lower ^ swap;
                }
            }
        }
        half /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Z32, Z64};
    use proptest::prelude::*;

    fn check<R: Ring>(values: &[R], kept: usize) {
        let words = Bits::words_for(values.len());
        for &level in Level::available() {
            let planes = to_planes_at(level, values);
            assert_eq!(planes.len(), words * R::BITS as usize);
            for (b, plane) in planes.chunks_exact(words.max(1)).enumerate() {
                let bits = Bits::from_words(values.len(), plane.to_vec());
                assert!(bits.words() == plane, "bits behind the end of plane {b}");
                for (i, v) in values.iter().enumerate() {
                    assert_eq!(
                        bits.get(i),
                        v.to_u64() >> b & 1 == 1,
                        "bit {b} of value {i}"
                    );
                }
            }
            assert_eq!(from_planes_at::<R>(level, values.len(), &planes), values);

            let low = from_planes_at::<R>(level, values.len(), &planes[..kept * words]);
            let mask = R::from_u64(u64::MAX.checked_shr(64 - kept as u32).unwrap_or(0));
            for (part, v) in low.iter().zip(values) {
                assert_eq!(part.to_u64(), v.to_u64() & mask.to_u64(), "{kept} planes");
            }
        }
    }

    proptest! {
        #[test]
        fn planes_hold_the_bits(seed: u64, len in 0_usize..1500, kept in 0_usize..=32) {
            let words = (0..len as u64).map(|i| (i ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(i as u32));
            let values: Vec<_> = words.map(Z64::from_u64).collect();
            check(&values, 2 * kept);
            let values: Vec<_> = values.iter().map(|v| Z32::from_u64(v.0 >> 32)).collect();
            check(&values, kept);
        }
    }

    #[test]
    fn edges() {
        for len in [0, 1, 63, 64, 65, 511, 512, 513, 1024] {
            check(&vec![Z64::from_i64(-1); len], 17);
            check(&vec![Z32::from_i64(-1); len], 17);
        }
    }

    #[test]
    #[should_panic(expected = "not up to 32 planes")]
    fn too_many_planes() {
        from_planes::<Z32>(64, &[0; 33]);
    }
}
