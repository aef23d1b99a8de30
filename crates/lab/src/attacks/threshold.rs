//! Where an attack draws the line, from shadow data alone.

use crate::Sides;

/// Thresholds for each class; records with at least the threshold are called members.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// For classes of which the shadow data lacks members or non-members.
    fallback: f64,
    /// By class.
    classes: Vec<Option<f64>>,
}

impl Thresholds {
    /// For each class the threshold with the best balanced accuracy on the shadow records of that
    /// class (Song and Mittal 2021); on all shadow records where a class lacks a side. Among
    /// equally good thresholds the highest, which calls the fewest records members.
    ///
    /// `scores` and `labels` are those of the shadow records.
    ///
    /// # Panics
    /// If a side is empty, or has not as many labels as scores.
    pub fn per_class(scores: Sides<&[f64]>, labels: Sides<&[usize]>, classes: usize) -> Self {
        let same = scores.map(<[f64]>::len) == labels.map(<[usize]>::len);
        assert!(same, "a label for each score");
        let of_class = |class: usize| {
            let pick = |(scores, labels): (&[f64], &[usize])| -> Vec<f64> {
                let pairs = scores.iter().zip(labels);
                let pairs = pairs.filter(|(_, label)| **label == class);
                pairs.map(|(&score, _)| score).collect()
            };
            let own = scores.zip(labels).map(pick);
            let enough = !own.members.is_empty() && !own.nonmembers.is_empty();
            enough.then(|| best(own.as_ref().map(Vec::as_slice)))
        };
        Self {
            fallback: best(scores),
            classes: (0..classes).map(of_class).collect(),
        }
    }

    /// One threshold for all classes, chosen like those of [`Thresholds::per_class`].
    ///
    /// # Panics
    /// If a side is empty.
    pub fn global(scores: Sides<&[f64]>) -> Self {
        Self {
            fallback: best(scores),
            classes: Vec::new(),
        }
    }

    /// The threshold of `class`.
    pub fn of(&self, class: usize) -> f64 {
        self.classes
            .get(class)
            .copied()
            .flatten()
            .unwrap_or(self.fallback)
    }

    /// Which records are called members.
    ///
    /// # Panics
    /// If there are not as many labels as scores.
    pub fn decide(&self, scores: &[f64], labels: &[usize]) -> Vec<bool> {
        assert_eq!(scores.len(), labels.len(), "a label for each score");
        let pairs = scores.iter().zip(labels);
        pairs
            .map(|(&score, &label)| score >= self.of(label))
            .collect()
    }
}

/// The highest of the scores that separate the sides best.
fn best(scores: Sides<&[f64]>) -> f64 {
    let totals = scores.map(<[f64]>::len);
    assert!(
        totals.members > 0 && totals.nonmembers > 0,
        "thresholds need members and non-members"
    );
    let members = scores.members.iter().map(|&score| (score, true));
    let nonmembers = scores.nonmembers.iter().map(|&score| (score, false));
    let mut all: Vec<(f64, bool)> = members.chain(nonmembers).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut called = Sides::new(0_usize, 0_usize);
    // The balanced accuracy times 2 · members · non-members, less a constant: exact in integers.
    let (mut threshold, mut most) = (all[0].0, i128::MIN);
    for (index, &(score, member)) in all.iter().enumerate() {
        if member {
            called.members += 1;
        } else {
            called.nonmembers += 1;
        }
        let last_of_its_score = all.get(index + 1).is_none_or(|next| next.0 < score);
        let gain = (called.members * totals.nonmembers) as i128
            - (called.nonmembers * totals.members) as i128;
        if last_of_its_score && gain > most {
            (threshold, most) = (score, gain);
        }
    }
    threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_threshold_is_the_highest_of_the_equally_good() {
        // Above 3: 1/3 of the members; above 2: 2/3 and 1/2; above 1.5: 3/3 and 1/2.
        let scores = Sides::new(&[3.0, 2.0, 1.5][..], &[2.0, 1.0][..]);
        assert!((best(scores) - 1.5).abs() < f64::EPSILON);
        let equal = Sides::new(&[2.0, 1.0][..], &[1.5, 0.0][..]);
        assert!((best(equal) - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn classes_have_their_own_thresholds_and_fall_back_on_all() {
        let scores = Sides::new(&[0.9, 0.2, 0.7][..], &[0.8, 0.1][..]);
        let labels = Sides::new(&[0, 1, 2][..], &[0, 1][..]);
        let thresholds = Thresholds::per_class(scores, labels, 4);
        assert!((thresholds.of(0) - 0.9).abs() < f64::EPSILON);
        assert!((thresholds.of(1) - 0.2).abs() < f64::EPSILON);
        let global = Thresholds::global(scores);
        assert_eq!(thresholds.of(2), global.of(0));
        assert_eq!(thresholds.of(9), global.of(1));
        let decided = thresholds.decide(&[0.85, 0.2, 0.05], &[0, 1, 3]);
        assert_eq!(decided, [false, true, false]);
    }
}
