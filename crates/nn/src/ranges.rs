//! How large the numbers of a plan become, and whether the ring holds them.

use crate::backend::{Bounds, Interval};
use crate::executor::Observer;
use crate::need::{Extent, Need};
use crate::plan::{Plan, Weights, fraction_bit_range};
use crate::ready::ready;
use crate::value::Value;
use crate::walk::Walk;
use ndarray::{ArrayD, IxDyn};
use std::time::Instant;

/// What is known of a step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRange {
    /// The least number of its output.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// What it needs on the way.
    pub extents: Vec<Extent>,
}

/// The tightest operand of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Headroom {
    /// Factors of two that are left, see [`Extent::headroom`].
    pub bits: f64,
    /// The operand.
    pub extent: Extent,
}

/// How far every number of a plan reaches: in the worst case for a range of inputs, or for given samples.
///
/// **Secrecy.** Ranges are computed from weights and tell about them. They belong to the model's owner and are part of
/// no plan and no message; only what the owner declares with [`Plan::declare_ranges`], and the fraction bits, are public.
#[derive(Clone, PartialEq)]
pub struct Ranges {
    /// One for each step of the plan.
    pub steps: Vec<StepRange>,
    /// The least and the greatest number of each input.
    pub inputs: Vec<[f64; 2]>,
    /// Inputs and weights as values.
    given: Vec<Extent>,
    /// Pictures that were looked at; none in the worst case.
    pub samples: Option<usize>,
}

impl Ranges {
    /// Factors of two that should be left above what samples reach: pictures that nobody has seen may reach further.
    pub const MARGIN: f64 = 1.0;

    /// Bounds for all inputs within `inputs`, one range for each input of the plan: no input in that range goes
    /// beyond, in exact arithmetic.
    ///
    /// They are computed by interval arithmetic, which forgets that one number is used in several places: the deeper a
    /// network, the wider they are.
    ///
    /// # Panics
    /// If the plan is not checked, the weights are not the plan's, or there is another number of ranges.
    pub fn worst_case(
        plan: &Plan,
        weights: &Weights,
        inputs: &[[f64; 2]],
        observer: &mut dyn Observer,
    ) -> Self {
        let intervals = plan.inputs.iter().zip(inputs).map(|(port, [low, high])| {
            let shape = IxDyn(plan.shape(port.value));
            Interval::between(
                ArrayD::from_elem(shape.clone(), low.min(*high)),
                ArrayD::from_elem(shape, high.max(*low)),
            )
        });
        Self::of(plan, weights, intervals.collect(), None, observer)
    }

    /// What one batch of samples reaches. [`Ranges::and`] joins batches.
    ///
    /// # Panics
    /// If the plan is not checked, or weights or inputs are not the plan's.
    pub fn of_samples(
        plan: &Plan,
        weights: &Weights,
        inputs: Vec<ArrayD<f64>>,
        observer: &mut dyn Observer,
    ) -> Self {
        let points = inputs.into_iter().map(Interval::point).collect();
        Self::of(plan, weights, points, Some(plan.batch), observer)
    }

    fn of(
        plan: &Plan,
        weights: &Weights,
        inputs: Vec<Interval>,
        samples: Option<usize>,
        observer: &mut dyn Observer,
    ) -> Self {
        let backend = Bounds::new(plan.format().ulp());
        let held = weights.held().into_iter();
        let weights: Vec<Interval> = held
            .map(|tensor| Interval::point(tensor.into_owned()))
            .collect();
        for tensor in weights.iter().chain(&inputs) {
            backend.note(Need::Value, tensor);
        }
        let given = backend.take();
        let reached = inputs.iter().map(Interval::extremes).collect();
        let mut steps = Vec::with_capacity(plan.steps.len());
        let mut walk = Walk::new(plan, weights, inputs);
        loop {
            let start = Instant::now();
            let Ok(step) = ready(walk.step(&backend));
            let Some((index, output)) = step else { break };
            let [low, high] = match &output {
                Value::Number(interval) => interval.extremes(),
                Value::Bit(signs) => signs.extremes(),
            };
            let extents = backend.take();
            steps.push(StepRange { low, high, extents });
            observer.step(index, &plan.steps[index].name, start.elapsed());
        }
        Self {
            steps,
            inputs: reached,
            given,
            samples,
        }
    }

