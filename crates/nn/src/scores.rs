//! What the numbers of an answer mean, and which class it names.

use crate::operators::Layer;
use crate::plan::{Plan, ValueId};
use ndarray::{Array2, ArrayD, ArrayViewD, Axis};
use std::fmt;

/// What the numbers of one answer are.
///
/// One place decides it, for every command that speaks of labels: accuracies, agreements, verification, attacks, guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scores {
    /// One score for each of several classes: the largest names the class, the first of equal ones.
    Classes(usize),
    /// The probability of class 1, of two: class 1 above one half, else 0.
    Probability,
    /// The logit of class 1, of two: class 1 above 0, else 0.
    Logit,
    /// The class's number itself.
    Class,
}

impl Scores {
    /// What `count` numbers of one answer are if nothing else is known: scores of classes, or a single logit or
    /// probability.
    pub fn of_answers(count: usize, logits: bool) -> Self {
        match (count, logits) {
            (1, true) => Self::Logit,
            (1, false) => Self::Probability,
            _ => Self::Classes(count),
        }
    }

    /// How many classes there are, as far as answers show it.
    pub fn classes(self) -> Option<usize> {
        match self {
            Self::Classes(classes) => Some(classes),
            Self::Probability | Self::Logit => Some(2),
            Self::Class => None,
        }
    }

    /// The class that an answer names; none if it names none, such as one that is not finite.
    pub fn label(self, answer: &ArrayViewD<'_, f64>) -> Option<usize> {
        if answer.iter().any(|score| !score.is_finite()) {
            return None;
        }
        let first = answer.iter().copied().next()?;
        match self {
            Self::Classes(_) => {
                let mut best = (0, first);
                for (index, &score) in answer.iter().enumerate() {
                    if score > best.1 {
                        best = (index, score);
                    }
                }
                Some(best.0)
            }
            Self::Probability => Some(usize::from(first > 0.5)),
            Self::Logit => Some(usize::from(first > 0.0)),
            Self::Class => {
                let class = first.round();
                (class >= 0.0).then_some(class as usize)
            }
        }
    }

    /// The class that each answer of `answers` (N, …) names.
    pub fn labels(self, answers: &ArrayD<f64>) -> Vec<Option<usize>> {
        let each = answers.axis_iter(Axis(0));
        each.map(|answer| self.label(&answer)).collect()
    }

    /// Confidences of all classes (N, classes) from answers (N, …): of a single probability or logit those of class 0
    /// and class 1, others as they are. None where answers are no scores, or not of this kind.
    pub fn confidences(self, answers: &ArrayD<f64>) -> Option<Array2<f64>> {
        let records = answers.shape().first().copied()?;
        let pairs = |probability: fn(f64) -> f64| {
            if answers.len() != records {
                return None;
            }
            let both = answers.iter().flat_map(|&v| {
                let p = probability(v);
                [1.0 - p, p]
            });
            Array2::from_shape_vec((records, 2), both.collect()).ok()
        };
        match self {
            Self::Classes(classes) => {
                let values = answers.iter().copied().collect();
                Array2::from_shape_vec((records, classes), values).ok()
            }
            Self::Probability => pairs(|v| v),
            Self::Logit => pairs(|v| (1.0 + (-v).exp()).recip()),
            Self::Class => None,
        }
    }
}

impl fmt::Display for Scores {
    /// How labels are read off, as people are told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classes(classes) => write!(f, "the largest of {classes} scores"),
            Self::Probability => f.write_str("a probability of class 1, above 0.5 or not"),
            Self::Logit => f.write_str("a logit of class 1, above 0 or not"),
            Self::Class => f.write_str("the class's number"),
        }
    }
}

impl Plan {
    /// What the numbers of the plan's answers are; none if an answer has several axes, or the plan several outputs.
    ///
    /// A single number is a probability if the layers say that it lies between 0 and 1: it comes from a sigmoid or a
    /// softmax (moved, cut out, bounded or subtracted from a constant on the way), or is bounded to that range. From
    /// an arg max it is the class's number. Otherwise it is a logit.
    pub fn scores(&self) -> Option<Scores> {
        let [output] = &self.outputs[..] else {
            return None;
        };
        let sizes = self.shape(output.value).get(1..).unwrap_or_default();
        let count: usize = sizes.iter().product();
        if sizes.iter().filter(|&&size| size > 1).count() > 1 || count == 0 {
            return None;
        }
        Some(match count {
            1 => match self.kind_of(output.value) {
                Kind::Probability => Scores::Probability,
                Kind::Class => Scores::Class,
                Kind::Other => Scores::Logit,
            },
            _ => Scores::Classes(count),
        })
    }

