//! BFV by the crate `fhe`, for one plaintext modulus.

use super::keys::{EvaluationKey, SecretKey};
use super::linear::weighted_sum;
use super::{Arithmetic, Parameters, check};
use crate::HeError;
use fhe::bfv::{
    BfvParameters, Ciphertext, Encoding, EvaluationKey as RotationKeys, Plaintext,
    RelinearizationKey,
};
use fhe_math::rq::{Poly, Representation, traits::TryConvertFrom};
use fhe_math::zq::Modulus;
use fhe_traits::{
    DeserializeParametrized, FheDecoder, FheDecrypter, FheEncoder, FheEncrypter, Serialize,
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The scheme for one plaintext modulus: what may be known to everyone.
pub struct Channel {
    library: Arc<BfvParameters>,
    /// For each level: the primes, and how a constant is added there.
    levels: Vec<Level>,
}

/// The ciphertext modulus `q` after some of its primes were dropped.
struct Level {
    moduli: Vec<u64>,
    /// `q mod t`.
    q_mod_t: u64,
    /// `-1/t` modulo each prime.
    minus_t_inverse: Vec<u64>,
}

/// Vectors of integers modulo the plaintext modulus, encrypted. No `Debug`: megabytes tell nobody anything.
#[derive(Clone)]
pub struct Cipher {
    pub(super) inner: Ciphertext,
}

/// What the untrusted server computes with: a channel and the owner's evaluation key. There is no way to make one from
/// a [`SecretKey`].
///
/// Products stay in three parts until [`Arithmetic::settle`], because sums of them are as cheap to settle as one.
pub struct Server<'a> {
    channel: &'a Channel,
    relinearization: RelinearizationKey,
    /// For single packing.
    rotations: Option<RotationKeys>,
}

impl Channel {
    pub(super) fn all(parameters: &Parameters) -> Result<Vec<Self>, HeError> {
        parameters
            .plain_moduli()
            .iter()
            .map(|&t| Self::new(parameters, t))
            .collect()
    }

    fn new(parameters: &Parameters, t: u64) -> Result<Self, HeError> {
        let library = parameters.library(t)?;
        let plain = Modulus::new(t)?;
        let all = parameters.cipher_moduli();
        let mut levels = Vec::new();
        for level in 0..all.len() {
            let moduli = all[..all.len() - level].to_vec();
            let q_mod_t = moduli
                .iter()
                .fold(1, |product, &q| plain.mul(product, q % t));
            let inverse = |&q: &u64| {
                let q = Modulus::new(q)?;
                let inverse = q.inv(q.reduce(t)).ok_or_else(|| HeError::Parameters {
                    problem: format!("plaintext modulus {t} is a ciphertext modulus"),
                })?;
                Ok(q.neg(inverse))
            };
            let minus_t_inverse = moduli.iter().map(inverse).collect::<Result<_, HeError>>()?;
            levels.push(Level {
                moduli,
                q_mod_t,
                minus_t_inverse,
            });
        }
        Ok(Self { library, levels })
    }

    /// The plaintext modulus.
    pub fn modulus(&self) -> u64 {
        self.library.plaintext()
    }

    pub(super) fn library(&self) -> &Arc<BfvParameters> {
        &self.library
    }

    /// Encrypt residues, at most one for each slot.
    ///
    /// With the secret key, whose owner is the only one to ask: half of such a ciphertext is a seed.
    pub fn encrypt(&self, key: &SecretKey, residues: &[u64]) -> Result<Cipher, HeError> {
        if residues.len() > self.library.degree() {
            return Err(HeError::Input {
                problem: format!(
                    "{} values for {} slots",
                    residues.len(),
                    self.library.degree()
                ),
            });
        }
        let plain = Plaintext::try_encode(residues, Encoding::simd(), &self.library)?;
        let key = key.library(self)?;
        Ok(Cipher {
            inner: key.try_encrypt(&plain, &mut rand::rng())?,
        })
    }

    /// Decrypt to the residues of all slots.
    pub fn decrypt(
        &self,
        key: &SecretKey,
        cipher: &Cipher,
    ) -> Result<Zeroizing<Vec<u64>>, HeError> {
        let plain = key.library(self)?.try_decrypt(&cipher.inner)?;
        Ok(Zeroizing::new(Vec::<u64>::try_decode(
            &plain,
            encoding(&cipher.inner, self)?,
        )?))
    }

