//! The memory of public samples that servers may have seen: each is used once in a lifetime.

use crate::random::Random;
use crate::{PublicSet, VerifyError};
use ndarray::ArrayViewD;
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
};
use std::collections::HashSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Spent samples, and when they were spent (seconds since 1970).
const SPENT: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("spent samples, version 1");

/// What a sample is recognised by: a digest of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SampleId(pub [u8; 32]);

impl SampleId {
    /// The digest of a sample's shape and values, to single precision: a file's number format makes no
    /// difference.
    pub fn of(sample: &ArrayViewD<'_, f64>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil public sample");
        for &size in sample.shape() {
            hasher.update(&(size as u64).to_le_bytes());
        }
        // Adding 0 makes one of both zeros.
        let values = sample
            .iter()
            .flat_map(|&value| (value as f32 + 0.0).to_bits().to_le_bytes());
        hasher.update(&values.collect::<Vec<u8>>());
        Self(*hasher.finalize().as_bytes())
    }
}

/// A file that remembers which public samples were ever sent. One process at a time has it open, and a
/// crash leaves it as it was before or after a draw, never between.
pub struct SpentSamples {
    database: Database,
    path: PathBuf,
}

impl SpentSamples {
    /// Open the store, or make it.
    ///
    /// # Errors
    /// If the file is no store, is open elsewhere, or cannot be made.
    pub fn open(path: &Path) -> Result<Self, VerifyError> {
        let refuse = |problem: String| VerifyError::Store {
            path: path.to_owned(),
            problem,
        };
        let database = Database::create(path).map_err(|error| {
            refuse(match error {
                redb::DatabaseError::DatabaseAlreadyOpen => {
                    "another process has it open; wait until that is done".to_owned()
                }
                other => format!("{other}; name another file, or remove it only if none of its samples was ever sent"),
            })
        })?;
        let path = path.to_owned();
        Ok(Self { database, path })
    }

    /// How many samples are spent.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn len(&self) -> Result<u64, VerifyError> {
        let count = || -> Result<u64, redb::Error> {
            match self.database.begin_read()?.open_table(SPENT) {
                Ok(table) => Ok(table.len()?),
                Err(redb::TableError::TableDoesNotExist(_)) => Ok(0),
                Err(error) => Err(error.into()),
            }
        };
        count().map_err(|error| self.failed(&error))
    }

    /// Whether no sample is spent.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn is_empty(&self) -> Result<bool, VerifyError> {
        Ok(self.len()? == 0)
    }

    /// Draw `needed` samples that were never drawn before, in random order, and mark them as spent: on disk
    /// before this returns, so that whatever happens next they are not drawn again.
    ///
    /// # Errors
    /// If fewer are left (nothing is spent then), or the store cannot be written.
    pub fn draw(&self, public: &PublicSet, needed: usize) -> Result<PublicSet, VerifyError> {
        let mut transaction = self
            .database
            .begin_write()
            .map_err(|error| self.failed(&error))?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(|error| self.failed(&error))?;
        let drawn = {
            let mut table = transaction
                .open_table(SPENT)
                .map_err(|error| self.failed(&error))?;
            let ids = public.ids();
            let mut unused = Vec::new();
            let mut seen = HashSet::new();
            for (index, id) in ids.iter().enumerate() {
                let spent = table
                    .get(&id.0)
                    .map_err(|error| self.failed(&error))?
                    .is_some();
                // A sample that comes twice in the file is one sample.
                if !spent && seen.insert(*id) {
                    unused.push(index);
                }
            }
            if unused.len() < needed {
                return Err(VerifyError::TooFewPublic {
                    needed,
                    unused: unused.len(),
                    all: public.len(),
                    suffices: format!("add {} new ones", needed - unused.len()),
                });
            }
            let mut random = Random::system();
            for place in 0..needed {
                let other = place + random.below(unused.len() - place)?;
                unused.swap(place, other);
            }
            unused.truncate(needed);
            let now = std::time::SystemTime::UNIX_EPOCH
                .elapsed()
                .map_or(0, |since| since.as_secs());
            for &index in &unused {
                table
                    .insert(&ids[index].0, now)
                    .map_err(|error| self.failed(&error))?;
            }
            unused
        };
        transaction.commit().map_err(|error| self.failed(&error))?;
        Ok(public.select(&drawn))
    }

    fn failed(&self, error: &dyn Display) -> VerifyError {
        VerifyError::Store {
            path: self.path.clone(),
            problem: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ArrayD};

    fn public(count: usize) -> PublicSet {
        let samples = Array2::from_shape_fn((count, 3), |(i, j)| (10 * i + j) as f64).into_dyn();
        PublicSet::new(samples, (0..count).map(|i| i % 10).collect()).unwrap()
    }

    #[test]
    fn a_sample_is_drawn_once_even_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spent.redb");
        let mut all = HashSet::new();
        for round in 0..3 {
            let store = SpentSamples::open(&path).unwrap();
            assert_eq!(store.len().unwrap(), 4 * round);
            let drawn = store.draw(&public(12), 4).unwrap();
            for (sample, label) in drawn.samples().outer_iter().zip(drawn.labels()) {
                assert_eq!((sample[0] / 10.0) as usize % 10, *label);
            }
            assert!(drawn.ids().into_iter().all(|id| all.insert(id)));
        }
        let store = SpentSamples::open(&path).unwrap();
        let error = store.draw(&public(13), 4).unwrap_err();
        assert!(
            matches!(
                error,
                VerifyError::TooFewPublic {
                    needed: 4,
                    unused: 1,
                    all: 13,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("add 3 new ones"), "{error}");
        // A refused draw spends nothing.
        assert_eq!(store.draw(&public(13), 1).unwrap().labels(), [2]);
    }

    #[test]
    fn equal_samples_are_one_and_formats_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let store = SpentSamples::open(&folder.path().join("spent.redb")).unwrap();
        let twice = public(2).select(&[0, 0, 1]);
        assert!(store.draw(&twice, 3).is_err());
        assert_eq!(store.draw(&twice, 2).unwrap().len(), 2);
        let rounded = |v: f64| ArrayD::from_elem(vec![2], v);
        let third = 1.0 / 3.0_f64;
        assert_eq!(
            SampleId::of(&rounded(third).view()),
            SampleId::of(&rounded(f64::from(third as f32)).view())
        );
        assert_eq!(
            SampleId::of(&rounded(0.0).view()),
            SampleId::of(&rounded(-0.0).view())
        );
    }

    #[test]
    fn no_store_and_an_open_store_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spent.redb");
        std::fs::write(&path, "notes of mine, and nothing else").unwrap();
        assert!(matches!(
            SpentSamples::open(&path),
            Err(VerifyError::Store { .. })
        ));
        let other = folder.path().join("other.redb");
        let _open = SpentSamples::open(&other).unwrap();
        let error = SpentSamples::open(&other)
            .err()
            .map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("another process")));
    }
}
