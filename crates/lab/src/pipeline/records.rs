//! Records and who has them.

use super::Config;
use crate::LabError;
use crate::data::{DataSet, Manifest, Split, generated};
use crate::random::Stream;
use ndarray::Array2;
use std::path::Path;

/// The parts of the data set that models are asked about, in the order in which their rows lie
/// one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The target's training records.
    Members,
    /// Records that neither the target nor the defender saw.
    NonMembers,
    /// The defender's non-members.
    Defence,
    /// The attacker's own: its shadow model is trained on them.
    ShadowMembers,
    /// The attacker's own, kept out of the shadow model's training.
    ShadowNonMembers,
    /// More of the attacker's own.
    Spare,
}

impl Part {
    /// All of them, in order.
    pub(super) const ALL: [Self; 6] = [
        Self::Members,
        Self::NonMembers,
        Self::Defence,
        Self::ShadowMembers,
        Self::ShadowNonMembers,
        Self::Spare,
    ];
}

/// The records of a run.
pub struct Records {
    /// All of them.
    pub data: DataSet,
    /// The five parts.
    pub split: Split,
    /// Rows of the data set, part after part.
    pub rows: Vec<usize>,
    /// Where each part ends.
    ends: [usize; 6],
    /// Records that the shadow model is trained on: as many as the target's, if there are.
    pub shadow_training: Vec<usize>,
    /// All that the attacker has.
    pub pool: Vec<usize>,
}

impl Records {
    /// Load and split.
    ///
    /// # Errors
    /// If files are missing or damaged, or there are too few records.
    pub fn load(config: &Config, folder: &Path) -> Result<Self, LabError> {
        let data = match config.data.source {
            Some(source) => DataSet::load(source, folder)?,
            None => generated::location_like(config.data.records, config.seed)?,
        };
        let split = if let Some(path) = &config.data.permutation {
            Split::memguard(&folder.join(path))?
        } else {
            let (target, shadow) = (config.data.target, config.data.shadow);
            Split::seeded(&data.name, data.records(), target, shadow, config.seed)?
        };
        Ok(Self::of(config, data, split))
    }

    /// The records of `data`, split like this.
    pub fn of(config: &Config, data: DataSet, split: Split) -> Self {
        // What is in no part is the attacker's too, as much of it as the target was trained on.
        let mut taken = vec![false; data.records()];
        for (_, part) in split.parts() {
            for &row in part {
                taken[row] = true;
            }
        }
        let order = Stream::new(config.seed, "spare records").permutation(data.records());
        let mut spare: Vec<usize> = order.into_iter().filter(|&row| !taken[row]).collect();
        spare.truncate(split.target_members.len());
        let missing = split.target_members.len() - split.shadow_members.len();
        let lent = spare.len() / 2;
        let further = spare[..missing.min(lent)].to_vec();
        let shadow_training = [&split.shadow_members[..], &further[..]].concat();
        let spare_left = spare[further.len()..].to_vec();
        let pool = [
            &split.shadow_members[..],
            &split.shadow_nonmembers[..],
            &spare[..],
        ]
        .concat();
        let parts = [
            &split.target_members,
            &split.evaluation_nonmembers,
            &split.defence_nonmembers,
            &split.shadow_members,
            &split.shadow_nonmembers,
            &spare_left,
        ];
        let mut end = 0;
        let ends = parts.map(|part| {
            end += part.len();
            end
        });
        let rows = parts.into_iter().flatten().copied().collect();
        Self {
            data,
            split,
            rows,
            ends,
            shadow_training,
            pool,
        }
    }

    /// Where a part's rows lie.
    pub fn range(&self, part: Part) -> std::ops::Range<usize> {
        let index = part as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }

    /// The chosen records' inputs (records × numbers).
    ///
    /// # Errors
    /// If they cannot be laid out as rows.
    pub fn inputs(&self, rows: &[usize]) -> Result<Array2<f32>, LabError> {
        let width: usize = self.data.shape().iter().product();
        let inputs = self.data.inputs(rows);
        inputs
            .into_shape_with_order((rows.len(), width))
            .map_err(|error| LabError::input("the records", error.to_string()))
    }

    /// The labels of a part.
    pub fn labels(&self, part: Part) -> Vec<usize> {
        self.data.labels_of(&self.rows[self.range(part)])
    }

    /// What reports say of them.
    pub fn manifest(&self) -> Manifest {
        Manifest::new(&self.data, &self.split)
    }
}
