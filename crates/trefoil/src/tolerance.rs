//! How far answers in fixed point may be from those in 64-bit floats.

use ndarray::{ArrayD, ArrayViewD, Axis};
use serde::Serialize;
use trefoil_nn::{Layer, Plan};

/// What any right answer keeps to in the ring of 64 bits.
const FLOOR_64: f64 = 1e-3;
/// The same in the ring of 32 bits, whose functions are off by up to 2^-6.
const FLOOR_32: f64 = 1.0 / 64.0;
/// Units in the last place for each layer that rounds: networks of many layers gather that much, measured on those of
/// `docs/benchmarks.md`.
const UNITS_A_LAYER: f64 = 100.0;
/// The share of the largest answer that the layers' units never exceed.
const LARGEST_SHARE: f64 = 0.02;
/// Units in the last place for each unit of the answer: what the rounding of weights makes of it.
const UNITS_OF_ANSWER: f64 = 8.0;
/// The share of class numbers, and of guarded answers, that may differ without being wrong: of samples that lie between two.
const UNDECIDED: f64 = 0.01;

/// The bound of decision 23, for the answers of one plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    floor: f64,
    unit: f64,
    layers: f64,
    /// The largest answer of all samples.
    reach: f64,
    /// Whether an answer may be another one where a sample lies between two.
    undecided: bool,
}

/// How far answers are off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deviation {
    /// Samples compared.
    pub(crate) samples: usize,
    /// Of them, further off than is allowed.
    pub(crate) beyond: usize,
    /// The largest error of a number.
    pub(crate) largest: f64,
    /// Of the worst sample: its error, what is allowed, its largest number, and which it is.
    pub(crate) worst: Worst,
}

/// What is told of a comparison.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SampledCheck {
    /// Samples compared with the clear.
    pub samples: usize,
    /// Their largest error.
    pub max_abs_error: f64,
    /// What the worst of them may be off.
    pub allowed: f64,
}

/// The sample that is furthest beyond what is allowed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Worst {
    /// The largest error of its numbers.
    pub(crate) error: f64,
    /// What is allowed.
    pub(crate) allowed: f64,
    /// Its largest number, in 64-bit floats.
    pub(crate) magnitude: f64,
    /// Its place among those compared.
    pub(crate) sample: usize,
}

impl Tolerance {
    /// The tolerance for a plan whose right answers are `exact`.
    pub(crate) fn new(plan: &Plan, undecided: bool, exact: &ArrayD<f64>) -> Self {
        let rounds = |layer: &Layer| {
            matches!(
                layer,
                Layer::Exp(_)
                    | Layer::Log(_)
                    | Layer::Erf(_)
                    | Layer::Sigmoid(_)
                    | Layer::Tanh(_)
                    | Layer::Softmax(_)
                    | Layer::LogSoftmax(_)
                    | Layer::Sqrt(_)
                    | Layer::Rsqrt(_)
                    | Layer::Reciprocal(_)
                    | Layer::AveragePool(_)
                    | Layer::Scale(_)
            )
        };
        let steps = plan.steps.iter();
        let layers = steps
            .filter(|step| plan.multiply_accumulates(step) > 0 || rounds(&step.layer))
            .count();
        Self {
            floor: if plan.ring_bits == 32 {
                FLOOR_32
            } else {
                FLOOR_64
            },
            unit: plan.format().ulp(),
            layers: layers as f64,
            reach: magnitude(&exact.view()),
            undecided,
        }
    }

    /// What an answer may be off that is `exact`.
    pub(crate) fn allowed(&self, exact: &ArrayViewD<'_, f64>) -> f64 {
        let layers = UNITS_A_LAYER * self.unit * self.layers;
        self.floor
            .max(layers.min(LARGEST_SHARE * self.reach))
            .max(UNITS_OF_ANSWER * self.unit * magnitude(exact))
    }

    /// Compare `answers` with the right ones.
    pub(crate) fn compare(&self, answers: &ArrayD<f64>, exact: &ArrayD<f64>) -> Deviation {
        let mut deviation = Deviation::default();
        let pairs = answers.axis_iter(Axis(0)).zip(exact.axis_iter(Axis(0)));
        for (sample, (answer, exact)) in pairs.enumerate() {
            let error = answer.iter().zip(exact.iter()).fold(0.0, |most, (a, b)| {
                let error = (a - b).abs();
                // What is no number is off without bound.
                if error.is_nan() {
                    f64::INFINITY
                } else {
                    f64::max(most, error)
                }
            });
            let worst = Worst {
                error,
                allowed: self.allowed(&exact),
                magnitude: magnitude(&exact),
                sample,
            };
            deviation.samples += 1;
            deviation.beyond += usize::from(error > worst.allowed);
            deviation.largest = deviation.largest.max(error);
            let before = &deviation.worst;
            if sample == 0 || error * before.allowed > before.error * worst.allowed {
                deviation.worst = worst;
            }
        }
        deviation
    }

    /// Whether that is more than a right run's.
    pub(crate) fn exceeded(&self, deviation: &Deviation) -> bool {
        if self.undecided {
            return deviation.beyond as f64 > 1.0 + UNDECIDED * deviation.samples as f64;
        }
        deviation.beyond > 0
    }
}

fn magnitude(values: &ArrayViewD<'_, f64>) -> f64 {
    let finite = values.iter().filter(|value| value.is_finite());
    finite.fold(0.0, |most, value| most.max(value.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use trefoil_nn::Options;

    #[test]
    fn errors_beyond_a_thousandth_are_found_in_the_sample_that_has_them() {
        let plan = Plan::of_logits(2, 2, &Options::default());
        let exact = array![[0.5, 0.5], [1000.0, 2000.0]].into_dyn();
        let tolerance = Tolerance::new(&plan, false, &exact);
        let off = |small: f64, large: f64| {
            let answers = array![[0.5 + small, 0.5], [1000.0 + large, 2000.0]].into_dyn();
            let deviation = tolerance.compare(&answers, &exact);
            (
                tolerance.exceeded(&deviation),
                deviation.beyond,
                deviation.worst.sample,
            )
        };
        assert_eq!(off(9e-4, 0.0), (false, 0, 0));
        assert_eq!(off(2e-3, 0.0), (true, 1, 0));
        // 8 units for each of 2000.
        assert_eq!(off(0.0, 0.015), (false, 0, 1));
        assert_eq!(off(0.0, 0.02), (true, 1, 1));
        assert_eq!(off(f64::NAN, 0.0), (true, 1, 0));
    }
}
