//! Uniform random numbers: from the operating system, or from a seed for experiments.

use crate::VerifyError;
use trefoil_ring::{Prg, Seed};

/// Where random bytes come from.
enum Source {
    System,
    Seeded { prg: Box<Prg>, position: u32 },
}

/// A generator of uniform numbers.
pub(crate) struct Random {
    source: Source,
    buffer: Vec<u8>,
    used: usize,
}

impl Random {
    /// The operating system's generator: for everything that must stay secret.
    pub(crate) fn system() -> Self {
        Self::new(Source::System)
    }

    /// A generator whose numbers follow from `seed`: for experiments that can be repeated.
    pub(crate) fn seeded(seed: u64) -> Self {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let prg = Box::new(Prg::new(&Seed(key)));
        Self::new(Source::Seeded { prg, position: 0 })
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            used: 0,
        }
    }

    /// 64 random bits.
    pub(crate) fn word(&mut self) -> Result<u64, VerifyError> {
        if self.used + 8 > self.buffer.len() {
            self.buffer.resize(4096, 0);
            self.used = 0;
            match &mut self.source {
                Source::System => getrandom::fill(&mut self.buffer)
                    .map_err(|error| VerifyError::Random(error.to_string()))?,
                Source::Seeded { prg, position } => {
                    *position = prg.fill([0; 12], *position, &mut self.buffer);
                }
            }
        }
        let mut word = [0; 8];
        word.copy_from_slice(&self.buffer[self.used..][..8]);
        // What was used is of no further use to anyone.
        self.buffer[self.used..][..8].fill(0);
        self.used += 8;
        Ok(u64::from_le_bytes(word))
    }

    /// A uniform number in `0 .. end`, without bias.
    ///
    /// # Panics
    /// If `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> Result<usize, VerifyError> {
        assert!(end > 0, "a number below 0");
        let end = end as u64;
        // The words above the last whole multiple are thrown back.
        let excess = (u64::MAX % end + 1) % end;
        loop {
            let word = self.word()?;
            if word <= u64::MAX - excess {
                return Ok((word % end) as usize);
            }
        }
    }

    /// A uniform number in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> Result<f64, VerifyError> {
        Ok((self.word()? >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// A standard normal number (Box and Muller).
    pub(crate) fn normal(&mut self) -> Result<f64, VerifyError> {
        let radius = (-2.0 * (1.0 - self.unit()?).ln()).sqrt();
        Ok(radius * (std::f64::consts::TAU * self.unit()?).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_an_end_are_uniform() {
        for mut random in [Random::system(), Random::seeded(3)] {
            let mut counts = [0_i64; 6];
            for _ in 0..60_000 {
                counts[random.below(6).unwrap()] += 1;
            }
            // Standard deviation 91: eight of them.
            assert!(
                counts.iter().all(|count| (count - 10_000).abs() < 730),
                "{counts:?}"
            );
        }
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut random = Random::seeded(4);
        let numbers: Vec<f64> = (0..40_000).map(|_| random.normal().unwrap()).collect();
        let mean = numbers.iter().sum::<f64>() / 40_000.0;
        let variance = numbers.iter().map(|x| x * x).sum::<f64>() / 40_000.0;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
    }
}
