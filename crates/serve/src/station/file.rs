//! The file of one party that serves owners and users.

use super::desk::Rules;
use super::operator::AdminAddress;
use super::seal::KeySource;
use crate::config::{Contact, Link, check_addresses, contacts, read, security, wrong};
use crate::{Limits, ServeError, address};
use serde::{Deserialize, Serialize};
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_net::{Identity, Role, Security};

/// The file of one party, `serve0.toml`: who it is, where it listens, what it keeps, what it allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StationFile {
    role: Role,
    /// `HOST:PORT` for the other two parties.
    listen: String,
    /// `HOST:PORT` for owners and users, HTTPS.
    https: String,
    /// `HOST:PORT` for the operator, HTTP without protection: on the loopback interface alone; or `unix:PATH`.
    admin: String,
    /// PEM files, relative to this file.
    certificate: PathBuf,
    key: PathBuf,
    /// The folder of the party's store.
    store: PathBuf,
    /// The file of the key that the store is sealed under; made if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_key: Option<PathBuf>,
    /// Or a program and its arguments: it prints the key, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    store_key_command: Vec<String>,
    /// Keys that it was sealed under before.
    #[serde(default)]
    old_store_keys: Vec<PathBuf>,
    /// And those that programs print.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    old_store_key_commands: Vec<Vec<String>>,
    /// The tokens that this party has issued.
    access: PathBuf,
    /// Longest silence of a peer, in seconds.
    #[serde(default = "default_timeout")]
    timeout_seconds: u64,
    /// What one model may ask for.
    #[serde(default)]
    limits: ModelLimits,
    /// How requests are put together, and how many may wait.
    #[serde(default)]
    queue: QueueRules,
    /// All three parties, this one included: where they listen for each other, and their pins.
    parties: Vec<Contact>,
    #[serde(skip)]
    path: PathBuf,
}

/// What begins the operator's address where it is a socket.
const SOCKET: &str = "unix:";

fn default_timeout() -> u64 {
    15
}

/// The table `[limits]`: what of a party's [`Limits`] there is in a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ModelLimits {
    /// As [`Limits::elements`].
    elements: u64,
    /// As [`Limits::bytes`].
    bytes: u64,
}

impl Default for ModelLimits {
    fn default() -> Self {
        let Limits {
            elements, bytes, ..
        } = Limits::default();
        Self { elements, bytes }
    }
}

/// The table `[queue]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QueueRules {
    /// How long the first request of a batch waits for others, in milliseconds.
    window_ms: u64,
    /// Sessions that run at one time; 0 takes as many as there are cores.
    sessions: usize,
    /// Seconds after which a session is given up.
    session_seconds: u64,
    /// Seconds that the first part of a request waits for the other two.
    parts_seconds: u64,
    /// Seconds that a request may take where its user says nothing.
    pub(crate) request_seconds: u64,
    /// Seconds that a push waits for the other parties.
    push_seconds: u64,
    /// Requests that wait, in all.
    requests: usize,
    /// Requests that wait, of one user.
    requests_of_user: usize,
    /// Bytes of requests that wait.
    bytes: u64,
    /// Bytes of one push.
    pub(crate) push_bytes: u64,
    /// Connections of owners and users.
    pub(crate) connections: usize,
    /// Seconds for which an answer may be fetched again.
    keep_answers_seconds: u64,
    /// Seconds for which a version that is not at all three parties is kept.
    keep_staged_seconds: u64,
}

impl Default for QueueRules {
    fn default() -> Self {
        Self {
            window_ms: 4,
            sessions: 0,
            session_seconds: 120,
            parts_seconds: 10,
            request_seconds: 60,
            push_seconds: 60,
            requests: 1024,
            requests_of_user: 64,
            bytes: 1 << 30,
            push_bytes: 2 << 30,
            connections: 4096,
            keep_answers_seconds: 3600,
            keep_staged_seconds: 3600,
        }
    }
}

