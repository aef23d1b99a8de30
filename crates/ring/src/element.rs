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
    fn shift_right(self, by: u32) -> Self {
        if by >= Self::BITS {
            Self::zero()
        } else {
            Self::from_u64(self.to_u64() >> by)
        }
    }
    /// `value * 2^by`; 0 for `by >= k`.
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
