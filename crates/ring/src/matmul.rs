//! Matrix products over the rings.
//!
//! Large products are cut into blocks that fit the caches, packed in the order in which a kernel
//! reads them (module `packed`; the structure is that of Goto and van de Geijn, "Anatomy of
//! high-performance matrix multiplication", 2008). A kernel multiplies two packed blocks into a
//! tile of registers; there is one per ring and [`Level`]. Narrow and tiny products, which packing
//! would not repay, take the loops of module `plain`. All of them are exact modulo `2^k`, so every
//! level gives the same result.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod packed;
mod plain;
mod portable;

use crate::simd::Level;
use crate::{Ring, Z32, Z64};
pub(crate) use packed::{Columns, Layout};
use packed::{Dense, Packed};
pub(crate) use plain::NARROW;

/// `out += a b` with `a` (m × k), `b` (k × n), `out` (m × n), all row-major.
///
/// # Panics
/// If a slice's length does not fit its shape.
pub fn matmul<R: Ring>(m: usize, k: usize, n: usize, a: &[R], b: &[R], out: &mut [R]) {
    matmul_at(Level::best(), m, k, n, a, b, out);
}

/// [`matmul`] with the kernel of `level`, to compare levels.
///
/// # Panics
/// As [`matmul`], and if the processor lacks `level`.
pub fn matmul_at<R: Ring>(
    level: Level,
    m: usize,
    k: usize,
    n: usize,
    a: &[R],
    b: &[R],
    out: &mut [R],
) {
    assert_eq!(
        (a.len(), b.len(), out.len()),
        (m * k, k * n, m * n),
        "shapes of matmul"
    );
    R::gemm(level, m, k, n, a, b, out);
}

/// The kernel chosen at run time on this processor: `avx512`, `avx2` or `portable`.
pub fn kernel_name() -> &'static str {
    Level::best().name()
}

/// Ring-specific matrix kernels (sealed: implemented for [`Z32`] and [`Z64`]).
pub trait Kernel: Sized {
    /// `out += a b` with `a` (m × k), `b` (k × n), `out` (m × n), all row-major.
    #[doc(hidden)]
    fn gemm(level: Level, m: usize, k: usize, n: usize, a: &[Self], b: &[Self], out: &mut [Self]);

    /// `out += a b` with a `b` that is written block by block, and an `out` laid out by `layout`.
    #[doc(hidden)]
    #[allow(private_interfaces)] // Sealed: nobody outside can call or implement it.
    fn gemm_columns(
        level: Level,
        shape: [usize; 3],
        a: &[Self],
        b: &dyn Columns<Self>,
        out: &mut [Self],
        layout: Layout,
    );
}

macro_rules! kernel {
    ($ring:ty, $portable:ty, $avx2:ty, $avx512:ty) => {
        impl Kernel for $ring {
            fn gemm(
                level: Level,
                m: usize,
                k: usize,
                n: usize,
                a: &[Self],
                b: &[Self],
                out: &mut [Self],
            ) {
                if plain::gemm(level, m, k, n, a, b, out) {
                    return;
                }
                let b = Dense {
                    data: b,
                    columns: n,
                };
                let layout = Layout::dense(n);
                Self::gemm_columns(level, [m, k, n], a, &b, out, layout);
            }

            #[allow(private_interfaces)]
            fn gemm_columns(
                level: Level,
                shape: [usize; 3],
                a: &[Self],
                b: &dyn Columns<Self>,
                out: &mut [Self],
                layout: Layout,
            ) {
                match level {
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => Packed::<_, $avx2>::multiply(level, shape, a, b, out, layout),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => {
                        Packed::<_, $avx512>::multiply(level, shape, a, b, out, layout);
                    }
                    _ => Packed::<_, $portable>::multiply(level, shape, a, b, out, layout),
                }
            }
        }
    };
}

