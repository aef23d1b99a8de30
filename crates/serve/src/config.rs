//! Configuration files: one for each party, one for its clients.

use crate::{Limits, ServeError, address};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_net::{Identity, Pin, Role, Security};

/// How connections are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Plain TCP: whoever reads the wire learns everything. For one machine, or for measuring.
    Tcp,
    /// TLS 1.3, both sides pinned.
    Tls,
}

/// A party as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contact {
    pub(crate) role: Role,
    /// `HOST:PORT`.
    pub(crate) address: String,
    /// Of its certificate; with TLS.
    pub(crate) pin: Option<Pin>,
}

/// The file of one party, `party0.toml`: role, address, keys, peers, admitted clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyFile {
    pub(crate) role: Role,
    /// `HOST:PORT` to listen on.
    pub(crate) listen: String,
    pub(crate) link: Link,
    /// Longest silence of a peer or a client: who gives no sign of life for so long is given up.
    pub(crate) timeout_seconds: u64,
    /// PEM files, relative to this file; with TLS.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    /// Pins of the clients that may ask for runs; with TLS.
    #[serde(default)]
    pub(crate) clients: Vec<Pin>,
    /// What one client may ask for.
    #[serde(default)]
    pub(crate) limits: Limits,
    /// All three parties, this one included.
    pub(crate) parties: Vec<Contact>,
    #[serde(skip)]
    pub(crate) path: PathBuf,
}

/// The file of a client, `parties.toml`: where the three parties are, and the client's own keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartiesFile {
    pub(crate) link: Link,
    /// PEM files, relative to this file; with TLS.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) parties: Vec<Contact>,
    #[serde(skip)]
    pub(crate) path: PathBuf,
}

impl PartyFile {
    /// Read and check the file.
    ///
    /// # Errors
    /// [`ServeError::File`] or [`ServeError::Config`], naming the file and what is wrong in it.
    pub fn load(path: &Path) -> Result<Self, ServeError> {
        let file = Self::load_local(path)?;
        address::check(&file.listen).map_err(|reason| wrong(path, format!("listen: {reason}")))?;
        check_addresses(path, &file.addresses()?)?;
        Ok(file)
    }

    /// Which party it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// As [`PartyFile::load`], for a party on this machine whose ports are not chosen yet.
    pub(crate) fn load_local(path: &Path) -> Result<Self, ServeError> {
        let mut file: Self = read(path)?;
        path.clone_into(&mut file.path);
        contacts(path, &file.parties)?;
        if !(1..=LONGEST_TIMEOUT).contains(&file.timeout_seconds) {
            let reason = format!(
                "timeout_seconds = {} is not between 1 and {LONGEST_TIMEOUT}",
                file.timeout_seconds
            );
            return Err(wrong(path, reason));
        }
        file.limits
            .check_sense()
            .map_err(|reason| wrong(path, reason))?;
        Ok(file)
    }

    /// Addresses of the parties, by role.
    pub(crate) fn addresses(&self) -> Result<[String; 3], ServeError> {
        Ok(contacts(&self.path, &self.parties)?.map(|contact| contact.address.clone()))
    }

