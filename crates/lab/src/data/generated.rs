//! A data set of Location30's kind that needs no file: a mixture of Bernoulli vectors.

use super::{DataSet, Encoding};
use crate::LabError;
use crate::random::Stream;
use ndarray::{Array2, ArrayD};

/// Features, as in Location30.
pub const FEATURES: usize = 446;

/// Classes, as in Location30.
pub const CLASSES: usize = 30;

/// Mean and deviation of the features' log odds: like Location30's, most bits are rare and 12 %
/// are set.
const ODDS: (f64, f64) = (-2.6, 1.2);

/// Deviation of a class' log odds from those of all: with 1000 training records a network learns
/// them by heart and is right about 60 % of the others, as on Location30.
const CLASS_DEVIATION: f64 = 0.6;

/// Deviation of a record's log odds, for people differ in how often they check in.
const ACTIVITY_DEVIATION: f64 = 0.7;

/// `records` records drawn from `seed`: a class for each, then each bit with the probability of
/// class, feature and record.
///
/// The first records are the same whatever their number.
///
/// # Errors
/// If `records` is 0.
pub fn location_like(records: usize, seed: u64) -> Result<DataSet, LabError> {
    let mut stream = Stream::new(seed, "classes of generated check-ins");
    let common: Vec<f64> = (0..FEATURES)
        .map(|_| ODDS.0 + ODDS.1 * stream.normal())
        .collect();
    let odds = Array2::from_shape_fn((CLASSES, FEATURES), |(_, feature)| {
        common[feature] + CLASS_DEVIATION * stream.normal()
    });
    let mut stream = Stream::new(seed, "records of generated check-ins");
    let mut values = Vec::with_capacity(records * FEATURES);
    let mut labels = Vec::with_capacity(records);
    for _ in 0..records {
        let class = stream.below(CLASSES);
        let activity = ACTIVITY_DEVIATION * stream.normal();
        for odds in odds.row(class) {
            let probability = 1.0 / (1.0 + (-(odds + activity)).exp());
            values.push(u8::from(stream.unit() < probability));
        }
        labels.push(class);
    }
    let failed = |problem: String| LabError::input("the generated data", problem);
    let values = ArrayD::from_shape_vec(vec![records, FEATURES], values)
        .map_err(|error| failed(error.to_string()))?;
    DataSet::new(
        "Location-like (generated)",
        Encoding::Bits,
        values,
        labels,
        CLASSES,
    )
    .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_like_those_of_location30() {
        let data = location_like(2000, 1).unwrap();
        assert_eq!((data.records(), data.shape()), (2000, &[FEATURES][..]));
        let set = data.values().iter().map(|&v| usize::from(v)).sum::<usize>();
        let share = set as f64 / (2000 * FEATURES) as f64;
        assert!((0.09..0.16).contains(&share), "{share}");
        for class in 0..CLASSES {
            let count = data
                .labels()
                .iter()
                .filter(|&&label| label == class)
                .count();
            // Binomial(2000, 1/30): five standard deviations around 66.7.
            assert!((26..108).contains(&count), "{class}: {count}");
        }
        let more = location_like(2500, 1).unwrap();
        assert_eq!(more.labels()[..2000], *data.labels());
        assert_ne!(location_like(2000, 2).unwrap().labels(), data.labels());
        assert!(location_like(0, 1).is_err());
    }

    /// The best classifier there is, which knows the probabilities, is good and not perfect.
    #[test]
    fn classes_overlap() {
        let data = location_like(1500, 3).unwrap();
        // Class frequencies from 1000 records, naive Bayes on the others.
        let mut counts = Array2::<f64>::from_elem((CLASSES, FEATURES), 0.5);
        let mut sizes = [1.0; CLASSES];
        for (record, &label) in data.labels().iter().enumerate().take(1000) {
            sizes[label] += 1.0;
            for feature in 0..FEATURES {
                counts[[label, feature]] += f64::from(data.values()[[record, feature]]);
            }
        }
        let right = (1000..1500).filter(|&record| {
            let score = |class: usize| -> f64 {
                let bits = (0..FEATURES).map(|feature| {
                    let p = counts[[class, feature]] / sizes[class];
                    let bit = data.values()[[record, feature]] == 1;
                    if bit { p.ln() } else { (1.0 - p).ln() }
                });
                bits.sum()
            };
            let best = (0..CLASSES).max_by(|&a, &b| score(a).total_cmp(&score(b)));
            best == Some(data.labels()[record])
        });
        let share = right.count() as f64 / 500.0;
        assert!((0.3..0.9).contains(&share), "{share}");
    }
}
