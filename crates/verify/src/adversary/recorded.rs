//! Answers of honest servers, recorded once and given again.

use crate::random::Random;
use crate::store::SampleId;
use crate::{Servers, VerifyError};
use ndarray::{ArrayD, Axis};
use std::collections::HashMap;

/// Servers that give one of several recorded answers to each sample: honest noise without computing it again.
pub struct Recorded {
    answers: HashMap<SampleId, Vec<ArrayD<f64>>>,
    random: Random,
}

/// A sample that was not recorded.
#[derive(Debug, thiserror::Error)]
#[error("no answer to sample {0} of the request was recorded")]
pub struct Unknown(usize);

impl Recorded {
    /// Record `repeats` answers to each of the samples `[n, …]`.
    ///
    /// # Errors
    /// If the servers fail.
    pub(crate) fn new<S: Servers>(
        servers: &mut S,
        samples: &ArrayD<f64>,
        repeats: usize,
        random: Random,
    ) -> Result<Self, VerifyError> {
        let mut answers: HashMap<SampleId, Vec<ArrayD<f64>>> = HashMap::new();
        for _ in 0..repeats {
            let all = servers
                .answer(samples)
                .map_err(|error| VerifyError::Servers(Box::new(error)))?;
            for (sample, answer) in samples.outer_iter().zip(all.outer_iter()) {
                let known = answers.entry(SampleId::of(&sample)).or_default();
                known.push(answer.to_owned());
            }
        }
        Ok(Self { answers, random })
    }
}

impl Servers for Recorded {
    type Error = Unknown;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, Unknown> {
        let mut rows = Vec::with_capacity(queries.len_of(Axis(0)));
        for (index, query) in queries.outer_iter().enumerate() {
            let known = self
                .answers
                .get(&SampleId::of(&query))
                .ok_or(Unknown(index))?;
            let which = self.random.below(known.len()).unwrap_or(0);
            rows.push(known[which].view());
        }
        Ok(ndarray::stack(Axis(0), &rows).unwrap_or_default())
    }
}
