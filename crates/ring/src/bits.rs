//! Packed bits, 64 to a word.

use std::fmt;
use std::ops::{BitAnd, BitAndAssign, BitXor, BitXorAssign, Not, Range};

/// Bits of a word.
const WORD: usize = 64;

/// A vector of `len` bits, packed little-endian into words; the unused bits of the last word are 0.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bits {
    len: usize,
    words: Vec<u64>,
}

/// Shows the length alone: bits may be secret.
impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bits")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Bits {
    /// Words that `len` bits need.
    pub const fn words_for(len: usize) -> usize {
        len.div_ceil(WORD)
    }

    /// `len` zero bits.
    pub fn zeros(len: usize) -> Self {
        Self {
            len,
            words: vec![0; Self::words_for(len)],
        }
    }

    /// `len` one bits.
    pub fn ones(len: usize) -> Self {
        Self::from_words(len, vec![u64::MAX; Self::words_for(len)])
    }

    /// From words, clearing the unused bits of the last.
    ///
    /// # Panics
    /// If the number of words is not that of `len` bits.
    pub fn from_words(len: usize, words: Vec<u64>) -> Self {
        assert_eq!(words.len(), Self::words_for(len), "words of a bit vector");
        let mut bits = Self { len, words };
        bits.clear_unused();
        bits
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

    /// The packed words, given away.
    pub fn into_words(self) -> Vec<u64> {
        self.words
    }

    /// Bit `index`.
    ///
    /// # Panics
    /// If there is no such bit.
    pub fn get(&self, index: usize) -> bool {
        assert!(index < self.len, "bit {index} of {}", self.len);
        self.words[index / WORD] >> (index % WORD) & 1 == 1
    }

    /// Set bit `index`.
    ///
    /// # Panics
    /// If there is no such bit.
    pub fn set(&mut self, index: usize, value: bool) {
        assert!(index < self.len, "bit {index} of {}", self.len);
        let mask = 1 << (index % WORD);
        if value {
            self.words[index / WORD] |= mask;
        } else {
            self.words[index / WORD] &= !mask;
        }
    }

    /// The bits, first to last.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = bool> + '_ {
        (0..self.len).map(|i| self.words[i / WORD] >> (i % WORD) & 1 == 1)
    }

    /// Bits that are 1.
    pub fn count_ones(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// A copy of the bits in `range`. A plain copy of words where the range starts at a multiple
    /// of 64, a shift otherwise.
    ///
    /// # Panics
    /// If the range does not lie within the bits.
    #[must_use]
    pub fn extract(&self, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "bits {range:?} of {}",
            self.len
        );
        let len = range.len();
        let (first, shift) = (range.start / WORD, range.start % WORD);
        let count = Self::words_for(len);
        let mut words = self.words[first..first + count].to_vec();
        if shift > 0 {
            for word in &mut words {
                *word >>= shift;
            }
            for (word, next) in words.iter_mut().zip(&self.words[first + count.min(1)..]) {
                *word |= next << (WORD - shift);
            }
        }
        Self::from_words(len, words)
    }

    /// Append `other`. A plain copy of words where the length so far is a multiple of 64, a shift
    /// otherwise.
    pub fn append(&mut self, other: &Self) {
        let (end, shift) = (self.words.len(), self.len % WORD);
        self.len += other.len;
        if shift == 0 {
            self.words.extend_from_slice(&other.words);
            return;
        }
        self.words
            .extend(other.words.iter().map(|word| word >> (WORD - shift)));
        for (word, next) in self.words[end - 1..].iter_mut().zip(&other.words) {
            *word |= next << shift;
        }
        self.words.truncate(Self::words_for(self.len));
    }

    /// The bits of all `parts`, one after the other.
    pub fn concat(parts: &[&Self]) -> Self {
        let len = parts.iter().map(|part| part.len).sum();
        let mut out = Self {
            len: 0,
            words: Vec::with_capacity(Self::words_for(len)),
        };
        for part in parts {
            out.append(part);
        }
        out
    }

    /// Flip every bit, in place.
    pub fn flip(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.clear_unused();
    }

    fn clear_unused(&mut self) {
        if !self.len.is_multiple_of(WORD)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.len % WORD)) - 1;
        }
    }

    fn zip(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        self.assert_same_len(other);
        let words = self
            .words
            .iter()
            .zip(&other.words)
            .map(|(&x, &y)| f(x, y))
            .collect();
        Self {
            len: self.len,
            words,
        }
    }

    fn assert_same_len(&self, other: &Self) {
        assert_eq!(self.len, other.len, "lengths of two bit vectors");
    }
}

impl FromIterator<bool> for Bits {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let mut out = Self::default();
        for bit in bits {
            if out.len.is_multiple_of(WORD) {
                out.words.push(0);
            }
            if let Some(last) = out.words.last_mut() {
                *last |= u64::from(bit) << (out.len % WORD);
            }
            out.len += 1;
        }
        out
    }
}

