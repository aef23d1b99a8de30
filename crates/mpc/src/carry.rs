//! In what order the carry of an addition is put together: blocks of bits, and groups of them.

use crate::Cost;
use crate::gates::{BLOCK, MOST_INPUTS, gates_cost, packed_bytes};
use std::sync::OnceLock;

/// Inputs of a merging gate: propagate 3, 2, 1, 0 as inputs 0 … 3, generate 3, 2, 1, 0 as inputs 4 … 7 (the
/// highest block first); for fewer pairs the first ones of each.
const MERGE_2: &[&[u16]] = &[&[1 << 4, 1 | 1 << 5], &[0b11]];
const MERGE_3: &[&[u16]] = &[&[1 << 4, 1 | 1 << 5, 0b11 | 1 << 6], &[0b111]];
const MERGE_4: &[&[u16]] = &[
    &[1 << 4, 1 | 1 << 5, 0b11 | 1 << 6, 0b111 | 1 << 7],
    &[0b1111],
];
/// Nothing is carried into the lowest group: it needs no propagate bit.
const LOWEST_2: &[&[u16]] = &[MERGE_2[0]];
const LOWEST_3: &[&[u16]] = &[MERGE_3[0]];
const LOWEST_4: &[&[u16]] = &[MERGE_4[0]];

/// The gate that merges `pairs` pairs, at the lowest place or above it.
pub(crate) fn merge_gate(pairs: usize, lowest: bool) -> &'static [&'static [u16]] {
    match (pairs, lowest) {
        (2, false) => MERGE_2,
        (3, false) => MERGE_3,
        (_, false) => MERGE_4,
        (2, true) => LOWEST_2,
        (3, true) => LOWEST_3,
        (_, true) => LOWEST_4,
    }
}

/// How a carry is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Bits of each block, the lowest first.
    pub(crate) blocks: Vec<usize>,
    /// Level by level, how many of the pairs below each group merges, the lowest first.
    pub(crate) levels: Vec<Vec<usize>>,
}

/// The trees by their bits, each sought once.
static TREES: [OnceLock<Tree>; 64] = [const { OnceLock::new() }; 64];

impl Tree {
    /// The tree for the carry out of `low` bits, 1 to 63.
    pub(crate) fn of(low: usize) -> &'static Self {
        TREES[low].get_or_init(|| Self::new(low))
    }

    /// The tree for the carry out of `low` bits: as few levels as there can be, and of those trees the one of least
    /// traffic. Even sizes cost least, since blocks and gates grow faster than their inputs.
    fn new(low: usize) -> Self {
        let mut depth = 0;
        while BLOCK * MOST_INPUTS.pow(depth) < low {
            depth += 1;
        }
        let counts = low.div_ceil(BLOCK)..=low.min(MOST_INPUTS.pow(depth));
        // How many pairs there are on each level: at most 64 bits need no more than two levels of groups.
        let trees = counts.flat_map(|count| match depth {
            0 => vec![vec![count]],
            1 => vec![vec![count, 1]],
            _ => (count.div_ceil(MOST_INPUTS)..=MOST_INPUTS)
                .map(|groups| vec![count, groups, 1])
                .collect(),
        });
        let trees = trees.map(|counts| Self {
            blocks: even(low, counts[0]),
            levels: counts.windows(2).map(|c| even(c[0], c[1])).collect(),
        });
        // A thousand elements, so that whole bytes do not decide.
        let best = trees.min_by_key(|tree| tree.cost(1000, 1).bytes.iter().sum::<u64>());
        best.unwrap_or(Self {
            blocks: Vec::new(),
            levels: Vec::new(),
        })
    }

    /// Entries of all blocks' tables.
    pub(crate) fn tables(&self) -> usize {
        self.blocks.iter().map(|size| (1 << size) - 1).sum()
    }

    /// The cost of `copies` carries of each of `len` elements, and of the top bits that are dealt beside them: copies share
    /// what is dealt for an element.
    pub(crate) fn cost(&self, len: usize, copies: usize) -> Cost {
        let dealt = packed_bytes(len, self.tables() + 1);
        let len = len * copies;
        let online = packed_bytes(len, 2 * self.blocks.len() - 1);
        let mut cost = Cost::new(1, [dealt, online, online]);
        for groups in &self.levels {
            let shapes: Vec<_> = runs(groups).iter().filter_map(Run::shape).collect();
            cost = cost + gates_cost(len, &shapes);
        }
        cost
    }
}

/// Groups of one size, side by side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The first pair of the first group.
    pub(crate) first: usize,
    /// Pairs of each group.
    pub(crate) size: usize,
    /// Groups.
    pub(crate) count: usize,
}

impl Run {
    /// Whether it starts at the lowest pair.
    pub(crate) fn lowest(&self) -> bool {
        self.first == 0
    }

    /// The planes and the outputs of its gate, if it needs one.
    fn shape(&self) -> Option<(usize, &'static [&'static [u16]])> {
        (self.size > 1).then(|| (self.count, merge_gate(self.size, self.lowest())))
    }
}

/// The runs of groups of one size; the lowest group is one by itself.
pub(crate) fn runs(groups: &[usize]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut first = 0;
    for &size in groups {
        match runs.last_mut() {
            Some(run) if !run.lowest() && run.size == size => run.count += 1,
            _ => runs.push(Run {
                first,
                size,
                count: 1,
            }),
        }
        first += size;
    }
    runs
}

/// `total` in `parts` sizes that differ by at most one, the larger first.
fn even(total: usize, parts: usize) -> Vec<usize> {
    let larger = total % parts;
    (0..parts)
        .map(|part| total / parts + usize::from(part < larger))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_span_their_bits_in_the_fewest_rounds() {
        for low in 1..64 {
            let tree = Tree::new(low);
            assert_eq!(tree.blocks.iter().sum::<usize>(), low);
            assert!(tree.blocks.iter().all(|size| (1..=BLOCK).contains(size)));
            let mut pairs = tree.blocks.len();
            for groups in &tree.levels {
                assert_eq!(groups.iter().sum::<usize>(), pairs, "{low} bits");
                assert!(groups.iter().all(|size| (1..=MOST_INPUTS).contains(size)));
                pairs = groups.len();
            }
            assert_eq!(pairs, 1, "{low} bits");
            let rounds = match low {
                0..=4 => 1,
                5..=16 => 2,
                _ => 3,
            };
            assert_eq!(tree.cost(8, 1).rounds, rounds, "{low} bits");
        }
    }

    #[test]
    fn smaller_blocks_take_fewer_bytes_where_rounds_allow() {
        // Ten blocks of three bits rather than eight of up to four.
        let tree = Tree::new(30);
        assert_eq!(tree.blocks, vec![3; 10]);
        assert_eq!(tree.cost(8, 1).bytes.iter().sum::<u64>(), 157);
        // 63 bits fit three rounds in blocks of four alone.
        assert_eq!(Tree::new(63).blocks.len(), 16);
    }
}
