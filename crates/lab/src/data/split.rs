//! Who gets which records.

use super::arrays;
use crate::LabError;
use crate::random::Stream;
use serde::Serialize;
use std::path::Path;

/// The five parts of MemGuard's evaluation (Jia et al. 2019), as rows of a data set. No row is in
/// two of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Split {
    /// The target model is trained on these; they are the members of the evaluation.
    pub target_members: Vec<usize>,
    /// The defender tells the members from these when training `h`.
    pub defence_nonmembers: Vec<usize>,
    /// The non-members of the evaluation, which neither the target nor `h` ever saw.
    pub evaluation_nonmembers: Vec<usize>,
    /// The attacker trains shadow models on these.
    pub shadow_members: Vec<usize>,
    /// The attacker keeps these out of the shadow models' training.
    pub shadow_nonmembers: Vec<usize>,
}

impl Split {
    /// Cut `order`, a permutation of the rows, at MemGuard's positions: with a `target` of 1000
    /// and a `shadow` of 500, members 0-1000, the defence's non-members 1000-2000, the
    /// evaluation's 2000-3000, shadow members 3000-3500 and shadow non-members 4000-4500.
    ///
    /// # Errors
    /// If there are fewer than `4 · target + shadow` rows; `name` is that of the data set.
    ///
    /// # Panics
    /// If `shadow` is more than `target`, or one of them is 0.
    pub fn cut(
        name: &str,
        order: &[usize],
        target: usize,
        shadow: usize,
    ) -> Result<Self, LabError> {
        assert!(
            0 < shadow && shadow <= target,
            "a shadow part of {shadow} does not fit into {target}"
        );
        let needed = 4 * target + shadow;
        if order.len() < needed {
            return Err(LabError::TooFew {
                data_set: name.to_owned(),
                needed,
                available: order.len(),
            });
        }
        let part = |start: usize, length: usize| order[start..start + length].to_vec();
        Ok(Self {
            target_members: part(0, target),
            defence_nonmembers: part(target, target),
            evaluation_nonmembers: part(2 * target, target),
            shadow_members: part(3 * target, shadow),
            shadow_nonmembers: part(4 * target, shadow),
        })
    }

    /// The same parts of `records` rows in an order drawn from `seed`.
    ///
    /// # Errors
    /// As [`Split::cut`].
    pub fn seeded(
        name: &str,
        records: usize,
        target: usize,
        shadow: usize,
        seed: u64,
    ) -> Result<Self, LabError> {
        let order = Stream::new(seed, "five-way split").permutation(records);
        Self::cut(name, &order, target, shadow)
    }

    /// MemGuard's own split of Location30, from its authors' permutation (an .npz archive with the
    /// array `x`).
    ///
    /// # Errors
    /// If the file cannot be read or holds no permutation.
    pub fn memguard(path: &Path) -> Result<Self, LabError> {
        let order = arrays::from_npz(path, &["x"])?;
        let order =
            arrays::labels(&order).map_err(|problem| super::find::damaged(path, problem))?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted.iter().enumerate().any(|(index, &row)| index != row) {
            return Err(super::find::damaged(path, "it is no permutation of rows"));
        }
        Self::cut("Location30", &order, 1000, 500)
    }

    /// The parts with their names, in order.
    pub fn parts(&self) -> [(&'static str, &[usize]); 5] {
        [
            ("target members", &self.target_members),
            ("defence non-members", &self.defence_nonmembers),
            ("evaluation non-members", &self.evaluation_nonmembers),
            ("shadow members", &self.shadow_members),
            ("shadow non-members", &self.shadow_nonmembers),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array1;
    use ndarray_npy::NpzWriter;
    use std::fs::File;

    #[test]
    fn parts_lie_where_memguard_has_them() {
        let order: Vec<usize> = (0..5010).rev().collect();
        let split = Split::cut("Location30", &order, 1000, 500).unwrap();
        let ends = split.parts().map(|(_, rows)| (rows[0], rows.len()));
        let expected = [
            (5009, 1000),
            (4009, 1000),
            (3009, 1000),
            (2009, 500),
            (1009, 500),
        ];
        assert_eq!(ends, expected);
    }

    #[test]
    fn seeded_parts_are_disjoint_and_repeatable() {
        let split = Split::seeded("d", 460, 100, 60, 3).unwrap();
        assert_eq!(split, Split::seeded("d", 460, 100, 60, 3).unwrap());
        assert_ne!(split, Split::seeded("d", 460, 100, 60, 4).unwrap());
        let mut rows: Vec<usize> = split.parts().iter().flat_map(|p| p.1.to_vec()).collect();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 420);
        let error = Split::seeded("digits", 459, 100, 60, 3).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("needs 460") && error.contains("digits has 459"),
            "{error}"
        );
    }

    #[test]
    fn only_permutations_are_orders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order.npz");
        let write = |order: Vec<i64>| {
            let mut archive = NpzWriter::new(File::create(&path).unwrap());
            archive.add_array("x", &Array1::from(order)).unwrap();
            archive.finish().unwrap();
        };
        write((0..4500).rev().collect());
        assert_eq!(Split::memguard(&path).unwrap().target_members[0], 4499);
        write(vec![0; 4500]);
        let error = Split::memguard(&path).unwrap_err().to_string();
        assert!(error.contains("no permutation"), "{error}");
    }
}
