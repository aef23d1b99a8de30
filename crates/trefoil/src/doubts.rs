//! Public samples that were answered wrongly: whether the servers are to blame, or the label.

use crate::Error;
use crate::model::Model;
use ndarray::Axis;
use serde::Serialize;
use trefoil_nn::Scores;
use trefoil_verify::{FailedSample, InTheClear, PublicSet, Servers};

/// Most samples that a message lists one by one.
const LISTED: usize = 8;

/// What a client finds out by itself about the public samples that failed: it runs its model on them, in the clear.
#[derive(Debug, Serialize)]
pub struct Doubts {
    samples: Vec<Doubt>,
    /// What looks wrong with the labels as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip)]
    asked: usize,
}

/// One of them.
#[derive(Debug, Serialize)]
struct Doubt {
    #[serde(flatten)]
    failed: FailedSample,
    /// The class that the model itself names, in the clear.
    model_says: Option<usize>,
}

impl Doubts {
    /// Look at `failed` samples, which are places of `public`; `asked` public samples were sent. `model` is compiled for one sample.
    pub(crate) fn about(
        failed: &[FailedSample],
        asked: usize,
        public: &PublicSet,
        model: &Model,
        scores: Scores,
    ) -> Result<Self, Error> {
        let places: Vec<usize> = failed.iter().map(|failed| failed.place).collect();
        let said = if places.is_empty() {
            Vec::new()
        } else {
            let samples = public.samples().select(Axis(0), &places);
            let mut clear = InTheClear::new(&model.plan, &model.weights);
            scores.labels(&clear.answer(&samples).map_err(Error::new)?)
        };
        let samples: Vec<Doubt> = failed
            .iter()
            .zip(said)
            .map(|(&failed, model_says)| Doubt { failed, model_says })
            .collect();
        let pattern = pattern(&samples, asked);
        Ok(Self {
            samples,
            pattern,
            asked,
        })
    }

    /// What to tell a person, line by line; nothing where no sample failed.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let class =
            |class: Option<usize>| class.map_or("no class".into(), |c| format!("class {c}"));
        for Doubt { failed, model_says } in self.samples.iter().take(LISTED) {
            let FailedSample {
                place,
                label,
                answered,
            } = *failed;
            let why = if *model_says == Some(label) {
                "the model itself, in the clear, gives the label: the servers computed something else".to_owned()
            } else if *model_says == answered {
                "the model itself, in the clear, says so too: its label looks wrong, or the model errs here".to_owned()
            } else {
                format!(
                    "the model itself, in the clear, says {}: neither the label nor the answer",
                    class(*model_says)
                )
            };
            lines.push(format!(
                "public sample {place} (counted from 0) is labelled {label} and was answered with {}; {why}",
                class(answered)
            ));
        }
        if self.samples.len() > LISTED {
            let rest: Vec<String> = self.samples[LISTED..]
                .iter()
                .map(|doubt| doubt.failed.place.to_string())
                .collect();
            lines.push(format!(
                "public samples that failed, too: {}",
                rest.join(", ")
            ));
        }
        let theirs = self
            .samples
            .iter()
            .filter(|doubt| doubt.model_says != Some(doubt.failed.label))
            .count();
        if theirs > 0 {
            lines.push(format!(
                "warning: {theirs} of {} public samples are answered otherwise by the model itself, without any server: \
                 look at their labels, or make the plan for a lower --claimed-accuracy",
                self.asked
            ));
        }
        lines.extend(
            self.pattern
                .iter()
                .map(|pattern| format!("warning: {pattern}")),
        );
        lines
    }
}

/// A mistake that explains most of the failures at once.
fn pattern(samples: &[Doubt], asked: usize) -> Option<String> {
    // A few may agree by chance.
    if samples.len() < 4 || 2 * samples.len() < asked {
        return None;
    }
    let share = |matches: &dyn Fn(usize, usize) -> bool| {
        let hits = samples.iter().filter(|doubt| {
            doubt
                .model_says
                .is_some_and(|said| matches(doubt.failed.label, said))
        });
        hits.count() as f64 / samples.len() as f64
    };
    if share(&|label, said| label == said + 1) > 0.8 {
        return Some(
            "nearly every label is one more than the class that the model names: labels seem to be counted from 1, \
             and are taken as counted from 0"
                .into(),
        );
    }
    let wrong = share(&|label, said| label != said);
    (wrong > 0.8).then(|| {
        "the model itself disagrees with most labels: they seem to be those of other samples, or in another order, or the \
         samples are not prepared as the model wants them (--unit, --mean, --std, --layout)"
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts(of: &[(usize, Option<usize>, Option<usize>)], asked: usize) -> Doubts {
        let samples: Vec<Doubt> = of
            .iter()
            .enumerate()
            .map(|(place, &(label, answered, model_says))| Doubt {
                failed: FailedSample {
                    place,
                    label,
                    answered,
                },
                model_says,
            })
            .collect();
        let pattern = pattern(&samples, asked);
        Doubts {
            samples,
            pattern,
            asked,
        }
    }

    #[test]
    fn a_wrong_label_is_told_from_a_wrong_answer() {
        let told = doubts(
            &[
                (3, Some(5), Some(5)),
                (2, Some(7), Some(2)),
                (1, None, Some(4)),
            ],
            58,
        )
        .lines();
        assert!(told[0].contains("sample 0 ") && told[0].contains("label looks wrong"));
        assert!(told[1].contains("the servers computed something else"));
        assert!(told[2].contains("no class") && told[2].contains("says class 4"));
        assert!(told[3].contains("2 of 58") && told.len() == 4, "{told:?}");
        assert!(doubts(&[], 58).lines().is_empty());
    }

    #[test]
    fn labels_counted_from_1_and_labels_of_other_samples_are_recognised() {
        let from_1: Vec<_> = (0..30)
            .map(|i| (i % 10 + 1, Some(i % 10), Some(i % 10)))
            .collect();
        let told = doubts(&from_1, 30).lines();
        assert!(
            told.last()
                .is_some_and(|line| line.contains("counted from 1")),
            "{told:?}"
        );
        assert!(
            told.iter()
                .any(|line| line.contains("failed, too: 8, 9, 10"))
        );
        let others: Vec<_> = (0..30)
            .map(|i| ((i + 3) % 10, Some(i % 10), Some(i % 10)))
            .collect();
        let told = doubts(&others, 33).lines();
        assert!(
            told.last()
                .is_some_and(|line| line.contains("other samples")),
            "{told:?}"
        );
        // One in a hundred is no pattern.
        assert!(doubts(&from_1[..1], 100).pattern.is_none());
    }
}