    /// Bits of noise in a ciphertext. It decrypts to what was computed while they are below [`Channel::noise_limit`]; beyond, the
    /// measure itself is meaningless, so it is never above the limit.
    ///
    /// For calibration, with a key of one's own; it takes a time that depends on the noise.
    pub fn noise(&self, key: &SecretKey, cipher: &Cipher) -> Result<usize, HeError> {
        let key = key.library(self)?;
        // SAFETY: nothing about memory. The function is marked because its time depends on the noise; it runs on
        // the key owner's machine, on ciphertexts made for calibration.
        #[allow(unsafe_code)]
        Ok(unsafe { key.measure_noise(&cipher.inner) }?)
    }

    /// Bits of noise from which a ciphertext of this level no longer decrypts: those of `q / 2t`.
    pub fn noise_limit(&self, level: usize) -> f64 {
        let level = &self.levels[level.min(self.levels.len() - 1)];
        let q: f64 = level.moduli.iter().map(|&q| (q as f64).log2()).sum();
        q - (self.modulus() as f64).log2() - 1.0
    }

    /// The level to which a ciphertext with `noise` bits of noise can be switched, so that `margin` bits of budget stay: a result is a few
    /// times smaller to send there.
    pub fn smallest_level(&self, noise: f64, margin: f64) -> usize {
        let whole = self.noise_limit(0);
        // Rounding by a key of n coefficients of variance 10: bits of 6 standard deviations and more.
        let rounding = (self.library.degree() as f64 * 10.0 / 12.0).sqrt().log2() + 3.0;
        let fits = |level: &usize| {
            let scaled = noise - (whole - self.noise_limit(*level));
            scaled.max(rounding) + 1.0 + margin < self.noise_limit(*level)
        };
        (0..self.levels.len()).rev().find(fits).unwrap_or(0)
    }

    /// Switch `cipher` to [`Channel::smallest_level`].
    pub fn compact(&self, cipher: &mut Cipher, noise: f64, margin: f64) -> Result<(), HeError> {
        let target = self.smallest_level(noise, margin);
        Ok(cipher
            .inner
            .switch_to_level(target.max(cipher.inner_level(self)?))?)
    }

    /// The bytes of a ciphertext.
    pub fn to_bytes(&self, cipher: &Cipher) -> Vec<u8> {
        cipher.inner.to_bytes()
    }

    /// A ciphertext from bytes that may come from anyone; everything that computing with it relies on is checked.
    pub fn read(&self, bytes: &[u8]) -> Result<Cipher, HeError> {
        check::ciphertext(bytes, self.library.moduli(), self.library.degree())?;
        let inner = Ciphertext::from_bytes(bytes, &self.library)?;
        Ok(Cipher { inner })
    }

    /// Check that a key's relinearization part can be used, and read it.
    fn relinearization(&self, key: &EvaluationKey) -> Result<RelinearizationKey, HeError> {
        check::relinearization(key.bytes(), self.library.moduli(), self.library.degree())?;
        Ok(RelinearizationKey::from_bytes(key.bytes(), &self.library)?)
    }

    /// The same for a key's rotations, if it has any.
    fn rotations(&self, key: &EvaluationKey) -> Result<Option<RotationKeys>, HeError> {
        let Some(bytes) = key.rotation_bytes() else {
            return Ok(None);
        };
        check::rotations(bytes, self.library.moduli(), self.library.degree())?;
        Ok(Some(RotationKeys::from_bytes(bytes, &self.library)?))
    }

    /// `q mod t`, and `-1/t` modulo each prime: what constants are added with.
    pub(super) fn constant_factors(&self) -> (u64, &[u64]) {
        let whole = &self.levels[0];
        (whole.q_mod_t, &whole.minus_t_inverse)
    }
}

impl Cipher {
    fn inner_level(&self, channel: &Channel) -> Result<usize, HeError> {
        Ok(match self.inner.first() {
            Some(part) => channel.library.level_of_context(part.ctx())?,
            None => 0,
        })
    }
}

fn encoding(cipher: &Ciphertext, channel: &Channel) -> Result<Encoding, HeError> {
    let part = cipher.first().ok_or_else(empty)?;
    Ok(Encoding::simd_at_level(
        channel.library.level_of_context(part.ctx())?,
    ))
}

