//! What lies on an operator's disk is sealed under a key file.
//!
//! Each seal has a key of its own, derived from the operator's key, a fresh random salt and the record's name: a
//! sealed record that is copied to another name, or altered, does not open, and no nonce is ever used twice.

mod source;

pub(crate) use source::KeySource;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of the salt of one seal.
const SALT: usize = 16;
/// Bytes that name a key without telling it.
const KEY_NAME: usize = 8;
/// What a sealed record has beside its content: name of the key, salt, tag.
pub(crate) const OVERHEAD: usize = KEY_NAME + SALT + 16;

/// Why a record cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A key file that cannot be used.
    #[error("key file {}: {reason}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A command that prints no key.
    #[error("store_key_command `{command}`: {reason}")]
    KeyCommand {
        /// The command.
        command: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Sealed under a key that is not given.
    #[error(
        "`{record}` is sealed under another key: name the old key in `old_store_keys` or `old_store_key_commands`"
    )]
    OtherKey {
        /// The record.
        record: String,
    },
    /// Not what was sealed under this name.
    #[error(
        "`{record}` is damaged: it is not what was sealed; restore this party's store from its backup"
    )]
    Damaged {
        /// The record.
        record: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Random(String),
}

/// An operator's key and those that it follows. No `Debug`; wiped when dropped.
#[derive(Clone)]
pub(crate) struct Keys {
    current: Key,
    old: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    name: [u8; KEY_NAME],
    key: Zeroizing<[u8; KEY]>,
}

impl Key {
    fn new(key: Zeroizing<[u8; KEY]>) -> Self {
        let digest = blake3::derive_key("trefoil 2026 store: name of a key", &key[..]);
        let mut name = [0; KEY_NAME];
        name.copy_from_slice(&digest[..KEY_NAME]);
        Self { name, key }
    }

    /// The key of one seal, which is used once.
    fn cipher(&self, record: &str, salt: &[u8; SALT]) -> Option<LessSafeKey> {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(b"trefoil 2026 store: one seal");
        hasher.update(salt);
        hasher.update(record.as_bytes());
        let key = Zeroizing::new(*hasher.finalize().as_bytes());
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, &key[..]).ok()?;
        Some(LessSafeKey::new(unbound))
    }
}

impl Keys {
    /// Read the operator's key and the old ones that records may still be sealed under. A missing file of the current key is made.
    pub(crate) fn load(current: &KeySource, old: &[KeySource]) -> Result<Self, SealError> {
        let old = old.iter().map(|old| old.key(false));
        Ok(Self {
            old: old.collect::<Result<_, _>>()?,
            current: current.key(true)?,
        })
    }

    /// For tests of stores.
    #[cfg(test)]
    pub(crate) fn of(current: [u8; KEY], old: &[[u8; KEY]]) -> Self {
        Self {
            current: Key::new(Zeroizing::new(current)),
            old: old
                .iter()
                .map(|&key| Key::new(Zeroizing::new(key)))
                .collect(),
        }
    }

    /// Seal `content` as the record named `record`.
    pub(crate) fn seal(&self, record: &str, content: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|error| SealError::Random(error.to_string()))?;
        let damaged = || SealError::Damaged {
            record: record.to_owned(),
        };
        let cipher = self.current.cipher(record, &salt).ok_or_else(damaged)?;
        let mut sealed = Vec::with_capacity(content.len() + OVERHEAD);
        sealed.extend_from_slice(&self.current.name);
        sealed.extend_from_slice(&salt);
        let mut body = content.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        cipher
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut body)
            .map_err(|_| damaged())?;
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Open the record named `record`.
    pub(crate) fn open(
        &self,
        record: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let damaged = || SealError::Damaged {
            record: record.to_owned(),
        };
        let (name, rest) = sealed.split_at_checked(KEY_NAME).ok_or_else(damaged)?;
        let (salt, body) = rest.split_first_chunk::<SALT>().ok_or_else(damaged)?;
        let mut keys = std::iter::once(&self.current).chain(&self.old);
        let key = keys
            .find(|key| key.name == name)
            .ok_or_else(|| SealError::OtherKey {
                record: record.to_owned(),
            })?;
        let cipher = key.cipher(record, salt).ok_or_else(damaged)?;
        let mut content = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let len = cipher
            .open_in_place(nonce, Aad::empty(), &mut content)
            .map_err(|_| damaged())?
            .len();
        content.truncate(len);
        Ok(content)
    }

    /// Whether a record is sealed under the current key.
    pub(crate) fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.current.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_its_name_and_key_alone() {
        let keys = Keys::of([1; KEY], &[]);
        let sealed = keys.seal("a", b"content").unwrap();
        assert_eq!(keys.open("a", &sealed).unwrap().as_slice(), b"content");
        assert_eq!(sealed.len(), b"content".len() + OVERHEAD);
        assert_ne!(keys.seal("a", b"content").unwrap(), sealed);
        assert!(matches!(
            keys.open("b", &sealed),
            Err(SealError::Damaged { .. })
        ));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(keys.open("a", &altered).is_err(), "byte {at}");
            assert!(keys.open("a", &sealed[..at]).is_err(), "cut at {at}");
        }
        let other = Keys::of([2; KEY], &[]);
        assert!(matches!(
            other.open("a", &sealed),
            Err(SealError::OtherKey { .. })
        ));
    }

    #[test]
    fn a_new_key_overlaps_with_the_old_one() {
        let old = Keys::of([1; KEY], &[]);
        let both = Keys::of([2; KEY], &[[1; KEY]]);
        let sealed = old.seal("a", b"content").unwrap();
        assert_eq!(both.open("a", &sealed).unwrap().as_slice(), b"content");
        assert!(!both.is_current(&sealed) && old.is_current(&sealed));
        let renewed = both.seal("a", b"content").unwrap();
        assert_eq!(
            Keys::of([2; KEY], &[])
                .open("a", &renewed)
                .unwrap()
                .as_slice(),
            b"content"
        );
    }

    #[test]
    fn a_key_file_is_made_once_and_kept_from_others() {
        use std::fs;
        use std::io::Write;
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.key");
        let sealed = Keys::load(&KeySource::File(path.clone()), &[])
            .unwrap()
            .seal("a", b"content")
            .unwrap();
        assert_eq!(
            Keys::load(&KeySource::File(path.clone()), &[])
                .unwrap()
                .open("a", &sealed)
                .unwrap()
                .as_slice(),
            b"content"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Keys::load(&KeySource::File(path.clone()), &[])
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("chmod 600"), "{error}");
        let short = folder.path().join("short.key");
        let mut options = fs::OpenOptions::new();
        options
            .write(true)
            .create(true)
            .mode(0o600)
            .open(&short)
            .unwrap()
            .write_all(b"short")
            .unwrap();
        assert!(
            Keys::load(&KeySource::File(short), &[])
                .err()
                .unwrap()
                .to_string()
                .contains("5 bytes")
        );
    }
}
