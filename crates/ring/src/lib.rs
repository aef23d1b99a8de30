//! Ring tensors, fixed-point formats, packed bits, kernels and the keyed PRG.
//!
//! Nothing here knows of parties, files or networks. Elements are `std::num::Wrapping`
//! integers, so that `+`, `-` and `*` are the ring's operations by type, also inside `ndarray`.

mod bits;
mod conv;
mod element;
mod format;
mod matmul;
mod prg;

pub use bits::{Bits, from_planes, to_planes};
pub use conv::{Conv2d, conv2d};
pub use element::{Ring, Tensor, Z32, Z64};
pub use format::{Fixed, FormatError};
pub use matmul::{kernel_name, matmul};
pub use prg::{Prg, Seed};
