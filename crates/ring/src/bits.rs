//! Packed bits, 64 to a word.

use crate::Ring;

/// A vector of `len` bits, packed little-endian into words; the unused bits of the last word are 0.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bits {
    len: usize,
    words: Vec<u64>,
}

impl Bits {
    /// Words that `len` bits need.
    pub const fn words_for(len: usize) -> usize {
        len.div_ceil(64)
    }
    /// `len` zero bits.
    pub fn zeros(len: usize) -> Self {
        Self {
            len,
            words: vec![0; Self::words_for(len)],
        }
    }
    /// From words, clearing the unused bits of the last.
    ///
    /// # Panics
    /// If the number of words is not that of `len` bits.
    pub fn from_words(len: usize, mut words: Vec<u64>) -> Self {
        assert_eq!(words.len(), Self::words_for(len), "words of a bit vector");
        if len % 64 != 0
            && let Some(last) = words.last_mut()
        {
            *last &= (1 << (len % 64)) - 1;
        }
        Self { len, words }
    }
    /// Bits.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there are no bits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The packed words.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
    /// Bit `index`.
    pub fn get(&self, index: usize) -> bool {
        self.words[index / 64] >> (index % 64) & 1 == 1
    }
    /// Set bit `index`.
    pub fn set(&mut self, index: usize, value: bool) {
        let mask = 1 << (index % 64);
        if value {
            self.words[index / 64] |= mask
        } else {
            self.words[index / 64] &= !mask
        }
    }
}
impl FromIterator<bool> for Bits {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let mut out = Self::default();
        for bit in bits {
            if out.len % 64 == 0 {
                out.words.push(0);
            }
            out.len += 1;
            out.set(out.len - 1, bit);
        }
        out
    }
}

/// Bit planes of `values`: plane `b` (of `R::BITS`, least significant first) holds bit `b` of every value.
/// Returned flat, plane-major, each plane `Bits::words_for(values.len())` words.
pub fn to_planes<R: Ring>(values: &[R]) -> Vec<u64> {
    let w = Bits::words_for(values.len());
    let mut planes = vec![0; w * R::BITS as usize];
    for (i, v) in values.iter().enumerate() {
        for b in 0..R::BITS as usize {
            planes[b * w + i / 64] |= (v.to_u64() >> b & 1) << (i % 64);
        }
    }
    planes
}

/// Inverse of [`to_planes`]: `len` values from flat planes (missing high planes count as 0).
pub fn from_planes<R: Ring>(len: usize, planes: &[u64]) -> Vec<R> {
    let w = Bits::words_for(len);
    let mut out = vec![R::zero(); len];
    for (i, o) in out.iter_mut().enumerate() {
        let mut v = 0;
        for (b, plane) in planes.chunks_exact(w).enumerate() {
            v |= (plane[i / 64] >> (i % 64) & 1) << b;
        }
        *o = R::from_u64(v);
    }
    out
}
