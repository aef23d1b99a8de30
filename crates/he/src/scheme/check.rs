//! What the library takes on trust when it reads bytes: representations, degrees, and residues below their moduli.
//!
//! The messages are those of `fhe` 0.1.1 (`bfv.proto`, `rq.proto`), decoded here first.

use crate::HeError;
use fhe_math::zq::Modulus;
use prost::Message;

/// `Representation` of `rq.proto`: values at the points of the number-theoretic transform.
const NTT: i32 = 2;
/// The same, prepared for products.
const NTT_SHOUP: i32 = 3;
/// The library's secrets are sums of 20 differences of bits.
const LARGEST_SECRET: u64 = 20;

#[derive(Clone, PartialEq, Message)]
struct Ciphertext {
    #[prost(bytes = "vec", repeated, tag = "1")]
    parts: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "2")]
    seed: Vec<u8>,
    #[prost(uint32, tag = "3")]
    level: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Polynomial {
    #[prost(int32, tag = "1")]
    representation: i32,
    #[prost(uint32, tag = "2")]
    degree: u32,
    #[prost(bytes = "vec", tag = "3")]
    coefficients: Vec<u8>,
    #[prost(bool, tag = "4")]
    variable_time: bool,
}

#[derive(Clone, PartialEq, Message)]
struct SwitchingKey {
    #[prost(bytes = "vec", repeated, tag = "1")]
    c0: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    c1: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "3")]
    seed: Vec<u8>,
    #[prost(uint32, tag = "4")]
    ciphertext_level: u32,
    #[prost(uint32, tag = "5")]
    key_level: u32,
    #[prost(uint32, tag = "6")]
    log_base: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Relinearization {
    #[prost(message, optional, tag = "1")]
    key: Option<SwitchingKey>,
}

#[derive(Clone, PartialEq, Message)]
struct Rotation {
    #[prost(message, optional, tag = "1")]
    key: Option<SwitchingKey>,
    #[prost(uint32, tag = "2")]
    exponent: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Rotations {
    #[prost(message, repeated, tag = "2")]
    keys: Vec<Rotation>,
    #[prost(uint32, tag = "3")]
    ciphertext_level: u32,
    #[prost(uint32, tag = "4")]
    key_level: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Secret {
    #[prost(sint64, repeated, tag = "1")]
    coefficients: Vec<i64>,
}

fn damaged<T>(what: &'static str, problem: impl Into<String>) -> Result<T, HeError> {
    Err(HeError::Damaged {
        what,
        problem: problem.into(),
    })
}

fn decode<M: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, HeError> {
    M::decode(bytes).or_else(|error| damaged(what, error.to_string()))
}

/// A ciphertext of two parts, or of one and a seed.
pub(super) fn ciphertext(bytes: &[u8], moduli: &[u64], degree: usize) -> Result<(), HeError> {
    const WHAT: &str = "ciphertext";
    let message: Ciphertext = decode(WHAT, bytes)?;
    let left = moduli
        .len()
        .checked_sub(message.level as usize)
        .filter(|left| *left > 0);
    let Some(left) = left else {
        return damaged(WHAT, format!("level {}", message.level));
    };
    let seeded = match message.seed.len() {
        0 => 0,
        32 => 1,
        other => return damaged(WHAT, format!("a seed of {other} bytes")),
    };
    if message.parts.len() + seeded != 2 {
        return damaged(WHAT, format!("{} parts", message.parts.len() + seeded));
    }
    let mut parts = message.parts.iter();
    parts.try_for_each(|part| polynomial(WHAT, part, NTT, &moduli[..left], degree))
}

/// A relinearization key for whole ciphertexts.
pub(super) fn relinearization(bytes: &[u8], moduli: &[u64], degree: usize) -> Result<(), HeError> {
    let message: Relinearization = decode(KEY, bytes)?;
    switching(message.key.as_ref(), moduli, degree)
}

/// Keys for rotations of whole ciphertexts.
pub(super) fn rotations(bytes: &[u8], moduli: &[u64], degree: usize) -> Result<(), HeError> {
    let message: Rotations = decode(KEY, bytes)?;
    if [message.ciphertext_level, message.key_level] != [0; 2] {
        return damaged(KEY, "its rotations are for other levels");
    }
    // A rotation by each power of two and a few more.
    if message.keys.len() > MOST_ROTATIONS {
        return damaged(KEY, format!("{} rotations", message.keys.len()));
    }
    let mut seen = Vec::new();
    for rotation in &message.keys {
        let exponent = rotation.exponent;
        if exponent % 2 == 0 || exponent as usize >= 2 * degree || seen.contains(&exponent) {
            return damaged(KEY, format!("a rotation by exponent {exponent}"));
        }
        seen.push(exponent);
        switching(rotation.key.as_ref(), moduli, degree)?;
    }
    Ok(())
}

const KEY: &str = "evaluation key";
/// Most rotations of an evaluation key.
pub(super) const MOST_ROTATIONS: usize = 64;

/// A key that switches whole ciphertexts from another secret to the owner's.
fn switching(key: Option<&SwitchingKey>, moduli: &[u64], degree: usize) -> Result<(), HeError> {
    let Some(key) = key else {
        return damaged(KEY, "it is empty");
    };
    if [key.ciphertext_level, key.key_level, key.log_base] != [0; 3] {
        return damaged(KEY, "it is for other levels");
    }
    let seeded = key.seed.len() == 32 && key.c1.is_empty();
    let whole = key.seed.is_empty() && key.c1.len() == moduli.len();
    if key.c0.len() != moduli.len() || !(seeded || whole) {
        return damaged(KEY, format!("{} and {} parts", key.c0.len(), key.c1.len()));
    }
    let mut parts = key.c0.iter().chain(&key.c1);
    parts.try_for_each(|part| polynomial(KEY, part, NTT_SHOUP, moduli, degree))
}

/// A secret of small coefficients, one for each of the ring.
pub(super) fn secret(bytes: &[u8], degree: usize) -> Result<(), HeError> {
    const WHAT: &str = "secret key";
    let message: Secret = decode(WHAT, bytes)?;
    let message = zeroize::Zeroizing::new(message.coefficients);
    if message.len() != degree || message.iter().any(|c| c.unsigned_abs() > LARGEST_SECRET) {
        return damaged(WHAT, "its coefficients are not those of a secret");
    }
    Ok(())
}

fn polynomial(
    what: &'static str,
    bytes: &[u8],
    representation: i32,
    moduli: &[u64],
    degree: usize,
) -> Result<(), HeError> {
    let message: Polynomial = decode(what, bytes)?;
    if message.representation != representation || message.degree as usize != degree {
        return damaged(what, "a polynomial of another ring or form");
    }
    let mut rest = message.coefficients.as_slice();
    for &q in moduli {
        let modulus = Modulus::new(q)?;
        let Some((row, after)) = rest.split_at_checked(modulus.serialization_length(degree)) else {
            return damaged(what, "a polynomial is too short");
        };
        if modulus.deserialize_vec(row).iter().any(|&c| c >= q) {
            return damaged(what, "a residue is not below its modulus");
        }
        rest = after;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        damaged(what, "a polynomial is too long")
    }
}
