//! Three parties as processes of this machine.

use crate::config::write_all;
use crate::{Limits, Link, PartiesFile, ServeError};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use trefoil_net::Role;

/// Three running processes; killed when this is dropped. They also end by themselves when this process does.
pub(crate) struct Processes {
    children: Mutex<Vec<Child>>,
    /// Keys and configuration, until everybody has read them.
    folder: Option<TempDir>,
}

impl Processes {
    /// Start `program party --spawned` three times over loopback, with fresh keys; also returns how to reach them.
    pub(crate) fn start(
        program: &Path,
        link: Link,
        timeout: Duration,
    ) -> Result<(Self, PartiesFile), ServeError> {
        let failed = |source| ServeError::File {
            path: std::env::temp_dir(),
            source,
        };
        let folder = tempfile::Builder::new()
            .prefix("trefoil")
            .tempdir()
            .map_err(failed)?;
        write_all(
            folder.path(),
            link,
            &["127.0.0.1:0"; 3].map(str::to_owned),
            &["127.0.0.1:0"; 3].map(str::to_owned),
            timeout,
            Limits::LOCAL,
        )?;
        let mut parties = PartiesFile::load_local(&folder.path().join("parties.toml"))?;
        let this = Self {
            children: Mutex::default(),
            folder: Some(folder),
        };
        for role in Role::ALL {
            let config = parties
                .path
                .with_file_name(format!("party{}.toml", role.index()));
            let child = Command::new(program)
                .args(["party", "--spawned"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            let mut child =
                child.map_err(|error| spawn_error(role, program, &error.to_string()))?;
            let told = child
                .stdin
                .as_mut()
                .map(|stdin| writeln!(stdin, "{}", config.display()));
            this.children().push(child);
            if !matches!(told, Some(Ok(()))) {
                return Err(this.died(role, program));
            }
        }
        for role in Role::ALL {
            let mut address = String::new();
            let stdout = this.children()[role.index()].stdout.take();
            let read = stdout.map(|stdout| BufReader::new(stdout).read_line(&mut address));
            if !matches!(read, Some(Ok(bytes)) if bytes > 0) {
                return Err(this.died(role, program));
            }
            for contact in parties
                .parties
                .iter_mut()
                .filter(|contact| contact.role == role)
            {
                address.trim_end().clone_into(&mut contact.address);
            }
        }
        let addresses = parties.addresses()?.join(" ");
        for role in Role::ALL {
            let told = this.children()[role.index()]
                .stdin
                .as_mut()
                .map(|stdin| writeln!(stdin, "{addresses}"));
            if !matches!(told, Some(Ok(()))) {
                return Err(this.died(role, program));
            }
        }
        Ok((this, parties))
    }

    /// Take keys and configuration off the disk; every process has read its own by now.
    pub(crate) fn remove_keys(&mut self) {
        self.folder = None;
    }

    fn children(&self) -> MutexGuard<'_, Vec<Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A party whose process has ended, and how.
    pub(crate) fn dead(&self) -> Option<(Role, String)> {
        let mut children = self.children();
        let ended = |(role, child): (Role, &mut Child)| match child.try_wait() {
            Ok(Some(status)) => Some((role, format!("its process has ended: {status}"))),
            _ => None,
        };
        Role::ALL
            .into_iter()
            .zip(children.iter_mut())
            .find_map(ended)
    }

    /// Why a party is gone: what it printed last.
    fn died(&self, role: Role, program: &Path) -> ServeError {
        let children = &mut self.children();
        let child = &mut children[role.index()];
        let _ = child.kill();
        let _ = child.wait();
        let mut reason = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = std::io::Read::read_to_string(&mut stderr, &mut reason);
        }
        spawn_error(role, program, reason.trim())
    }
}

fn spawn_error(role: Role, program: &Path, reason: &str) -> ServeError {
    let reason = if reason.is_empty() {
        "it ended at once"
    } else {
        reason
    };
    ServeError::Spawn {
        role,
        program: program.display().to_string(),
        reason: reason.to_owned(),
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in self.children().iter_mut() {
            // Already gone is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
