//! What the server is given, and what it does.

use crate::batch::Batch;
use crate::choose;
use crate::network::{IntegerLayer, Packed, Role, Sparse, Watch, in_parallel, width};
use crate::scheme::{Channel, Cipher, Encoded, EvaluationKey, Server};
use crate::{Answer, HeError, Network, Packing, Parameters, Query};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// Bits of noise budget that stay in a compacted answer.
pub(crate) const ANSWER_MARGIN: f64 = 6.0;
/// Most samples of a query in single packing.
const MOST_SINGLE: usize = 1024;

/// What the server runs: the network in integers and the scheme's parameters. It holds the weights, unless the model is encrypted
/// ([`crate::Options::encrypted_model`]). Of the owner's calibration samples it holds nothing but what the polynomials say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The scheme's parameters.
    pub parameters: Parameters,
    /// The network.
    pub network: Network,
    /// How samples lie in ciphertexts.
    pub packing: Packing,
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
        let noise_bits = choose::noise(&self.network, &self.parameters, self.packing)?;
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

    /// Most samples of a query.
    pub fn most_samples(&self) -> usize {
        match self.packing {
            Packing::Batch => self.parameters.slots(),
            // Each has ciphertexts of its own; whoever has more asks again, or packs batches.
            Packing::Single => MOST_SINGLE,
        }
    }

    /// Ciphertexts of a query, and of its answer, for each plaintext modulus.
    pub(crate) fn ciphers(&self, samples: usize) -> (usize, usize) {
        match self.packing {
            Packing::Batch => (self.network.inputs(), self.network.outputs()),
            Packing::Single => (samples * width(&self.network), samples),
        }
    }

    /// The network for single packing.
    pub(crate) fn packed(&self) -> Result<Packed<Sparse>, HeError> {
        Packed::new(&self.network, self.parameters.degree() / 2)
    }

    /// The rotations that computing takes, which a key must be made for ([`crate::scheme::generate_with`]); none for throughput packing.
    ///
    /// # Errors
    /// A value of more elements than the slots of a row.
    pub fn rotations(&self) -> Result<BTreeSet<usize>, HeError> {
        match self.packing {
            Packing::Batch => Ok(BTreeSet::new()),
            Packing::Single => Ok(self.packed()?.rotations()),
        }
    }

    /// Make ready what does not depend on queries or keys: for single packing, each weight as a constant of a slot. Takes memory, see
    /// [`Program::sizes`].
    ///
    /// # Errors
    /// The scheme's.
    pub fn prepare(&self, threads: NonZeroUsize) -> Result<Prepared<'_>, HeError> {
        let channels = self.parameters.channels()?;
        let packed = match self.packing {
            Packing::Batch => Vec::new(),
            Packing::Single => {
                let packed = self.packed()?;
                let ready = |channel: &Channel| {
                    packed.ready(|role, slots| match role {
                        Role::Weights => channel.weights(slots),
                        Role::Constants => channel.constants(slots),
                    })
                };
                in_parallel(channels.len(), threads, |at| ready(&channels[at]))?
            }
        };
        Ok(Prepared {
            program: self,
            packed,
        })
    }

    /// Compute on an encrypted query: the server's part. `watch` is told of each layer, once for each plaintext modulus (and sample, in
    /// single packing). Whoever answers many queries prepares once, see [`Program::prepare`].
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
        watch: &mut (dyn Watch<Cipher> + Send),
    ) -> Result<Answer, HeError> {
        // What does not belong is refused before any work.
        self.belongs(key, &query)?;
        self.prepare(threads)?.infer(key, query, threads, watch)
    }

    fn belongs(&self, key: &EvaluationKey, query: &Query) -> Result<(), HeError> {
        self.fits("evaluation key", key.parameters())?;
        let (ciphers, _) = self.ciphers(query.samples());
        query.0.belongs("query", self, key.id(), ciphers)
    }

    /// Results as small as their noise lets them be.
    fn compacted(&self, channel: &Channel, mut made: Vec<Cipher>) -> Result<Vec<Cipher>, HeError> {
        if let Some(layer) = self.network.output.checked_sub(1) {
            for cipher in &mut made {
                channel.compact(cipher, self.noise_bits[layer], ANSWER_MARGIN)?;
            }
        }
        Ok(made)
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

/// A program with all that is the same for every query and key.
pub struct Prepared<'a> {
    program: &'a Program,
    /// For single packing, one for each plaintext modulus.
    packed: Vec<Packed<Encoded>>,
}

impl Prepared<'_> {
    /// Compute on a query, see [`Program::infer`].
    ///
    /// # Errors
    /// As [`Program::infer`].
    pub fn infer(
        &self,
        key: &EvaluationKey,
        query: Query,
        threads: NonZeroUsize,
        watch: &mut (dyn Watch<Cipher> + Send),
    ) -> Result<Answer, HeError> {
        let program = self.program;
        program.belongs(key, &query)?;
        let batch = query.0;
        let channels = program.parameters.channels()?;
        let made = match program.packing {
            Packing::Batch => {
                let each = channels.iter().zip(batch.channels);
                let each = each.map(|(channel, ciphers)| {
                    let server = Server::new(channel, key)?;
                    let network = &program.network;
                    program.compacted(channel, network.run(&server, ciphers, threads, watch)?)
                });
                each.collect::<Result<_, HeError>>()?
            }
            Packing::Single => {
                let inner = threads.get() / channels.len();
                let inner = NonZeroUsize::new(inner).unwrap_or(NonZeroUsize::MIN);
                let watch = Mutex::new(watch);
                in_parallel(channels.len(), threads, |at| {
                    let channel = &channels[at];
                    let made =
                        self.singles(at, channel, key, &batch.channels[at], inner, &watch)?;
                    program.compacted(channel, made)
                })?
            }
        };
        Ok(Answer(Batch {
            channels: made,
            ..batch
        }))
    }

    /// The results of all samples, one after the other, for one plaintext modulus.
    fn singles(
        &self,
        at: usize,
        channel: &Channel,
        key: &EvaluationKey,
        ciphers: &[Cipher],
        threads: NonZeroUsize,
        watch: &Mutex<&mut (dyn Watch<Cipher> + Send)>,
    ) -> Result<Vec<Cipher>, HeError> {
        let network = &self.program.network;
        let server = Server::new(channel, key)?;
        let mut told = |index: usize, layer: &IntegerLayer, values: &[Cipher]| {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            watch.layer(index, layer, values)
        };
        let samples = ciphers.chunks(width(network));
        let each = samples
            .map(|own| self.packed[at].run(network, &server, own.to_vec(), threads, &mut told));
        each.collect()
    }
}

/// Whether stated bits are not the computed ones. Logarithms may differ in the last place between machines.
pub(crate) fn differ(stated: &[f64], computed: &[f64]) -> bool {
    let far = |(x, y): (&f64, &f64)| (x - y).is_nan() || (x - y).abs() > 1e-6;
    stated.len() != computed.len() || stated.iter().zip(computed).any(far)
}
