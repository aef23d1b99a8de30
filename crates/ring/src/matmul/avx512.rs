//! Kernels for AVX-512 with IFMA and VNNI, whose multiply-adds take one instruction.
#![allow(unsafe_code)]

use super::packed::Tile;
use crate::{Z32, Z64};
use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_add_epi64, _mm512_dpwssd_epi32, _mm512_loadu_si512,
    _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_set1_epi32, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_slli_epi32, _mm512_slli_epi64, _mm512_srli_epi64,
    _mm512_storeu_si512,
};
use std::num::Wrapping;

/// 4 × 16 in `Z_2^64`, two steps of k at a time.
///
/// With `x = x0 + 2^52 x1`, `x0` of 52 and `x1` of 12 bits, a product is
/// `lo(a0 b0) + 2^52 (hi(a0 b0) + a0 b1 + a1 b0)` modulo `2^64`, lo and hi the halves of 52 bits
/// that IFMA's multiply-adds give. Of the bracket only 12 bits matter, so VNNI's dot product of
/// 16-bit pairs gives `a0 b1 + a1 b0` in a 32-bit lane, for two steps at once in a 64-bit one.
/// Sums may overflow their lanes: what is lost lies at or above `2^64`.
pub(super) struct Tile64;

/// The top 12 bits and the low 12 bits of a value.
#[inline(always)]
fn ends(value: u64) -> [u64; 2] {
    [value >> 52, value & 0xfff]
}

impl Tile<Z64> for Tile64 {
    const ROWS: usize = 4;
    const COLUMNS: usize = 16;
    const GROUP: usize = 2;
    const A_WORDS: usize = 3;
    const B_WORDS: usize = 3;

    #[inline(always)]
    fn encode_a(first: Z64, second: Z64) -> [Z64; 3] {
        let [top, low] = ends(first.0);
        let [top2, low2] = ends(second.0);
        [
            first,
            second,
            Wrapping(top | low << 16 | top2 << 32 | low2 << 48),
        ]
    }

    #[inline(always)]
    fn encode_b(first: Z64, second: Z64) -> [Z64; 3] {
        let [top, low] = ends(first.0);
        let [top2, low2] = ends(second.0);
        [
            first,
            second,
            Wrapping(low | top << 16 | low2 << 32 | top2 << 48),
        ]
    }

    #[inline(always)]
    unsafe fn multiply(a: &[Z64], b: &[Z64], out: &mut [Z64]) {
        // SAFETY: the caller vouches for the extensions.
        unsafe { multiply64(a, b, out) }
    }
}

#[target_feature(enable = "avx512f,avx512ifma,avx512vnni")]
fn multiply64(a: &[Z64], b: &[Z64], out: &mut [Z64]) {
    let mut low = [[_mm512_setzero_si512(); 2]; 4];
    let mut high = low;
    let mut cross = low;
    for (a, b) in a.as_chunks::<12>().0.iter().zip(b.as_chunks::<48>().0) {
        for step in 0..2 {
            let b = [load(b, 16 * step), load(b, 16 * step + 8)];
            for r in 0..4 {
                let a = _mm512_set1_epi64(a[3 * r + step].0 as i64);
                for half in 0..2 {
                    low[r][half] = _mm512_madd52lo_epu64(low[r][half], a, b[half]);
                    high[r][half] = _mm512_madd52hi_epu64(high[r][half], a, b[half]);
                }
            }
        }
        let b = [load(b, 32), load(b, 40)];
        for r in 0..4 {
            let a = _mm512_set1_epi64(a[3 * r + 2].0 as i64);
            for half in 0..2 {
                cross[r][half] = _mm512_dpwssd_epi32(cross[r][half], a, b[half]);
            }
        }
    }
    let out = &mut out.as_chunks_mut::<16>().0[..4];
    for r in 0..4 {
        for half in 0..2 {
            let pair = cross[r][half];
            let steps = _mm512_add_epi64(pair, _mm512_srli_epi64::<32>(pair));
            let upper = _mm512_slli_epi64::<52>(_mm512_add_epi64(high[r][half], steps));
            store(&mut out[r], 8 * half, _mm512_add_epi64(low[r][half], upper));
        }
    }
}

