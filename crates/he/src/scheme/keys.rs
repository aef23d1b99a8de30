//! Keys as types: the owner's secret one, and what the server needs of it.

use super::Channel;
use super::{Parameters, check};
use crate::HeError;
use fhe::bfv::{EvaluationKeyBuilder, RelinearizationKey, SecretKey as Library};
use fhe_traits::{DeserializeParametrized, Serialize};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Tells keys apart: random, and the same in both keys and in every ciphertext made with them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(crate) [u8; 16]);

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The owner's key: encrypts and decrypts. No `Debug` and no `Clone`; wiped when dropped.
///
/// One secret serves all plaintext moduli: the ring and the ciphertext modulus are the same.
pub struct SecretKey {
    id: KeyId,
    parameters: Parameters,
    bytes: Zeroizing<Vec<u8>>,
}

/// What the server needs to compute products, and nothing to decrypt with: the relinearization key, an encryption of the secret's
/// square under the secret, and for single packing keys for rotations, encryptions of the secret with its coefficients in another order. The
/// same for all plaintext moduli, since none is part of it.
#[derive(Clone)]
pub struct EvaluationKey {
    id: KeyId,
    parameters: Parameters,
    bytes: Vec<u8>,
    rotations: Option<Vec<u8>>,
}

/// Make a pair of keys for throughput packing, from the operating system's randomness.
pub fn generate(parameters: &Parameters) -> Result<(SecretKey, EvaluationKey), HeError> {
    generate_with(parameters, &BTreeSet::new())
}

/// The same with keys for these rotations: those of the program, see [`crate::Program::rotations`].
///
/// # Errors
/// Rotations that the slots of a row do not have; more than 64.
pub fn generate_with(
    parameters: &Parameters,
    rotations: &BTreeSet<usize>,
) -> Result<(SecretKey, EvaluationKey), HeError> {
    use rand::RngCore;
    let mut rng = rand::rng();
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let id = KeyId(id);
    let first = parameters.plain_moduli().first().copied().unwrap_or(0);
    let library = parameters.library(first)?;
    let secret = Library::random(&library, &mut rng);
    let evaluation = RelinearizationKey::new(&secret, &mut rng)?;
    if rotations.len() > check::MOST_ROTATIONS {
        return Err(HeError::Parameters {
            problem: format!("{} rotations", rotations.len()),
        });
    }
    let mut builder = EvaluationKeyBuilder::new(&secret)?;
    for &by in rotations {
        builder.enable_column_rotation(by)?;
    }
    let rotations = match rotations.len() {
        0 => None,
        _ => Some(builder.build(&mut rng)?.to_bytes()),
    };
    let secret = SecretKey {
        id,
        parameters: parameters.clone(),
        bytes: Zeroizing::new(secret.to_bytes()),
    };
    let evaluation = EvaluationKey {
        id,
        parameters: parameters.clone(),
        bytes: evaluation.to_bytes(),
        rotations,
    };
    Ok((secret, evaluation))
}

impl SecretKey {
    /// Which key it is.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The parameters that it is for.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The bytes of the secret.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A key from bytes that may come from anyone.
    pub(crate) fn read(id: KeyId, parameters: Parameters, bytes: &[u8]) -> Result<Self, HeError> {
        check::secret(bytes, parameters.degree())?;
        Ok(Self {
            id,
            parameters,
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    pub(super) fn library(&self, channel: &Channel) -> Result<Library, HeError> {
        Ok(Library::from_bytes(&self.bytes, channel.library())?)
    }
}

impl EvaluationKey {
    /// Which key it belongs to.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The parameters that it is for.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The bytes of the relinearization key.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of the keys for rotations, if there are any.
    pub(crate) fn rotation_bytes(&self) -> Option<&[u8]> {
        self.rotations.as_deref()
    }

    /// A key from bytes that may come from anyone; checked again when a [`super::Server`] is made of it.
    pub(crate) fn read(
        id: KeyId,
        parameters: Parameters,
        bytes: Vec<u8>,
        rotations: Option<Vec<u8>>,
    ) -> Result<Self, HeError> {
        let (moduli, degree) = (parameters.cipher_moduli(), parameters.degree());
        check::relinearization(&bytes, moduli, degree)?;
        if let Some(rotations) = &rotations {
            check::rotations(rotations, moduli, degree)?;
        }
        Ok(Self {
            id,
            parameters,
            bytes,
            rotations,
        })
    }
}
