//! The tests of a party's view. What each finds and what it misses: `docs/audit.md`.

use crate::Random;
use crate::relations::Columns;
use crate::sample::{Sample, Word};
use crate::statistics::{CELLS, Outcome, homogeneous, uniform};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;

/// Pairs of words are tested among at most so many words of a view.
const PAIRED_WORDS: usize = 64;
/// Runs less columns in the search for linear relations: uniform bits show one with probability 2^-56.
const SPARE_RUNS: usize = 57;

/// The tests, one family of hypotheses each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Every received word is uniform.
    Words,
    /// Every sum, difference and XOR of two received words is uniform.
    Pairs,
    /// No word, sum, difference or XOR of two words repeats between runs.
    Repeats,
    /// No XOR of any set of received bits is the same in all runs.
    Relations,
    /// Words, sums and differences are distributed alike for two secrets.
    Secrets,
    /// Senders, steps and lengths of messages are the same in all runs and for both secrets.
    Shape,
    /// What is opened is what the protocol is for.
    Openings,
}

impl Test {
    /// All tests.
    pub const ALL: [Self; 7] = [
        Self::Words,
        Self::Pairs,
        Self::Repeats,
        Self::Relations,
        Self::Secrets,
        Self::Shape,
        Self::Openings,
    ];

    /// What it finds wrong, in words.
    pub fn complaint(self) -> &'static str {
        match self {
            Self::Words => "a received word is not uniform",
            Self::Pairs => "two received words are related",
            Self::Repeats => "a received word, or the relation of two, repeats",
            Self::Relations => "received bits satisfy a linear relation",
            Self::Secrets => "what is received differs between two secrets",
            Self::Shape => "the traffic's shape depends on data",
            Self::Openings => "an opening shows more or other than the protocol's output",
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words => "words",
            Self::Pairs => "pairs",
            Self::Repeats => "repeats",
            Self::Relations => "relations",
            Self::Secrets => "secrets",
            Self::Shape => "shape",
            Self::Openings => "openings",
        })
    }
}

/// One test's result on a party's view.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The test.
    pub test: Test,
    /// Its p-value, corrected for the number of its positions and of the tests (Bonferroni).
    pub p: f64,
    /// Effect size between 0 and 1: Cramér's V where a distribution is tested, else a share of runs or positions.
    pub effect: f64,
    /// Hypotheses tested.
    pub hypotheses: usize,
    /// Where the smallest p-value was.
    pub place: String,
}

/// The smallest p-value of one family of hypotheses so far.
struct Family {
    test: Test,
    worst: Outcome,
    hypotheses: usize,
    place: Option<[Word; 2]>,
}

impl Family {
    fn new(test: Test) -> Self {
        Self {
            test,
            worst: Outcome::NOTHING,
            hypotheses: 0,
            place: None,
        }
    }

    fn add(&mut self, outcome: Outcome, first: &Word, second: &Word) {
        self.hypotheses += 1;
        if self.place.is_none() || self.worst.worse(outcome) != self.worst {
            self.worst = outcome;
            self.place = Some([*first, *second]);
        }
    }

    fn finding(&self, sample: &Sample) -> Finding {
        let place = match self.place {
            Some([first, second]) if first == second => sample.place(&first),
            Some([first, second]) => {
                format!("{} and {}", sample.place(&first), sample.place(&second))
            }
            None => "nothing to test".to_owned(),
        };
        finding(
            self.test,
            self.worst.p,
            self.worst.effect,
            self.hypotheses,
            place,
        )
    }
}

fn finding(test: Test, p: f64, effect: f64, hypotheses: usize, place: String) -> Finding {
    let families = Test::ALL.len() as f64;
    Finding {
        test,
        p: (p * hypotheses.max(1) as f64 * families).min(1.0),
        effect,
        hypotheses,
        place,
    }
}

