//! What keys, queries and answers take, and what computing takes in memory.

use crate::program::ANSWER_MARGIN;
use crate::{HeError, IntegerOperation, Packing, Program};

/// Bytes of what an encrypted computation stores and sends, from the parameters alone. Files add less than a hundredth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The secret key.
    pub secret_key: u64,
    /// The evaluation key, which the server gets once.
    pub evaluation_key: u64,
    /// A query: of however many samples in throughput packing, of one in single packing.
    pub query: u64,
    /// Its answer.
    pub answer: u64,
    /// The most memory that computing an answer takes.
    pub memory: u64,
}

/// Bytes of a seed.
const SEED: u64 = 32;

impl Program {
    /// What keys, queries and answers of this program take.
    ///
    /// # Errors
    /// The scheme's, if its tables cannot be made.
    pub fn sizes(&self) -> Result<Sizes, HeError> {
        let parameters = &self.parameters;
        let degree = parameters.degree() as u64;
        let primes = parameters.cipher_moduli();
        // Residues are packed, as many bits as their prime has.
        let stored = |primes: &[u64]| -> u64 {
            let bits = |q: &u64| u64::from(u64::BITS - q.leading_zeros());
            primes.iter().map(|q| (degree * bits(q)).div_ceil(8)).sum()
        };
        let whole = stored(primes);
        let channels = parameters.channels()?;
        let moduli = channels.len() as u64;
        let noise = match self.network.output.checked_sub(1) {
            Some(layer) => self.noise_bits[layer],
            None => f64::INFINITY,
        };
        let (asked, answered) = self.ciphers(1);
        let answers = channels.iter().map(|channel| {
            let level = channel.smallest_level(noise, ANSWER_MARGIN);
            answered as u64 * 2 * stored(&primes[..primes.len() - level])
        });
        let query = moduli * asked as u64 * (whole + SEED);
        // In words: two parts of a ciphertext, unpacked.
        let cipher = 2 * 8 * degree * primes.len() as u64;
        let inputs = moduli * asked as u64 * cipher;
        let switching = primes.len() as u64 * whole + SEED;
        let (rotations, work) = match self.packing {
            Packing::Batch => (0, self.most_alive() as u64 * cipher),
            Packing::Single => {
                let packed = self.packed()?;
                // Constants of slots are one polynomial each. Of ciphertexts that live at once there are the values, the shifts of a
                // layer and its sums.
                let values = self.network.layers.len() + 2 * packed.most_shifts() + 4;
                let each = packed.vectors() as u64 * cipher / 2 + values as u64 * cipher;
                (packed.rotations().len() as u64, moduli * each)
            }
        };
        // A key in memory: both halves of each part, prepared for products.
        let key = moduli * (1 + rotations) * primes.len() as u64 * 2 * cipher;
        Ok(Sizes {
            secret_key: degree,
            evaluation_key: (1 + rotations) * switching,
            query,
            answer: answers.sum(),
            // The file and what was read of it, while all of it is unpacked.
            memory: 2 * query + inputs + key + work,
        })
    }

    /// The most ciphertexts of two parts that live at once for one plaintext modulus, beside the query's. A product that is not settled
    /// has three parts and counts as one and a half.
    fn most_alive(&self) -> usize {
        let layers = &self.network.layers;
        let mut sizes = vec![self.network.inputs];
        let mut last = vec![0; layers.len() + 1];
        last[self.network.output] = usize::MAX;
        for (index, layer) in layers.iter().enumerate() {
            sizes.push(match &layer.operation {
                IntegerOperation::Affine(map) => map.rows.len(),
                _ => sizes[layer.inputs[0]],
            });
            for &id in &layer.inputs {
                last[id] = last[id].max(index);
            }
        }
        let alive = |index: usize| {
            let made = sizes.iter().enumerate().take(index + 2).skip(1);
            made.filter(|(value, _)| last[*value] >= index || *value == index + 1)
                .map(|(_, size)| size * 3 / 2 + 1)
                .sum()
        };
        (0..layers.len()).map(alive).max().unwrap_or(0)
    }
}
