//! Whether fixed point is right for a model and its inputs: looked at before a run, compared behind it.
//!
//! The client has the model and the samples, so it can know; decision 23 says what is compared, and with which bound.

use crate::local::{SEED, filled};
use crate::model::{Model, NumberFormat};
use crate::recipe::Recipe;
use crate::samples::Samples;
use crate::tolerance::{Deviation, SampledCheck, Tolerance};
use crate::watch::{Watch, step};
use crate::{Error, text};
use ndarray::{ArrayD, Axis, Slice, concatenate};
use std::collections::BTreeSet;
use std::time::Duration;
use trefoil_nn::{InputError, LayerError, Plan, Ranges, Scores, examine};

/// Multiply-accumulates and elements that the samples of a check may take: about a second. One sample is always looked at.
const WORK: u64 = 1 << 29;

/// A step whose error is this share of its largest number has lost its precision.
const LOST: f64 = 1.0 / 1024.0;

/// What samples show of a model in one format.
pub(crate) struct Found {
    /// The model, compiled for the samples.
    pub(crate) model: Model,
    /// How far its numbers reach.
    pub(crate) ranges: Ranges,
    /// Steps of the model as it is compiled whose softmax had to be widened.
    pub(crate) far: Vec<usize>,
    /// How far it is off, unless a number does not fit at all.
    compared: Result<Compared, InputError>,
}

/// Fixed point beside 64-bit floats.
pub(crate) struct Compared {
    /// The error of every step.
    pub(crate) errors: Vec<LayerError>,
    exact: ArrayD<f64>,
    tolerance: Tolerance,
    deviation: Deviation,
}

/// Samples that were looked at before a run, to be compared behind it.
pub(crate) struct Looked {
    samples: Vec<usize>,
    exact: ArrayD<f64>,
    tolerance: Tolerance,
    /// Steps whose softmax must be widened.
    pub(crate) far: Vec<usize>,
}

/// Run samples in floats, in fixed point and over ranges; a softmax of logits too far apart is widened.
///
/// # Errors
/// If the model cannot be compiled.
pub(crate) fn look(
    recipe: &Recipe<'_>,
    samples: &Samples,
    watch: &mut Watch<'_>,
) -> Result<Found, Error> {
    let mut recipe = recipe.for_samples(samples.len());
    let mut model = recipe.compile()?;
    let scaled = model.scaled(samples)?;
    let mut ranges = reached(&model, &scaled, watch)?;
    let (ring, bits) = (model.plan.ring_bits, model.plan.fraction_bits);
    if recipe.far.is_empty() {
        recipe.far = ranges.far_softmaxes(ring, bits);
        if !recipe.far.is_empty() {
            model.widen(&recipe.far);
            ranges = reached(&model, &scaled, watch)?;
        }
    }
    let compared = compared(&model, &scaled, watch)?;
    Ok(Found {
        model,
        ranges,
        far: recipe.far,
        compared,
    })
}

/// How far the numbers reach.
fn reached(model: &Model, samples: &Samples, watch: &mut Watch<'_>) -> Result<Ranges, Error> {
    let plan = &model.plan;
    let mut ranges: Option<Ranges> = None;
    batches(
        plan,
        samples,
        "looking at samples",
        watch,
        |input, observer| {
            let more = Ranges::of_samples(plan, &model.weights, input, observer);
            ranges = Some(match ranges.take() {
                Some(ranges) => ranges.and(&more),
                None => more,
            });
            Ok::<_, InputError>(())
        },
    )
    .map_err(Error::new)?;
    let mut ranges = ranges.ok_or_else(|| Error::new("there are no samples to look at"))?;
    ranges.samples = Some(samples.len());
    Ok(ranges)
}

/// Fixed point beside floats.
fn compared(
    model: &Model,
    samples: &Samples,
    watch: &mut Watch<'_>,
) -> Result<Result<Compared, InputError>, Error> {
    let plan = &model.plan;
    let mut errors = vec![LayerError::default(); plan.steps.len()];
    let (mut exact, mut rounded) = (Vec::new(), Vec::new());
    let done = batches(
        plan,
        samples,
        "comparing with the clear",
        watch,
        |input, observer| {
            let found = examine(plan, &model.weights, &input, SEED, observer)?;
            for (error, more) in errors.iter_mut().zip(found.errors) {
                *error = error.and(more);
            }
            exact.extend(found.exact);
            rounded.extend(found.rounded);
            Ok(())
        },
    );
    if let Err(error) = done {
        return Ok(Err(error));
    }
    let (exact, rounded) = (joined(&exact, samples)?, joined(&rounded, samples)?);
    let tolerance = Tolerance::new(plan, plan.scores() == Some(Scores::Class), &exact);
    let deviation = tolerance.compare(&rounded, &exact);
    Ok(Ok(Compared {
        errors,
        exact,
        tolerance,
        deviation,
    }))
}