/// Test what a party received on two secrets.
pub(crate) fn examine(samples: &[Sample; 2], seed: u64) -> Vec<Finding> {
    let shape = shape(samples);
    let same = shape.p >= 1.0;
    let mut findings = vec![shape, openings(samples)];
    // Positions mean nothing where messages differ.
    if !same || samples[0].layout.is_empty() {
        return findings;
    }
    let layout = &samples[0].layout;
    let mut random = Random::of(seed, "tested positions");
    let paired: Vec<Word> = random
        .choose(PAIRED_WORDS, layout.len())
        .into_iter()
        .map(|i| layout[i])
        .collect();
    let (mut words, mut pairs, mut secrets) = (
        Family::new(Test::Words),
        Family::new(Test::Pairs),
        Family::new(Test::Secrets),
    );
    for word in layout {
        for high in [false, true] {
            let counts = samples
                .each_ref()
                .map(|sample| counts(sample, |view| word.of(view), word.bytes, high));
            for counts in &counts {
                words.add(uniform(counts), word, word);
            }
            secrets.add(homogeneous(&counts[0], &counts[1]), word, word);
        }
    }
    for (i, a) in paired.iter().enumerate() {
        for b in paired[..i].iter().filter(|b| b.bytes == a.bytes) {
            for (operation, high) in COMBINATIONS {
                let counts = samples
                    .each_ref()
                    .map(|sample| counts(sample, |v| operation(a.of(v), b.of(v)), a.bytes, high));
                for counts in &counts {
                    pairs.add(uniform(counts), b, a);
                }
                secrets.add(homogeneous(&counts[0], &counts[1]), b, a);
            }
        }
    }
    findings.extend([words, pairs, secrets].map(|family| family.finding(&samples[0])));
    findings.push(repeats(samples));
    findings.push(relations(samples, &mut random));
    findings
}

type Operation = fn(u64, u64) -> u64;
/// How two words are combined, and whether the top or the low half byte of the result is looked at. The low
/// half of a sum or XOR says little that the low half of a difference does not.
const COMBINATIONS: [(Operation, bool); 4] = [
    (u64::wrapping_sub, false),
    (u64::wrapping_sub, true),
    (u64::wrapping_add, true),
    (|a, b| a ^ b, true),
];

/// How often each value of the low or high half byte of a word of `bytes` occurs.
fn counts(sample: &Sample, value: impl Fn(&[u8]) -> u64, bytes: usize, high: bool) -> [u32; CELLS] {
    let shift = if high { 8 * bytes - 4 } else { 0 };
    let mut counts = [0; CELLS];
    for view in &sample.views {
        counts[(value(view) >> shift) as usize % CELLS] += 1;
    }
    counts
}

fn shape(samples: &[Sample; 2]) -> Finding {
    let first = &samples[0].shapes[0];
    let all = || samples.iter().flat_map(|sample| &sample.shapes);
    let other = all().filter(|shapes| *shapes != first).count();
    let runs = all().count();
    let place = match all().find(|shapes| *shapes != first) {
        None => "all runs alike".to_owned(),
        Some(shapes) => {
            let lengths = |shapes: &[crate::recorder::Shape]| -> usize {
                shapes.iter().map(|s| s.bytes).sum()
            };
            format!(
                "{} messages of {} bytes in one run, {} of {} in another",
                first.len(),
                lengths(first),
                shapes.len(),
                lengths(shapes)
            )
        }
    };
    let p = if other == 0 { 1.0 } else { 0.0 };
    finding(Test::Shape, p, other as f64 / runs as f64, 1, place)
}

fn openings(samples: &[Sample; 2]) -> Finding {
    let wrong: usize = samples.iter().map(|s| s.unexplained).sum();
    let runs: usize = samples.iter().map(|s| s.views.len()).sum();
    let p = if wrong == 0 { 1.0 } else { 0.0 };
    let place = if wrong == 0 {
        "as the output says".to_owned()
    } else {
        format!("{wrong} of {runs} runs")
    };
    finding(Test::Openings, p, wrong as f64 / runs as f64, 1, place)
}

