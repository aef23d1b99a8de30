//! Ring tensors, fixed-point formats, packed bits, kernels and the keyed PRG.
//!
//! Nothing here knows of parties, files or networks. Elements are `std::num::Wrapping`
//! integers, so that `+`, `-` and `*` are the ring's operations by type, also inside `ndarray`.

// Kernels are compiled for the instruction set of the function that they are inlined into
// (`simd::run`); where they are not, they fall back to the target's baseline.
#![allow(clippy::inline_always)]

mod bits;
mod conv;
mod element;
mod format;
mod matmul;
mod planes;
mod prg;
mod simd;

pub use bits::Bits;
pub use conv::{Conv2d, GeometryError, conv2d, conv2d_at};
pub use element::{Ring, Tensor, Z32, Z64};
pub use format::{FixedPoint, FormatError, power_of_two};
pub use matmul::{kernel_name, matmul, matmul_at};
pub use planes::{from_planes, to_planes};
pub use prg::{Prg, Seed};
pub use simd::Level;
