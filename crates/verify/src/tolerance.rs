//! How far honest answers to one query may differ: derived from the arithmetic.
//!
//! Two copies of a query differ only by the coins of their truncations. Each truncated element is off by an
//! independent error of mean 0 within one unit in the last place; to first order an answer moves by the sum of
//! these errors times its derivatives. By Hoeffding's inequality such a sum exceeds `z/2 · ‖derivatives‖` units
//! with probability below `2 exp(-z²/2)`. Functions (softmax, sigmoid, …) add the error bounds that their
//! protocols state.

use crate::VerifyError;
use crate::gradient::{Of, Tape};
use crate::sample::one_of;
use ndarray::{ArrayD, Axis};
use trefoil_nn::{Layer, Plan, Weights};

/// Deviations in the sense of the module: honest copies differ by more once in 10^13 answers.
const DEVIATIONS: f64 = 8.0;
/// For queries whose derivatives exceed those of all samples, and for terms beyond the first order.
const MARGIN: f64 = 2.0;

/// How far two honest answers to one query may be apart in any element: the largest over the given samples
/// `[n, …]`, with a margin of two.
///
/// # Errors
/// If a layer's gradient is not known: then state a tolerance instead.
///
/// # Panics
/// If the plan's batch is not 1, or there are no samples.
pub fn derive_tolerance(
    plan: &Plan,
    weights: &Weights,
    samples: &ArrayD<f64>,
) -> Result<f64, VerifyError> {
    assert_eq!(plan.batch, 1, "a plan of one sample at once");
    assert!(!samples.is_empty(), "no samples");
    let weights = weights.to_clear();
    let mut largest = 0.0_f64;
    for index in 0..samples.len_of(Axis(0)) {
        let tape = Tape::run(plan, &weights, &one_of(samples, index));
        for element in 0..tape.output().len() {
            largest = largest.max(spread(plan, &tape, element)?);
        }
    }
    Ok(MARGIN * largest)
}

/// How far two answers may be apart in one element, at the values of one run.
fn spread(plan: &Plan, tape: &Tape<'_>, element: usize) -> Result<f64, VerifyError> {
    let mut seed = ArrayD::zeros(tape.output().raw_dim());
    if let Some(one) = seed.iter_mut().nth(element) {
        *one = 1.0;
    }
    let gradient = tape.backward(&seed, Of::All)?;
    let (mut squares, mut sum, mut functions) = (0.0, 0.0, 0.0);
    for step in &plan.steps {
        let Some(derivatives) = gradient.value(step.output) else {
            continue;
        };
        match noise(&step.layer, plan.ring_bits) {
            Noise::None => {}
            Noise::Truncation => {
                squares += derivatives.iter().map(|d| d * d).sum::<f64>();
                sum += derivatives.iter().map(|d| d.abs()).sum::<f64>();
            }
            Noise::Bound(bound) => {
                functions += bound * derivatives.iter().map(|d| d.abs()).sum::<f64>();
            }
        }
    }
    let unit = plan.format().ulp();
    // The difference of two independent runs, and what it can never exceed.
    let likely = DEVIATIONS / 2.0 * (2.0 * squares).sqrt();
    Ok(unit * likely.min(sum) + 2.0 * functions + unit)
}

/// What a layer adds to the error of its result.
enum Noise {
    None,
    /// One truncation of each element.
    Truncation,
    /// At most this much.
    Bound(f64),
}

fn noise(layer: &Layer, ring_bits: u32) -> Noise {
    let bound = |in_64: i32, in_32: i32| {
        Noise::Bound(f64::from(-if ring_bits == 32 { in_32 } else { in_64 }).exp2())
    };
    match layer {
        Layer::Conv(_) | Layer::MatMul(_) | Layer::Mul(_) | Layer::AveragePool(_) => {
            Noise::Truncation
        }
        Layer::Scale(scale) if scale.factor.fract() != 0.0 => Noise::Truncation,
        // As the protocols state, in `trefoil-mpc`.
        Layer::Sigmoid(_) => bound(15, 8),
        Layer::Tanh(_) | Layer::Elu(_) => bound(14, 7),
        Layer::Softmax(_) => bound(10, 6),
        _ => Noise::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InRing, Servers};
    use trefoil_nn::{Graph, Options};
    use trefoil_ring::{Z32, Z64};

    fn lenet(options: &Options) -> (Plan, Weights) {
        let graph = Graph::from_bytes(trefoil_digits::LENET5, "lenet5.onnx").unwrap();
        Plan::compile(&graph, options).unwrap()
    }

    fn largest_spread<R: trefoil_nn::RunRing>(options: &Options, samples: &ArrayD<f64>) -> f64 {
        let (plan, weights) = lenet(options);
        let mut servers = InRing::<R>::new(&plan, &weights, *b"tolerance tests!").unwrap();
        let runs: Vec<_> = (0..12).map(|_| servers.answer(samples).unwrap()).collect();
        let mut largest = 0.0_f64;
        for (i, one) in runs.iter().enumerate() {
            for other in &runs[..i] {
                largest = (one - other)
                    .iter()
                    .fold(largest, |most, d| most.max(d.abs()));
            }
        }
        largest
    }

    #[test]
    fn honest_copies_differ_by_less_and_not_by_much_less() {
        let (samples, _) = trefoil_digits::generate(12, 77);
        let samples = samples.mapv(f64::from).into_dyn();
        for ring in [32, 64] {
            let options = Options {
                batch: Some(1),
                ..Options::ring(ring)
            };
            let (plan, weights) = lenet(&options);
            let tolerance = derive_tolerance(&plan, &weights, &samples).unwrap();
            let measured = if ring == 32 {
                largest_spread::<Z32>(&options, &samples)
            } else {
                largest_spread::<Z64>(&options, &samples)
            };
            assert!(measured < tolerance, "{measured} {tolerance}");
            // A bound a hundred times the noise would let small changes through.
            assert!(tolerance < 30.0 * measured, "{measured} {tolerance}");
        }
    }
}
