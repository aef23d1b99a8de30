//! The tests of a party's view. What each finds and what it misses: `docs/audit.md`.

use crate::Random;
use crate::relations::relations;
use crate::repeats::repeats;
use crate::sample::{Layout, Sample};
use crate::seeds::seeds;
use crate::uniformity::uniformity;
use serde::Serialize;
use std::fmt;

/// The tests, one family of hypotheses each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Every received word is uniform, in all its half bytes and in what its halves have to do with each other.
    Words,
    /// Every sum, difference and XOR of two received words is uniform.
    Pairs,
    /// No word, sum, difference or XOR of two words repeats between runs.
    Repeats,
    /// No XOR of any set of received bits is the same in all runs.
    Relations,
    /// Nothing received is the seed of a mask of something else that is received.
    Seeds,
    /// Words, sums and differences are distributed alike for two secrets.
    Secrets,
    /// Senders, steps and lengths of messages are the same in all runs and for both secrets.
    Shape,
    /// What is opened is what the protocol is for.
    Openings,
}

impl Test {
    /// All tests.
    pub const ALL: [Self; 8] = [
        Self::Words,
        Self::Pairs,
        Self::Repeats,
        Self::Relations,
        Self::Seeds,
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
            Self::Seeds => "a received seed expands to the mask of what is received beside it",
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
            Self::Seeds => "seeds",
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

pub(crate) fn finding(
    test: Test,
    p: f64,
    effect: f64,
    hypotheses: usize,
    place: String,
) -> Finding {
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
    let layout = Layout::new(samples);
    let mut random = Random::of(seed, "tested positions");
    findings.extend(uniformity(samples, &layout, &mut random));
    findings.push(repeats(samples, &layout.words));
    findings.push(relations(samples, &layout, &mut random));
    findings.push(seeds(&samples[0], &layout, &mut random));
    findings
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