    /// How its connections are protected.
    ///
    /// # Errors
    /// If a key cannot be read, or is not the one that peers and clients expect of this party.
    pub(crate) fn security(&self) -> Result<Security, ServeError> {
        let security = security(
            &self.path,
            self.link,
            self.certificate.as_deref(),
            self.key.as_deref(),
            &self.parties,
            self.clients.clone(),
        )?;
        if let Security::Tls(tls) = &security
            && tls.parties()[self.role.index()] != tls.own()
        {
            let reason = format!(
                "the certificate has the pin {}, but {} is expected of {}: use its own certificate and key, or renew \
                 the pin in all files",
                tls.own(),
                tls.parties()[self.role.index()],
                self.role
            );
            return Err(wrong(&self.path, reason));
        }
        Ok(security)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

impl PartiesFile {
    /// Read and check the file.
    ///
    /// # Errors
    /// [`ServeError::File`] or [`ServeError::Config`], naming the file and what is wrong in it.
    pub fn load(path: &Path) -> Result<Self, ServeError> {
        let file = Self::load_local(path)?;
        check_addresses(path, &file.addresses()?)?;
        Ok(file)
    }

    /// As [`PartiesFile::load`], for parties on this machine whose ports are not chosen yet.
    pub(crate) fn load_local(path: &Path) -> Result<Self, ServeError> {
        let mut file: Self = read(path)?;
        path.clone_into(&mut file.path);
        contacts(path, &file.parties)?;
        Ok(file)
    }

    /// Addresses of the parties, by role.
    pub(crate) fn addresses(&self) -> Result<[String; 3], ServeError> {
        Ok(contacts(&self.path, &self.parties)?.map(|contact| contact.address.clone()))
    }

    pub(crate) fn security(&self) -> Result<Security, ServeError> {
        security(
            &self.path,
            self.link,
            self.certificate.as_deref(),
            self.key.as_deref(),
            &self.parties,
            Vec::new(),
        )
    }
}

pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ServeError> {
    let text = fs::read_to_string(path).map_err(|source| ServeError::File {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| wrong(path, error.to_string().trim_end()))
}

/// Longest time-out that a file may set: a day.
const LONGEST_TIMEOUT: u64 = 86_400;

/// Addresses at which parties can be reached, all different.
pub(crate) fn check_addresses(path: &Path, addresses: &[String; 3]) -> Result<(), ServeError> {
    address::check_all(addresses).map_err(|reason| wrong(path, reason))
}

pub(crate) fn wrong(path: &Path, reason: impl Into<String>) -> ServeError {
    ServeError::Config {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// The three parties in the order of their roles.
pub(crate) fn contacts<'a>(
    path: &Path,
    parties: &'a [Contact],
) -> Result<[&'a Contact; 3], ServeError> {
    let one = |role: Role| {
        let mut found = parties.iter().filter(|contact| contact.role == role);
        match (found.next(), found.next()) {
            (Some(contact), None) => Ok(contact),
            (None, _) => Err(wrong(
                path,
                format!("there is no [[parties]] entry with role = {}", role.index()),
            )),
            _ => Err(wrong(
                path,
                format!(
                    "there are two [[parties]] entries with role = {}",
                    role.index()
                ),
            )),
        }
    };
    Ok([one(Role::P0)?, one(Role::P1)?, one(Role::P2)?])
}

pub(crate) fn security(
    path: &Path,
    link: Link,
    certificate: Option<&Path>,
    key: Option<&Path>,
    parties: &[Contact],
    clients: Vec<Pin>,
) -> Result<Security, ServeError> {
    if link == Link::Tcp {
        return Ok(Security::Plain);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let (Some(certificate), Some(key)) = (certificate, key) else {
        return Err(wrong(
            path,
            "link = \"tls\" needs `certificate` and `key`; `trefoil keys` makes them",
        ));
    };
    let mut pins = Vec::new();
    for contact in contacts(path, parties)? {
        let missing = || {
            wrong(
                path,
                format!("link = \"tls\" needs the `pin` of {}", contact.role),
            )
        };
        pins.push(contact.pin.ok_or_else(missing)?);
    }
    let identity = Identity::load(&folder.join(certificate), &folder.join(key))?;
    Ok(Security::tls(
        &identity,
        [pins[0], pins[1], pins[2]],
        clients,
    )?)
}

/// What [`write_keys`] made.
#[derive(Clone, Debug)]
pub struct KeyFiles {
    /// All files, in the order they were written.
    pub files: Vec<PathBuf>,
    /// Name and pin of the three parties and the client.
    pub pins: [(String, String); 4],
}

/// Make identities for three parties and a client, and the configuration files that name them:
/// `party0.crt`, `party0.key`, `party0.toml` and so on, `client.crt`, `client.key` and `parties.toml` in
/// `directory`, which is created. A party is reached at its address, and listens there too.
///
/// # Errors
/// If an address cannot be one, or two are the same; if a file exists already or cannot be written. What was written
/// before is taken away again.
pub fn write_keys(directory: &Path, addresses: &[String; 3]) -> Result<KeyFiles, ServeError> {
    write_keys_listening(directory, addresses, addresses)
}

/// [`write_keys`] for parties that listen elsewhere than they are reached, as behind a translated address.
///
/// # Errors
/// As for [`write_keys`].
pub fn write_keys_listening(
    directory: &Path,
    addresses: &[String; 3],
    listen: &[String; 3],
) -> Result<KeyFiles, ServeError> {
    address::check_all(addresses).map_err(ServeError::Address)?;
    for listen in listen {
        address::check(listen).map_err(ServeError::Address)?;
    }
    let limits = Limits::default();
    write_all(directory, Link::Tls, addresses, listen, TIMEOUT, limits)
}

/// Longest silence where nothing else is set. Signs of life come four times a second.
const TIMEOUT: Duration = Duration::from_secs(15);

/// [`write_keys`] for any link: for plain TCP the configuration files alone.
pub(crate) fn write_all(
    directory: &Path,
    link: Link,
    addresses: &[String; 3],
    listen: &[String; 3],
    timeout: Duration,
    limits: Limits,
) -> Result<KeyFiles, ServeError> {
    fs::create_dir_all(directory).map_err(|source| ServeError::File {
        path: directory.to_owned(),
        source,
    })?;
    let mut files = Vec::new();
    let to = Places { addresses, listen };
    let made = write_files(directory, link, &to, timeout, limits, &mut files);
    if made.is_err() {
        for file in &files {
            // Only files that this call made.
            let _ = fs::remove_file(file);
        }
    }
    Ok(KeyFiles { pins: made?, files })
}

/// Where parties are reached, and where they listen.
struct Places<'a> {
    addresses: &'a [String; 3],
    listen: &'a [String; 3],
}

fn write_files(
    directory: &Path,
    link: Link,
    places: &Places<'_>,
    timeout: Duration,
    limits: Limits,
    files: &mut Vec<PathBuf>,
) -> Result<[(String, String); 4], ServeError> {
    let names = ["party0", "party1", "party2", "client"];
    let mut pins = Vec::new();
    for name in names.iter().filter(|_| link == Link::Tls) {
        let identity = Identity::generate(name)?;
        let (certificate, key) = identity.save(directory)?;
        files.extend([certificate, key]);
        pins.push(identity.pin());
    }
    let of =
        |name: &str, end: &str| (link == Link::Tls).then(|| PathBuf::from(format!("{name}.{end}")));
    let parties: Vec<Contact> = Role::ALL
        .into_iter()
        .map(|role| {
            let (address, pin) = (
                places.addresses[role.index()].clone(),
                pins.get(role.index()).copied(),
            );
            Contact { role, address, pin }
        })
        .collect();
    for role in Role::ALL {
        let name = names[role.index()];
        let file = PartyFile {
            role,
            listen: places.listen[role.index()].clone(),
            link,
            timeout_seconds: timeout.as_secs().max(1),
            certificate: of(name, "crt"),
            key: of(name, "key"),
            clients: pins.get(3).copied().into_iter().collect(),
            limits,
            parties: parties.clone(),
            path: PathBuf::new(),
        };
        create(&directory.join(format!("{name}.toml")), &file, files)?;
    }
    let (certificate, key) = (of("client", "crt"), of("client", "key"));
    let file = PartiesFile {
        link,
        certificate,
        key,
        parties,
        path: PathBuf::new(),
    };
    create(&directory.join("parties.toml"), &file, files)?;
    let pin = |i: usize| {
        (
            names[i].to_owned(),
            pins.get(i).map(ToString::to_string).unwrap_or_default(),
        )
    };
    Ok([pin(0), pin(1), pin(2), pin(3)])
}

fn create(
    path: &Path,
    content: &impl Serialize,
    files: &mut Vec<PathBuf>,
) -> Result<(), ServeError> {
    let failed = |source| ServeError::File {
        path: path.to_owned(),
        source,
    };
    let text = toml::to_string(content).map_err(|error| wrong(path, error.to_string()))?;
    let mut file = fs::File::create_new(path).map_err(failed)?;
    files.push(path.to_owned());
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}
