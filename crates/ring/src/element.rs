//! The rings `Z_2^32` and `Z_2^64`.

use bytemuck::Pod;
use ndarray::ArrayD;
use num_traits::{One, Zero};
use std::fmt::Debug;
use std::iter::Sum;
use std::num::Wrapping;
use std::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// One element of `Z_2^32`.
pub type Z32 = Wrapping<u32>;
/// One element of `Z_2^64`.
pub type Z64 = Wrapping<u64>;
/// A tensor over a ring, in standard (row-major, contiguous) layout.
pub type Tensor<R> = ArrayD<R>;

/// A ring `Z_2^k` of machine words.
///
/// Values are read as signed (two's complement) where a sign matters.
pub trait Ring:
    Pod
    + Eq
    + Default
    + Debug
    + Send
    + Sync
    + Zero
    + One
    + Sum
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + crate::matmul::Kernel
{
    /// Bits of an element, `k`.
    const BITS: u32;
    /// Bytes of an element.
    const BYTES: usize = Self::BITS as usize / 8;

    /// The residue of `value` modulo `2^k`.
    fn from_u64(value: u64) -> Self;
    /// The representative in `0 .. 2^k`.
    fn to_u64(self) -> u64;
    /// The representative in `-2^(k-1) .. 2^(k-1)`.
    fn to_i64(self) -> i64;
    /// The residue of a signed integer.
    fn from_i64(value: i64) -> Self {
        Self::from_u64(value as u64)
    }
    /// `value / 2^by`, rounded down, of the representative in `0 .. 2^k`; 0 for `by >= k`.
    #[must_use]
    fn shift_right(self, by: u32) -> Self {
        if by >= Self::BITS {
            Self::zero()
        } else {
            Self::from_u64(self.to_u64() >> by)
        }
    }
    /// `value * 2^by`; 0 for `by >= k`.
    #[must_use]
    fn shift_left(self, by: u32) -> Self {
        if by >= Self::BITS {
            Self::zero()
        } else {
            Self::from_u64(self.to_u64() << by)
        }
    }
    /// The top bit.
    fn is_negative(self) -> bool {
        self.to_i64() < 0
    }
}

impl Ring for Z32 {
    const BITS: u32 = 32;
    fn from_u64(value: u64) -> Self {
        Wrapping(value as u32)
    }
    fn to_u64(self) -> u64 {
        u64::from(self.0)
    }
    fn to_i64(self) -> i64 {
        i64::from(self.0 as i32)
    }
}

impl Ring for Z64 {
    const BITS: u32 = 64;
    fn from_u64(value: u64) -> Self {
        Wrapping(value)
    }
    fn to_u64(self) -> u64 {
        self.0
    }
    fn to_i64(self) -> i64 {
        self.0 as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check<R: Ring>(x: u64, y: u64, by: u32) {
        let modulus = 1_u128 << R::BITS;
        let residue = |v: u128| (v % modulus) as u64;
        let (a, b) = (R::from_u64(x), R::from_u64(y));
        let (x, y) = (residue(x.into()), residue(y.into()));
        assert_eq!(a.to_u64(), x);
        assert_eq!((a + b).to_u64(), residue(u128::from(x) + u128::from(y)));
        assert_eq!(
            (a - b).to_u64(),
            residue(modulus + u128::from(x) - u128::from(y))
        );
        assert_eq!((a * b).to_u64(), residue(u128::from(x) * u128::from(y)));
        assert_eq!(R::from_i64(a.to_i64()), a);
        assert_eq!(a.is_negative(), u128::from(x) >= modulus / 2);
        let signed = i128::from(a.to_i64());
        assert!(signed == i128::from(x) || signed == i128::from(x) - modulus as i128);
        let power = if by < 128 { 1_u128 << by } else { 0 };
        let shifted = if by < R::BITS {
            u128::from(x) / power
        } else {
            0
        };
        assert_eq!(u128::from(a.shift_right(by).to_u64()), shifted);
        let shifted = if by < R::BITS {
            residue(u128::from(x) * power)
        } else {
            0
        };
        assert_eq!(a.shift_left(by).to_u64(), shifted);
    }

    proptest! {
        #[test]
        fn arithmetic_is_modular(x: u64, y: u64, by in 0_u32..140) {
            check::<Z32>(x, y, by);
            check::<Z64>(x, y, by);
        }
    }

    #[test]
    fn edges() {
        let edges = [
            0,
            1,
            (1 << 31) - 1,
            1 << 31,
            (1 << 32) - 1,
            1 << 32,
            (1 << 63) - 1,
            1 << 63,
            u64::MAX,
        ];
        for x in edges {
            for y in edges {
                for by in [0, 1, 31, 32, 33, 63, 64, 65] {
                    check::<Z32>(x, y, by);
                    check::<Z64>(x, y, by);
                }
            }
        }
        assert_eq!(Z32::from_i64(-1).to_i64(), -1);
        assert_eq!(Z64::from_i64(i64::MIN).to_i64(), i64::MIN);
        assert_eq!((<Z32 as Ring>::BYTES, <Z64 as Ring>::BYTES), (4, 8));
    }
}