impl StationFile {
    /// Read and check the file.
    ///
    /// # Errors
    /// [`ServeError::File`] or [`ServeError::Config`], naming the file and what is wrong in it.
    pub fn load(path: &Path) -> Result<Self, ServeError> {
        let mut file: Self = read(path)?;
        path.clone_into(&mut file.path);
        let refuse = |what: &str, reason: String| Err(wrong(path, format!("{what}: {reason}")));
        check_addresses(path, &file.addresses()?)?;
        for (what, listen) in [
            ("listen", &file.listen),
            ("https", &file.https),
            ("admin", &file.admin),
        ] {
            if what == "admin" && listen.starts_with(SOCKET) {
                continue;
            }
            if let Err(reason) = address::check(listen) {
                return refuse(what, reason);
            }
        }
        if file.store_key.is_some() != file.store_key_command.is_empty() {
            let reason = "name either the file of a key or a store_key_command that prints it";
            return refuse("store_key", reason.into());
        }
        if let AdminAddress::Loopback(address) = file.admin_address()?
            && !address.ip().is_loopback()
        {
            let reason = format!(
                "{} can be reached from other machines, and this interface is not protected: use 127.0.0.1, or unix:PATH",
                file.admin
            );
            return refuse("admin", reason);
        }
        if !(1..=86_400).contains(&file.timeout_seconds) {
            let reason = format!("{} is not between 1 and 86400", file.timeout_seconds);
            return refuse("timeout_seconds", reason);
        }
        let queue = &file.queue;
        let numbers = [
            ("session_seconds", queue.session_seconds),
            ("parts_seconds", queue.parts_seconds),
            ("request_seconds", queue.request_seconds),
            ("push_seconds", queue.push_seconds),
            ("requests", queue.requests as u64),
            ("requests_of_user", queue.requests_of_user as u64),
            ("bytes", queue.bytes),
            ("push_bytes", queue.push_bytes),
            ("connections", queue.connections as u64),
        ];
        if let Some((name, _)) = numbers.iter().find(|(_, number)| *number == 0) {
            return refuse(
                "[queue]",
                format!("{name} = 0 allows nothing; leave it out for the default"),
            );
        }
        file.limits()
            .check_sense()
            .map_err(|reason| wrong(path, reason))?;
        Ok(file)
    }

    /// Check what the file names, as a start would: keys and pins. Nothing is made or listened on.
    ///
    /// # Errors
    /// What a start would fail with.
    pub fn check(&self) -> Result<(), ServeError> {
        self.security()?;
        self.identity().map(drop)
    }

    /// Which party it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where the party's tokens are.
    pub fn access_path(&self) -> PathBuf {
        self.beside(&self.access)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            elements: self.limits.elements,
            bytes: self.limits.bytes,
            ..Limits::default()
        }
    }

    pub(crate) fn queue(&self) -> &QueueRules {
        &self.queue
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    pub(crate) fn listen(&self) -> &str {
        &self.listen
    }

    pub(crate) fn https(&self) -> &str {
        &self.https
    }

    pub(crate) fn admin_address(&self) -> Result<AdminAddress, ServeError> {
        if let Some(path) = self.admin.strip_prefix(SOCKET) {
            return Ok(AdminAddress::Socket(self.beside(Path::new(path))));
        }
        let found = self
            .admin
            .to_socket_addrs()
            .ok()
            .and_then(|mut found| found.next());
        found.map(AdminAddress::Loopback).ok_or_else(|| {
            wrong(
                &self.path,
                format!("admin: {} names no address", self.admin),
            )
        })
    }

    pub(crate) fn addresses(&self) -> Result<[String; 3], ServeError> {
        Ok(contacts(&self.path, &self.parties)?.map(|contact| contact.address.clone()))
    }

    /// Of the links to the other parties.
    pub(crate) fn security(&self) -> Result<Security, ServeError> {
        let security = security(
            &self.path,
            Link::Tls,
            Some(&self.certificate),
            Some(&self.key),
            &self.parties,
            Vec::new(),
        )?;
        if let Security::Tls(tls) = &security
            && tls.parties()[self.role.index()] != tls.own()
        {
            let reason = format!(
                "the certificate has the pin {}, but {} is expected of {}: use its own certificate and key",
                tls.own(),
                tls.parties()[self.role.index()],
                self.role
            );
            return Err(wrong(&self.path, reason));
        }
        Ok(security)
    }

    pub(crate) fn identity(&self) -> Result<Identity, ServeError> {
        Ok(Identity::load(
            &self.beside(&self.certificate),
            &self.beside(&self.key),
        )?)
    }

    /// The folder of the store, the current key and the old ones.
    pub(crate) fn store(&self) -> (PathBuf, KeySource, Vec<KeySource>) {
        let file = |path: &PathBuf| KeySource::File(self.beside(path));
        let command = |words: &Vec<String>| KeySource::Command {
            words: words.clone(),
            folder: self.beside(Path::new(".")),
        };
        let key = self.store_key.as_ref();
        let key = key.map_or_else(|| command(&self.store_key_command), file);
        let old = self.old_store_keys.iter().map(file);
        let old = old.chain(self.old_store_key_commands.iter().map(command));
        (self.beside(&self.store), key, old.collect())
    }

    pub(crate) fn rules(&self) -> Rules {
        let queue = &self.queue;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Rules {
            window_ms: queue.window_ms,
            sessions: if queue.sessions == 0 {
                cores()
            } else {
                queue.sessions
            },
            session_ms: queue.session_seconds.saturating_mul(1000),
            parts_ms: queue.parts_seconds.saturating_mul(1000),
            push_ms: queue.push_seconds.saturating_mul(1000),
            waiting: queue.requests,
            waiting_of_user: queue.requests_of_user,
            waiting_bytes: queue.bytes,
            keep_answers_seconds: queue.keep_answers_seconds,
            keep_staged_seconds: queue.keep_staged_seconds,
        }
    }

    fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new(".")).join(path)
    }
}
