//! Wide integers as residues.

use crate::HeError;

/// The Chinese remainder theorem for a set of coprime moduli.
#[derive(Clone, Debug)]
pub struct Residues {
    moduli: Vec<u64>,
    /// `inverse[k]`: of the product of the moduli before `k`, modulo `moduli[k]`.
    inverse: Vec<u64>,
    product: i128,
}

impl Residues {
    /// For these moduli, primes with a product below 2^126.
    ///
    /// # Errors
    /// If the product is larger, or two are equal.
    pub fn new(moduli: &[u64]) -> Result<Self, HeError> {
        let wide = || HeError::Parameters {
            problem: format!("plaintext moduli {moduli:?}"),
        };
        let mut product = 1_i128;
        let mut inverse = Vec::new();
        for &t in moduli {
            let before = product.rem_euclid(i128::from(t)) as u64;
            let one = power(before, t - 2, t);
            if multiply(before, one, t) != 1 % t {
                return Err(wide());
            }
            inverse.push(one);
            product = product
                .checked_mul(i128::from(t))
                .filter(|p| *p < 1 << 126)
                .ok_or_else(wide)?;
        }
        Ok(Self {
            moduli: moduli.to_vec(),
            inverse,
            product,
        })
    }

    /// The product of the moduli.
    pub fn product(&self) -> i128 {
        self.product
    }

    /// The residue of `value` for modulus number `at`.
    ///
    /// # Panics
    /// If there is no such modulus.
    pub fn residue(&self, value: i128, at: usize) -> u64 {
        value.rem_euclid(i128::from(self.moduli[at])) as u64
    }

    /// The integer of least magnitude with these residues, one for each modulus (Garner's algorithm).
    pub fn integer(&self, residues: &[u64]) -> i128 {
        let (mut value, mut scale) = (0_i128, 1_i128);
        for ((&t, &inverse), &residue) in self.moduli.iter().zip(&self.inverse).zip(residues) {
            let known = value.rem_euclid(i128::from(t)) as u64;
            let missing = (residue % t + t - known) % t;
            value += scale * i128::from(multiply(missing, inverse, t));
            scale *= i128::from(t);
        }
        if value > self.product / 2 {
            value - self.product
        } else {
            value
        }
    }
}

fn multiply(x: u64, y: u64, modulus: u64) -> u64 {
    (u128::from(x) * u128::from(y) % u128::from(modulus)) as u64
}

fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    let (mut result, mut square, mut left) = (1 % modulus, base % modulus, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = multiply(result, square, modulus);
        }
        square = multiply(square, square, modulus);
        left >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn residues_give_the_integer_back(part in -1.0..1.0_f64) {
            let residues = Residues::new(&[65537, 786_433, 1_099_511_480_321]).unwrap();
            let value = (part * (residues.product() / 2) as f64 * 0.999) as i128;
            let each: Vec<u64> = (0..3).map(|at| residues.residue(value, at)).collect();
            prop_assert_eq!(residues.integer(&each), value);
        }
    }

    #[test]
    fn equal_moduli_and_wide_products_are_refused() {
        assert!(Residues::new(&[65537, 65537]).is_err());
        assert!(Residues::new(&[(1 << 61) - 1, (1 << 62) - 57, 1_099_511_480_321]).is_err());
    }
}
