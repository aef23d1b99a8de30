//! Linear relations among received bits: of one word, of the same place all over a view, and of any places.

use crate::Random;
use crate::elimination::{Columns, Relation};
use crate::finding::{Finding, Test, finding};
use crate::sample::{Layout, Sample, Word};

/// Runs less columns in the search for linear relations: uniform bits show one with probability 2^-56.
const SPARE_RUNS: usize = 57;
/// Words whose own bits are searched.
const SEARCHED_WORDS: usize = 512;
/// Aligned groups of words whose bits are searched.
const GROUPS: usize = 24;
/// Protocols cut large tensors into pieces whose lengths are multiples of this (tiles, chunks of keys), and number what is
/// in a piece anew.
const PIECE: usize = 1 << 12;

/// A bit of a view.
type Bit = (Word, usize);

/// [`Test::Relations`]: whether the XOR of any set of bits is the same in all runs, among as many bits as the runs
/// allow.
///
/// Bits are taken in three ways. Each word's own: a mask that is stretched to a word's length depends on itself. Of the same
/// place in each message, tile and chunk, the lowest bits, which are linear in sums and differences: a mask that is
/// used again in the next one shows there, even if what it masks was dealt freshly. And of places all over the view.
pub(crate) fn relations(samples: &[Sample; 2], layout: &Layout, random: &mut Random) -> Finding {
    let runs = samples[0].views.len();
    let budget = runs.saturating_sub(SPARE_RUNS);
    let mut sets = vec![anywhere(layout, budget, random)];
    for i in random.choose(SEARCHED_WORDS, layout.words.len()) {
        let word = layout.words[i];
        // Of few runs the outer bits: those of a stretched mask have their like in the other half.
        let bits = (0..8 * word.bytes).filter(|bit| bit % (4 * word.bytes) < budget / 2);
        sets.push(bits.map(|bit| (word, bit)).collect());
    }
    for group in 0..GROUPS {
        let words = if group == 0 {
            at_place(&layout.words, 0, budget, random)
        } else {
            aligned(&layout.words, budget, random)
        };
        let packed = random.below(64);
        let bit = |word: Word| {
            let bit = if word.bits {
                packed % (8 * word.bytes)
            } else {
                0
            };
            (word, bit)
        };
        sets.push(words.into_iter().map(bit).collect());
    }
    let (mut worst, mut effect, mut place) = (0.0_f64, 0.0_f64, "none".to_owned());
    for bits in &sets {
        for sample in samples {
            let mut columns = Columns::new(runs);
            for (word, bit) in bits {
                columns.push(|run| word.of(&sample.views[run]) >> bit & 1 == 1);
            }
            let found = columns.relations();
            if found.log2_p < worst {
                worst = found.log2_p;
                effect = found.count as f64 / bits.len().max(1) as f64;
                let shortest = found.shortest.as_ref();
                place = shortest.map_or_else(String::new, |r| named(r, bits, sample));
            }
        }
    }
    finding(Test::Relations, worst.exp2(), effect, 2 * sets.len(), place)
}

/// Bits of any words: of packed bits any, of elements mostly the lowest.
fn anywhere(layout: &Layout, budget: usize, random: &mut Random) -> Vec<Bit> {
    let (mut low, mut others) = (Vec::new(), Vec::new());
    for (word, bits) in &layout.partial {
        low.extend((0..*bits).map(|bit| (*word, bit)));
    }
    for word in &layout.words {
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
    let few = few.into_iter().map(|i| low[i]);
    few.chain(rest.into_iter().map(|i| others[i])).collect()
}

/// At most `count` words at one place, a random one, of each message and piece of a message.
pub(crate) fn aligned(words: &[Word], count: usize, random: &mut Random) -> Vec<Word> {
    let longest = words.iter().map(|word| word.number + 1).max().unwrap_or(1);
    let place = random.below(longest.min(PIECE));
    at_place(words, place, count, random)
}

/// At most `count` words, one behind the other, whose numbers are `place` and whole pieces more.
fn at_place(words: &[Word], place: usize, count: usize, random: &mut Random) -> Vec<Word> {
    let there = words.iter().filter(|word| word.number % PIECE == place);
    let there: Vec<Word> = there.copied().collect();
    if there.len() <= count {
        return there;
    }
    let start = random.below(there.len() - count + 1);
    there[start..start + count].to_vec()
}

/// A relation's bits, for people.
fn named(relation: &Relation, bits: &[Bit], sample: &Sample) -> String {
    let name = |&c: &usize| {
        let (word, bit) = &bits[c];
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_in_all_messages_and_pieces() {
        let word = |message, number| Word {
            start: 0,
            bytes: 8,
            message,
            number,
            bits: false,
        };
        let words: Vec<Word> = (0..3)
            .flat_map(|message| (0..2 * PIECE).map(move |number| word(message, number)))
            .collect();
        let mut random = Random::new(4);
        let all = at_place(&words, 5, 100, &mut random);
        assert_eq!(all.len(), 6);
        assert!(all.iter().all(|w| w.number % PIECE == 5));
        assert_eq!(at_place(&words, 5, 4, &mut random).len(), 4);
        assert_eq!(aligned(&words, 100, &mut random).len(), 6);
    }
}