fn empty() -> HeError {
    HeError::Scheme("an empty ciphertext".into())
}

impl<'a> Server<'a> {
    /// The server's side of a channel.
    pub fn new(channel: &'a Channel, key: &EvaluationKey) -> Result<Self, HeError> {
        Ok(Self {
            relinearization: channel.relinearization(key)?,
            rotations: channel.rotations(key)?,
            channel,
        })
    }

    pub(super) fn channel(&self) -> &Channel {
        self.channel
    }

    pub(super) fn rotations(&self) -> Option<&RotationKeys> {
        self.rotations.as_ref()
    }

    /// `weight` modulo the plaintext modulus, of least magnitude: noise grows by it.
    fn least(&self, weight: i128) -> i64 {
        let t = i128::from(self.channel.modulus());
        let residue = weight.rem_euclid(t);
        (if residue > t / 2 {
            residue - t
        } else {
            residue
        }) as i64
    }
}

impl Arithmetic for Server<'_> {
    type Value = Cipher;

    fn combine(&self, terms: &[(&Cipher, i128)], constant: i128) -> Result<Cipher, HeError> {
        let level = terms
            .first()
            .map_or(Ok(0), |(cipher, _)| cipher.inner_level(self.channel))?;
        let count = terms
            .iter()
            .map(|(cipher, _)| cipher.inner.len())
            .max()
            .unwrap_or(2);
        let degree = self.channel.library.degree();
        let context = self.channel.library.context_at_level(level)?;
        let Level {
            moduli,
            q_mod_t,
            minus_t_inverse,
        } = &self.channel.levels[level];
        let weights: Vec<i64> = terms
            .iter()
            .map(|(_, weight)| self.least(*weight))
            .collect();
        let mut parts = Vec::with_capacity(count);
        for at in 0..count {
            let mut rows = Vec::with_capacity(terms.len());
            for ((cipher, _), &weight) in terms.iter().zip(&weights) {
                let Some(part) = cipher.inner.get(at) else {
                    continue;
                };
                if part.ctx() != context {
                    return Err(HeError::Scheme("a sum of ciphertexts of two levels".into()));
                }
                rows.push((part.coefficients(), weight));
            }
            let slices: Option<Vec<_>> = rows
                .iter()
                .map(|(rows, weight)| Some((rows.to_slice()?, *weight)))
                .collect();
            let slices = slices.ok_or_else(|| HeError::Scheme("scattered coefficients".into()))?;
            let mut sum = weighted_sum(&slices, moduli, degree);
            if at == 0 && constant != 0 {
                // Round(q m / t) for the constant polynomial m: the same number at every point of the transform.
                let t = i128::from(self.channel.modulus());
                let rest = constant.rem_euclid(t) * i128::from(*q_mod_t) % t;
                for (mut row, (&q, &inverse)) in
                    sum.outer_iter_mut().zip(moduli.iter().zip(minus_t_inverse))
                {
                    let shift =
                        (rest as u128 % u128::from(q) * u128::from(inverse) % u128::from(q)) as u64;
                    row.iter_mut().for_each(|c| {
                        *c = if *c >= q - shift {
                            *c - (q - shift)
                        } else {
                            *c + shift
                        }
                    });
                }
            }
            parts.push(Poly::try_convert_from(
                sum,
                context,
                true,
                Representation::Ntt,
            )?);
        }
        Ok(Cipher {
            inner: Ciphertext::new(parts, &self.channel.library)?,
        })
    }

    fn multiply(&self, x: &Cipher, y: &Cipher) -> Result<Cipher, HeError> {
        if x.inner.len() != 2 || y.inner.len() != 2 {
            return Err(HeError::Scheme(
                "a product of ciphertexts that are not settled".into(),
            ));
        }
        if x.inner_level(self.channel)? != y.inner_level(self.channel)? {
            return Err(HeError::Scheme(
                "a product of ciphertexts of two levels".into(),
            ));
        }
        Ok(Cipher {
            inner: &x.inner * &y.inner,
        })
    }

    fn settle(&self, mut x: Cipher) -> Result<Cipher, HeError> {
        if x.inner.len() == 3 {
            self.relinearization.relinearizes(&mut x.inner)?;
        }
        Ok(x)
    }
}
