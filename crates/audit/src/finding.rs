//! What a test of a party's view finds.

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
