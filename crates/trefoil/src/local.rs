//! Running a model in this process alone: in 64-bit floats, or in the ring without parties.

use crate::Error;
use crate::model::{Model, wider};
use crate::samples::Samples;
use ndarray::{ArrayD, Axis, Slice, concatenate};
use std::convert::Infallible;
use std::time::Instant;
use trefoil_guard::{Guard, GuardBackend, GuardRing, Held};
use trefoil_nn::{Clear, Fixed, PlanBackend, Port, RangedBackend, ready, run};
use trefoil_ring::{Ring, Z32, Z64};
use trefoil_serve::{Outcome, Phase, Progress, Report};

/// Coins of the rounding: the same for every run, so that its results can be repeated.
pub(crate) const SEED: [u8; 16] = *b"trefoil fixed 01";

/// The definition of the result: 64-bit floats.
///
/// # Errors
/// If the model's batches cannot be put together.
pub fn clear(
    model: &Model,
    samples: &Samples,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, Error> {
    let start = Instant::now();
    let weights = model.weights.clear();
    let setup_s = start.elapsed().as_secs_f64();
    let codec = (|batch: ArrayD<f64>| batch, |answer| answer);
    batches(&Clear, model, weights, samples, codec, setup_s, progress)
}

/// The parties' arithmetic with their rounding, without the parties.
///
/// # Errors
/// If a weight does not fit the plan's numbers. Samples must have been checked.
pub fn fixed(
    model: &Model,
    samples: &Samples,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, Error> {
    if model.plan.ring_bits == 32 {
        in_ring::<Z32>(model, samples, progress)
    } else {
        in_ring::<Z64>(model, samples, progress)
    }
}

fn in_ring<R: GuardRing>(
    model: &Model,
    samples: &Samples,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, Error> {
    let start = Instant::now();
    let format = model.plan.format();
    let weights = model.weights.encode::<R>(&model.plan).map_err(|error| {
        Error::new(format!("the model's weights: {error}"))
            .with_help(format!("use {}", wider(model.plan.ring_bits)))
    })?;
    let setup_s = start.elapsed().as_secs_f64();
    let codec = (
        |batch: ArrayD<f64>| batch.mapv(|value| format.encode::<R>(value)),
        |answer: ArrayD<R>| format.decode_all(answer.view()),
    );
    let backend = Fixed::<R>::new(format, SEED);
    batches(&backend, model, &weights, samples, codec, setup_s, progress)
}

/// The samples, and every value that the model makes of them, as words of its ring: what a server would see if nothing were
/// hidden.
///
/// # Errors
/// As [`fixed`].
pub fn words(model: &Model, samples: &Samples) -> Result<Vec<u64>, Error> {
    let mut open = model.plan.clone();
    open.outputs = open
        .steps
        .iter()
        .map(|step| Port {
            name: step.name.clone(),
            value: step.output,
        })
        .collect();
    let format = open.format();
    let weights = model.weights.encode::<Z64>(&open).map_err(Error::new)?;
    let backend = Fixed::<Z64>::new(format, SEED);
    let mut words: Vec<u64> = Vec::new();
    for start in (0..samples.len()).step_by(open.batch) {
        let inputs: Vec<ArrayD<Z64>> = filled(samples, start, open.batch)
            .into_iter()
            .map(|input| input.mapv(|value| format.encode(value)))
            .collect();
        let Ok(values) = ready(run(&open, &backend, &weights, inputs.clone(), &mut ()));
        for tensor in values.iter().chain(&inputs) {
            words.extend(tensor.iter().map(|word| word.to_u64()));
        }
    }
    Ok(words)
}

/// Run batch after batch, the last one filled up.
fn batches<B: PlanBackend + GuardBackend + RangedBackend<Error = Infallible>>(
    backend: &B,
    model: &Model,
    weights: &[B::Tensor],
    samples: &Samples,
    (encode, decode): (
        impl Fn(ArrayD<f64>) -> B::Tensor,
        impl Fn(B::Tensor) -> ArrayD<f64>,
    ),
    setup_s: f64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, Error> {
    let plan = &model.plan;
    let start = Instant::now();
    let mut phases: Vec<Phase> = plan
        .steps
        .iter()
        .map(|step| Phase {
            name: step.name.clone(),
            ..Phase::default()
        })
        .collect();
    let (steps, batches) = (phases.len(), samples.len().div_ceil(plan.batch));
    let settings = model.guard.as_ref().map(Guard::settings);
    let guard = model.guard.as_ref().zip(settings.as_ref());
    let guard = guard.map(|(guard, settings)| {
        phases.push(Phase {
            name: "guard".into(),
            ..Phase::default()
        });
        let secrets = guard.tensors();
        let secrets: Vec<_> = secrets.iter().map(|t| backend.public(t)).collect();
        let Ok(held) = ready(Held::new(backend, settings, &secrets));
        held
    });
    let mut answers = Vec::with_capacity(batches);
    for batch in 0..batches {
        let inputs = filled(samples, batch * plan.batch, plan.batch);
        let inputs = inputs.into_iter().map(&encode).collect();
        let mut observer = |index: usize, name: &str, elapsed: std::time::Duration| {
            phases[index].seconds += elapsed.as_secs_f64();
            progress(Progress::Step {
                batch,
                batches,
                index,
                steps,
                name: name.to_owned(),
            });
        };
        let Ok(mut outputs) = ready(run(plan, backend, weights, inputs, &mut observer));
        if let (Some(guard), Some(logits)) = (&guard, outputs.first_mut()) {
            let start = Instant::now();
            let Ok(guarded) = ready(guard.answer(backend, logits));
            *logits = guarded;
            observer(steps, "guard", start.elapsed());
        }
        answers.extend(outputs.into_iter().map(&decode));
    }
    let views: Vec<_> = answers.iter().map(|answer| answer.view()).collect();
    let joined = concatenate(Axis(0), &views)
        .map_err(|error| Error::new(format!("the batches' answers do not fit: {error}")))?;
    let wanted = joined.slice_axis(Axis(0), Slice::from(..samples.len()));
    Ok(Outcome {
        outputs: vec![wanted.to_owned()],
        report: Report {
            wall_s: start.elapsed().as_secs_f64(),
            setup_s,
            phases,
            ..Report::default()
        },
    })
}

/// For each input the batch of samples from number `start` on.
pub(crate) fn filled(samples: &Samples, start: usize, batch: usize) -> Vec<ArrayD<f64>> {
    let inputs = samples.inputs.iter();
    inputs
        .map(|input| trefoil_nn::filled(input, start, batch))
        .collect()
}