kernel!(Z64, portable::Tile4x8, avx2::Tile64, avx512::Tile64);
kernel!(Z32, portable::Tile4x16, avx2::Tile32, avx512::Tile32);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values that exercise every carry: a full-width pseudorandom sequence with runs of all ones.
    fn values<R: Ring>(seed: u64, len: usize) -> Vec<R> {
        (0..len as u64)
            .map(|i| {
                let mixed = (i.wrapping_add(seed)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                R::from_u64(if mixed % 7 == 0 {
                    u64::MAX
                } else {
                    mixed ^ mixed >> 32
                })
            })
            .collect()
    }

    fn check<R: Ring>(seed: u64, m: usize, k: usize, n: usize) {
        let (a, b) = (values::<R>(seed, m * k), values::<R>(!seed, k * n));
        let start = values::<R>(seed ^ 1, m * n);
        let mut expected = start.clone();
        for i in 0..m {
            for p in 0..k {
                for j in 0..n {
                    expected[i * n + j] += a[i * k + p] * b[p * n + j];
                }
            }
        }
        for &level in Level::available() {
            let mut out = start.clone();
            matmul_at(level, m, k, n, &a, &b, &mut out);
            assert!(out == expected, "{} {m}x{k}x{n}", level.name());
            // The packed path also for the shapes that the dispatch sends elsewhere.
            let mut out = start.clone();
            let dense = Dense {
                data: &b,
                columns: n,
            };
            R::gemm_columns(level, [m, k, n], &a, &dense, &mut out, Layout::dense(n));
            assert!(out == expected, "packed, {} {m}x{k}x{n}", level.name());
        }
    }

    proptest! {
        #[test]
        fn levels_agree_with_the_definition(
            seed: u64,
            m in 0_usize..70,
            k in 0_usize..70,
            n in 0_usize..70,
        ) {
            check::<Z64>(seed, m, k, n);
            check::<Z32>(seed, m, k, n);
        }

        #[test]
        fn narrow(seed: u64, small in 0_usize..6, k in 0_usize..600, wide in 0_usize..1500) {
            check::<Z64>(seed, small, k, wide);
            check::<Z32>(seed, small, k, wide);
            check::<Z64>(seed, wide, k, small);
            check::<Z32>(seed, wide, k, small);
        }
    }

    /// Shapes around the sizes of tiles and cache blocks.
    #[test]
    fn around_the_blocks() {
        let sizes = [1, 3, 4, 5, 8, 15, 16, 17, 31, 33];
        for m in sizes {
            for n in sizes {
                check::<Z64>(7, m, 9, n);
                check::<Z32>(7, m, 9, n);
            }
        }
        for [m, k, n] in [
            [5, 255, 9],
            [7, 256, 33],
            [7, 257, 33],
            [97, 513, 40],
            [193, 20, 1030],
        ] {
            check::<Z64>(3, m, k, n);
            check::<Z32>(3, m, k, n);
        }
    }

    /// The products that a kernel's accumulators must not lose carries of.
    #[test]
    fn long_sums_of_the_largest_values() {
        let k = 5000;
        let ones = vec![Z64::from_i64(-1); 8 * k];
        let ones32 = vec![Z32::from_i64(-1); 8 * k];
        let low = vec![Z32::from_u64(0x8000_8000); 8 * k];
        for &level in Level::available() {
            let mut out = vec![Z64::from_u64(0); 64];
            matmul_at(level, 8, k, 8, &ones, &ones, &mut out);
            assert!(out.iter().all(|v| v.0 == k as u64), "{}", level.name());
            let mut out = vec![Z32::from_u64(0); 64];
            matmul_at(level, 8, k, 8, &ones32, &ones32, &mut out);
            assert!(out.iter().all(|v| v.0 == k as u32), "{}", level.name());
            let mut out = vec![Z32::from_u64(0); 64];
            matmul_at(level, 8, k, 8, &low, &low, &mut out);
            let square = 0x8000_8000_u32.wrapping_mul(0x8000_8000);
            assert!(
                out.iter().all(|v| v.0 == square.wrapping_mul(k as u32)),
                "{}",
                level.name()
            );
        }
    }

    #[test]
    #[should_panic(expected = "shapes of matmul")]
    fn shapes_must_fit() {
        matmul::<Z32>(2, 2, 2, &[], &[], &mut []);
    }
}