/// Answers of all batches, without those that fill the last one.
fn joined(batches: &[ArrayD<f64>], samples: &Samples) -> Result<ArrayD<f64>, Error> {
    let views: Vec<_> = batches.iter().map(|batch| batch.view()).collect();
    let all = concatenate(Axis(0), &views)
        .map_err(|error| Error::new(format!("the batches' answers do not fit: {error}")))?;
    let wanted = Slice::from(..samples.len());
    Ok(all.slice_axis(Axis(0), wanted).to_owned())
}

type Observing<'a> = &'a mut dyn trefoil_nn::Observer;

/// Do something with each batch of samples; `watch` is told of each step under `what`.
///
/// # Errors
/// The first of `each`.
pub(crate) fn batches<E>(
    plan: &Plan,
    samples: &Samples,
    what: &'static str,
    watch: &mut Watch<'_>,
    mut each: impl FnMut(Vec<ArrayD<f64>>, Observing<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (steps, batches) = (plan.steps.len(), samples.len().div_ceil(plan.batch));
    for batch in 0..batches {
        let mut observer = |index: usize, name: &str, _: Duration| {
            watch(what, Some(step((batch, batches), (index, steps), name)));
        };
        let input = filled(samples, batch * plan.batch, plan.batch);
        each(input, &mut observer)?;
    }
    Ok(())
}

impl Found {
    /// The error of every step; none if a number does not fit at all.
    pub(crate) fn errors(&self) -> Option<&[LayerError]> {
        self.compared.as_ref().ok().map(|found| &found.errors[..])
    }

    /// How far answers are off, and what is allowed.
    pub(crate) fn told(&self) -> Option<SampledCheck> {
        let found = self.compared.as_ref().ok()?;
        Some(told(&found.deviation))
    }

    /// What is wrong, if anything is.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let plan = &self.model.plan;
        let (step, room) = self.ranges.tightest(plan.ring_bits, plan.fraction_bits);
        if room < 0.0 {
            let text = self.overflow(step);
            return Some(Trouble { text, finer: false });
        }
        let found = match &self.compared {
            Ok(found) => found,
            Err(error) => {
                let text = error.to_string();
                return Some(Trouble { text, finer: false });
            }
        };
        if !found.tolerance.exceeded(&found.deviation) {
            return None;
        }
        let place = self.culprit(&found.errors);
        let text = format!(
            "fixed point is not precise enough: {}; {place}",
            wrong(&found.deviation, None)
        );
        Some(Trouble { text, finer: true })
    }

    fn overflow(&self, step: Option<usize>) -> String {
        let plan = &self.model.plan;
        let (ring, bits) = (plan.ring_bits, plan.fraction_bits);
        let what = "the ring cannot hold the model's numbers";
        let Some(index) = step else {
            let [least, greatest] = trefoil_nn::Need::Value.allowed(ring, bits);
            return format!(
                "{what}: among inputs and weights, allowed {} to {}",
                text::number(least),
                text::number(greatest)
            );
        };
        let step = &plan.steps[index];
        let place = format!("{what}: at step `{}` ({})", step.name, step.layer.name());
        match self.ranges.headroom(index, ring, bits) {
            None => place,
            Some(room) => {
                let [least, greatest] = room.extent.need.allowed(ring, bits);
                format!(
                    "{place}, {} from {} to {}, allowed {} to {}",
                    room.extent.need.name(),
                    text::number(room.extent.low),
                    text::number(room.extent.high),
                    text::number(least),
                    text::number(greatest)
                )
            }
        }
    }

    /// The step at which precision is lost, and why as far as it shows.
    fn culprit(&self, errors: &[LayerError]) -> String {
        let plan = &self.model.plan;
        let unit = plan.format().ulp();
        let share = |error: &LayerError| error.largest / error.magnitude.max(unit);
        let lost = |error: &&LayerError| share(error) > LOST && error.largest > 2.0 * unit;
        let index = errors.iter().position(|error| lost(&error)).or_else(|| {
            let most = errors.iter().enumerate();
            let most = most.max_by(|(_, a), (_, b)| share(a).total_cmp(&share(b)));
            most.map(|(index, _)| index)
        });
        let Some(index) = index else {
            return "it is lost in the input itself".to_owned();
        };
        let step = &plan.steps[index];
        let error = &errors[index];
        let mut text = format!(
            "precision is lost at step `{}` ({}), off by {} of {}",
            step.name,
            step.layer.name(),
            text::number(error.largest),
            text::number(error.magnitude)
        );
        let small = |port: &&trefoil_nn::Port| step.inputs.contains(&port.value);
        let places = plan.weights.iter().enumerate();
        let least = places
            .filter(|(_, port)| small(port))
            .filter_map(|(place, _)| self.model.weights.iter().nth(place))
            .flat_map(|tensor| tensor.iter().map(|value| value.abs()))
            .filter(|&value| value > 0.0)
            .fold(f64::INFINITY, f64::min);
        if least < 1024.0 * unit {
            let least = text::number(least);
            let why = format!(
                ": its weights are as small as {least}, and numbers are multiples of {unit:.1e}"
            );
            text += &why;
        }
        text
    }

    /// The refusal, with what was tried and helps.
    pub(crate) fn refuse(
        trouble: &Trouble,
        recipe: &Recipe<'_>,
        samples: &Samples,
        watch: &mut Watch<'_>,
    ) -> Error {
        let mut help = tried(trouble, recipe, samples, watch);
        if !trouble.finer {
            help.push(
                "--calibrate X.npy --auto-fraction-bits chooses fraction bits by what samples reach"
                    .to_owned(),
            );
        }
        if help.is_empty() {
            help.push(
                "no other format that was tried helps: scale inputs and first layer as in training, so that numbers lie \
                 between a thousandth and some thousands"
                    .to_owned(),
            );
        }
        Error::new(&trouble.text).with_help(help.join("; or "))
    }
}

