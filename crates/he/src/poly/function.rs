//! The functions that networks use between their linear layers.

use std::f64::consts::SQRT_2;
use std::fmt;
use std::sync::Arc;

/// A function of one number that a polynomial may take the place of.
#[derive(Clone)]
pub enum Function {
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `x Φ(x)` with the distribution function of the normal distribution.
    Gelu,
    /// The error function.
    Erf,
    /// Any other: a name for reports, and what it computes. Should be continuous on the interval of the fit.
    Other(String, Arc<dyn Fn(f64) -> f64 + Send + Sync>),
}

impl Function {
    /// Any closure, under a name for reports.
    pub fn other(name: &str, f: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        Self::Other(name.to_owned(), Arc::new(f))
    }

    /// The value at `x`.
    pub fn at(&self, x: f64) -> f64 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
            Self::Gelu => x * 0.5 * (1.0 + libm::erf(x / SQRT_2)),
            Self::Erf => libm::erf(x),
            Self::Other(_, f) => f(x),
        }
    }

    /// The derivative at `x`: exact for the named functions (0.5 at `ReLU`'s corner), a central difference for others.
    pub fn slope(&self, x: f64) -> f64 {
        match self {
            Self::Relu if x == 0.0 => 0.5,
            Self::Relu => f64::from(u8::from(x > 0.0)),
            Self::Sigmoid => self.at(x) * (1.0 - self.at(x)),
            Self::Tanh => 1.0 - x.tanh().powi(2),
            Self::Gelu => {
                let density = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
                0.5 * (1.0 + libm::erf(x / SQRT_2)) + x * density
            }
            Self::Erf => std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp(),
            Self::Other(_, f) => {
                let h = 1e-5 * x.abs().max(1.0);
                (f(x + h) - f(x - h)) / (2.0 * h)
            }
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relu => "ReLU",
            Self::Sigmoid => "Sigmoid",
            Self::Tanh => "Tanh",
            Self::Gelu => "GELU",
            Self::Erf => "Erf",
            Self::Other(name, _) => name,
        })
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({self})")
    }
}
