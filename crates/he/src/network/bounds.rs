//! What is known before anything is encrypted: how large values and noise can become.

use crate::HeError;
use crate::poly::Polynomial;
use crate::scheme::{Arithmetic, Parameters, Slots};

/// Intervals that hold every value the network can reach, for any input within the stated range.
///
/// In 64-bit floats: their rounding is far below the one bit that is kept free.
pub struct Ranges;

impl Arithmetic for Ranges {
    type Value = [f64; 2];

    fn combine(&self, terms: &[(&[f64; 2], i128)], constant: i128) -> Result<[f64; 2], HeError> {
        let mut sum = [constant as f64; 2];
        for &(&[low, high], weight) in terms {
            let ends = [low * weight as f64, high * weight as f64];
            sum = [sum[0] + ends[0].min(ends[1]), sum[1] + ends[0].max(ends[1])];
        }
        Ok(sum)
    }

    fn multiply(&self, x: &[f64; 2], y: &[f64; 2]) -> Result<[f64; 2], HeError> {
        let products = [x[0] * y[0], x[0] * y[1], x[1] * y[0], x[1] * y[1]];
        Ok([
            products.into_iter().fold(f64::INFINITY, f64::min),
            products.into_iter().fold(f64::NEG_INFINITY, f64::max),
        ])
    }

    fn polynomial(&self, x: &[f64; 2], coefficients: &[i128]) -> Result<[f64; 2], HeError> {
        let coefficients = coefficients
            .iter()
            .map(|&c| c as f64)
            .chain([1.0])
            .collect();
        Ok(Polynomial::new(coefficients).range(x[0], x[1]))
    }
}

/// Bounds of the noise in ciphertexts; one decrypts while its magnitude is below `q / 2t`.
///
/// High-probability bounds (six standard deviations and more) after Fan and Vercauteren 2012, section 4, with the key's variance of the
/// library (10): a weighted sum adds noises by the weights' magnitudes, a product multiplies them by about `8 n t` and leaves three parts,
/// settling three parts adds that of switching keys prime by prime, and so does a rotation. Constants for single slots are a polynomial of
/// `n` coefficients up to `t/2`, which multiplies the standard deviation of independent coefficients of noise by `√n t/2` at most; the
/// bound takes twice that. What is measured lies a few bits below, see the tests.
pub struct NoiseBound {
    t: f64,
    /// The plaintext moduli, whose least residues are the weights.
    moduli: Vec<i128>,
    product: f64,
    switch: f64,
    /// Square root of the degree.
    root: f64,
}

/// The noise of a ciphertext.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// The largest coefficient.
    pub magnitude: f64,
    /// Polynomials that the ciphertext consists of: 2, or 3 of a product that is not settled yet.
    pub parts: u8,
}

impl Noise {
    /// Bits of its magnitude.
    pub fn bits(self) -> f64 {
        self.magnitude.log2()
    }
}

impl NoiseBound {
    /// For these parameters, whichever of the plaintext moduli.
    pub fn new(parameters: &Parameters) -> Self {
        let largest = |moduli: &[u64]| moduli.iter().max().copied().unwrap_or(2) as f64;
        let t = largest(parameters.plain_moduli());
        let q = largest(parameters.cipher_moduli());
        let n = parameters.degree() as f64;
        Self {
            t,
            moduli: parameters
                .plain_moduli()
                .iter()
                .map(|&t| i128::from(t))
                .collect(),
            product: 8.0 * n * t,
            root: n.sqrt(),
            switch: 16.0 * q * (n * parameters.cipher_moduli().len() as f64).sqrt(),
        }
    }

    /// Of a fresh ciphertext.
    pub fn fresh(&self) -> Noise {
        Noise {
            magnitude: 32.0,
            parts: 2,
        }
    }

    /// Bits from which on nothing is certain: those of `q / 2t`.
    pub fn limit_bits(&self, parameters: &Parameters) -> f64 {
        parameters.cipher_bits() - self.t.log2() - 1.0
    }

    fn weight(&self, weight: i128) -> f64 {
        let least = |&t: &i128| {
            let residue = weight.rem_euclid(t);
            residue.min(t - residue) as f64
        };
        self.moduli.iter().map(least).fold(0.0, f64::max)
    }
}

impl Arithmetic for NoiseBound {
    type Value = Noise;

    fn combine(&self, terms: &[(&Noise, i128)], _: i128) -> Result<Noise, HeError> {
        // One more for a rounded constant.
        let mut sum = Noise {
            magnitude: 1.0,
            parts: 2,
        };
        for &(noise, weight) in terms {
            sum.magnitude += noise.magnitude * self.weight(weight);
            sum.parts = sum.parts.max(noise.parts);
        }
        Ok(sum)
    }

    fn multiply(&self, x: &Noise, y: &Noise) -> Result<Noise, HeError> {
        Ok(Noise {
            magnitude: (x.magnitude + y.magnitude) * self.product,
            parts: 3,
        })
    }

    fn settle(&self, x: Noise) -> Result<Noise, HeError> {
        let switch = if x.parts > 2 { self.switch } else { 0.0 };
        Ok(Noise {
            magnitude: x.magnitude + switch,
            parts: 2,
        })
    }
}

impl Slots for NoiseBound {
    type Vector = ();

    fn slots(&self) -> usize {
        (self.root * self.root / 2.0).round() as usize
    }

    fn weigh(&self, terms: &[(&Noise, &())]) -> Result<Noise, HeError> {
        // A value's own rounding takes part in the product.
        let each = terms
            .iter()
            .map(|(noise, ())| (noise.magnitude + 8.0) * self.root * self.t);
        Ok(Noise {
            magnitude: 1.0 + each.sum::<f64>(),
            parts: 2,
        })
    }

    fn add(&self, x: Noise, (): &()) -> Result<Noise, HeError> {
        Ok(Noise {
            magnitude: x.magnitude + 1.0,
            ..x
        })
    }

    fn rotate(&self, x: &Noise, _: usize) -> Result<Noise, HeError> {
        Ok(Noise {
            magnitude: x.magnitude + self.switch,
            parts: 2,
        })
    }
}
