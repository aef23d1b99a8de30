//! Single slots of ciphertexts: constants for each of them, and rotations.

use super::Slots;
use super::bfv::{Channel, Cipher, Server};
use crate::HeError;
use fhe::bfv::{Ciphertext, Encoding, Plaintext};
use fhe_math::rq::{Poly, Representation, traits::TryConvertFrom};
use fhe_math::zq::Modulus;
use fhe_traits::FheEncoder;
use ndarray::Array2;

/// Constants of slots as a polynomial at the points of the transform, of the whole ciphertext modulus.
pub struct Encoded(Poly);

impl Channel {
    /// Slots of a row.
    pub(crate) fn row(&self) -> usize {
        self.library().degree() / 2
    }

    /// Factors for the slots of the first row. As a polynomial with coefficients between `-t/2` and `t/2`, where the library's plaintexts
    /// go from 0 to `t`: noise grows less, and around 0.
    pub(crate) fn weights(&self, slots: &[i128]) -> Result<Encoded, HeError> {
        let t = self.modulus();
        self.encoded(slots, |c, q, _| if c > t / 2 { q.neg(t - c) } else { c })
    }

    /// Summands for the slots of the first row: `⌊q m / t⌋` for the polynomial `m` that encodes them.
    pub(crate) fn constants(&self, slots: &[i128]) -> Result<Encoded, HeError> {
        let t = Modulus::new(self.modulus())?;
        let (q_mod_t, inverses) = self.constant_factors();
        self.encoded(slots, |c, q, row| q.mul(t.mul(c, q_mod_t), inverses[row]))
    }

    /// The coefficients that encode `slots`, each made to a residue of each prime (number in the third place).
    fn encoded(
        &self,
        slots: &[i128],
        residue: impl Fn(u64, &Modulus, usize) -> u64,
    ) -> Result<Encoded, HeError> {
        let t = i128::from(self.modulus());
        let slots: Vec<u64> = slots.iter().map(|x| x.rem_euclid(t) as u64).collect();
        let plain = Plaintext::try_encode(&slots[..], Encoding::simd(), self.library())?;
        let context = self.library().context_at_level(0)?;
        // Residues of the first prime, which is wider than the plaintext modulus: the coefficients themselves.
        let poly = Poly::try_convert_from(&plain, context, true, Representation::PowerBasis)?;
        let coefficients = poly.coefficients().row(0).to_owned();
        let primes = context.moduli_operators();
        let shape = (primes.len(), coefficients.len());
        let all = Array2::from_shape_fn(shape, |(row, at)| {
            residue(coefficients[at], &primes[row], row)
        });
        let mut poly = Poly::try_convert_from(all, context, true, Representation::PowerBasis)?;
        poly.change_representation(Representation::Ntt);
        Ok(Encoded(poly))
    }
}

impl Slots for Server<'_> {
    type Vector = Encoded;

    fn slots(&self) -> usize {
        self.channel().row()
    }

    fn weigh(&self, terms: &[(&Cipher, &Encoded)]) -> Result<Cipher, HeError> {
        let library = self.channel().library();
        let context = library.context_at_level(0)?;
        let fits = |part: &Poly| part.ctx() == context;
        if terms.is_empty()
            || !terms
                .iter()
                .all(|(cipher, _)| cipher.inner.len() == 2 && cipher.inner.iter().all(fits))
        {
            return Err(HeError::Scheme(
                "constants for the slots of ciphertexts that are not settled".into(),
            ));
        }
        let part = |at: usize| {
            // Products of residues below 2^50 and fewer than 2^28 of them: no sum reaches 2^128.
            let mut sums = Array2::<u128>::zeros((context.moduli().len(), library.degree()));
            for (cipher, Encoded(weights)) in terms {
                ndarray::Zip::from(&mut sums)
                    .and(&cipher.inner[at].coefficients())
                    .and(&weights.coefficients())
                    .for_each(|sum, &x, &w| *sum += u128::from(x) * u128::from(w));
            }
            let mut reduced = Array2::zeros(sums.dim());
            let rows = reduced.outer_iter_mut().zip(sums.outer_iter());
            for ((mut row, sums), q) in rows.zip(context.moduli_operators()) {
                let each = row.iter_mut().zip(sums);
                each.for_each(|(slot, &sum)| *slot = q.reduce_u128(sum));
            }
            Poly::try_convert_from(reduced, context, true, Representation::Ntt)
        };
        Ok(Cipher {
            inner: Ciphertext::new(vec![part(0)?, part(1)?], library)?,
        })
    }

    fn add(&self, x: Cipher, constants: &Encoded) -> Result<Cipher, HeError> {
        let mut parts = x.inner.to_vec();
        match parts.first_mut() {
            Some(first) if first.ctx() == constants.0.ctx() => *first += &constants.0,
            _ => {
                return Err(HeError::Scheme(
                    "constants for the slots of a ciphertext of another level".into(),
                ));
            }
        }
        Ok(Cipher {
            inner: Ciphertext::new(parts, self.channel().library())?,
        })
    }

    fn rotate(&self, x: &Cipher, by: usize) -> Result<Cipher, HeError> {
        if x.inner.len() != 2 {
            return Err(HeError::Scheme(
                "a rotation of a ciphertext that is not settled".into(),
            ));
        }
        let keys = self.rotations();
        let Some(keys) = keys.filter(|keys| keys.supports_column_rotation_by(by)) else {
            return Err(HeError::Foreign {
                what: "evaluation key",
                problem: format!("it has no part for rotations by {by}"),
            });
        };
        Ok(Cipher {
            inner: keys.rotates_columns_by(&x.inner, by)?,
        })
    }
}