    /// What the elements of a value are.
    fn kind_of(&self, value: ValueId) -> Kind {
        let mut value = value;
        // Layers that only move elements, back to the one that makes them.
        loop {
            let Some(step) = self.steps.iter().rfind(|step| step.output == value) else {
                return Kind::Other;
            };
            let within = |low: Option<f64>, high: Option<f64>| {
                low.is_some_and(|v| v >= 0.0) && high.is_some_and(|v| v <= 1.0)
            };
            match &step.layer {
                Layer::Sigmoid(_) | Layer::Softmax(_) => return Kind::Probability,
                Layer::ArgMax(_) => return Kind::Class,
                Layer::Clip(clip) if within(clip.low, clip.high) => return Kind::Probability,
                Layer::Sub(_) => {
                    let [constant, rest] = step.inputs[..] else {
                        return Kind::Other;
                    };
                    let is_weight = self.weights.iter().any(|port| port.value == constant);
                    return match self.kind_of(rest) {
                        Kind::Probability if is_weight => Kind::Probability,
                        _ => Kind::Other,
                    };
                }
                Layer::Clip(_)
                | Layer::Reshape(_)
                | Layer::Transpose(_)
                | Layer::Slice(_)
                | Layer::Gather(_)
                | Layer::Expand(_) => value = step.inputs[0],
                _ => return Kind::Other,
            }
        }
    }
}

/// What elements are.
enum Kind {
    Probability,
    Class,
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Options, Step};
    use ndarray::array;

    #[test]
    fn a_single_score_names_one_of_two_classes_by_its_threshold() {
        let named = |scores: Scores, values: Vec<f64>| {
            scores.label(&ndarray::Array1::from(values).into_dyn().view())
        };
        assert_eq!(named(Scores::Classes(3), vec![0.1, 0.7, 0.7]), Some(1));
        assert_eq!(named(Scores::Classes(2), vec![-3.0, -1.0]), Some(1));
        assert_eq!(named(Scores::Classes(2), vec![0.0, f64::NAN]), None);
        assert_eq!(named(Scores::Probability, vec![0.5]), Some(0));
        assert_eq!(named(Scores::Probability, vec![0.51]), Some(1));
        assert_eq!(named(Scores::Logit, vec![-0.1]), Some(0));
        assert_eq!(named(Scores::Logit, vec![0.1]), Some(1));
        assert_eq!(named(Scores::Class, vec![6.0002]), Some(6));
        assert_eq!(named(Scores::Class, vec![-2.0]), None);
    }

    #[test]
    fn a_single_score_becomes_two_confidences() {
        let answers = array![[0.25], [1.0]].into_dyn();
        let both = Scores::Probability.confidences(&answers).unwrap();
        assert_eq!(both, array![[0.75, 0.25], [0.0, 1.0]]);
        let logits = Scores::Logit.confidences(&array![0.0].into_dyn()).unwrap();
        assert_eq!(logits, array![[0.5, 0.5]]);
        assert!(
            Scores::Probability
                .confidences(&array![[0.1, 0.9]].into_dyn())
                .is_none()
        );
    }

    /// A plan of one number for each of four samples, made by `layers` one after the other.
    fn chain(layers: Vec<Layer>) -> Plan {
        let mut plan = Plan::of_logits(4, 2, &Options::default());
        for layer in layers {
            let input = plan.shapes.len() - 1;
            let shape = layer.output_shape(&[plan.shape(input)]).unwrap();
            plan.shapes.push(shape);
            plan.steps.push(Step {
                name: "step".into(),
                layer,
                inputs: vec![input],
                output: input + 1,
            });
        }
        plan.outputs[0].value = plan.shapes.len() - 1;
        plan
    }

    #[test]
    fn the_last_layers_tell_probabilities_from_logits() {
        use crate::operators::{Clip, Gather, Reshape, Scale, Sigmoid, Softmax};
        let column = || {
            let (axis, indices) = (1, vec![1]);
            Layer::from(Gather { axis, indices })
        };
        let flat = || Layer::from(Reshape { shape: vec![4] });
        for (layers, expected) in [
            (vec![], Scores::Classes(2)),
            (vec![column()], Scores::Logit),
            (vec![column(), Sigmoid {}.into()], Scores::Probability),
            (
                vec![column(), Sigmoid {}.into(), flat()],
                Scores::Probability,
            ),
            (
                vec![Softmax { axis: 1 }.into(), column()],
                Scores::Probability,
            ),
            (
                vec![column(), Sigmoid {}.into(), Scale { factor: 3.0 }.into()],
                Scores::Logit,
            ),
            (
                vec![
                    column(),
                    Clip {
                        low: Some(0.0),
                        high: Some(1.0),
                    }
                    .into(),
                ],
                Scores::Probability,
            ),
        ] {
            let plan = chain(layers);
            assert_eq!(plan.scores(), Some(expected), "{:?}", plan.steps);
        }
    }
}
