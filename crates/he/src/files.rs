//! Keys, plans, queries and answers as files.
//!
//! Each begins with a magic number, a version and what it is, and ends with a BLAKE3 digest of all before it. The digest finds damage; it is
//! no signature: whoever can replace a file can replace its digest. What a reader relies on is therefore checked beyond the
//! digest, and what belongs to a key or a plan names it.

use crate::batch::Batch;
use crate::scheme::{Channel, Cipher, EvaluationKey, KeyId, SecretKey};
use crate::{Answer, HeError, Parameters, Plan, Program, Query};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::path::Path;
use zeroize::Zeroizing;

/// Begins every file; the line ends show what text modes do to it.
const MAGIC: [u8; 8] = *b"TREFHE\r\n";
/// Raised with every change of what files hold.
const VERSION: u32 = 2;
/// Magic, version, kind, length of the payload.
const HEADER: usize = 8 + 4 + 1 + 8;
/// Bytes of the digest at the end.
const DIGEST: usize = 32;

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    SecretKey = 1,
    EvaluationKey = 2,
    Plan = 3,
    Query = 4,
    Answer = 5,
    Program = 6,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::SecretKey,
        Self::EvaluationKey,
        Self::Plan,
        Self::Query,
        Self::Answer,
        Self::Program,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::SecretKey => "secret key",
            Self::EvaluationKey => "evaluation key",
            Self::Plan => "plan",
            Self::Query => "query",
            Self::Answer => "answer",
            Self::Program => "program",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct KeyFile {
    id: [u8; 16],
    parameters: Parameters,
    bytes: Vec<u8>,
    /// Of an evaluation key for single packing.
    rotations: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct BatchFile {
    key: [u8; 16],
    program: [u8; 32],
    parameters: [u8; 32],
    samples: u64,
    channels: Vec<Vec<Vec<u8>>>,
}

fn damaged<T>(kind: Kind, problem: impl Into<String>) -> Result<T, HeError> {
    Err(HeError::Damaged {
        what: kind.name(),
        problem: problem.into(),
    })
}

/// The bytes of a file.
fn seal(kind: Kind, payload: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, HeError> {
    let payload = postcard::to_stdvec(payload);
    let payload = Zeroizing::new(payload.or_else(|error| damaged(kind, error.to_string()))?);
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER + payload.len() + DIGEST));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.push(kind as u8);
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&payload);
    let digest = blake3::hash(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    Ok(bytes)
}

/// What a file of `kind` holds.
fn open<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<T, HeError> {
    let Some((header, rest)) = bytes.split_at_checked(HEADER) else {
        return damaged(kind, format!("{} bytes are too few", bytes.len()));
    };
    let (magic, fields) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return damaged(kind, "it is no file of encrypted inference");
    }
    let mut version = [0; 4];
    version.copy_from_slice(&fields[..4]);
    let version = u32::from_le_bytes(version);
    if version != VERSION {
        return damaged(
            kind,
            format!("it has version {version}, this program reads {VERSION}"),
        );
    }
    if fields[4] != kind as u8 {
        let found = Kind::ALL.into_iter().find(|kind| *kind as u8 == fields[4]);
        return damaged(
            kind,
            format!(
                "it holds {}",
                found.map_or("something else", |found| found.name())
            ),
        );
    }
    let mut length = [0; 8];
    length.copy_from_slice(&fields[5..]);
    let length = u64::from_le_bytes(length);
    if rest.len() < DIGEST || length != (rest.len() - DIGEST) as u64 {
        return damaged(
            kind,
            format!(
                "it has {} bytes where it says {length}: truncated or lengthened",
                rest.len()
            ),
        );
    }
    let (payload, digest) = rest.split_at(rest.len() - DIGEST);
    if blake3::hash(&bytes[..bytes.len() - DIGEST]).as_bytes() != digest {
        return damaged(kind, "its digest is another: it was altered");
    }
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok(_) => damaged(kind, "bytes are left over"),
        Err(error) => damaged(kind, error.to_string()),
    }
}

