//! What looks wrong about labels: said, because a figure that follows from the wrong labels looks like any other.

/// Samples below which nothing is said: chance alone explains a lot.
const FEW: usize = 20;
/// Standard deviations beyond which agreement is no chance.
const BEYOND_CHANCE: f64 = 4.0;
/// Standard deviations within which agreement may well be chance.
const BY_CHANCE: f64 = 2.0;
/// Records of each class on average before another numbering of the classes can be told from chance.
const FOR_EACH_CLASS: usize = 8;

/// Why labels of `classes` classes with the least and the greatest of these numbers look counted from 1; nothing if they do
/// not.
pub fn counted_from_one(labels: impl IntoIterator<Item = f64>, classes: usize) -> Option<String> {
    let mut labels = labels.into_iter();
    let first = labels.next()?;
    let (low, high) = labels.fold((first, first), |(low, high), v| (low.min(v), high.max(v)));
    let one_too_many = (high - classes as f64).abs() < 0.5;
    (one_too_many && low >= 1.0).then(|| {
        format!(
            "they look counted from 1: the greatest is {high} for {classes} classes, and none is 0. If the classes are in the \
             model's order, subtract 1, so that they count from 0: numpy.save(path, labels - 1)"
        )
    })
}

/// What looks wrong about `labels` that go with the classes that were `answered`; nothing if they may well be right.
pub fn doubt(answered: &[usize], labels: &[usize], classes: usize) -> Option<String> {
    let count = answered.len().min(labels.len());
    if count < FEW {
        return None;
    }
    let pairs = || answered.iter().copied().zip(labels.iter().copied());
    let right = pairs().filter(|(answer, label)| answer == label).count();
    let as_they_are = Agreement::of(pairs(), classes);
    if as_they_are.beyond(BEYOND_CHANCE) {
        return None;
    }
    if let [first, rest @ ..] = answered
        && rest.iter().all(|answer| answer == first)
    {
        return labels.iter().any(|label| label != first).then(|| {
            format!(
                "all {count} answers name class {first}, whatever the label: are the samples prepared as in training (--unit, \
                 --mean, --std)?"
            )
        });
    }
    let renumbered = renumbered(answered, labels, classes);
    for (step, begins, remedy) in [
        (
            -1,
            "from 1, and the model's classes from 0",
            "subtract 1 from them",
        ),
        (1, "from 0, and the model's classes from 1", "add 1 to them"),
    ] {
        let moved = pairs().filter_map(|(answer, label)| {
            let label = label.checked_add_signed(step)?;
            Some((answer, label))
        });
        let agreement = Agreement::of(moved, classes);
        // Any other numbering agrees here and there after a step.
        let explains = renumbered
            .as_ref()
            .map_or(4 * agreement.right > count, |other| {
                5 * agreement.right > 4 * other.agree
            });
        if agreement.beyond(BEYOND_CHANCE) && agreement.right > 2 * right && explains {
            return Some(format!(
                "they look counted {begins}: {} of {count} agree with the answers after that step, {right} as they are; {remedy}",
                agreement.right
            ));
        }
    }
    if let Some(other) = renumbered
        && other.agree > 2 * right
    {
        return Some(format!(
            "they look numbered in another order than the model's classes: {:.0} % of the records with label {} are answered with \
             class {}, and so on; number them in the order in which the model has its classes",
            100.0 * other.share,
            other.label,
            other.answer
        ));
    }
    if as_they_are.beyond(BY_CHANCE) {
        return None;
    }
    Some(format!(
        "they agree with the answers no more often than labels of other records would ({:.1} %; by chance {:.1} %): are they these \
         records' labels, in this order?",
        100.0 * right as f64 / count as f64,
        100.0 * as_they_are.expected / count as f64
    ))
}

/// How often answers and labels agree, and how often they would if labels were dealt out anew.
struct Agreement {
    right: usize,
    expected: f64,
    count: usize,
}

impl Agreement {
    fn of(pairs: impl Iterator<Item = (usize, usize)>, classes: usize) -> Self {
        let (mut answers, mut labels) = (vec![0_usize; classes], vec![0_usize; classes]);
        let (mut right, mut count) = (0, 0);
        for (answer, label) in pairs {
            count += 1;
            right += usize::from(answer == label);
            for (counts, class) in [(&mut answers, answer), (&mut labels, label)] {
                if let Some(of_class) = counts.get_mut(class) {
                    *of_class += 1;
                }
            }
        }
        let both = answers.iter().zip(&labels);
        let expected = both.map(|(&a, &b)| a as f64 * b as f64).sum::<f64>() / count.max(1) as f64;
        Self {
            right,
            expected,
            count,
        }
    }

