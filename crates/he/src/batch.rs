//! Encrypted samples and results, and how they lie in ciphertexts.

use crate::scheme::{Cipher, KeyId};
use crate::{HeError, Program};
use serde::{Deserialize, Serialize};

/// How samples lie in the slots of ciphertexts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packing {
    /// A ciphertext for each element, a slot for each sample (`CryptoNets`, section 3.2): thousands of samples for the time of one.
    #[default]
    Batch,
    /// The elements of a sample in the slots of a ciphertext: the shortest time for a single one. Takes keys for rotations.
    Single,
}

/// Encrypted vectors: for each plaintext modulus a ciphertext for each element, or those of each sample one behind the other.
pub(crate) struct Batch {
    pub(crate) key: KeyId,
    pub(crate) program: [u8; 32],
    pub(crate) samples: usize,
    pub(crate) channels: Vec<Vec<Cipher>>,
}

/// Encrypted samples.
pub struct Query(pub(crate) Batch);

/// Encrypted results.
pub struct Answer(pub(crate) Batch);

impl Query {
    /// Samples in it.
    pub fn samples(&self) -> usize {
        self.0.samples
    }

    /// Which key it was made with.
    pub fn key(&self) -> KeyId {
        self.0.key
    }
}

impl Answer {
    /// Samples in it.
    pub fn samples(&self) -> usize {
        self.0.samples
    }

    /// Which key its query was made with.
    pub fn key(&self) -> KeyId {
        self.0.key
    }
}

impl Batch {
    /// Check that the batch is one of `program`, made with `key`, of `ciphers` ciphertexts for each modulus.
    pub(crate) fn belongs(
        &self,
        what: &'static str,
        program: &Program,
        key: KeyId,
        ciphers: usize,
    ) -> Result<(), HeError> {
        let foreign = |problem: String| Err(HeError::Foreign { what, problem });
        if self.program != program.digest() {
            return foreign("it was made with another plan".into());
        }
        if self.key != key {
            return foreign(format!("it was made with key {}, not {key}", self.key));
        }
        let moduli = program.parameters.plain_moduli().len();
        if self.channels.len() != moduli {
            return foreign(format!(
                "it has {} parts for {moduli} plaintext moduli",
                self.channels.len()
            ));
        }
        if let Some(all) = self.channels.iter().find(|all| all.len() != ciphers) {
            return foreign(format!(
                "it has {} ciphertexts, the plan {ciphers}",
                all.len()
            ));
        }
        Ok(())
    }
}
