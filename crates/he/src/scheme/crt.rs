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

/// Whether `n` is prime: Miller and Rabin's test with the first twelve primes, which is exact for all 64-bit numbers (Sorenson and Webster 2015).
pub(super) fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 || BASES.contains(&n) {
        return n >= 2;
    }
    if BASES.iter().any(|base| n.is_multiple_of(*base)) {
        return false;
    }
    let twos = (n - 1).trailing_zeros();
    BASES.iter().all(|&base| {
        let mut x = power(base, (n - 1) >> twos, n);
        x == 1
            || (0..twos).any(|_| {
                let found = x == n - 1;
                x = multiply(x, x, n);
                found
            })
    })
}

/// The largest prime of `bits` bits below `below` that is 1 modulo `step`.
pub(super) fn prime_below(bits: u32, step: u64, below: u64) -> Option<u64> {
    let mut candidate = (below.checked_sub(2)? / step) * step + 1;
    while candidate >> (bits - 1) == 1 {
        if is_prime(candidate) {
            return Some(candidate);
        }
        candidate = candidate.checked_sub(step)?;
    }
    None
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

    #[test]
    fn primes_are_those_of_a_sieve_and_of_the_library() {
        let sieve = |n: u64| {
            n >= 2
                && (2..n)
                    .take_while(|d| d * d <= n)
                    .all(|d| !n.is_multiple_of(d))
        };
        for n in 0..3000 {
            assert_eq!(is_prime(n), sieve(n), "{n}");
        }
        // Strong pseudoprimes to several bases.
        for n in [3_215_031_751, 3_825_123_056_546_413_051, 2_152_302_898_747] {
            assert!(!is_prime(n), "{n}");
        }
        for (bits, step) in [(20, 8192), (36, 8192), (43, 16384), (49, 32768)] {
            let below = 1 << bits;
            let library = fhe_math::zq::primes::generate_prime(bits as usize, step, below);
            assert_eq!(prime_below(bits, step, below), library);
        }
    }
}
