//! What the server is given, and what it does.

use crate::batch::Batch;
use crate::choose;
use crate::network::Watch;
use crate::scheme::{Cipher, EvaluationKey, Server};
use crate::{Answer, HeError, Network, Parameters, Query};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

/// Bits of noise budget that stay in a compacted answer.
const ANSWER_MARGIN: f64 = 6.0;

/// What the server runs: the network in integers and the scheme's parameters. It holds the weights, unless the model is encrypted
/// ([`crate::Options::encrypted_model`]). Of the owner's calibration samples it holds nothing but what the polynomials say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The scheme's parameters.
    pub parameters: Parameters,
    /// The network.
    pub network: Network,
    /// For each layer: bits of noise, at most. That of the result includes settling it.
    pub noise_bits: Vec<f64>,
}

impl Program {
    /// Check what computing relies on: structure and noise. The bounds are computed again, not believed.
    ///
    /// # Errors
    /// What contradicts itself; noise beyond the parameters.
    pub fn check(&self) -> Result<(), HeError> {
        self.network.check()?;
        let noise_bits = choose::noise(&self.network, &self.parameters)?;
        // Compacted answers rely on them.
        if differ(&self.noise_bits, &noise_bits) {
            return Err(HeError::Damaged {
                what: "plan",
                problem: "its bits of noise are not those of its network".into(),
            });
        }
        Ok(())
    }

    /// What tells programs apart: BLAKE3 of the encoding.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil he program");
        hasher.update(&postcard::to_stdvec(self).unwrap_or_default());
        *hasher.finalize().as_bytes()
    }

    /// Compute on an encrypted query: the server's part. `watch` is told of each layer, once for each plaintext modulus.
    ///
    /// A secret key cannot take the place of the evaluation key:
    /// ```compile_fail,E0308
    /// use trefoil_he::{Program, Query, scheme::SecretKey};
    /// fn leak(program: &Program, secret: &SecretKey, query: Query) {
    ///     let _ = program.infer(secret, query, std::num::NonZeroUsize::MIN, &mut ());
    /// }
    /// ```
    ///
    /// # Errors
    /// A query of another plan, or made with another key than `key`'s.
    pub fn infer(
        &self,
        key: &EvaluationKey,
        query: Query,
        threads: NonZeroUsize,
        watch: &mut dyn Watch<Cipher>,
    ) -> Result<Answer, HeError> {
        self.fits("evaluation key", key.parameters())?;
        let batch = query.0;
        batch.belongs("query", self, key.id(), self.network.inputs)?;
        let mut channels = Vec::new();
        for (channel, ciphers) in self.parameters.channels()?.iter().zip(batch.channels) {
            let server = Server::new(channel, key)?;
            let mut made = self.network.run(&server, ciphers, threads, watch)?;
            if let Some(layer) = self.network.output.checked_sub(1) {
                for cipher in &mut made {
                    // A small answer.
                    channel.compact(cipher, self.noise_bits[layer], ANSWER_MARGIN)?;
                }
            }
            channels.push(made);
        }
        Ok(Answer(Batch { channels, ..batch }))
    }

    /// Check that a key is for these parameters.
    pub(crate) fn fits(&self, what: &'static str, parameters: &Parameters) -> Result<(), HeError> {
        if *parameters == self.parameters {
            return Ok(());
        }
        let problem = format!("it is for {parameters}, the plan for {}", self.parameters);
        Err(HeError::Foreign { what, problem })
    }
}

/// Whether stated bits are not the computed ones. Logarithms may differ in the last place between machines.
pub(crate) fn differ(stated: &[f64], computed: &[f64]) -> bool {
    let far = |(x, y): (&f64, &f64)| (x - y).is_nan() || (x - y).abs() > 1e-6;
    stated.len() != computed.len() || stated.iter().zip(computed).any(far)
}
