//! What stages made, kept by the content that went in.

use crate::LabError;
use crate::report::write_whole;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// A folder of results. Each file is named after the stage and a hash of all that decides it, so a
/// run that was interrupted goes on, and a changed setting computes what depends on it anew.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// A hash of what decides a result.
#[derive(Debug, Clone)]
pub struct Key(blake3::Hasher);

impl Key {
    /// Nothing yet.
    pub fn new(stage: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil lab: stages");
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes()).update(b"\0");
        hasher.update(stage.as_bytes()).update(b"\0");
        Self(hasher)
    }

    /// With some more.
    #[must_use]
    pub fn with(mut self, part: &impl std::fmt::Debug) -> Self {
        self.0.update(format!("{part:?}\0").as_bytes());
        self
    }

    /// With numbers.
    #[must_use]
    pub fn numbers<'a>(mut self, values: impl IntoIterator<Item = &'a f64>) -> Self {
        for value in values {
            self.0.update(&value.to_le_bytes());
        }
        self
    }

    /// With numbers of 32 bits.
    #[must_use]
    pub fn inputs<'a>(mut self, values: impl IntoIterator<Item = &'a f32>) -> Self {
        for value in values {
            self.0.update(&value.to_le_bytes());
        }
        self
    }

    fn name(&self) -> String {
        self.0.finalize().to_hex()[..24].to_owned()
    }
}

impl Cache {
    /// The cache in `folder`, which is made if need be.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(folder: PathBuf) -> Result<Self, LabError> {
        std::fs::create_dir_all(&folder).map_err(|problem| LabError::Write {
            path: folder.clone(),
            problem,
        })?;
        Ok(Self { folder })
    }

    /// What was kept under `stage` and `key`, or what `make` makes, which is kept.
    ///
    /// # Errors
    /// Those of `make`, or if it cannot be written.
    pub fn get<T: Serialize + DeserializeOwned>(
        &self,
        stage: &str,
        key: &Key,
        make: impl FnOnce() -> Result<T, LabError>,
    ) -> Result<T, LabError> {
        let path = self.path(stage, key, "bin");
        if let Some(kept) = std::fs::read(&path).ok().and_then(|bytes| unpack(&bytes)) {
            return Ok(kept);
        }
        let made = make()?;
        let mut bytes =
            postcard::to_stdvec(&made).map_err(|error| LabError::Model(error.to_string()))?;
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        write_whole(&path, &bytes)?;
        Ok(made)
    }

    /// A file for a stage's own use.
    pub fn path(&self, stage: &str, key: &Key, ending: &str) -> PathBuf {
        self.folder.join(format!("{stage}-{}.{ending}", key.name()))
    }
}

/// A file's content; nothing if it is damaged, which is as good as none.
fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if blake3::hash(content).as_bytes() != digest {
        return None;
    }
    postcard::from_bytes(content).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_made_once_for_each_content() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache")).unwrap();
        let key = Key::new("stage").with(&1).numbers(&[0.5]);
        let mut made = 0;
        let mut get = |key: &Key| {
            let value = cache.get("stage", key, || {
                made += 1;
                Ok(vec![made])
            });
            value.unwrap()
        };
        assert_eq!((get(&key), get(&key)), (vec![1], vec![1]));
        assert_eq!(get(&key.clone().with(&2)), [2]);
        // A damaged file is made anew.
        let path = cache.path("stage", &key, "bin");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[0] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(get(&key), [3]);
        assert_eq!(get(&key), [3]);
    }

    #[test]
    fn nothing_is_kept_of_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().to_owned()).unwrap();
        let key = Key::new("stage");
        let failed = cache.get::<u8>("stage", &key, || Err(LabError::Model("no".into())));
        assert!(failed.is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
