//! Are received words, and combinations of two of them, uniform, and distributed alike for two secrets?

use crate::Random;
use crate::finding::{Finding, Test, finding};
use crate::relations::aligned;
use crate::sample::{Layout, Sample, Word};
use crate::statistics::{CELLS, Statistic, homogeneous, uniform};

/// Pairs of words are tested among at most so many words of a view, half of them at the same place of different
/// messages, tiles or chunks.
const PAIRED_WORDS: usize = 64;

/// The most extreme statistic of one family of hypotheses so far.
struct Family {
    test: Test,
    /// By degrees of freedom, because only statistics of the same can be compared.
    worst: [Option<(Statistic, [Word; 2])>; CELLS],
    hypotheses: usize,
}

impl Family {
    fn new(test: Test) -> Self {
        Self {
            test,
            worst: [None; CELLS],
            hypotheses: 0,
        }
    }

    fn add(&mut self, statistic: Statistic, words: [Word; 2]) {
        self.hypotheses += 1;
        let worst = &mut self.worst[statistic.degrees];
        if worst.is_none_or(|(other, _)| other.value < statistic.value) {
            *worst = Some((statistic, words));
        }
    }

    fn finding(&self, sample: &Sample) -> Finding {
        let most = self
            .worst
            .iter()
            .flatten()
            .map(|(statistic, words)| (statistic.p(), statistic.effect, words));
        let most = most.min_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let Some((p, effect, [first, second])) = most else {
            let place = "nothing to test".to_owned();
            return finding(self.test, 1.0, 0.0, 0, place);
        };
        let place = if first == second {
            sample.place(first)
        } else {
            format!("{} and {}", sample.place(first), sample.place(second))
        };
        finding(self.test, p, effect, self.hypotheses, place)
    }
}

/// What is tested: a number of some bytes, and its half bytes from number `from` on.
struct Part {
    bytes: usize,
    from: usize,
}

impl Part {
    /// All half bytes of a number of `bytes` bytes.
    fn whole(bytes: usize) -> Self {
        Self { bytes, from: 0 }
    }

    /// The highest half byte alone.
    fn top(bytes: usize) -> Self {
        let from = 2 * bytes - 1;
        Self { bytes, from }
    }

    /// Per half byte, how often each value occurs.
    fn counts(&self, values: impl Iterator<Item = u64>) -> Vec<[u32; CELLS]> {
        let mut counts = vec![[0; CELLS]; 2 * self.bytes - self.from];
        for value in values {
            let mut left = value >> (4 * self.from);
            for counts in &mut counts {
                counts[left as usize % CELLS] += 1;
                left >>= 4;
            }
        }
        counts
    }
}

type Operation = fn(u64, u64) -> u64;

/// How two words are combined. The lower part of a sum or XOR says little that the lower part of a difference does not,
/// but an XOR has no carries.
fn combinations(bytes: usize) -> [(Operation, Part); 3] {
    [
        (u64::wrapping_sub, Part::whole(bytes)),
        (|a, b| a ^ b, Part::whole(bytes)),
        (u64::wrapping_add, Part::top(bytes)),
    ]
}

/// The tests [`Test::Words`], [`Test::Pairs`] and [`Test::Secrets`].
pub(crate) fn uniformity(
    samples: &[Sample; 2],
    layout: &Layout,
    random: &mut Random,
) -> [Finding; 3] {
    let mut words = Family::new(Test::Words);
    let mut pairs = Family::new(Test::Pairs);
    let mut secrets = Family::new(Test::Secrets);
    for word in &layout.words {
        let values = values(samples, word);
        let mut test = |part: &Part, values: [&mut dyn Iterator<Item = u64>; 2]| {
            let [first, second] = values.map(|values| part.counts(values));
            for (first, second) in first.iter().zip(&second) {
                words.add(uniform(first), [*word; 2]);
                words.add(uniform(second), [*word; 2]);
                secrets.add(homogeneous(first, second), [*word; 2]);
            }
        };
        let each = values.each_ref().map(|values| values.iter().copied());
        let [mut first, mut second] = each;
        test(&Part::whole(word.bytes), [&mut first, &mut second]);
        // A mask of half the bits, stretched, shows in how the halves of a word belong together.
        if word.bytes % 2 == 0 {
            for (operation, part) in combinations(word.bytes / 2) {
                let half = 4 * word.bytes;
                let mask = (1 << half) - 1;
                let of = |value: &u64| operation(value >> half, value & mask);
                let [mut first, mut second] = values.each_ref().map(|v| v.iter().map(of));
                test(&part, [&mut first, &mut second]);
            }
        }
    }
    let paired = paired(layout, random);
    let paired: Vec<(Word, [Vec<u64>; 2])> = paired
        .into_iter()
        .map(|word| (word, values(samples, &word)))
        .collect();
    for (i, (a, of_a)) in paired.iter().enumerate() {
        for (b, of_b) in paired[..i].iter().filter(|(b, _)| b.bytes == a.bytes) {
            for (operation, part) in combinations(a.bytes) {
                let counts = |secret: usize| {
                    let both = of_a[secret].iter().zip(&of_b[secret]);
                    part.counts(both.map(|(&a, &b)| operation(a, b)))
                };
                for (first, second) in counts(0).iter().zip(&counts(1)) {
                    pairs.add(uniform(first), [*b, *a]);
                    pairs.add(uniform(second), [*b, *a]);
                    secrets.add(homogeneous(first, second), [*b, *a]);
                }
            }
        }
    }
    [words, pairs, secrets].map(|family| family.finding(&samples[0]))
}

/// A word's values in all runs on both secrets.
fn values(samples: &[Sample; 2], word: &Word) -> [Vec<u64>; 2] {
    samples
        .each_ref()
        .map(|sample| sample.views.iter().map(|view| word.of(view)).collect())
}

/// Words to be paired: half of them anywhere, half in aligned groups.
fn paired(layout: &Layout, random: &mut Random) -> Vec<Word> {
    let all = &layout.words;
    if all.len() <= PAIRED_WORDS {
        return all.clone();
    }
    let chosen = random.choose(PAIRED_WORDS / 2, all.len());
    let mut paired: Vec<Word> = chosen.into_iter().map(|i| all[i]).collect();
    while paired.len() < PAIRED_WORDS {
        let group = aligned(all, PAIRED_WORDS / 4, random);
        let new = group.into_iter().filter(|word| !paired.contains(word));
        let before = paired.len();
        let new: Vec<Word> = new.take(PAIRED_WORDS - before).collect();
        paired.extend(new);
        if paired.len() == before {
            break;
        }
    }
    paired
}
