//! Words, and relations of two words, that come again in other runs.

use crate::finding::{Finding, Test, finding};
use crate::sample::{COMPARED, Sample, Word};
use std::collections::HashMap;

/// How a word changes from the first run to others: what it has in common with another word whose difference from it,
/// sum with it or XOR with it is the same in all runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Changes {
    bytes: usize,
    xor: bool,
    to: [u64; COMPARED - 1],
}

impl Changes {
    /// By subtraction and by XOR, of a number of `bytes` bytes that has these `values` in the first runs.
    pub(crate) fn of(bytes: usize, values: [u64; COMPARED]) -> [Self; 2] {
        let mask = u64::MAX >> (64 - 8 * bytes);
        let [first, others @ ..] = values;
        let differences = others.map(|v| v.wrapping_sub(first) & mask);
        // The difference and the sum of two words are constant where their changes agree or cancel.
        let negated = differences.map(|v| v.wrapping_neg() & mask);
        let changes = |xor, to| Self { bytes, xor, to };
        [
            changes(false, differences.min(negated)),
            changes(true, others.map(|v| (v ^ first) & mask)),
        ]
    }

    /// Whether nothing changes.
    pub(crate) fn none(&self) -> bool {
        self.to == [0; COMPARED - 1]
    }

    /// The probability that two independent numbers of `bytes` bytes change alike, by any of the ways.
    pub(crate) fn chance(bytes: usize) -> f64 {
        3.0 * (-8.0 * (bytes * (COMPARED - 1)) as f64).exp2()
    }
}

/// P(at least `events` events) of a Poisson variable of mean `expected`, bounded by its first term.
pub(crate) fn poisson_tail(events: usize, expected: f64) -> f64 {
    (1..=events.min(64))
        .fold(1.0, |p, k| p * expected / k as f64)
        .min(1.0)
}

/// Words of four and more bytes whose value, or whose relation to another word, comes again in other runs.
pub(crate) fn repeats(samples: &[Sample; 2], layout: &[Word]) -> Finding {
    // (count of events, expected by chance)
    let (mut events, mut expected, mut place) = (0_usize, 0.0, None);
    let mut words = 0;
    for sample in samples {
        let runs = sample.views.len() as f64;
        for word in layout.iter().filter(|word| word.bytes >= 4) {
            words += 1;
            let mut values: Vec<u64> = sample.views.iter().map(|view| word.of(view)).collect();
            values.sort_unstable();
            let repeated = values.windows(2).filter(|pair| pair[0] == pair[1]).count();
            if repeated > 0 {
                events += repeated;
                place.get_or_insert([*word, *word]);
            }
            expected += runs * (runs - 1.0) / 2.0 * (-8.0 * word.bytes as f64).exp2();
        }
        let first = sample.first();
        let mut seen: HashMap<Changes, Word> = HashMap::new();
        for word in layout.iter().filter(|word| word.bytes >= 4) {
            for changes in Changes::of(word.bytes, first.map(|view| word.of(view))) {
                if let Some(other) = seen.insert(changes, *word) {
                    events += 1;
                    place.get_or_insert([other, *word]);
                }
            }
            expected += layout.len() as f64 * Changes::chance(word.bytes);
        }
    }
    let sample = &samples[0];
    let text = match place {
        Some([a, b]) if a == b => sample.place(&a),
        Some([a, b]) => format!("{} and {}", sample.place(&a), sample.place(&b)),
        None => "no repeat".to_owned(),
    };
    let effect = events as f64 / (words.max(1) * sample.views.len()) as f64;
    let p = poisson_tail(events, expected);
    finding(Test::Repeats, p, effect.min(1.0), 1, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_under_one_mask_change_alike() {
        let masks = [7_u64, 0x1234_5678_9abc_def0, u64::MAX - 3, 1 << 63];
        let added = |secret: u64| masks.map(|m| secret.wrapping_add(m));
        let taken = masks.map(|m| 99_u64.wrapping_sub(m));
        let xored = masks.map(|m| 0x63 ^ m);
        let of = |values: &[u64; COMPARED]| Changes::of(8, *values);
        assert!(of(&added(5))[0] == of(&added(77))[0] && of(&added(5))[0] == of(&taken)[0]);
        assert!(of(&masks)[1] == of(&xored)[1] && of(&masks)[0] != of(&xored)[0]);
    }
}
