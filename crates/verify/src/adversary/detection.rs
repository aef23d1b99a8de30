//! How often a fingerprint notices a tampering.

use super::tamper::{Tamperer, Tampering};
use crate::random::Random;
use crate::{Ascent, Fingerprint, InRing, Mode, Servers, VerifyError, clopper_pearson};
use ndarray::{ArrayD, Axis};
use serde::Serialize;
use trefoil_nn::{Plan, RunRing, Weights};
use trefoil_ring::{Z32, Z64};

/// What is compared in an experiment.
const MODES: [Mode; 3] = [Mode::Top1, Mode::TopK(3), Mode::Confidences];

/// Sensitive and natural probes of one model, in all modes.
pub struct Detection<'a> {
    plan: &'a Plan,
    weights: &'a Weights,
    sensitive: [Fingerprint; 3],
    natural: [Fingerprint; 3],
    seed: u64,
}

/// Detections of one kind of tampering by one kind of probes in one mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detected {
    /// What was done to the model; nothing for honest runs.
    pub tampering: Option<Tampering>,
    /// Whether the probes are sensitive samples, or natural ones.
    pub sensitive: bool,
    /// What was compared.
    pub mode: Mode,
    /// Tamperings, or honest runs.
    pub trials: u64,
    /// How many were noticed by the first 1, 2, … probes.
    pub noticed: Vec<u64>,
    /// How far weights moved relative to their norm, on average.
    pub moved: f64,
}

impl Detected {
    /// The share noticed by `probes` probes, with its 95 % interval.
    ///
    /// # Panics
    /// If there were fewer probes.
    pub fn rate(&self, probes: usize) -> (f64, (f64, f64)) {
        let noticed = self.noticed[probes - 1];
        let share = noticed as f64 / self.trials as f64;
        (share, clopper_pearson(noticed, self.trials, 0.95))
    }
}

impl<'a> Detection<'a> {
    /// Make `probes` sensitive probes from `natural` samples `[n, …]`, and take as many natural ones, for a plan of one
    /// sample at once. Everything random follows from `seed`.
    ///
    /// # Errors
    /// If a layer has no gradient, or there are too few samples.
    pub fn new(
        plan: &'a Plan,
        weights: &'a Weights,
        natural: &ArrayD<f64>,
        probes: usize,
        ascent: &Ascent,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, VerifyError> {
        let given = natural.shape().first().copied().unwrap_or(0);
        if probes == 0 || given < probes {
            return Err(VerifyError::Demand(format!(
                "{probes} probes from {given} samples: give at least as many samples"
            )));
        }
        let mut random = Random::seeded(seed);
        let mut make = |mode| {
            let mut say = |done| progress(done);
            Fingerprint::found_by(
                plan,
                weights,
                natural,
                probes,
                mode,
                ascent,
                &mut random,
                &mut say,
            )
        };
        let near = make(Mode::Top1)?;
        let sensitive = [
            near.clone(),
            near.in_mode(MODES[1]),
            make(Mode::Confidences)?,
        ];
        let first: Vec<usize> = (0..probes).collect();
        let first = natural.select(Axis(0), &first);
        let baseline =
            Fingerprint::record(plan, weights, &first, vec![0.0; probes], Mode::Confidences)?;
        Ok(Self {
            plan,
            weights,
            sensitive,
            natural: MODES.map(|mode| baseline.clone().in_mode(mode)),
            seed,
        })
    }

    /// The sensitive probes, comparing confidences.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.sensitive[MODES.len() - 1]
    }

    /// Check `trials` honest runs with fresh rounding.
    ///
    /// # Errors
    /// If the model does not fit its plan.
    pub fn honest(
        &self,
        trials: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<Detected>, VerifyError> {
        let mut rows = self.rows(None, trials);
        for trial in 0..trials {
            self.note(self.weights, trial, 0.0, &mut rows)?;
            progress(trial + 1);
        }
        Ok(rows)
    }

    /// Tamper `trials` times and look each time.
    ///
    /// # Errors
    /// If a retraining fails.
    pub fn tampered(
        &self,
        tamperer: &mut Tamperer<'_>,
        kind: Tampering,
        trials: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<Detected>, VerifyError> {
        let mut rows = self.rows(Some(kind), trials);
        for trial in 0..trials {
            let (weights, moved) = tamperer.tamper(kind)?;
            self.note(&weights, trial, moved / trials as f64, &mut rows)?;
            progress(trial + 1);
        }
        Ok(rows)
    }

    fn rows(&self, tampering: Option<Tampering>, trials: u64) -> Vec<Detected> {
        let sides = [true, false].into_iter();
        sides
            .flat_map(|sensitive| MODES.map(|mode| (sensitive, mode)))
            .map(|(sensitive, mode)| Detected {
                tampering,
                sensitive,
                mode,
                trials,
                noticed: vec![0; self.fingerprint().len()],
                moved: 0.0,
            })
            .collect()
    }

    fn note(
        &self,
        weights: &Weights,
        trial: u64,
        moved: f64,
        rows: &mut [Detected],
    ) -> Result<(), VerifyError> {
        // The two label modes share their probes, and all modes the natural ones.
        let asked = [&self.sensitive[0], &self.sensitive[2], &self.natural[0]]
            .map(|print| self.answers(weights, trial, print.probes()));
        let [near, moving, natural] = asked;
        let (near, moving, natural) = (near?, moving?, natural?);
        let answers = [&near, &near, &moving, &natural, &natural, &natural];
        let prints = self.sensitive.iter().chain(&self.natural);
        for (row, (print, answers)) in rows.iter_mut().zip(prints.zip(answers)) {
            row.moved += moved;
            let first = answers
                .outer_iter()
                .enumerate()
                .position(|(index, answer)| !print.matches(index, &answer));
            if let Some(first) = first {
                for noticed in &mut row.noticed[first..] {
                    *noticed += 1;
                }
            }
        }
        Ok(())
    }

    /// Answers in the parties' arithmetic, with fresh rounding for each trial.
    fn answers(
        &self,
        weights: &Weights,
        trial: u64,
        probes: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, VerifyError> {
        if self.plan.ring_bits == 32 {
            self.answers_in::<Z32>(weights, trial, probes)
        } else {
            self.answers_in::<Z64>(weights, trial, probes)
        }
    }

    fn answers_in<R: RunRing>(
        &self,
        weights: &Weights,
        trial: u64,
        probes: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, VerifyError> {
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..].copy_from_slice(&trial.to_le_bytes());
        InRing::<R>::new(self.plan, weights, seed)
            .and_then(|mut servers| servers.answer(probes))
            .map_err(|error| VerifyError::Servers(Box::new(error)))
    }
}