impl SecretKey {
    /// The bytes of its file, wiped when dropped.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, HeError> {
        let (id, parameters) = (self.id().0, self.parameters().clone());
        let mut file = KeyFile {
            id,
            parameters,
            bytes: self.bytes().to_vec(),
            rotations: None,
        };
        let sealed = seal(Kind::SecretKey, &file);
        zeroize::Zeroize::zeroize(&mut file.bytes);
        sealed
    }

    /// Read the bytes of its file.
    ///
    /// # Errors
    /// Bytes that are no secret key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HeError> {
        let KeyFile {
            id,
            parameters,
            bytes,
            ..
        } = open(Kind::SecretKey, bytes)?;
        Self::read(KeyId(id), parameters, &Zeroizing::new(bytes))
    }

    /// Write the file, for its owner's eyes alone, where none is yet.
    pub fn save(&self, path: &Path) -> Result<(), HeError> {
        save(path, &self.to_bytes()?, true)
    }

    /// Read the file. One that others may read is refused.
    pub fn load(path: &Path) -> Result<Self, HeError> {
        private(path)?;
        Self::from_bytes(&Zeroizing::new(read(path)?))
    }
}

impl EvaluationKey {
    /// The bytes of its file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, HeError> {
        let (id, parameters) = (self.id().0, self.parameters().clone());
        let file = KeyFile {
            id,
            parameters,
            bytes: self.bytes().to_vec(),
            rotations: self.rotation_bytes().map(<[u8]>::to_vec),
        };
        Ok(seal(Kind::EvaluationKey, &file)?.to_vec())
    }

    /// Read the bytes of its file, which may come from anyone.
    ///
    /// # Errors
    /// Bytes that are no evaluation key; a secret key above all.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HeError> {
        let KeyFile {
            id,
            parameters,
            bytes,
            rotations,
        } = open(Kind::EvaluationKey, bytes)?;
        Self::read(KeyId(id), parameters, bytes, rotations)
    }

    /// Write the file, where none is yet.
    pub fn save(&self, path: &Path) -> Result<(), HeError> {
        save(path, &self.to_bytes()?, false)
    }

    /// Read the file.
    pub fn load(path: &Path) -> Result<Self, HeError> {
        Self::from_bytes(&read(path)?)
    }
}

/// Files of networks, which are checked when they are read.
macro_rules! checked {
    ($type:ident) => {
        impl $type {
            /// The bytes of its file.
            pub fn to_bytes(&self) -> Result<Vec<u8>, HeError> {
                Ok(seal(Kind::$type, self)?.to_vec())
            }

            /// Read the bytes of its file, which may come from anyone: all that `check` looks at is checked again.
            ///
            /// # Errors
            /// Bytes that are nothing of the kind, or contradict themselves.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, HeError> {
                let found: Self = open(Kind::$type, bytes)?;
                found.check()?;
                Ok(found)
            }

            /// Write the file, where none is yet.
            pub fn save(&self, path: &Path) -> Result<(), HeError> {
                save(path, &self.to_bytes()?, false)
            }

            /// Read the file.
            pub fn load(path: &Path) -> Result<Self, HeError> {
                Self::from_bytes(&read(path)?)
            }
        }
    };
}

checked!(Plan);
checked!(Program);

