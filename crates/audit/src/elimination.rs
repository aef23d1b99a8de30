//! Linear relations between received bits, by elimination over GF(2).

/// Bits of many runs, column by column: bit `r` of a column is the received bit in run `r`, XOR that in run 0.
pub(crate) struct Columns {
    runs: usize,
    width: usize,
    words: Vec<u64>,
}

/// A set of columns whose XOR is the same in all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    /// Indices of the columns.
    pub(crate) columns: Vec<usize>,
}

/// What elimination found.
pub(crate) struct Relations {
    /// Columns less the rank.
    pub(crate) count: usize,
    /// The shortest relation that elimination met.
    pub(crate) shortest: Option<Relation>,
    /// log2 of a bound of the probability of so many relations among uniform bits.
    pub(crate) log2_p: f64,
}

impl Columns {
    /// No columns of bits in `runs` runs.
    pub(crate) fn new(runs: usize) -> Self {
        Self {
            runs,
            width: runs.div_ceil(64),
            words: Vec::new(),
        }
    }

    /// Add a column; `bit` is asked for each run.
    pub(crate) fn push(&mut self, bit: impl Fn(usize) -> bool) {
        let (start, first) = (self.words.len(), bit(0));
        self.words.resize(start + self.width, 0);
        for run in 1..self.runs {
            if bit(run) != first {
                self.words[start + run / 64] |= 1 << (run % 64);
            }
        }
    }

    /// Columns held.
    pub(crate) fn len(&self) -> usize {
        self.words.len() / self.width.max(1)
    }

    /// Find the relations.
    ///
    /// Uniform independent bits in `n` runs give `c` columns of `n - 1` free entries: a given XOR of columns is
    /// constant with probability `2^(1 - n)`, so `k` independent relations exist with probability below
    /// `2^(k (c - n + 1))`.
    pub(crate) fn relations(mut self) -> Relations {
        let (count, width) = (self.len(), self.width);
        let sets = count.div_ceil(64);
        // Which columns were added into each.
        let mut members = vec![0_u64; count * sets];
        for column in 0..count {
            members[column * sets + column / 64] |= 1 << (column % 64);
        }
        // The column that owns each run's pivot.
        let mut owner: Vec<Option<usize>> = vec![None; self.runs];
        let (mut found, mut shortest): (usize, Option<Relation>) = (0, None);
        for column in 0..count {
            loop {
                let own = &self.words[column * width..(column + 1) * width];
                let Some(word) = own.iter().position(|&word| word != 0) else {
                    let set = &members[column * sets..(column + 1) * sets];
                    let columns = (0..count).filter(|c| set[c / 64] >> (c % 64) & 1 == 1);
                    let relation = Relation {
                        columns: columns.collect(),
                    };
                    if shortest
                        .as_ref()
                        .is_none_or(|s| relation.columns.len() < s.columns.len())
                    {
                        shortest = Some(relation);
                    }
                    found += 1;
                    break;
                };
                let pivot = word * 64 + own[word].trailing_zeros() as usize;
                let Some(other) = owner[pivot] else {
                    owner[pivot] = Some(column);
                    break;
                };
                add(&mut self.words, width, other, column);
                add(&mut members, sets, other, column);
            }
        }
        let free = self.runs.saturating_sub(1) as f64;
        Relations {
            count: found,
            shortest,
            log2_p: if found == 0 {
                0.0
            } else {
                (found as f64 * (count as f64 - free)).min(0.0)
            },
        }
    }
}

/// Row `to` of a table of `width` words a row ^= row `from`, an earlier one.
fn add(table: &mut [u64], width: usize, from: usize, to: usize) {
    let (head, tail) = table.split_at_mut(to * width);
    let source = &head[from * width..(from + 1) * width];
    for (word, other) in tail[..width].iter_mut().zip(source) {
        *word ^= other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    fn random_columns(random: &mut Random, runs: usize, count: usize) -> Vec<Vec<bool>> {
        (0..count)
            .map(|_| (0..runs).map(|_| random.word() & 1 == 1).collect())
            .collect()
    }

    fn relations(columns: &[Vec<bool>]) -> Relations {
        let mut all = Columns::new(columns[0].len());
        for column in columns {
            all.push(|run| column[run]);
        }
        all.relations()
    }

    #[test]
    fn uniform_bits_have_none() {
        let mut random = Random::new(1);
        let found = relations(&random_columns(&mut random, 256, 180));
        assert!(found.count == 0 && found.shortest.is_none() && found.log2_p == 0.0);
    }

    #[test]
    fn a_constant_and_an_xor_of_three_are_found() {
        let mut random = Random::new(2);
        let mut columns = random_columns(&mut random, 200, 100);
        columns[17] = vec![true; 200];
        columns[60] = (0..200)
            .map(|r| !(columns[3][r] ^ columns[40][r]))
            .collect();
        let found = relations(&columns);
        assert_eq!(found.count, 2);
        assert_eq!(found.shortest.map(|r| r.columns), Some(vec![17]));
        assert!(found.log2_p < -150.0);
        columns[17] = columns[20].clone();
        let shortest = relations(&columns).shortest;
        assert_eq!(shortest.map(|r| r.columns), Some(vec![17, 20]));
    }
}