    /// Whether more agree than chance explains, by this many standard deviations.
    fn beyond(&self, deviations: f64) -> bool {
        let chance = self.expected / self.count.max(1) as f64;
        let deviation = (self.expected * (1.0 - chance)).max(0.25).sqrt();
        self.right as f64 > self.expected + deviations * deviation
    }
}

/// Another numbering of the classes, which explains most answers.
struct Renumbered {
    /// The label with most records whose class has another number.
    label: usize,
    /// The number of that class.
    answer: usize,
    /// Share of the records of that label that are answered so.
    share: f64,
    /// Records, of all labels, that agree in this numbering.
    agree: usize,
}

/// The numbering by each label's most frequent answer; nothing unless it explains most answers and gives each class one number.
fn renumbered(answered: &[usize], labels: &[usize], classes: usize) -> Option<Renumbered> {
    if classes == 0 || answered.len() < FOR_EACH_CLASS * classes {
        return None;
    }
    let mut table = vec![vec![0_usize; classes]; classes];
    for (&answer, &label) in answered.iter().zip(labels) {
        *table.get_mut(label)?.get_mut(answer)? += 1;
    }
    let mut taken = vec![false; classes];
    let (mut agree, mut largest) = (0, (0, 0, 0.0, 0));
    for (label, row) in table.iter().enumerate() {
        let records: usize = row.iter().sum();
        if records == 0 {
            continue;
        }
        let (answer, &most) = row.iter().enumerate().max_by_key(|(_, count)| **count)?;
        if std::mem::replace(&mut taken[answer], true) {
            return None;
        }
        agree += most;
        if records > largest.3 && answer != label {
            largest = (label, answer, most as f64 / records as f64, records);
        }
    }
    let (label, answer, share, records) = largest;
    (records > 0 && 2 * agree > answered.len()).then_some(Renumbered {
        label,
        answer,
        share,
        agree,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of a model that is right nine times in ten, to records of ten classes.
    fn answers(labels: &[usize]) -> Vec<usize> {
        let wrong = |index: usize, label: usize| (label + 1 + index % 8) % 10;
        let each = labels.iter().enumerate();
        each.map(|(i, &label)| if i % 10 == 3 { wrong(i, label) } else { label })
            .collect()
    }

    fn labels() -> Vec<usize> {
        (0..200).map(|i: usize| (i * i + i / 7) % 10).collect()
    }

    #[test]
    fn right_labels_are_not_doubted() {
        let labels = labels();
        assert_eq!(doubt(&answers(&labels), &labels, 10), None);
        // A weak model is no reason for doubt, nor are few records.
        let weak: Vec<usize> = labels
            .iter()
            .enumerate()
            .map(|(i, &l)| if i % 3 == 0 { l } else { i % 10 })
            .collect();
        assert_eq!(doubt(&weak, &labels, 10), None);
        assert_eq!(doubt(&[1; 10], &[2; 10], 10), None);
    }

    #[test]
    fn labels_counted_otherwise_are_told_with_the_numbers_that_say_so() {
        let right: Vec<usize> = labels().into_iter().map(|label| label % 9).collect();
        let answers = answers(&right);
        let moved: Vec<usize> = right.iter().map(|label| label + 1).collect();
        let doubted = doubt(&answers, &moved, 10).unwrap();
        assert!(
            doubted.contains("from 1") && doubted.contains("180 of 200"),
            "{doubted}"
        );
        let told = counted_from_one([1.0, 10.0, 3.0], 10).unwrap();
        assert!(told.contains("subtract 1"), "{told}");
        assert_eq!(counted_from_one([0.0, 10.0], 10), None);
        assert_eq!(counted_from_one([1.0, 12.0], 10), None);
    }

    #[test]
    fn other_orders_and_other_records_are_told_apart() {
        let labels = labels();
        let answers = answers(&labels);
        let renamed: Vec<usize> = labels.iter().map(|label| (label * 3 + 1) % 10).collect();
        let doubted = doubt(&answers, &renamed, 10).unwrap();
        assert!(doubted.contains("another order"), "{doubted}");
        let mut others = labels.clone();
        others.rotate_left(53);
        let doubted = doubt(&answers, &others, 10).unwrap();
        assert!(doubted.contains("in this order?"), "{doubted}");
        let doubted = doubt(&[4; 200], &labels, 10).unwrap();
        assert!(doubted.contains("class 4"), "{doubted}");
    }
}
