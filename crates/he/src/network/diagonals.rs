//! Matrices as diagonals: products with a vector that lies in the slots of one ciphertext (Halevi and Shoup 2014, section 4.3; for
//! matrices with fewer rows than columns GAZELLE, Juvekar et al. 2018, section 3.2).
//!
//! With `M` the number of rows, rounded up to a power of two, weight `(r, c)` belongs to diagonal `d = (r - c) mod M` and stands in slot
//! `c + d`, which is `r` modulo `M`. Then `y_r` is the sum over the slots `r`, `r + M`, … of `Σ_d diagonal_d ⊙ (x shifted up by d)`. Of the
//! shifts only about `2 √M` are rotations of ciphertexts (baby steps and giant steps, `d = giant · B + baby`); the sum over slots is made by
//! halving. Every rotation is by 1, by `B` or by a power of two times `M`, so that few keys serve all layers.

use crate::affine::Affine;
use std::collections::{BTreeMap, BTreeSet};

/// Constants of some slots; the others are 0.
pub(crate) type Sparse = Vec<(usize, i128)>;

/// The baby steps of a giant step: input, shift, weights.
pub(crate) type Babies<V> = Vec<(usize, usize, V)>;

/// A matrix by its diagonals; `V` is what the constants of a diagonal are made to.
pub(crate) struct Matrix<V> {
    /// `B`: shifts of a giant step.
    pub(crate) baby: usize,
    /// For each giant step, the diagonals in it, shifted down by it.
    pub(crate) giants: BTreeMap<usize, Babies<V>>,
    /// Rotations that sum the slots `r`, `r + M`, ….
    pub(crate) folds: Vec<usize>,
}

impl Matrix<Sparse> {
    /// The matrix of `map`, whose columns are those of inputs of these sizes, in rows of `slots` slots.
    pub(crate) fn of(map: &Affine<i64, i128>, sizes: &[usize], slots: usize) -> Self {
        // For each input, where its columns begin.
        let begins: Vec<usize> = sizes
            .iter()
            .scan(0, |next, size| {
                let begin = *next;
                *next += size;
                Some(begin)
            })
            .collect();
        let period = map.rows.len().next_power_of_two().min(slots);
        let mut diagonals: BTreeMap<(usize, usize), Sparse> = BTreeMap::new();
        let mut highest = 0;
        for (row, terms) in map.rows.iter().enumerate() {
            for &(column, weight) in terms {
                let input = begins.partition_point(|&begin| begin <= column as usize) - 1;
                let column = column as usize - begins[input];
                // The column modulo M, so that the difference stays above 0.
                let shift = (row + period - column % period) % period;
                let slot = column + shift;
                highest = highest.max(slot);
                let weights = diagonals.entry((shift, input)).or_default();
                weights.push((slot, i128::from(weight)));
            }
        }
        let baby = 1_usize << period.ilog2().div_ceil(2);
        let mut giants: BTreeMap<usize, Babies<Sparse>> = BTreeMap::new();
        for ((shift, input), weights) in diagonals {
            let (giant, small) = (shift / baby, shift % baby);
            let down = |(slot, weight)| ((slot + slots - giant * baby) % slots, weight);
            let weights = weights.into_iter().map(down).collect();
            giants
                .entry(giant)
                .or_default()
                .push((input, small, weights));
        }
        let blocks = (highest / period + 1).next_power_of_two();
        let folds = (0..blocks.min(slots / period).ilog2()).map(|at| period << at);
        Self {
            baby,
            giants,
            folds: folds.collect(),
        }
    }

    /// The one weight by which all elements are multiplied and that moves none, if the matrix is that, for a result of `rows` elements: a row
    /// without a weight would take up what a slot without an element holds.
    pub(crate) fn scale(&self, rows: usize) -> Option<i128> {
        let [(0, babies)] = self.giants.iter().collect::<Vec<_>>()[..] else {
            return None;
        };
        let [(0, 0, weights)] = babies.as_slice() else {
            return None;
        };
        let (_, first) = weights.first()?;
        let alike = weights.iter().all(|(_, weight)| weight == first);
        (alike && weights.len() == rows && self.folds.is_empty()).then_some(*first)
    }
}

impl<V> Matrix<V> {
    /// The rotations that a product takes, as numbers of slots that elements move down in rows of `slots` slots.
    pub(crate) fn rotations(&self, slots: usize) -> BTreeSet<usize> {
        let mut all: BTreeSet<usize> = self.folds.iter().copied().collect();
        let mut babies = self.giants.values().flatten();
        if babies.any(|(_, small, _)| *small > 0) {
            all.insert(slots - 1);
        }
        if self.giants.keys().any(|giant| *giant > 0) {
            all.insert(slots - self.baby);
        }
        all
    }

    /// The same with every diagonal made to something else.
    pub(crate) fn map<W, E>(
        &self,
        mut make: impl FnMut(&V) -> Result<W, E>,
    ) -> Result<Matrix<W>, E> {
        let mut giants = BTreeMap::new();
        for (giant, babies) in &self.giants {
            let each = babies
                .iter()
                .map(|(input, small, weights)| Ok((*input, *small, make(weights)?)));
            giants.insert(*giant, each.collect::<Result<Babies<W>, E>>()?);
        }
        Ok(Matrix {
            baby: self.baby,
            giants,
            folds: self.folds.clone(),
        })
    }
}