    /// The steps that are softmaxes, or their logarithms, of logits further apart than the protocol takes.
    pub fn far_softmaxes(&self, ring_bits: u32, fraction_bits: u32) -> Vec<usize> {
        let far = |extent: &Extent| {
            let [_, greatest] = extent.need.allowed(ring_bits, fraction_bits);
            extent.need == Need::Spread && extent.high > greatest
        };
        let steps = self.steps.iter().enumerate();
        let steps = steps.filter(|(_, step)| step.extents.iter().any(far));
        steps.map(|(index, _)| index).collect()
    }

    /// As far as this or `other` reaches, two ranges of one plan.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        let join = |all: &mut Vec<Extent>, more: &[Extent]| {
            for extent in more {
                match all.iter_mut().find(|old| old.need == extent.need) {
                    Some(old) => old.widen(extent),
                    None => all.push(*extent),
                }
            }
        };
        join(&mut self.given, &other.given);
        for (input, more) in self.inputs.iter_mut().zip(&other.inputs) {
            *input = [input[0].min(more[0]), input[1].max(more[1])];
        }
        for (step, more) in self.steps.iter_mut().zip(&other.steps) {
            (step.low, step.high) = (step.low.min(more.low), step.high.max(more.high));
            join(&mut step.extents, &more.extents);
        }
        self.samples = self.samples.zip(other.samples).map(|(a, b)| a + b);
        self
    }

    /// The tightest operand of step `index`; none if the step computes nothing.
    ///
    /// # Panics
    /// If there is no such step.
    pub fn headroom(&self, index: usize, ring_bits: u32, fraction_bits: u32) -> Option<Headroom> {
        self.least(&self.steps[index].extents, ring_bits, fraction_bits)
    }

    /// The step with the least headroom, or `None` for the inputs and weights themselves, and that headroom.
    pub fn tightest(&self, ring_bits: u32, fraction_bits: u32) -> (Option<usize>, f64) {
        let given = self.least(&self.given, ring_bits, fraction_bits);
        let mut least = (None, given.map_or(f64::INFINITY, |room| room.bits));
        for index in 0..self.steps.len() {
            let room = self.headroom(index, ring_bits, fraction_bits);
            if let Some(room) = room.filter(|room| room.bits < least.1) {
                least = (Some(index), room.bits);
            }
        }
        least
    }

    /// Of samples, what is far below the largest logit or too small to divide by is no matter of room: softmaxes are
    /// widened where that happens, and comparing fixed point with floats tells whether a small divisor does harm.
    fn least(&self, extents: &[Extent], ring_bits: u32, fraction_bits: u32) -> Option<Headroom> {
        let counted = |extent: &&Extent| {
            let [least, _] = extent.need.allowed(ring_bits, fraction_bits);
            let small = extent.need == Need::Positive && extent.low < least && extent.high > 0.0;
            self.samples.is_none() || (extent.need != Need::Spread && !small)
        };
        let rooms = extents.iter().filter(counted).map(|&extent| Headroom {
            bits: extent.headroom(ring_bits, fraction_bits),
            extent,
        });
        rooms.min_by(|a, b| a.bits.total_cmp(&b.bits))
    }

    /// The headroom that is wanted: none above proven bounds, [`Ranges::MARGIN`] above samples.
    pub fn wanted(&self) -> f64 {
        if self.samples.is_some() {
            Self::MARGIN
        } else {
            0.0
        }
    }

    /// The most fraction bits with which everything has the wanted headroom, `limit` at most; `None` if there are none.
    pub fn fraction_bits(&self, ring_bits: u32, limit: u32) -> Option<u32> {
        fraction_bit_range(ring_bits)
            .rev()
            .find(|&bits| bits <= limit && self.tightest(ring_bits, bits).1 >= self.wanted())
    }
}