/// What is wrong.
pub(crate) struct Trouble {
    text: String,
    /// Whether numbers are too coarse, not too large.
    finer: bool,
}

/// What makes the samples right: each remedy is tried before it is named.
fn tried(
    trouble: &Trouble,
    recipe: &Recipe<'_>,
    samples: &Samples,
    watch: &mut Watch<'_>,
) -> Vec<String> {
    let mut right = |recipe: &Recipe<'_>| {
        let found = look(recipe, samples, watch).ok()?;
        found.trouble().is_none().then_some(())
    };
    let mut help = Vec::new();
    if !recipe.public_scaling {
        let mut scaled = recipe.with_bits(recipe.format.bits());
        scaled.public_scaling = true;
        if right(&scaled).is_some() {
            help.push(
                "add --public-scaling, which makes these samples right: the client then applies what scales the model's input"
                    .to_owned(),
            );
        }
    }
    let bits = recipe.format.bits();
    let (fewest, most) = if recipe.format.ring == 64 {
        (5, 29)
    } else {
        (3, 13)
    };
    let candidates: Vec<u32> = if trouble.finer {
        [bits + 3, bits + 6, most].into_iter().collect()
    } else {
        [bits.saturating_sub(4), bits.saturating_sub(8), fewest].into()
    };
    let other = |candidate: &u32| (fewest..=most).contains(candidate) && *candidate != bits;
    let found = candidates
        .into_iter()
        .filter(other)
        .find(|&candidate| right(&recipe.with_bits(candidate)).is_some());
    if let Some(candidate) = found {
        help.push(format!(
            "use --fraction-bits {candidate}, which makes these samples right"
        ));
    }
    if recipe.format.ring == 32 {
        let mut wide = recipe.with_bits(0);
        wide.format = NumberFormat {
            ring: 64,
            fraction_bits: None,
        };
        if right(&wide).is_some() {
            help.push("use --ring 64, which makes these samples right".to_owned());
        }
    }
    help
}

/// Look at some samples before a run, or at all.
///
/// # Errors
/// If fixed point is not right for them: with the layer, and what helps.
pub(crate) fn before(
    recipe: &Recipe<'_>,
    samples: &Samples,
    watch: &mut Watch<'_>,
) -> Result<Looked, Error> {
    let work = {
        let model = recipe.for_samples(1).compile()?;
        per_sample(&model.plan)
    };
    let most = usize::try_from(WORK / work.max(1)).unwrap_or(usize::MAX);
    let numbers = chosen(samples, most.max(1));
    let few = samples.select(&numbers);
    let found = look(recipe, &few, watch)?;
    if let Some(trouble) = found.trouble() {
        let failure = Found::refuse(&trouble, recipe, &few, watch);
        return Err(failure.and_help("--no-check runs it as it is"));
    }
    let far = found.far;
    match found.compared {
        Ok(compared) => Ok(Looked {
            samples: numbers,
            exact: compared.exact,
            tolerance: compared.tolerance,
            far,
        }),
        Err(error) => Err(Error::new(error)),
    }
}