/// Bit by bit; panics if the lengths differ.
impl BitXor for &Bits {
    type Output = Bits;

    fn bitxor(self, other: Self) -> Bits {
        self.zip(other, |x, y| x ^ y)
    }
}

/// Bit by bit; panics if the lengths differ.
impl BitAnd for &Bits {
    type Output = Bits;

    fn bitand(self, other: Self) -> Bits {
        self.zip(other, |x, y| x & y)
    }
}

/// Bit by bit; panics if the lengths differ.
impl BitXorAssign<&Self> for Bits {
    fn bitxor_assign(&mut self, other: &Self) {
        self.assert_same_len(other);
        for (x, y) in self.words.iter_mut().zip(&other.words) {
            *x ^= y;
        }
    }
}

/// Bit by bit; panics if the lengths differ.
impl BitAndAssign<&Self> for Bits {
    fn bitand_assign(&mut self, other: &Self) {
        self.assert_same_len(other);
        for (x, y) in self.words.iter_mut().zip(&other.words) {
            *x &= y;
        }
    }
}

impl Not for Bits {
    type Output = Self;

    fn not(mut self) -> Self {
        self.flip();
        self
    }
}

impl Not for &Bits {
    type Output = Bits;

    fn not(self) -> Bits {
        !self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn pack(bits: &[bool]) -> Bits {
        bits.iter().copied().collect()
    }

    /// The invariant that equality and the wire rely on.
    fn tidy(bits: &Bits) -> bool {
        bits.words.len() == Bits::words_for(bits.len)
            && *bits == Bits::from_words(bits.len, bits.words.clone())
    }

    proptest! {
        #[test]
        fn operations_agree_with_bools(pairs in vec(any::<(bool, bool)>(), 0..300)) {
            let (x, y): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            let (p, q) = (pack(&x), pack(&y));
            let both = |f: fn(bool, bool) -> bool| pack(&pairs.iter().map(|&(a, b)| f(a, b)).collect::<Vec<_>>());
            prop_assert!(&p ^ &q == both(|a, b| a ^ b));
            prop_assert!(&p & &q == both(|a, b| a & b));
            prop_assert!(!&p == both(|a, _| !a));
            prop_assert!(tidy(&!&p));
            let mut r = p.clone();
            r ^= &q;
            prop_assert!(r == &p ^ &q);
            r &= &q;
            prop_assert!(r == &(&p ^ &q) & &q);
            prop_assert!(p.iter().eq(x.iter().copied()));
            prop_assert_eq!(p.count_ones(), x.iter().filter(|b| **b).count());
        }

        #[test]
        fn extract_and_concat_agree_with_slices(bits in vec(any::<bool>(), 0..400), cuts in vec(0_usize..400, 0..5)) {
            let all = pack(&bits);
            let mut cuts: Vec<_> = cuts.into_iter().map(|c| c.min(bits.len())).collect();
            cuts.extend([0, bits.len()]);
            cuts.sort_unstable();
            let parts: Vec<_> = cuts.windows(2).map(|c| all.extract(c[0]..c[1])).collect();
            for (part, c) in parts.iter().zip(cuts.windows(2)) {
                prop_assert!(*part == pack(&bits[c[0]..c[1]]));
                prop_assert!(tidy(part));
            }
            let joined = Bits::concat(&parts.iter().collect::<Vec<_>>());
            prop_assert!(tidy(&joined));
            prop_assert!(joined == all);
        }

        #[test]
        fn set_and_get(len in 1_usize..200, at: prop::sample::Index) {
            let at = at.index(len);
            let mut bits = Bits::ones(len);
            bits.set(at, false);
            prop_assert!(bits.iter().enumerate().all(|(i, bit)| bit == (i != at)));
            bits.set(at, true);
            prop_assert!(bits == Bits::ones(len));
        }
    }

    #[test]
    fn words_behind_the_end_are_cleared() {
        assert_eq!(Bits::from_words(3, vec![u64::MAX]).words(), [7]);
        assert_eq!(Bits::from_words(64, vec![u64::MAX]).words(), [u64::MAX]);
        assert!(Bits::zeros(0).is_empty());
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(
            format!("{:?}", Bits::ones(3)),
            format!("{:?}", Bits::zeros(3))
        );
    }

    #[test]
    #[should_panic(expected = "lengths of two bit vectors")]
    fn lengths_must_agree() {
        let _ = &Bits::zeros(3) ^ &Bits::zeros(4);
    }

    #[test]
    #[should_panic(expected = "bit 3 of 3")]
    fn no_bit_behind_the_end() {
        Bits::zeros(3).get(3);
    }
}
