//! A model's fingerprint: sensitive samples and the answers that the uploaded model gives to them.

use crate::plan::check_digest;
use crate::random::Random;
use crate::sensitive::{Ascent, candidates, cover, stacked};
use crate::tolerance::derive_tolerance;
use crate::{InTheClear, MixPlan, Servers, VerifyError};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn};
use serde::{Deserialize, Serialize};
use std::path::Path;
use trefoil_nn::{Plan, Weights};

/// Version of the fingerprint's file. Raised with every change of its meaning.
const VERSION: u32 = 1;

/// Probes of labels keep their two best scores this many tolerances apart, at least: twice what an honest answer may
/// move them, so that an error in estimating the tolerance raises no alarm.
const MARGIN: f64 = 4.0;

/// What of an answer is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The label alone.
    Top1,
    /// The `k` best labels, in order.
    TopK(usize),
    /// Every score, up to the tolerance.
    Confidences,
}

/// Probes and their recorded answers. Whoever knows the probes can serve the right model for them alone: keep
/// the file from the servers.
#[derive(Clone, Debug)]
pub struct Fingerprint {
    /// What is compared.
    pub mode: Mode,
    /// How far scores may be from the recorded ones.
    pub tolerance: f64,
    pub(crate) probes: ArrayD<f64>,
    answers: ArrayD<f64>,
    sensitivities: Vec<f64>,
    model: String,
}

/// What the probes told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Probes asked.
    pub probes: usize,
    /// Of them, answered differently.
    pub differing: usize,
    /// How far a score was from the recorded one, at most.
    pub largest_difference: f64,
    /// How far it may be.
    pub tolerance: f64,
}

impl Check {
    /// Whether the deployed model is the recorded one, as far as the probes tell.
    pub fn same(&self) -> bool {
        self.differing == 0
    }
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    model: String,
    mode: Mode,
    tolerance: f64,
    shape: Vec<usize>,
    answer_shape: Vec<usize>,
    probes: Vec<Record>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    sensitivity: f64,
    sample: Vec<f32>,
    answer: Vec<f64>,
}

