//! Canaries: records that are made to be learnt by heart, among the members and among the others alike.
//!
//! Averages hide the records that a model knows best (Carlini et al. 2022; Aerni, Zhang and Tramèr 2024). What attacks find
//! of canaries is close to the worst that they find of anyone's.

use super::planted::Planted;
use crate::LabError;
use crate::data::{DataSet, Split};
use crate::random::Stream;
use serde::{Deserialize, Serialize};

/// How many records of each kind are planted among the target's members, and as many among the evaluation's non-members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Canaries {
    /// With a wrong label.
    pub mislabelled: usize,
    /// Out of distribution: each value is that of another record.
    pub foreign: usize,
}

impl Canaries {
    /// Make the first members and evaluation non-members of the split canaries; `seed` draws labels and values.
    ///
    /// # Errors
    /// If there are fewer members or non-members.
    pub(super) fn plant(
        self,
        data: &mut DataSet,
        split: &Split,
        seed: u64,
    ) -> Result<Vec<Planted>, LabError> {
        let parts = [&split.target_members, &split.evaluation_nonmembers];
        let wanted = self.mislabelled + self.foreign;
        let available = parts.map(Vec::len).into_iter().min().unwrap_or(0);
        if wanted > available {
            let problem = format!(
                "{wanted} of them, but there are {available} members or non-members; take fewer"
            );
            return Err(LabError::input("data.canaries", problem));
        }
        let mut stream = Stream::new(seed, "canaries");
        let (wrong, foreign) = (0..self.mislabelled, self.mislabelled..wanted);
        let original = data.clone();
        let records = original.records();
        for part in parts {
            for &row in &part[wrong.clone()] {
                let others = data.classes().saturating_sub(1).max(1);
                let label = (data.labels()[row] + 1 + stream.below(others)) % data.classes();
                data.relabel(row, label);
            }
            for &row in &part[foreign.clone()] {
                data.refill(row, |at| original.value(stream.below(records), at));
            }
        }
        let kinds = [("mislabelled", wrong), ("out of distribution", foreign)];
        let kinds = kinds.into_iter().filter(|(_, at)| !at.is_empty());
        Ok(kinds.map(|(kind, at)| Planted { kind, at }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::generated;

    #[test]
    fn canaries_are_changed_and_nothing_else_is() {
        let data = generated::location_like(100, 1).unwrap();
        let split = Split::seeded("test", 100, 20, 10, 1).unwrap();
        let mut changed = data.clone();
        let canaries = Canaries {
            mislabelled: 3,
            foreign: 2,
        };
        let planted = canaries.plant(&mut changed, &split, 1).unwrap();
        assert_eq!(planted.len(), 2);
        assert_eq!((planted[0].at.clone(), planted[1].at.clone()), (0..3, 3..5));
        for row in 0..100 {
            let place = |part: &[usize]| part.iter().position(|&other| other == row);
            let place = place(&split.target_members).or(place(&split.evaluation_nonmembers));
            let label = changed.labels()[row] == data.labels()[row];
            let values = changed.inputs(&[row]) == data.inputs(&[row]);
            let expected = match place {
                Some(0..3) => (false, true),
                Some(3..5) => (true, false),
                _ => (true, true),
            };
            assert_eq!((label, values), expected, "row {row} at {place:?}");
        }
        let many = Canaries {
            mislabelled: 21,
            foreign: 0,
        };
        let error = many.plant(&mut changed, &split, 1).unwrap_err().to_string();
        assert!(error.contains("21") && error.contains("20"), "{error}");
    }
}
