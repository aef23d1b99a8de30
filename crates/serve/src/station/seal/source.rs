//! Where an operator's key comes from: a file, or a command that prints it.

use super::{KEY, Key, SealError};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a command may take to print a key: somebody may have to touch a token.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at whether it has ended.
const GLANCE: Duration = Duration::from_millis(10);
/// What is read of its output at most.
const OUTPUT: u64 = 4096;

/// One key's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// A file of 32 bytes that nobody else may read.
    File(PathBuf),
    /// A program and its arguments, run in a folder: it prints 64 hexadecimal digits.
    Command {
        /// Program and arguments.
        words: Vec<String>,
        /// Where it runs.
        folder: PathBuf,
    },
}

impl KeySource {
    /// The key. A missing file is made where `make` says so; a command is never told to make one.
    pub(super) fn key(&self, make: bool) -> Result<Key, SealError> {
        match self {
            Self::File(path) => {
                if make && !path.exists() {
                    create(path)?;
                }
                read(path)
            }
            Self::Command { words, folder } => printed(words, folder),
        }
    }
}

fn wrong(path: &Path, reason: &impl ToString) -> SealError {
    SealError::KeyFile {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn create(path: &Path) -> Result<(), SealError> {
    let mut key = Zeroizing::new([0; KEY]);
    getrandom::fill(&mut key[..]).map_err(|error| SealError::Random(error.to_string()))?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| wrong(path, &error))?;
    file.write_all(&key[..])
        .and_then(|()| file.sync_all())
        .map_err(|error| wrong(path, &error))
}

fn read(path: &Path) -> Result<Key, SealError> {
    let mode = fs::metadata(path)
        .map_err(|error| wrong(path, &error))?
        .mode();
    if mode & 0o077 != 0 {
        let reason = format!(
            "others may read it (mode {:03o}): chmod 600 it",
            mode & 0o777
        );
        return Err(wrong(path, &reason));
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(|error| wrong(path, &error))?);
    let key: [u8; KEY] = bytes.as_slice().try_into().map_err(|_| {
        let found = bytes.len();
        wrong(
            path,
            &format!("{found} bytes, where a key has {KEY}: is it the right file?"),
        )
    })?;
    Ok(Key::new(Zeroizing::new(key)))
}

fn printed(words: &[String], folder: &Path) -> Result<Key, SealError> {
    let failed = |reason: String| SealError::KeyCommand {
        command: words.join(" "),
        reason,
    };
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| failed("it is empty".into()))?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let output = read_all(&mut child);
    let status = ended(&mut child).map_err(&failed)?;
    let output = output.map_err(&failed)?;
    if !status.success() {
        return Err(failed(format!("it ended with {status}")));
    }
    let mut key = Zeroizing::new([0; KEY]);
    let digits = output.trim_ascii();
    let right = digits.len() == 2 * KEY
        && digits
            .as_chunks::<2>()
            .0
            .iter()
            .zip(key.iter_mut())
            .all(|(pair, byte)| {
                let digit = |digit: u8| char::from(digit).to_digit(16);
                let read = digit(pair[0]).zip(digit(pair[1]));
                *byte = read.map_or(0, |(high, low)| (16 * high + low) as u8);
                read.is_some()
            });
    if right {
        Ok(Key::new(key))
    } else {
        // Nothing of what it printed is told: it may be most of a key.
        Err(failed(format!(
            "it printed {} bytes, where {} hexadecimal digits are due (`head -c {KEY} /dev/urandom | xxd -p -c 64` makes some)",
            digits.len(),
            2 * KEY
        )))
    }
}

/// What the command prints, in a thread of its own: it may print nothing, and never end.
fn read_all(child: &mut Child) -> Result<Zeroizing<Vec<u8>>, String> {
    let Some(stdout) = child.stdout.take() else {
        return Err("its output cannot be read".into());
    };
    let (done, output) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(OUTPUT as usize));
        let read = stdout.take(OUTPUT).read_to_end(&mut bytes);
        let _ = done.send(read.map(|_| bytes));
    });
    if let Ok(read) = output.recv_timeout(PATIENCE) {
        return read.map_err(|error| error.to_string());
    }
    let _ = child.kill();
    Err(format!(
        "it printed nothing within {} s",
        PATIENCE.as_secs()
    ))
}

fn ended(child: &mut Child) -> Result<std::process::ExitStatus, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < end => std::thread::sleep(GLANCE),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it did not end within {} s", PATIENCE.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::seal::Keys;
    use std::fmt::Write as _;

    fn command(words: &[&str]) -> KeySource {
        KeySource::Command {
            words: words.iter().map(ToString::to_string).collect(),
            folder: PathBuf::from("."),
        }
    }

    #[test]
    fn a_command_prints_the_key_that_a_file_would_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.key");
        let file = Keys::load(&KeySource::File(path.clone()), &[]).unwrap();
        let sealed = file.seal("a", b"content").unwrap();
        let mut digits = String::new();
        for byte in fs::read(&path).unwrap() {
            write!(digits, "{byte:02x}").unwrap();
        }
        let printed = Keys::load(&command(&["echo", &digits]), &[]).unwrap();
        assert_eq!(printed.open("a", &sealed).unwrap().as_slice(), b"content");
        // Also as one that is followed.
        let next = command(&["echo", &"ab".repeat(KEY)]);
        let both = Keys::load(&next, &[command(&["echo", &digits])]).unwrap();
        assert_eq!(both.open("a", &sealed).unwrap().as_slice(), b"content");
    }

    #[test]
    fn a_command_that_prints_no_key_is_refused_and_its_output_not_told() {
        let secret = "5ec3e7".repeat(8);
        for (words, told) in [
            (vec!["echo", &secret], "48 bytes"),
            (vec!["echo", &"zz".repeat(KEY)], "64 bytes"),
            (vec!["false"], "exit status"),
            (vec!["/nowhere/at/all"], "No such file"),
            (vec![], "empty"),
        ] {
            let error = Keys::load(&command(&words), &[]).err().unwrap();
            let SealError::KeyCommand { reason, .. } = error else {
                panic!("{error}");
            };
            assert!(reason.contains(told), "{reason}");
            assert!(!reason.contains(&secret), "{reason}");
        }
    }
}
