//! Reproducible randomness for experiments: one stream for each seed and purpose.

use std::f64::consts::TAU;

/// A stream of pseudorandom numbers, named by a seed and a purpose.
///
/// Bytes are BLAKE3's extended output, keyed by the seed and the purpose, so that streams with
/// different purposes are independent and none changes with a library's version. For experiments
/// only, never for shares or keys.
#[derive(Debug, Clone)]
pub struct Stream {
    reader: blake3::OutputReader,
    buffer: [u8; 1024],
    used: usize,
    spare: Option<f64>,
}

impl Stream {
    /// The stream of `seed` for `purpose`.
    ///
    /// ```
    /// use trefoil_lab::random::Stream;
    /// let mut again = Stream::new(7, "shuffle");
    /// assert_eq!(Stream::new(7, "shuffle").word(), again.word());
    /// ```
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil lab: streams of experiments");
        hasher.update(&seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        Self {
            reader: hasher.finalize_xof(),
            buffer: [0; 1024],
            used: 1024,
            spare: None,
        }
    }

    /// 64 uniform bits.
    pub fn word(&mut self) -> u64 {
        if self.used == self.buffer.len() {
            self.reader.fill(&mut self.buffer);
            self.used = 0;
        }
        let mut word = [0; 8];
        word.copy_from_slice(&self.buffer[self.used..self.used + 8]);
        self.used += 8;
        u64::from_le_bytes(word)
    }

    /// A uniform number in [0, 1), a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 * (-53_f64).exp2()
    }

    /// A uniform number below `bound`; biased by less than `bound / 2^64`.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "nothing is below 0");
        ((u128::from(self.word()) * bound as u128) >> 64) as usize
    }

    /// A number from the standard normal distribution (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // 1 - u is in (0, 1], whose logarithm is finite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sine, cosine) = (TAU * self.unit()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// The numbers below `len` in random order (Fisher and Yates).
    pub fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_and_purpose() {
        let word = |seed, purpose| Stream::new(seed, purpose).word();
        assert_eq!(word(1, "a"), word(1, "a"));
        assert_ne!(word(1, "a"), word(2, "a"));
        assert_ne!(word(1, "a"), word(1, "b"));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut stream = Stream::new(3, "moments");
        let count = 100_000;
        let units: Vec<f64> = (0..count).map(|_| stream.unit()).collect();
        let normals: Vec<f64> = (0..count).map(|_| stream.normal()).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / count as f64;
        let squares: Vec<f64> = normals.iter().map(|v| v * v).collect();
        // Four to five standard errors.
        assert!((mean(&units) - 0.5).abs() < 0.004);
        assert!(mean(&normals).abs() < 0.015);
        assert!((mean(&squares) - 1.0).abs() < 0.02);
        let within = normals.iter().filter(|v| v.abs() < 1.0).count();
        assert!((within as f64 / count as f64 - 0.682_689).abs() < 0.007);
    }

    #[test]
    fn a_permutation_has_every_number_once() {
        let mut order = Stream::new(5, "order").permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
        let firsts: Vec<usize> = (0..6000)
            .map(|seed| Stream::new(seed, "order").permutation(3)[0])
            .collect();
        for value in 0..3 {
            let count = firsts.iter().filter(|&&first| first == value).count();
            assert!((1800..2200).contains(&count), "{count}");
        }
    }
}
