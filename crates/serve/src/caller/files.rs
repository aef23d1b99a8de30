//! The file of an owner or a user: three parties, three pins, three tokens.

use crate::ServeError;
use crate::config::{read, wrong};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use trefoil_net::{Pin, Role};

/// The file of one caller, `trefoil.toml`. It holds tokens: keep it from others.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerFile {
    /// All three, in any order.
    parties: Vec<Contact>,
    #[serde(skip)]
    path: PathBuf,
}

/// One party, as a caller knows it. No `Debug`: the token is a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// 0, 1 or 2.
    pub role: Role,
    /// `https://HOST:PORT`.
    pub url: String,
    /// Of its certificate.
    pub pin: Pin,
    /// What its operator issued.
    pub token: String,
}

impl CallerFile {
    /// Of three parties.
    pub fn new(parties: [Contact; 3]) -> Self {
        Self {
            parties: parties.into(),
            path: PathBuf::from("(memory)"),
        }
    }

    /// Read and check the file.
    ///
    /// # Errors
    /// [`ServeError::File`] or [`ServeError::Config`], naming the file and what is wrong in it.
    pub fn load(path: &Path) -> Result<Self, ServeError> {
        let mut file: Self = read(path)?;
        path.clone_into(&mut file.path);
        file.contacts()?;
        Ok(file)
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        // Texts and numbers always encode.
        toml::to_string(self).unwrap_or_default()
    }

    pub(super) fn contacts(&self) -> Result<[Contact; 3], ServeError> {
        let one = |role: Role| {
            let mut found = self.parties.iter().filter(|contact| contact.role == role);
            match (found.next(), found.next()) {
                (Some(contact), None) => Ok(contact.clone()),
                (found, _) => {
                    let number = if found.is_some() {
                        "more than one"
                    } else {
                        "no"
                    };
                    let reason = format!(
                        "there is {number} [[parties]] entry with role = {}",
                        role.index()
                    );
                    Err(wrong(&self.path, reason))
                }
            }
        };
        Ok([one(Role::P0)?, one(Role::P1)?, one(Role::P2)?])
    }
}
