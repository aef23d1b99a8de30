//! Values of options that several commands share.

use crate::Failure;
use clap::ValueEnum;
use serde::Serialize;
use std::fmt;
use std::time::Duration;
use trefoil_net::Network;

/// What connects the three parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LinkKind {
    /// Three threads of this process
    Memory,
    /// Three processes over TCP, unencrypted
    Tcp,
    /// Three processes over TLS 1.3, each knowing the others' keys
    Tls,
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

impl LinkKind {
    /// This link between three parties on this machine.
    ///
    /// # Errors
    /// If the parties cannot be started.
    pub(crate) fn client(
        self,
        network: Option<Network>,
        timeout: Duration,
    ) -> Result<trefoil_serve::Client, Failure> {
        let link = match self {
            Self::Memory => return Ok(trefoil_serve::Client::in_process(network, timeout)?),
            Self::Tcp => trefoil_serve::Link::Tcp,
            Self::Tls => trefoil_serve::Link::Tls,
        };
        let program = std::env::current_exe().map_err(|error| {
            Failure::new(format!("this program cannot find its own file: {error}"))
                .help("the parties are processes of the same program; use --link memory instead")
        })?;
        Ok(trefoil_serve::Client::processes(&program, link, timeout)?)
    }
}

/// Seconds, as a user writes them: more than 0, at most a day.
///
/// # Errors
/// If the text is no such number.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 86_400.0 => Ok(Duration::from_secs_f64(value)),
        _ => Err("a number of seconds above 0, at most 86400, is expected".to_owned()),
    }
}

/// A network that is emulated between threads, of which only in-memory links know.
///
/// # Errors
/// If it is asked for on real links.
pub(crate) fn emulated_only_in_memory(
    network: Option<Network>,
    link: LinkKind,
) -> Result<(), Failure> {
    if network.is_some() && link != LinkKind::Memory {
        let message = format!("--network emulates a network in memory, but the link is {link}");
        return Err(Failure::misuse(message).help("add --link memory, or leave --network out"));
    }
    Ok(())
}
