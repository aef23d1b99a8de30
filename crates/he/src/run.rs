//! Encrypt, compute, decrypt: throughput packing, a ciphertext for each element and a slot for each sample (CryptoNets, section 3.2).

use crate::compile::check_samples;
use crate::network::{Exact, IntegerLayer, Watch, in_parallel};
use crate::scheme::{Cipher, EvaluationKey, KeyId, Residues, SecretKey, Server};
use crate::{HeError, Plan};
use ndarray::{Array2, ArrayD};
use std::num::NonZeroUsize;

/// Encrypted vectors of a batch: for each plaintext modulus, a ciphertext for each element.
pub(crate) struct Batch {
    pub(crate) key: KeyId,
    pub(crate) plan: [u8; 32],
    pub(crate) samples: usize,
    pub(crate) channels: Vec<Vec<Cipher>>,
}

/// Encrypted samples.
pub struct Query(pub(crate) Batch);

/// Encrypted results.
pub struct Answer(pub(crate) Batch);

/// Bits of noise budget that stay in a compacted answer.
const ANSWER_MARGIN: f64 = 6.0;

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

impl Plan {
    /// The integers that stand for samples: (samples, elements).
    ///
    /// # Errors
    /// Samples of another shape, or outside the input range.
    pub fn encode(&self, samples: &ArrayD<f64>) -> Result<Array2<i128>, HeError> {
        let rows = check_samples(samples, &self.input_shape, self.input_range)?;
        let (count, width) = (rows.len(), self.network.inputs);
        let whole = rows
            .iter()
            .flatten()
            .map(|x| (x / self.steps[0]).round() as i128)
            .collect();
        Array2::from_shape_vec((count, width), whole).map_err(|error| HeError::Input {
            problem: error.to_string(),
        })
    }

    /// The numbers that integers of the result stand for.
    pub fn decode(&self, integers: &Array2<i128>) -> Array2<f64> {
        integers.mapv(|integer| integer as f64 * self.steps[self.network.output])
    }

    /// What the network computes from encoded samples, in the clear: exactly what the encrypted one decrypts to. The owner's check of inputs
    /// as well.
    ///
    /// # Errors
    /// The first sample that leads an activation outside of the interval that its polynomial was fitted on, with the node: there
    /// the polynomial is nothing like the function.
    pub fn exact(&self, encoded: &Array2<i128>) -> Result<Array2<i128>, HeError> {
        let mut all = Array2::zeros((encoded.nrows(), self.network.outputs()));
        for (sample, (x, mut row)) in encoded.outer_iter().zip(all.outer_iter_mut()).enumerate() {
            let mut values: Vec<Vec<i128>> = vec![x.to_vec()];
            let mut watch = |index: usize, layer: &IntegerLayer, made: &[i128]| {
                if let Some(activation) = &self.activations[index] {
                    let from = layer.inputs[0];
                    self.check_fitted(sample, &values[from], self.steps[from], activation)?;
                }
                values.push(made.to_vec());
                Ok(())
            };
            let made = self
                .network
                .run(&Exact, x.to_vec(), NonZeroUsize::MIN, &mut watch)?;
            row.iter_mut()
                .zip(made)
                .for_each(|(slot, value)| *slot = value);
        }
        Ok(all)
    }

    fn check_fitted(
        &self,
        sample: usize,
        inputs: &[i128],
        step: f64,
        activation: &crate::Activation,
    ) -> Result<(), HeError> {
        let interval = activation.fit.interval;
        let outside = inputs
            .iter()
            .map(|&x| x as f64 * step)
            .find(|x| !interval.contains(*x));
        match outside {
            None => Ok(()),
            Some(x) => Err(HeError::Input {
                problem: format!(
                    "sample {sample} leads to {x:.4} at node `{}` of {}, outside the interval {interval} that its polynomial is fitted on: \
                     calibrate with samples like it, or widen the intervals",
                    activation.node, self.network.name
                ),
            }),
        }
    }

