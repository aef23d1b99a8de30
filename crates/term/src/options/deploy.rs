//! Where a model runs.

use crate::Failure;
use crate::settings::Settings;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use trefoil::{Backend, Deployment, Link, Model, Parties};
use trefoil_net::NetworkProfile;

/// Where a model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendOption {
    /// 64-bit floats, in this process
    Clear,
    /// The parties' arithmetic and rounding, in this process
    Fixed,
    /// Three parties, none of which sees model, samples or answers
    Secure,
}

impl From<BackendOption> for Backend {
    fn from(option: BackendOption) -> Self {
        match option {
            BackendOption::Clear => Self::Clear,
            BackendOption::Fixed => Self::Fixed,
            BackendOption::Secure => Self::Secure,
        }
    }
}

/// What connects the three parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinkOption {
    /// Three threads of this process
    Memory,
    /// Three processes over TCP, unencrypted
    Tcp,
    /// Three processes over TLS 1.3, each knowing the others' keys
    Tls,
}

impl From<LinkOption> for Link {
    fn from(option: LinkOption) -> Self {
        match option {
            LinkOption::Memory => Self::Memory,
            LinkOption::Tcp => Self::Tcp,
            LinkOption::Tls => Self::Tls,
        }
    }
}

/// Where a model is deployed.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Servers")]
pub struct DeployOptions {
    /// Where to compute
    #[arg(long, value_enum, default_value_t = BackendOption::Secure)]
    backend: BackendOption,
    /// What connects the three parties, all on this machine [default: tls]
    #[arg(long, value_enum)]
    link: Option<LinkOption>,
    /// Emulate a network between the parties, with --link memory: `lan` (0.1 ms one way, 10
    /// Gbit/s), `wan` (10 ms, 100 Mbit/s), or milliseconds and Mbit/s
    #[arg(long, value_name = "lan|wan|MS,MBIT")]
    pub network: Option<NetworkProfile>,
    /// Use three running parties, as `trefoil keys` described them [env: `TREFOIL_PARTIES`]
    #[arg(long, value_name = "parties.toml", conflicts_with_all = ["link", "network"])]
    parties: Option<PathBuf>,
    /// How long to wait for a party before giving up [default: 60] [env: `TREFOIL_TIMEOUT`]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
}

/// Seconds to wait for a party where nothing else is set.
const TIMEOUT: Duration = Duration::from_mins(1);

impl DeployOptions {
    /// Where to compute.
    pub fn backend(&self) -> Backend {
        self.backend.into()
    }

    /// The file of the running parties that are asked: the one given, or the one of the user's settings unless parties are to be
    /// started here.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn parties(&self) -> Result<Option<PathBuf>, Failure> {
        let here = self.link.is_some() || self.network.is_some();
        if self.parties.is_some() || here || self.backend != BackendOption::Secure {
            return Ok(self.parties.clone());
        }
        Ok(Settings::load()?.parties)
    }

    /// What to tell a user whose parties all ran on this machine; nothing of others.
    pub fn notice(&self) -> Option<&'static str> {
        let remote = self.parties().is_ok_and(|parties| parties.is_some());
        let alone = self.backend == BackendOption::Secure && !remote;
        alone.then_some(
            "all three parties ran on this machine: its administrator can see everything",
        )
    }

    fn timeout(&self) -> Result<Duration, Failure> {
        if let Some(timeout) = self.timeout {
            return Ok(timeout);
        }
        let set = Settings::load()?.timeout;
        Ok(set.map_or(TIMEOUT, Duration::from_secs_f64))
    }

    /// What connects parties that this program starts; nothing where it starts none.
    ///
    /// # Errors
    /// If options contradict each other.
    pub fn link(&self) -> Result<Option<Link>, Failure> {
        if self.backend == BackendOption::Secure {
            if self.parties()?.is_some() {
                return Ok(None);
            }
            let link = self.link.map_or(Link::Tls, Link::from);
            emulated_only_in_memory(self.network, link)?;
            return Ok(Some(link));
        }
        let unused = [
            ("--link", self.link.is_some()),
            ("--network", self.network.is_some()),
            ("--parties", self.parties.is_some()),
        ];
        match unused.iter().find(|(_, given)| *given) {
            None => Ok(None),
            Some((flag, _)) => Err(Failure::misuse(format!(
                "{flag} is given, but only --backend secure has parties"
            ))
            .help(format!("leave {flag} out, or choose --backend secure"))),
        }
    }

    /// Get ready to ask; parties on this machine are started.
    ///
    /// # Errors
    /// If options contradict each other, or parties cannot be started or reached.
    pub fn deploy<'m>(&self, model: &'m Model) -> Result<Deployment<'m>, Failure> {
        let (link, timeout) = (self.link()?, self.timeout()?);
        Ok(match (self.backend, &self.parties()?) {
            (BackendOption::Clear, _) => Deployment::clear(model),
            (BackendOption::Fixed, _) => Deployment::fixed(model),
            (BackendOption::Secure, Some(path)) => Parties::connect(path, timeout)?.deploy(model),
            (BackendOption::Secure, None) => {
                let link = link.unwrap_or(Link::Tls);
                start(link, self.network, timeout)?.deploy(model)
            }
        })
    }
}

/// Three parties on this machine: threads, or processes of this very program.
///
/// # Errors
/// If they cannot be started.
pub fn start(
    link: Link,
    network: Option<NetworkProfile>,
    timeout: Duration,
) -> Result<Parties, Failure> {
    if link == Link::Memory {
        return Ok(Parties::in_process(network, timeout)?);
    }
    Ok(Parties::spawn(&this_program()?, link, timeout)?)
}

/// The same as a client of protocols, for measurements.
///
/// # Errors
/// If they cannot be started.
pub fn start_client(
    link: Link,
    network: Option<NetworkProfile>,
    timeout: Duration,
) -> Result<trefoil_serve::Client, Failure> {
    let link = match link {
        Link::Memory => return Ok(trefoil_serve::Client::in_process(network, timeout)?),
        Link::Tcp => trefoil_serve::Link::Tcp,
        Link::Tls => trefoil_serve::Link::Tls,
    };
    Ok(trefoil_serve::Client::processes(
        &this_program()?,
        link,
        timeout,
    )?)
}

fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| {
        Failure::new(format!("this program cannot find its own file: {error}"))
            .help("the parties are processes of the same program; use --link memory instead")
    })
}

/// Seconds, as a user writes them: more than 0, at most a day.
///
/// # Errors
/// If the text is no such number.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 86_400.0 => Ok(Duration::from_secs_f64(value)),
        _ => Err("a number of seconds above 0, at most 86400, is expected".to_owned()),
    }
}

/// A network that is emulated between threads, of which only in-memory links know.
///
/// # Errors
/// If it is asked for on real links.
pub fn emulated_only_in_memory(network: Option<NetworkProfile>, link: Link) -> Result<(), Failure> {
    if network.is_some() && link != Link::Memory {
        let message = format!("--network emulates a network in memory, but the link is {link}");
        return Err(Failure::misuse(message).help("add --link memory, or leave --network out"));
    }
    Ok(())
}
