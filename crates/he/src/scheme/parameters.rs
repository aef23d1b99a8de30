//! Parameters and their security.

use super::Channel;
use super::crt::{is_prime, prime_below};
use crate::HeError;
use fhe::bfv::{BfvParameters, BfvParametersBuilder};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// For each ring degree `n`, the most bits that the ciphertext modulus may have for 128, 192 and 256 bits of security against classical
/// attacks: Homomorphic Encryption Security Standard (Albrecht et al. 2018), table 1, the column for ternary secrets, which is the
/// strictest; the keys here have the error's distribution, for which the standard allows 2 bits more. Checked against the same table in
/// Microsoft SEAL, `native/src/seal/util/hestdparms.h` at commit 0c1d970 (`SEAL_HE_STD_PARMS_128_TC`, `_192_TC`, `_256_TC`).
pub const SECURITY_TABLE: [(usize, [f64; 3]); 3] = [
    (4096, [109.0, 75.0, 58.0]),
    (8192, [218.0, 152.0, 118.0]),
    (16384, [438.0, 305.0, 237.0]),
];

/// Bits of security of the columns of [`SECURITY_TABLE`].
const LEVELS: [u32; 3] = [128, 192, 256];

/// Bits of the primes whose product is the ciphertext modulus, for each degree of [`SECURITY_TABLE`].
const MODULI: [(usize, &[u32]); 3] = [
    (4096, &[36, 36, 37]),
    (8192, &[43, 43, 44, 44, 44]),
    (16384, &[48, 48, 48, 49, 49, 49, 49, 49, 49]),
];

/// Most bits of a plaintext modulus.
const MAX_PLAIN_BITS: u32 = 40;
/// Bits by which a plaintext modulus stays below the first ciphertext modulus: the library decrypts to garbage, and says nothing, where
/// it is wider.
const FIRST_MARGIN: f64 = 2.0;
/// Most bits of the product of the plaintext moduli: results are 128-bit integers.
const MAX_PRODUCT_BITS: f64 = 124.0;

/// Parameters of the scheme: BFV over `Z_q[X] / (X^n + 1)`, once for each plaintext modulus.
///
/// Whoever reads them from a file gets them checked: only those of [`Parameters::with_moduli`] and [`Parameters::shortened`] exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Parameters {
    degree: usize,
    plain_moduli: Vec<u64>,
    cipher_moduli: Vec<u64>,
    channels: Lazy,
}

/// The library's tables for parameters, made when they are first needed. They follow from the parameters, so all of them are equal.
#[derive(Clone, Default)]
struct Lazy(OnceLock<Arc<Vec<Channel>>>);

impl PartialEq for Lazy {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Lazy {}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What files hold of parameters; the ciphertext moduli follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    degree: usize,
    primes: usize,
    plain_moduli: Vec<u64>,
}

impl From<Parameters> for Stored {
    fn from(parameters: Parameters) -> Self {
        Self {
            degree: parameters.degree,
            primes: parameters.cipher_moduli.len(),
            plain_moduli: parameters.plain_moduli,
        }
    }
}

impl TryFrom<Stored> for Parameters {
    type Error = HeError;
    fn try_from(stored: Stored) -> Result<Self, HeError> {
        Self::with_moduli(stored.degree, &stored.plain_moduli)?.shortened(stored.primes)
    }
}

fn refuse<T>(problem: String) -> Result<T, HeError> {
    Err(HeError::Parameters { problem })
}