    /// Encrypt samples (samples, …), as many as there are slots at most.
    ///
    /// # Errors
    /// Samples that do not fit, that lie outside the input range, or that lead an activation outside of its interval
    /// ([`Plan::exact`]); a key of other parameters.
    pub fn encrypt(
        &self,
        key: &SecretKey,
        samples: &ArrayD<f64>,
        threads: NonZeroUsize,
    ) -> Result<Query, HeError> {
        self.fits("secret key", key.parameters())?;
        let encoded = self.encode(samples)?;
        if encoded.nrows() > self.parameters.slots() {
            return Err(HeError::Input {
                problem: format!(
                    "{} samples for {} slots",
                    encoded.nrows(),
                    self.parameters.slots()
                ),
            });
        }
        self.exact(&encoded)?;
        let residues = Residues::new(self.parameters.plain_moduli())?;
        let mut channels = Vec::new();
        for (at, channel) in self.parameters.channels()?.iter().enumerate() {
            channels.push(in_parallel(self.network.inputs, threads, |element| {
                let column: Vec<u64> = encoded
                    .column(element)
                    .iter()
                    .map(|&x| residues.residue(x, at))
                    .collect();
                channel.encrypt(key, &column)
            })?);
        }
        Ok(Query(Batch {
            key: key.id(),
            plan: self.digest(),
            samples: encoded.nrows(),
            channels,
        }))
    }

    /// Compute on an encrypted query: the server's part. `watch` is told of each layer, once for each plaintext modulus.
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
        let Batch {
            key: id,
            plan,
            samples,
            channels,
        } = query.0;
        self.belongs("query", &plan, (id, key.id()), &channels)?;
        let noise = self
            .network
            .output
            .checked_sub(1)
            .map_or(6.0, |layer| self.noise_bits[layer]);
        let mut answers = Vec::new();
        for (channel, ciphers) in self.parameters.channels()?.iter().zip(channels) {
            let server = Server::new(channel, key)?;
            let mut made = self.network.run(&server, ciphers, threads, watch)?;
            for cipher in &mut made {
                channel.compact(cipher, noise + 1.0, ANSWER_MARGIN)?;
            }
            answers.push(made);
        }
        Ok(Answer(Batch {
            key: id,
            plan,
            samples,
            channels: answers,
        }))
    }

    /// Decrypt an answer to the result's integers: (samples, outputs).
    ///
    /// # Errors
    /// An answer of another plan, or made with another key.
    pub fn decrypt(&self, key: &SecretKey, answer: &Answer) -> Result<Array2<i128>, HeError> {
        self.fits("secret key", key.parameters())?;
        let Batch {
            key: id,
            plan,
            samples,
            channels,
        } = &answer.0;
        self.belongs("answer", plan, (*id, key.id()), channels)?;
        let residues = Residues::new(self.parameters.plain_moduli())?;
        let library = self.parameters.channels()?;
        let outputs = self.network.outputs();
        let mut all = Array2::zeros((*samples, outputs));
        for element in 0..outputs {
            let mut columns = Vec::new();
            for (channel, ciphers) in library.iter().zip(channels) {
                let cipher = ciphers.get(element).ok_or_else(|| HeError::Foreign {
                    what: "answer",
                    problem: format!("it has {} elements, the plan {outputs}", ciphers.len()),
                })?;
                columns.push(channel.decrypt(key, cipher)?);
            }
            for (sample, slot) in all.column_mut(element).iter_mut().enumerate() {
                let each: Vec<u64> = columns.iter().map(|column| column[sample]).collect();
                *slot = residues.integer(&each);
            }
        }
        Ok(all)
    }

    fn fits(&self, what: &'static str, parameters: &crate::Parameters) -> Result<(), HeError> {
        if *parameters == self.parameters {
            return Ok(());
        }
        let problem = format!(
            "it is for degree {} and plaintext moduli {:?}, the plan for degree {} and {:?}",
            parameters.degree(),
            parameters.plain_moduli(),
            self.parameters.degree(),
            self.parameters.plain_moduli()
        );
        Err(HeError::Foreign { what, problem })
    }

    fn belongs(
        &self,
        what: &'static str,
        plan: &[u8; 32],
        (own, key): (KeyId, KeyId),
        channels: &[Vec<Cipher>],
    ) -> Result<(), HeError> {
        let foreign = |problem: String| Err(HeError::Foreign { what, problem });
        if *plan != self.digest() {
            return foreign("it was made with another plan".into());
        }
        if own != key {
            return foreign(format!("it was made with key {own}, not {key}"));
        }
        if channels.len() != self.parameters.plain_moduli().len() {
            return foreign(format!(
                "it has {} parts for {} plaintext moduli",
                channels.len(),
                self.parameters.plain_moduli().len()
            ));
        }
        Ok(())
    }
}