/// Files of encrypted vectors.
macro_rules! batch {
    ($type:ident, $side:tt) => {
        impl $type {
            /// The bytes of its file.
            pub fn to_bytes(&self, program: &Program) -> Result<Vec<u8>, HeError> {
                batch_bytes(Kind::$type, &self.0, program)
            }

            /// Read the bytes of its file, which may come from anyone.
            ///
            /// # Errors
            /// Bytes that are nothing of the kind, or that belong to other parameters or another plan.
            pub fn from_bytes(bytes: &[u8], program: &Program) -> Result<Self, HeError> {
                Ok(Self(read_batch(Kind::$type, bytes, program, |samples| {
                    program.ciphers(samples).$side
                })?))
            }

            /// Write the file, where none is yet.
            pub fn save(&self, path: &Path, program: &Program) -> Result<(), HeError> {
                save(path, &self.to_bytes(program)?, false)
            }

            /// Read the file.
            pub fn load(path: &Path, program: &Program) -> Result<Self, HeError> {
                Self::from_bytes(&read(path)?, program)
            }
        }
    };
}

batch!(Query, 0);
batch!(Answer, 1);

fn batch_bytes(kind: Kind, batch: &Batch, program: &Program) -> Result<Vec<u8>, HeError> {
    let channels = program.parameters.channels()?;
    let each = |(channel, ciphers): (&Channel, &Vec<Cipher>)| -> Vec<Vec<u8>> {
        ciphers
            .iter()
            .map(|cipher| channel.to_bytes(cipher))
            .collect()
    };
    let file = BatchFile {
        key: batch.key.0,
        program: batch.program,
        parameters: program.parameters.digest(),
        samples: batch.samples as u64,
        channels: channels.iter().zip(&batch.channels).map(each).collect(),
    };
    Ok(seal(kind, &file)?.to_vec())
}

fn read_batch(
    kind: Kind,
    bytes: &[u8],
    program: &Program,
    ciphers: impl Fn(usize) -> usize,
) -> Result<Batch, HeError> {
    let file: BatchFile = open(kind, bytes)?;
    let foreign = |problem: String| {
        Err(HeError::Foreign {
            what: kind.name(),
            problem,
        })
    };
    if file.parameters != program.parameters.digest() {
        return foreign("it was made with other parameters".into());
    }
    if file.program != program.digest() {
        return foreign("it was made with another plan".into());
    }
    let channels = program.parameters.channels()?;
    let samples = usize::try_from(file.samples)
        .ok()
        .filter(|count| (1..=program.most_samples()).contains(count));
    let Some(samples) = samples else {
        return damaged(kind, format!("{} samples", file.samples));
    };
    if file.channels.len() != channels.len()
        || file
            .channels
            .iter()
            .any(|all| all.len() != ciphers(samples))
    {
        return damaged(kind, "its ciphertexts are not as many as the plan needs");
    }
    let mut read = Vec::with_capacity(channels.len());
    for (channel, all) in channels.iter().zip(&file.channels) {
        let ciphers: Result<Vec<_>, _> = all.iter().map(|bytes| channel.read(bytes)).collect();
        read.push(ciphers?);
    }
    Ok(Batch {
        key: KeyId(file.key),
        program: file.program,
        samples,
        channels: read,
    })
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> HeError {
    move |source| HeError::File {
        path: path.to_owned(),
        source,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, HeError> {
    fs::read(path).map_err(failed(path))
}

/// Write a new file, which appears whole or not at all; a file that is there already is never replaced.
fn save(path: &Path, bytes: &[u8], secret: bool) -> Result<(), HeError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".trefoil-").suffix(".tmp");
    // Others' files are as the user's umask says; without this a new file is its owner's alone.
    #[cfg(unix)]
    if !secret {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = builder.tempfile_in(folder).map_err(failed(path))?;
    let written = file.write_all(bytes);
    written
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed(path))?;
    file.persist_noclobber(path)
        .map_err(|error| failed(path)(error.error))?;
    Ok(())
}

/// Refuse a secret that others may read.
fn private(path: &Path) -> Result<(), HeError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path)
            .map_err(failed(path))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            let problem = format!(
                "others may read it (mode {:o}); `chmod 600` makes it the owner's alone",
                mode & 0o777
            );
            return Err(failed(path)(std::io::Error::other(problem)));
        }
    }
    Ok(())
}