impl Parameters {
    /// Parameters of ring degree `degree` with `count` plaintext moduli of `bits` bits.
    ///
    /// # Errors
    /// If the degree is not in [`SECURITY_TABLE`], or there are no such primes.
    pub fn new(degree: usize, count: usize, bits: u32) -> Result<Self, HeError> {
        if !(1..=8).contains(&count) || !(14..=MAX_PLAIN_BITS).contains(&bits) {
            return refuse(format!(
                "{count} plaintext moduli of {bits} bits; 1 to 8 of 14 to {MAX_PLAIN_BITS} bits are supported"
            ));
        }
        let taken = cipher_moduli(degree)?;
        let mut moduli = Vec::new();
        let mut below = 1_u64 << bits;
        while moduli.len() < count {
            let Some(prime) = prime_below(bits, 2 * degree as u64, below) else {
                return refuse(format!(
                    "there are no {count} primes of {bits} bits with slots for degree {degree}"
                ));
            };
            if !taken.contains(&prime) {
                moduli.push(prime);
            }
            below = prime;
        }
        Self::with_moduli(degree, &moduli)
    }

    /// Parameters of ring degree `degree` with these plaintext moduli.
    ///
    /// # Errors
    /// If the degree is not in [`SECURITY_TABLE`], or a modulus is no prime that splits into slots, is too wide, comes twice,
    /// or is one of the ciphertext moduli.
    pub fn with_moduli(degree: usize, plain_moduli: &[u64]) -> Result<Self, HeError> {
        let cipher_moduli = cipher_moduli(degree)?;
        let bits: f64 = cipher_moduli.iter().map(|&q| (q as f64).log2()).sum();
        if security(degree, bits) < LEVELS[0] {
            return refuse(format!(
                "a modulus of {bits:.1} bits at degree {degree} has less than 128 bits of security"
            ));
        }
        let first = cipher_moduli.first().map_or(0.0, |&q| (q as f64).log2());
        if plain_moduli.is_empty() || plain_moduli.len() > 8 {
            return refuse(format!(
                "{} plaintext moduli; 1 to 8 are supported",
                plain_moduli.len()
            ));
        }
        for (at, &t) in plain_moduli.iter().enumerate() {
            let bits = (t as f64).log2();
            if t < 2 || bits > f64::from(MAX_PLAIN_BITS) || bits + FIRST_MARGIN > first {
                return refuse(format!(
                    "plaintext modulus {t} of {bits:.1} bits; at most {MAX_PLAIN_BITS} are supported, and {:.1} decrypt at degree {degree}",
                    first - FIRST_MARGIN
                ));
            }
            let prime = t % (2 * degree as u64) == 1 && is_prime(t);
            if !prime || plain_moduli[..at].contains(&t) || cipher_moduli.contains(&t) {
                return refuse(format!(
                    "plaintext modulus {t} is no prime with slots of its own at degree {degree}"
                ));
            }
        }
        let made = Self {
            degree,
            plain_moduli: plain_moduli.to_vec(),
            cipher_moduli,
            channels: Lazy::default(),
        };
        if made.plain_bits() > MAX_PRODUCT_BITS {
            return refuse(format!(
                "plaintext moduli of {:.0} bits in all; {MAX_PRODUCT_BITS} are supported",
                made.plain_bits()
            ));
        }
        Ok(made)
    }

    /// The same with the first `primes` primes of the ciphertext modulus alone: every operation is cheaper, every object smaller, and less
    /// noise can be carried. A smaller modulus is the more secure one.
    ///
    /// # Errors
    /// If there are not as many, or fewer than the two that switching keys takes.
    pub fn shortened(mut self, primes: usize) -> Result<Self, HeError> {
        if !(2..=self.cipher_moduli.len()).contains(&primes) {
            return refuse(format!(
                "{primes} primes of the ciphertext modulus; 2 to {} are supported",
                self.cipher_moduli.len()
            ));
        }
        if primes < self.cipher_moduli.len() {
            self.cipher_moduli.truncate(primes);
            self.channels = Lazy::default();
        }
        Ok(self)
    }

    /// The ring degree `n`.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// Integers that a ciphertext holds.
    pub fn slots(&self) -> usize {
        self.degree
    }

    /// The plaintext moduli.
    pub fn plain_moduli(&self) -> &[u64] {
        &self.plain_moduli
    }