/// Multiply-accumulates and elements of one sample.
fn per_sample(plan: &Plan) -> u64 {
    let products: u64 = plan
        .steps
        .iter()
        .map(|step| plan.multiply_accumulates(step))
        .sum();
    let elements: u64 = plan
        .steps
        .iter()
        .map(|step| plan.shape(step.output).iter().product::<usize>() as u64)
        .sum();
    (products + elements) / plan.batch.max(1) as u64
}

/// Which samples are looked at: the one with the largest number, the one whose largest number is smallest, and others
/// evenly spread.
fn chosen(samples: &Samples, most: usize) -> Vec<usize> {
    let count = samples.len();
    if most >= count {
        return (0..count).collect();
    }
    let reach: Vec<f64> = samples.inputs[0]
        .axis_iter(Axis(0))
        .map(|sample| sample.iter().fold(0.0, |most: f64, v| most.max(v.abs())))
        .collect();
    let by = |a: &usize, b: &usize| reach[*a].total_cmp(&reach[*b]);
    let ends = [(0..count).max_by(by), (0..count).min_by(by)];
    let mut numbers: BTreeSet<usize> = ends.into_iter().flatten().take(most).collect();
    for number in 0..most {
        if numbers.len() == most {
            break;
        }
        numbers.insert(number * count / most);
    }
    numbers.into_iter().collect()
}

impl Looked {
    /// Compare the answers to the samples that were looked at.
    ///
    /// # Errors
    /// If they are further off than is allowed.
    pub(crate) fn compare(&self, answers: &ArrayD<f64>) -> Result<SampledCheck, Error> {
        let answers = answers.select(Axis(0), &self.samples);
        let deviation = self.tolerance.compare(&answers, &self.exact);
        if self.tolerance.exceeded(&deviation) {
            let sample = self.samples.get(deviation.worst.sample);
            return Err(refused(&deviation, sample.copied()));
        }
        Ok(told(&deviation))
    }
}

/// Compare all answers with those in the clear.
///
/// # Errors
/// If they are further off than is allowed.
pub fn all(model: &Model, answers: &ArrayD<f64>, clear: &ArrayD<f64>) -> Result<(), Error> {
    // A guard searches, and may find something else from a slightly different start.
    let undecided = model.guard.is_some() || model.scores() == Some(Scores::Class);
    let tolerance = Tolerance::new(&model.plan, undecided, clear);
    let deviation = tolerance.compare(answers, clear);
    if tolerance.exceeded(&deviation) {
        return Err(refused(&deviation, Some(deviation.worst.sample)));
    }
    Ok(())
}

fn refused(deviation: &Deviation, sample: Option<usize>) -> Error {
    Error::new(format!(
        "the answers are not those in the clear: {}; nothing is written",
        wrong(deviation, sample)
    ))
    .with_help(
        "--backend fixed --check --layers shows where precision goes, trefoil inspect M.onnx --calibrate X.npy how far \
         numbers reach; --no-check takes the answers as they are",
    )
}

fn told(deviation: &Deviation) -> SampledCheck {
    SampledCheck {
        samples: deviation.samples,
        max_abs_error: deviation.largest,
        allowed: deviation.worst.allowed,
    }
}

/// How far answers are off, in words; `sample` is the worst one, counted from 0 in the input.
fn wrong(deviation: &Deviation, sample: Option<usize>) -> String {
    let worst = &deviation.worst;
    let place = sample.map_or_else(String::new, |sample| format!(" (sample {sample})"));
    format!(
        "{} of {} compared {} off by more than is allowed, the worst{place} by {} of {} (allowed {})",
        deviation.beyond,
        text::count(deviation.samples, "answer"),
        if deviation.beyond == 1 { "is" } else { "are" },
        text::number(worst.error),
        text::number(worst.magnitude),
        text::number(worst.allowed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn the_samples_that_are_looked_at_hold_the_largest_and_the_smallest() {
        let mut values = Array2::from_elem((100, 3), 1.0);
        (values[[37, 1]], values[[59, 2]]) = (-9.0, 3.0);
        values.row_mut(83).fill(1e-6);
        let samples = Samples::of(values.into_dyn());
        assert_eq!(chosen(&samples, 200), (0..100).collect::<Vec<_>>());
        let few = chosen(&samples, 10);
        assert!(
            few.len() == 10 && few.contains(&37) && few.contains(&83),
            "{few:?}"
        );
        assert_eq!(chosen(&samples, 1), [37]);
    }
}
