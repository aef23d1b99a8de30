//! Names of models, users and requests, as they stand in addresses and stores.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest name.
const LONGEST: usize = 64;

/// A text that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Of a model or a person.
    #[error(
        "`{0}` is no name: use 1 to 64 of a-z, 0-9, `-`, `_` and `.`, beginning with a letter or digit"
    )]
    Name(String),
    /// Of a request.
    #[error("`{0}` is no request id: use 32 hexadecimal digits, drawn at random")]
    Request(String),
}

/// The name of a model, an owner or a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let inner = |c: u8| plain(c) || matches!(c, b'-' | b'_' | b'.');
        let bytes = text.as_bytes();
        let fits = bytes.len() <= LONGEST
            && bytes.first().is_some_and(|&c| plain(c))
            && bytes.iter().all(|&c| inner(c));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Name(text.chars().take(LONGEST + 1).collect()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One version of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModelId {
    /// The model.
    pub name: Name,
    /// Its version, from 1.
    pub version: u64,
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// The number that a user draws for a request, 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId(pub [u8; 16]);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for RequestId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = || NameError::Request(text.chars().take(LONGEST).collect());
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return Err(error());
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let mut value = 0;
            for &digit in pair {
                let digit = char::from(digit).to_digit(16).ok_or_else(error)?;
                value = value * 16 + digit as u8;
            }
            *byte = value;
        }
        Ok(Self(id))
    }
}

/// A request, among all users' ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RequestName {
    /// Whose.
    pub user: Name,
    /// Which.
    pub id: RequestId,
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["a", "lenet-5", "0.1_x", &"a".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "-a", "A", "a/b", "a b", "ä", &"a".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn request_ids_are_hexadecimal() {
        let id = RequestId([0xa5; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "a5", &"g".repeat(32), &"+1".repeat(16), &"é".repeat(16)] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad}");
        }
    }
}
