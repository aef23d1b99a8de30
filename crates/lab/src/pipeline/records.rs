//! Records and who has them.

#[cfg(feature = "train")]
use super::Config;
use super::planted::Planted;
use crate::LabError;
#[cfg(feature = "train")]
use crate::data::generated;
use crate::data::{DataSet, Manifest, Split};
use crate::random::Stream;
use ndarray::Array2;
use std::ops::Range;
#[cfg(feature = "train")]
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
    #[cfg(feature = "train")]
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
    /// Records that were made to be learnt by heart.
    pub(crate) canaries: Vec<Planted>,
}

impl Records {
    /// Load and split.
    ///
    /// # Errors
    /// If files are missing or damaged, or there are too few records.
    #[cfg(feature = "train")]
    pub fn load(config: &Config, folder: &Path) -> Result<Self, LabError> {
        let mut data = match config.data.source {
            Some(source) => DataSet::load(source, folder)?,
            None => generated::location_like(config.data.records, config.seed)?,
        };
        let split = if let Some(path) = &config.data.permutation {
            Split::memguard(&folder.join(path))?
        } else {
            let (target, shadow) = (config.data.target, config.data.shadow);
            Split::seeded(&data.name, data.records(), target, shadow, config.seed)?
        };
        let canaries = config.data.canaries.plant(&mut data, &split, config.seed)?;
        Ok(Self {
            canaries,
            ..Self::of(config.seed, data, split)
        })
    }

    /// The records of `data`, split like this; `seed` draws which of the others are the attacker's.
    pub fn of(seed: u64, data: DataSet, split: Split) -> Self {
        // What is in no part is the attacker's too, as much of it as the target was trained on.
        let mut taken = vec![false; data.records()];
        for (_, part) in split.parts() {
            for &row in part {
                taken[row] = true;
            }
        }
        let order = Stream::new(seed, "spare records").permutation(data.records());
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
            canaries: Vec::new(),
        }
    }

    /// The rows that the reference model `index` is trained on. There are two for each random halving of what the attacker
    /// has, one on each half: so every record has as many models that know it as models that do not. `seed` draws the halves.
    pub(crate) fn half(&self, seed: u64, index: usize) -> Vec<usize> {
        let size = (self.pool.len() / 2).min(self.split.target_members.len());
        let halving = seed.wrapping_add(index as u64 / 2);
        let order =
            Stream::new(halving, "halves for reference models").permutation(self.pool.len());
        let start = if index.is_multiple_of(2) { 0 } else { size };
        let half = &order[start..start + size];
        half.iter().map(|&at| self.pool[at]).collect()
    }

    /// Where the attacker's records lie that a model trained on the rows `trained`, sorted, has not seen: of those that no
    /// threshold is chosen on, or of all if there are none.
    #[cfg(feature = "train")]
    pub(crate) fn unseen(&self, trained: &[usize]) -> Vec<usize> {
        let unseen = |part: Part| {
            let rows = self.range(part);
            rows.filter(|&at| trained.binary_search(&self.rows[at]).is_err())
        };
        let spare: Vec<usize> = unseen(Part::Spare).collect();
        if spare.is_empty() {
            let all = unseen(Part::ShadowMembers).chain(unseen(Part::ShadowNonMembers));
            return all.collect();
        }
        spare
    }

    /// Where a part's rows lie.
    pub fn range(&self, part: Part) -> Range<usize> {
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
