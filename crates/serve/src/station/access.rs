//! Who may speak to one party: bearer tokens, which its operator issues and keeps hashed.
//!
//! Each operator issues tokens of its own, so that one that leaks at one party opens nothing at the other two. The
//! file holds no token, only what recognises one: whoever reads it cannot ask.

use super::names::Name;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What every token begins with, so that one that lies around is recognised.
const PREFIX: &str = "trefoil_";
/// Random bytes of a token.
const BYTES: usize = 32;

/// Why access cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The file.
    #[error("access file {}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// No such token.
    #[error("no token has the id `{0}`: trefoil-party access list shows those there are")]
    Unknown(String),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Random(String),
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Push, replace and retire own models, grant them, read their usage.
    Owner,
    /// List and ask granted models, read own usage.
    User,
}

/// A token, without what is secret of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What the operator calls it by.
    pub id: String,
    /// Whose it is: the same name at all three parties.
    pub holder: Name,
    /// What it is for.
    pub purpose: Purpose,
    /// BLAKE3 of the token, in hexadecimal digits.
    hash: String,
}

/// The tokens of one party.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    #[serde(default, rename = "token")]
    tokens: Vec<Token>,
    #[serde(skip)]
    by_hash: HashMap<String, usize>,
}

impl Access {
    /// Read the file; one that is not there holds nobody.
    ///
    /// # Errors
    /// [`AccessError::File`].
    pub fn load(path: &Path) -> Result<Self, AccessError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(wrong(path, &error)),
        };
        let mut access: Self = toml::from_str(&text).map_err(|error| wrong(path, &error))?;
        access.index();
        Ok(access)
    }

    /// Write the file, readable by its owner alone; it is the old one or the new one at any moment.
    ///
    /// # Errors
    /// [`AccessError::File`].
    pub fn save(&self, path: &Path) -> Result<(), AccessError> {
        let text = toml::to_string(self).map_err(|error| wrong(path, &error))?;
        let fresh = path.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(|error| wrong(&fresh, &error))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&fresh, path))
            .map_err(|error| wrong(path, &error))
    }

    /// Issue a token, which is told once and never again.
    ///
    /// # Errors
    /// [`AccessError::Random`].
    pub fn issue(
        &mut self,
        holder: Name,
        purpose: Purpose,
    ) -> Result<(Token, String), AccessError> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| AccessError::Random(error.to_string()))?;
        let secret = format!("{PREFIX}{}", hex(&bytes));
        let hash = hash(&secret);
        let token = Token {
            id: hash[..12].to_owned(),
            holder,
            purpose,
            hash,
        };
        self.tokens.push(token.clone());
        self.index();
        Ok((token, secret))
    }

    /// Take a token back.
    ///
    /// # Errors
    /// [`AccessError::Unknown`].
    pub fn revoke(&mut self, id: &str) -> Result<Token, AccessError> {
        let at = self.tokens.iter().position(|token| token.id == id);
        let at = at.ok_or_else(|| AccessError::Unknown(id.to_owned()))?;
        let token = self.tokens.remove(at);
        self.index();
        Ok(token)
    }

    /// All tokens, oldest first.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whose token `secret` is.
    pub(crate) fn find(&self, secret: &str) -> Option<&Token> {
        // By its hash: how long a look-up takes tells nothing of any token.
        let at = *self.by_hash.get(&hash(secret))?;
        self.tokens.get(at)
    }

    fn index(&mut self) {
        let tokens = self.tokens.iter().enumerate();
        self.by_hash = tokens.map(|(at, token)| (token.hash.clone(), at)).collect();
    }
}

fn wrong(path: &Path, reason: &impl ToString) -> AccessError {
    AccessError::File {
        path: path.to_owned(),
        reason: reason.to_string().trim_end().to_owned(),
    }
}

/// A token has 256 random bits: there is nothing to slow a guesser down for.
fn hash(secret: &str) -> String {
    hex(&blake3::derive_key(
        "trefoil 2026 access: hash of a token",
        secret.as_bytes(),
    ))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_until_it_is_revoked_and_is_not_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.toml");
        let mut access = Access::load(&path).unwrap();
        let (_, owner) = access.issue("o".parse().unwrap(), Purpose::Owner).unwrap();
        let (token, user) = access.issue("u".parse().unwrap(), Purpose::User).unwrap();
        access.save(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&user[PREFIX.len()..]), "{text}");
        let mut access = Access::load(&path).unwrap();
        assert_eq!(access.find(&user), Some(&token));
        assert_eq!(access.find(&owner).unwrap().purpose, Purpose::Owner);
        assert_eq!(access.find(&user[1..]), None);
        access.revoke(&token.id).unwrap();
        access.save(&path).unwrap();
        let mut access = Access::load(&path).unwrap();
        assert_eq!(access.find(&user), None);
        assert!(access.find(&owner).is_some());
        assert!(
            access
                .revoke(&token.id)
                .unwrap_err()
                .to_string()
                .contains("access list")
        );
        fs::write(&path, "[[token]]\nid = 3").unwrap();
        let error = Access::load(&path).unwrap_err().to_string();
        assert!(error.contains("access.toml"), "{error}");
    }
}