    /// The primes of the ciphertext modulus.
    pub fn cipher_moduli(&self) -> &[u64] {
        &self.cipher_moduli
    }

    /// Bits of the product of the plaintext moduli: signed results below half of it come out right.
    pub fn plain_bits(&self) -> f64 {
        self.plain_moduli.iter().map(|&t| (t as f64).log2()).sum()
    }

    /// Bits of the ciphertext modulus.
    pub fn cipher_bits(&self) -> f64 {
        self.cipher_moduli.iter().map(|&q| (q as f64).log2()).sum()
    }

    /// Bits of security against classical attacks that [`SECURITY_TABLE`] states: 128, 192 or 256.
    pub fn security_bits(&self) -> u32 {
        security(self.degree, self.cipher_bits())
    }

    /// The channels, one for each plaintext modulus.
    pub fn channels(&self) -> Result<Arc<Vec<Channel>>, HeError> {
        if let Some(made) = self.channels.0.get() {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(Channel::all(self)?);
        Ok(Arc::clone(self.channels.0.get_or_init(|| made)))
    }

    /// What tells parameters apart: BLAKE3 of the degree, the moduli and the scheme.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil he parameters: BFV, variance 10");
        hasher.update(&(self.degree as u64).to_le_bytes());
        for moduli in [&self.plain_moduli, &self.cipher_moduli] {
            hasher.update(&(moduli.len() as u64).to_le_bytes());
            for modulus in moduli {
                hasher.update(&modulus.to_le_bytes());
            }
        }
        *hasher.finalize().as_bytes()
    }

    /// The library's parameters for plaintext modulus `t`.
    pub(super) fn library(&self, t: u64) -> Result<Arc<BfvParameters>, HeError> {
        let mut builder = BfvParametersBuilder::new();
        builder
            .set_degree(self.degree)
            .set_plaintext_modulus(t)
            .set_moduli(&self.cipher_moduli);
        Ok(builder.build_arc()?)
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain: Vec<String> = self.plain_moduli.iter().map(u64::to_string).collect();
        write!(
            f,
            "BFV of degree {}, ciphertext modulus of {} primes and {:.0} bits ({} bits of security by the public table), plaintext moduli {}",
            self.degree,
            self.cipher_moduli.len(),
            self.cipher_bits(),
            self.security_bits(),
            plain.join(", ")
        )
    }
}

/// The column of [`SECURITY_TABLE`] that a modulus of `bits` bits reaches; 0 if none.
fn security(degree: usize, bits: f64) -> u32 {
    let row = SECURITY_TABLE.iter().find(|(n, _)| *n == degree);
    let most = row.map_or([0.0; 3], |row| row.1);
    let reached = most.iter().zip(LEVELS).rev();
    let mut reached = reached.filter(|(most, _)| bits <= **most);
    reached.next().map_or(0, |(_, level)| level)
}

/// The ciphertext moduli of a degree: the largest primes of the stated sizes.
fn cipher_moduli(degree: usize) -> Result<Vec<u64>, HeError> {
    let Some((_, sizes)) = MODULI.iter().find(|(n, _)| *n == degree) else {
        let known: Vec<String> = MODULI.iter().map(|(n, _)| n.to_string()).collect();
        return refuse(format!(
            "degree {degree}; degrees {} have moduli of 128 bits of security",
            known.join(", ")
        ));
    };
    let mut moduli: Vec<u64> = Vec::new();
    for &size in *sizes {
        let mut below = 1_u64 << size;
        while let Some(prime) = prime_below(size, 2 * degree as u64, below) {
            below = prime;
            if !moduli.contains(&prime) {
                moduli.push(prime);
                break;
            }
        }
    }
    if moduli.len() == sizes.len() {
        return Ok(moduli);
    }
    refuse(format!("there are not enough primes for degree {degree}"))
}