/// Words of four and more bytes whose value, or whose relation to another word, comes again in other runs.
fn repeats(samples: &[Sample; 2]) -> Finding {
    let layout = &samples[0].layout;
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
        let [first, second, third] =
            [0, 1, 2].map(|run| &sample.views[run.min(sample.views.len() - 1)]);
        let mut seen: HashMap<(usize, bool, u64, u64), Word> = HashMap::new();
        for word in layout.iter().filter(|word| word.bytes >= 4) {
            let mask = u64::MAX >> (64 - 8 * word.bytes);
            let of = |view: &[u8]| word.of(view);
            let (a, b) = (
                of(second).wrapping_sub(of(first)) & mask,
                of(third).wrapping_sub(of(first)) & mask,
            );
            // The difference and the sum of two words are constant where their changes agree or cancel.
            let negated = (a.wrapping_neg() & mask, b.wrapping_neg() & mask);
            let (a, b) = (a, b).min(negated);
            let xor = (of(second) ^ of(first), of(third) ^ of(first));
            for key in [(word.bytes, false, a, b), (word.bytes, true, xor.0, xor.1)] {
                if let Some(other) = seen.insert(key, *word) {
                    events += 1;
                    place.get_or_insert([other, *word]);
                }
            }
            expected += 4.0 * layout.len() as f64 * (-16.0 * word.bytes as f64).exp2();
        }
    }
    let sample = &samples[0];
    let text = match place {
        Some([a, b]) if a == b => sample.place(&a),
        Some([a, b]) => format!("{} and {}", sample.place(&a), sample.place(&b)),
        None => "no repeat".to_owned(),
    };
    // P(at least so many events) of a Poisson variable, bounded by its first term.
    let p = (1..=events.min(64)).fold(1.0, |p, k| p * expected / k as f64);
    let effect = events as f64 / (words.max(1) * sample.views.len()) as f64;
    finding(Test::Repeats, p.min(1.0), effect.min(1.0), 1, text)
}

/// Linear relations among as many bits as the runs allow: of packed bits any, of elements mostly the lowest, which
/// are linear in sums and differences.
fn relations(samples: &[Sample; 2], random: &mut Random) -> Finding {
    let sample = &samples[0];
    let budget = sample.views.len().saturating_sub(SPARE_RUNS);
    let (mut low, mut others) = (Vec::new(), Vec::new());
    for word in &sample.layout {
        for bit in 0..8 * word.bytes {
            if bit == 0 || word.bits {
                low.push((*word, bit));
            } else {
                others.push((*word, bit));
            }
        }
    }
    let few = random.choose(budget.saturating_sub(budget / 8), low.len());
    let rest = random.choose(budget - few.len(), others.len());
    let chosen: Vec<(Word, usize)> = few
        .into_iter()
        .map(|i| low[i])
        .chain(rest.into_iter().map(|i| others[i]))
        .collect();
    let (mut worst, mut effect, mut place) = (0.0_f64, 0.0_f64, "none".to_owned());
    for sample in samples {
        let mut columns = Columns::new(sample.views.len());
        for (word, bit) in &chosen {
            columns.push(|run| word.of(&sample.views[run]) >> bit & 1 == 1);
        }
        let found = columns.relations();
        if found.log2_p < worst {
            worst = found.log2_p;
            effect = found.count as f64 / chosen.len().max(1) as f64;
            let names = found.shortest.map(|relation| {
                let name = |&c: &usize| {
                    let (word, bit) = &chosen[c];
                    format!("bit {bit} of {}", sample.place(word))
                };
                let some: Vec<String> = relation.columns.iter().take(3).map(name).collect();
                let more = relation.columns.len().saturating_sub(3);
                let rest = if more > 0 {
                    format!(" + {more} more")
                } else {
                    String::new()
                };
                some.join(" + ") + &rest
            });
            place = names.unwrap_or_default();
        }
    }
    finding(Test::Relations, worst.exp2(), effect, 2, place)
}
