//! Polynomials in the place of activation functions.
//!
//! Encryption computes sums and products alone, so every other function becomes a polynomial of low degree, fitted on the
//! interval where the layer's inputs lie (`CryptoDL`, Hesamifard et al. 2017, section 3; `SecureDL`, ACSAC 2020, section 4).
//! Three fits are offered, see [`Method`]; [`judge`] measures polynomials from elsewhere. All of them work in the Chebyshev basis of the interval, which stays well conditioned at
//! any degree; [`Fit::polynomial`] gives the ordinary coefficients.

mod basis;
mod bound;
mod fit;
mod function;
mod interval;

pub use basis::Polynomial;
pub use bound::{DegreeBound, degree_bound};
pub use fit::{Fit, Method, fit, fit_for_error, judge};
pub use function::Function;
pub use interval::{Histogram, Interval};
