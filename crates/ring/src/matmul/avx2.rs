//! Kernels for AVX2.
#![allow(unsafe_code)]

use super::packed::Tile;
use crate::{Z32, Z64};
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_add_epi64, _mm256_loadu_si256, _mm256_mul_epu32,
    _mm256_mullo_epi32, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_setzero_si256,
    _mm256_slli_epi64, _mm256_storeu_si256,
};
use std::num::Wrapping;

/// 3 × 8 in `Z_2^64`.
///
/// With halves `x = x0 + 2^32 x1`, a product is `a0 b0 + 2^32 (a1 b0 + a0 b1)` modulo `2^64`. The
/// first term takes a widening product; of the bracket only 32 bits matter, so one product of
/// 32-bit lanes of `b` and of `a` with its halves swapped gives both its terms.
pub(super) struct Tile64;

impl Tile<Z64> for Tile64 {
    const ROWS: usize = 3;
    const COLUMNS: usize = 8;
    const GROUP: usize = 1;
    const A_WORDS: usize = 2;
    const B_WORDS: usize = 1;

    #[inline(always)]
    fn encode_a(first: Z64, _: Z64) -> [Z64; 3] {
        [first, Wrapping(first.0.rotate_left(32)), first]
    }

    #[inline(always)]
    fn encode_b(first: Z64, _: Z64) -> [Z64; 3] {
        [first; 3]
    }

    #[inline(always)]
    unsafe fn multiply(a: &[Z64], b: &[Z64], out: &mut [Z64]) {
        // SAFETY: the caller vouches for AVX2.
        unsafe { multiply64(a, b, out) }
    }
}

#[target_feature(enable = "avx2")]
fn multiply64(a: &[Z64], b: &[Z64], out: &mut [Z64]) {
    let mut low = [[_mm256_setzero_si256(); 2]; 3];
    let mut cross = low;
    for (a, b) in a.as_chunks::<6>().0.iter().zip(b.as_chunks::<8>().0) {
        let (b0, b1) = (load(b, 0), load(b, 4));
        for r in 0..3 {
            let value = _mm256_set1_epi64x(a[2 * r].0 as i64);
            low[r][0] = _mm256_add_epi64(low[r][0], _mm256_mul_epu32(value, b0));
            low[r][1] = _mm256_add_epi64(low[r][1], _mm256_mul_epu32(value, b1));
            let swapped = _mm256_set1_epi64x(a[2 * r + 1].0 as i64);
            cross[r][0] = _mm256_add_epi32(cross[r][0], _mm256_mullo_epi32(swapped, b0));
            cross[r][1] = _mm256_add_epi32(cross[r][1], _mm256_mullo_epi32(swapped, b1));
        }
    }
    let out = &mut out.as_chunks_mut::<8>().0[..3];
    for r in 0..3 {
        for half in 0..2 {
            // The sum of both terms of the bracket, in the upper half.
            let terms = cross[r][half];
            let upper = _mm256_slli_epi64(_mm256_add_epi64(terms, swap_halves(terms)), 32);
            store(&mut out[r], 4 * half, _mm256_add_epi64(low[r][half], upper));
        }
    }
}

/// 4 × 16 in `Z_2^32`.
pub(super) struct Tile32;

impl Tile<Z32> for Tile32 {
    const ROWS: usize = 4;
    const COLUMNS: usize = 16;
    const GROUP: usize = 1;
    const A_WORDS: usize = 1;
    const B_WORDS: usize = 1;

    #[inline(always)]
    fn encode_a(first: Z32, _: Z32) -> [Z32; 3] {
        [first; 3]
    }

    #[inline(always)]
    fn encode_b(first: Z32, _: Z32) -> [Z32; 3] {
        [first; 3]
    }

    #[inline(always)]
    unsafe fn multiply(a: &[Z32], b: &[Z32], out: &mut [Z32]) {
        // SAFETY: the caller vouches for AVX2.
        unsafe { multiply32(a, b, out) }
    }
}

#[target_feature(enable = "avx2")]
fn multiply32(a: &[Z32], b: &[Z32], out: &mut [Z32]) {
    let mut sums = [[_mm256_setzero_si256(); 2]; 4];
    for (a, b) in a.as_chunks::<4>().0.iter().zip(b.as_chunks::<16>().0) {
        let (b0, b1) = (load(b, 0), load(b, 8));
        for r in 0..4 {
            let value = _mm256_set1_epi32(a[r].0 as i32);
            sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_mullo_epi32(value, b0));
            sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_mullo_epi32(value, b1));
        }
    }
    let out = &mut out.as_chunks_mut::<16>().0[..4];
    for r in 0..4 {
        store(&mut out[r], 0, sums[r][0]);
        store(&mut out[r], 8, sums[r][1]);
    }
}

/// Every 64-bit lane with its halves swapped.
#[target_feature(enable = "avx2")]
#[inline]
fn swap_halves(x: __m256i) -> __m256i {
    std::arch::x86_64::_mm256_shuffle_epi32::<0b10_11_00_01>(x)
}

/// The 32 bytes of `from` at element `at`.
#[target_feature(enable = "avx2")]
#[inline]
fn load<E: bytemuck::Pod>(from: &[E], at: usize) -> __m256i {
    let bytes: &[u8] = bytemuck::cast_slice(&from[at..]);
    assert!(bytes.len() >= 32);
    // SAFETY: 32 bytes are readable, asserted above; the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Store to the 32 bytes of `to` at element `at`.
#[target_feature(enable = "avx2")]
#[inline]
fn store<E: bytemuck::Pod>(to: &mut [E], at: usize, value: __m256i) {
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut to[at..]);
    assert!(bytes.len() >= 32);
    // SAFETY: 32 bytes are writable, asserted above; the store needs no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) }
}