impl Fingerprint {
    /// Make a fingerprint of `count` probes for a model, compiled for one sample at once: climb from each of the
    /// `natural` samples `[n, …]`, choose by cover, and record the answers in the clear. The tolerance is derived
    /// from the arithmetic ([`derive_tolerance`]) and the distance of the plan's numbers from real ones,
    /// measured in the ring.
    ///
    /// # Errors
    /// If a layer has no gradient, or there are fewer natural samples than probes.
    ///
    /// # Panics
    /// If the plan's batch is not 1.
    pub fn make(
        plan: &Plan,
        weights: &Weights,
        natural: &ArrayD<f64>,
        count: usize,
        mode: Mode,
        ascent: &Ascent,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, VerifyError> {
        let single =
            |port: &trefoil_nn::Port| plan.shape(port.value).iter().skip(1).product::<usize>() == 1;
        if mode != Mode::Confidences && plan.outputs.iter().all(single) {
            return Err(VerifyError::Demand(
                "the order of best labels says nothing of a model that answers with a single number: compare confidences"
                    .into(),
            ));
        }
        Self::found_by(
            plan,
            weights,
            natural,
            count,
            mode,
            ascent,
            &mut Random::system(),
            progress,
        )
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "those of `make`, and the generator for experiments"
    )]
    pub(crate) fn found_by(
        plan: &Plan,
        weights: &Weights,
        natural: &ArrayD<f64>,
        count: usize,
        mode: Mode,
        ascent: &Ascent,
        random: &mut Random,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, VerifyError> {
        let given = natural.shape().first().copied().unwrap_or(0);
        if count == 0 || given < count {
            return Err(VerifyError::Demand(format!(
                "{count} probes from {given} natural samples: give at least one probe, and a natural sample for each"
            )));
        }
        let mut ascent = *ascent;
        if mode != Mode::Confidences {
            // Labels may change places within twice the tolerance; from there on they tell.
            let few: Vec<usize> = (0..given.min(4)).collect();
            let few = natural.select(Axis(0), &few);
            let known = Self::record(plan, weights, &few, vec![0.0; few.len_of(Axis(0))], mode)?;
            ascent.margin = Some(MARGIN * known.tolerance);
        }
        let found = candidates(plan, weights, natural, &ascent, random, progress)?;
        let mut probes = Vec::new();
        let mut sensitivities = Vec::new();
        for index in cover(&found, count) {
            let candidate = &found[index];
            for sample in [Some(&candidate.sample), candidate.across.as_ref()]
                .into_iter()
                .flatten()
            {
                probes.push(sample.clone());
                sensitivities.push(candidate.score);
            }
        }
        probes.truncate(count);
        sensitivities.truncate(count);
        Self::record(plan, weights, &stacked(&probes), sensitivities, mode)
    }

    /// A fingerprint of given probes `[n, …]`: natural samples for a baseline, say.
    ///
    /// # Errors
    /// As [`Fingerprint::make`].
    pub(crate) fn record(
        plan: &Plan,
        weights: &Weights,
        probes: &ArrayD<f64>,
        sensitivities: Vec<f64>,
        mode: Mode,
    ) -> Result<Self, VerifyError> {
        // Single precision in the file, so in the record.
        let probes = probes.mapv(|v| f64::from(v as f32));
        let Ok(answers) = InTheClear::new(plan, weights).answer(&probes);
        let noise = derive_tolerance(plan, weights, &probes)?;
        // Encoding weights and inputs moves answers by the same amount in every run.
        let bias = encoding_bias(plan, weights, &probes, &answers)?;
        Ok(Self {
            mode,
            tolerance: noise + 2.0 * bias,
            probes,
            answers,
            sensitivities,
            model: MixPlan::model_digest(plan),
        })
    }

    /// How many probes.
    pub fn len(&self) -> usize {
        self.probes.len_of(Axis(0))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The probes, `[n, …]`.
    pub fn probes(&self) -> &ArrayD<f64> {
        &self.probes
    }

    /// `S` of each probe.
    pub fn sensitivities(&self) -> &[f64] {
        &self.sensitivities
    }

    /// Whether an answer to probe `index` is the recorded one.
    ///
    /// Scores that are recorded closer to each other than twice the tolerance may change places.
    pub fn matches(&self, index: usize, answer: &ArrayViewD<'_, f64>) -> bool {
        let recorded = self.answers.index_axis(Axis(0), index);
        if recorded.shape() != answer.shape() || answer.iter().any(|score| !score.is_finite()) {
            return false;
        }
        let recorded: Vec<f64> = recorded.iter().copied().collect();
        let answer: Vec<f64> = answer.iter().copied().collect();
        let k = match self.mode {
            Mode::Confidences => {
                let pairs = recorded.iter().zip(&answer);
                return pairs
                    .into_iter()
                    .all(|(a, b)| (a - b).abs() <= self.tolerance);
            }
            Mode::Top1 => 1,
            Mode::TopK(k) => k,
        };
        let (expected, actual) = (ranking(&recorded), ranking(&answer));
        let pairs = expected.iter().zip(&actual).take(k);
        pairs
            .into_iter()
            .all(|(&a, &b)| a == b || (recorded[a] - recorded[b]).abs() <= 2.0 * self.tolerance)
    }

    /// Ask servers all probes, and compare.
    ///
    /// # Errors
    /// If they fail.
    pub fn check<S: Servers>(&self, servers: &mut S) -> Result<Check, VerifyError> {
        let answers = servers
            .answer(&self.probes)
            .map_err(|error| VerifyError::Servers(Box::new(error)))?;
        if answers.shape() != self.answers.shape() {
            return Err(VerifyError::Shape {
                what: "the servers' answer".into(),
                expected: format!("{:?}", self.answers.shape()),
                actual: answers.shape().to_vec(),
            });
        }
        let pairs = answers.outer_iter().enumerate();
        let differing = pairs
            .filter(|(index, answer)| !self.matches(*index, answer))
            .count();
        let largest = (&answers - &self.answers).iter().fold(0.0_f64, |most, d| {
            if d.is_nan() {
                f64::INFINITY
            } else {
                most.max(d.abs())
            }
        });
        Ok(Check {
            probes: self.len(),
            differing,
            largest_difference: largest,
            tolerance: self.tolerance,
        })
    }

    /// Check that the fingerprint is of a model with this plan.
    ///
    /// # Errors
    /// If it names another digest.
    pub fn check_model(&self, plan: &Plan) -> Result<(), VerifyError> {
        check_digest("the fingerprint", Some(&self.model), plan)
    }

    /// These probes, compared in another mode.
    #[must_use]
    pub fn in_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// The first `count` probes of this fingerprint.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let indices: Vec<usize> = (0..count.min(self.len())).collect();
        Self {
            probes: self.probes.select(Axis(0), &indices),
            answers: self.answers.select(Axis(0), &indices),
            sensitivities: self.sensitivities[..indices.len()].to_vec(),
            model: self.model.clone(),
            ..*self
        }
    }

    /// The text of a fingerprint's file, JSON.
    pub fn to_json(&self) -> String {
        let records = (0..self.len()).map(|index| Record {
            sensitivity: self.sensitivities[index],
            sample: self
                .probes
                .index_axis(Axis(0), index)
                .iter()
                .map(|&v| v as f32)
                .collect(),
            answer: self
                .answers
                .index_axis(Axis(0), index)
                .iter()
                .copied()
                .collect(),
        });
        let file = File {
            version: VERSION,
            model: self.model.clone(),
            mode: self.mode,
            tolerance: self.tolerance,
            shape: self.probes.shape()[1..].to_vec(),
            answer_shape: self.answers.shape()[1..].to_vec(),
            probes: records.collect(),
        };
        // Finite numbers and texts always encode.
        serde_json::to_string(&file).unwrap_or_default()
    }

    /// Read a fingerprint's file.
    ///
    /// # Errors
    /// If it cannot be read, is no fingerprint, or contradicts itself.
    pub fn load(path: &Path) -> Result<Self, VerifyError> {
        let refuse = |problem: String| VerifyError::File {
            path: path.to_owned(),
            problem,
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let file: File = serde_json::from_str(&text).map_err(|error| {
            refuse(format!(
                "no fingerprint: {error}; make one with `trefoil verify fingerprint make`"
            ))
        })?;
        if file.version != VERSION {
            return Err(refuse(format!(
                "the fingerprint has version {}, this program reads version {VERSION}; make it again",
                file.version
            )));
        }
        let array = |shape: &[usize], values: Vec<f64>| {
            let shape: Vec<usize> = [&[file.probes.len()], shape].concat();
            let finite = values.iter().all(|value| value.is_finite());
            let array = ArrayD::from_shape_vec(IxDyn(&shape), values);
            array
                .ok()
                .filter(|array| finite && !array.is_empty())
                .ok_or_else(|| {
                    refuse("damaged: its probes or answers do not have the shapes it names".into())
                })
        };
        let samples = file.probes.iter().flat_map(|record| &record.sample);
        let probes = array(&file.shape, samples.map(|&v| f64::from(v)).collect())?;
        let answers = file.probes.iter().flat_map(|record| &record.answer);
        let answers = array(&file.answer_shape, answers.copied().collect())?;
        if !(file.tolerance.is_finite() && file.tolerance >= 0.0) || file.mode == Mode::TopK(0) {
            return Err(refuse(
                "damaged: a tolerance or mode without meaning".into(),
            ));
        }
        Ok(Self {
            mode: file.mode,
            tolerance: file.tolerance,
            probes,
            answers,
            sensitivities: file
                .probes
                .iter()
                .map(|record| record.sensitivity)
                .collect(),
            model: file.model,
        })
    }
}

/// Places of the scores, largest first, the first of equal ones first.
fn ranking(scores: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).collect();
    places.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    places
}

/// How far answers in the ring are from those in the clear, at most.
fn encoding_bias(
    plan: &Plan,
    weights: &Weights,
    probes: &ArrayD<f64>,
    clear: &ArrayD<f64>,
) -> Result<f64, VerifyError> {
    let seed = *b"trefoil recorded";
    let refuse = |error: trefoil_nn::InputError| VerifyError::Servers(Box::new(error));
    let in_ring = if plan.ring_bits == 32 {
        crate::InRing::<trefoil_ring::Z32>::new(plan, weights, seed)
            .and_then(|mut servers| servers.answer(probes))
    } else {
        crate::InRing::<trefoil_ring::Z64>::new(plan, weights, seed)
            .and_then(|mut servers| servers.answer(probes))
    };
    let difference = in_ring.map_err(refuse)? - clear;
    Ok(difference
        .iter()
        .fold(0.0, |most: f64, d| most.max(d.abs())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InRing;
    use trefoil_nn::{Graph, Options};
    use trefoil_ring::Z64;

    fn model() -> (Plan, Weights) {
        let graph = Graph::from_bytes(trefoil_digits::MODEL, "digits.onnx").unwrap();
        let options = Options {
            batch: Some(1),
            ..Options::default()
        };
        Plan::compile(&graph, &options).unwrap()
    }

    fn made(mode: Mode) -> (Plan, Weights, Fingerprint) {
        let (plan, weights) = model();
        let (natural, _) = trefoil_digits::generate(6, 4);
        let natural = natural.mapv(f64::from).into_dyn();
        let ascent = Ascent::within(0.0, 1.0).steps(3);
        let made = Fingerprint::make(&plan, &weights, &natural, 4, mode, &ascent, &mut |_| {});
        let made = made.unwrap();
        (plan, weights, made)
    }

    #[test]
    fn the_recorded_model_passes_and_a_moved_weight_does_not() {
        let (plan, weights, fingerprint) = made(Mode::Confidences);
        let mut honest = InRing::<Z64>::new(&plan, &weights, *b"an honest server").unwrap();
        for _ in 0..20 {
            assert!(fingerprint.check(&mut honest).unwrap().same());
        }
        let mut tensors = weights.to_clear();
        tensors[0].mapv_inplace(|v| 1.001 * v);
        let changed = Weights::from_tensors(&plan, tensors).unwrap();
        let mut cheat = InRing::<Z64>::new(&plan, &changed, *b"a cheating serve").unwrap();
        let check = fingerprint.check(&mut cheat).unwrap();
        assert!(
            !check.same() && check.largest_difference > check.tolerance,
            "{check:?}"
        );
    }

    #[test]
    fn a_file_brings_the_fingerprint_back_and_damage_is_refused() {
        let (plan, _, fingerprint) = made(Mode::TopK(3));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.fingerprint");
        std::fs::write(&path, fingerprint.to_json()).unwrap();
        let read = Fingerprint::load(&path).unwrap();
        assert!(read.to_json() == fingerprint.to_json());
        assert_eq!(read.len(), 4);
        read.check_model(&plan).unwrap();
        let graph = Graph::from_bytes(trefoil_digits::LENET5, "lenet5.onnx").unwrap();
        let (other, _) = Plan::compile(&graph, &Options::default()).unwrap();
        assert!(matches!(
            read.check_model(&other),
            Err(VerifyError::OtherModel { .. })
        ));
        let good = fingerprint.to_json();
        for (from, to) in [
            ("\"version\":1", "\"version\":7"),
            ("\"shape\":[1,28,28]", "\"shape\":[1,28,27]"),
            ("{\"top-k\":3}", "{\"top-k\":0}"),
            ("\"model\"", "\"modal\""),
        ] {
            assert!(good.contains(from), "{from}");
            std::fs::write(&path, good.replace(from, to)).unwrap();
            assert!(
                matches!(Fingerprint::load(&path), Err(VerifyError::File { .. })),
                "{to}"
            );
        }
    }

    #[test]
    fn rankings_are_compared_up_to_ties() {
        let (_, _, mut fingerprint) = made(Mode::Top1);
        fingerprint.tolerance = 0.05;
        fingerprint.answers =
            ArrayD::from_shape_vec(IxDyn(&[1, 4]), vec![1.0, 0.95, 0.2, 0.0]).unwrap();
        let answer =
            |scores: [f64; 4]| ArrayD::from_shape_vec(IxDyn(&[4]), scores.to_vec()).unwrap();
        assert!(fingerprint.matches(0, &answer([0.9, 1.0, 0.2, 0.0]).view()));
        assert!(!fingerprint.matches(0, &answer([0.9, 0.2, 1.0, 0.0]).view()));
        assert!(!fingerprint.matches(0, &answer([f64::NAN, 0.2, 0.1, 0.0]).view()));
        fingerprint.mode = Mode::TopK(3);
        assert!(fingerprint.matches(0, &answer([9.0, 8.0, 7.0, 1.0]).view()));
        assert!(!fingerprint.matches(0, &answer([9.0, 8.0, 1.0, 7.0]).view()));
        fingerprint.mode = Mode::Confidences;
        assert!(fingerprint.matches(0, &answer([1.04, 0.95, 0.2, 0.0]).view()));
        assert!(!fingerprint.matches(0, &answer([1.06, 0.95, 0.2, 0.0]).view()));
    }
}