/// 6 × 32 in `Z_2^32`, two steps of k at a time.
///
/// With `x = x0 + 2^16 x1`, `x0` signed, a product is `a0 b0 + 2^16 (a0 b1 + a1 b0)` modulo `2^32`.
/// VNNI's dot product of signed 16-bit pairs gives the bracket of one step, of which only 16 bits
/// matter, or the first term of two steps.
pub(super) struct Tile32;

/// The signed low half of a value and what remains, as the bits of 16-bit integers.
#[inline(always)]
fn halves(value: u32) -> [u32; 2] {
    let low = value as i16;
    [
        u32::from(low as u16),
        value.wrapping_sub(i32::from(low) as u32) >> 16,
    ]
}

impl Tile<Z32> for Tile32 {
    const ROWS: usize = 6;
    const COLUMNS: usize = 32;
    const GROUP: usize = 2;
    const A_WORDS: usize = 3;
    const B_WORDS: usize = 3;

    #[inline(always)]
    fn encode_a(first: Z32, second: Z32) -> [Z32; 3] {
        let ([x0, x1], [y0, y1]) = (halves(first.0), halves(second.0));
        [
            Wrapping(x0 | y0 << 16),
            Wrapping(x0 | x1 << 16),
            Wrapping(y0 | y1 << 16),
        ]
    }

    #[inline(always)]
    fn encode_b(first: Z32, second: Z32) -> [Z32; 3] {
        let ([x0, x1], [y0, y1]) = (halves(first.0), halves(second.0));
        [
            Wrapping(x0 | y0 << 16),
            Wrapping(x1 | x0 << 16),
            Wrapping(y1 | y0 << 16),
        ]
    }

    #[inline(always)]
    unsafe fn multiply(a: &[Z32], b: &[Z32], out: &mut [Z32]) {
        // SAFETY: the caller vouches for the extensions.
        unsafe { multiply32(a, b, out) }
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply32(a: &[Z32], b: &[Z32], out: &mut [Z32]) {
    let mut low = [[_mm512_setzero_si512(); 2]; 6];
    let mut cross = low;
    for (a, b) in a.as_chunks::<18>().0.iter().zip(b.as_chunks::<96>().0) {
        let words = [load(b, 0), load(b, 16)];
        for r in 0..6 {
            let a = _mm512_set1_epi32(a[3 * r].0 as i32);
            for half in 0..2 {
                low[r][half] = _mm512_dpwssd_epi32(low[r][half], a, words[half]);
            }
        }
        for step in 1..3 {
            let words = [load(b, 32 * step), load(b, 32 * step + 16)];
            for r in 0..6 {
                let a = _mm512_set1_epi32(a[3 * r + step].0 as i32);
                for half in 0..2 {
                    cross[r][half] = _mm512_dpwssd_epi32(cross[r][half], a, words[half]);
                }
            }
        }
    }
    let out = &mut out.as_chunks_mut::<32>().0[..6];
    for r in 0..6 {
        for half in 0..2 {
            let upper = _mm512_slli_epi32::<16>(cross[r][half]);
            store(
                &mut out[r],
                16 * half,
                _mm512_add_epi32(low[r][half], upper),
            );
        }
    }
}

/// The 64 bytes of `from` at element `at`.
#[target_feature(enable = "avx512f")]
#[inline]
fn load<E: bytemuck::Pod>(from: &[E], at: usize) -> __m512i {
    let bytes: &[u8] = bytemuck::cast_slice(&from[at..]);
    assert!(bytes.len() >= 64);
    // SAFETY: 64 bytes are readable, asserted above; the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Store to the 64 bytes of `to` at element `at`.
#[target_feature(enable = "avx512f")]
#[inline]
fn store<E: bytemuck::Pod>(to: &mut [E], at: usize, value: __m512i) {
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut to[at..]);
    assert!(bytes.len() >= 64);
    // SAFETY: 64 bytes are writable, asserted above; the store needs no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}
