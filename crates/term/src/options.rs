//! Options that several commands share.

use crate::Failure;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use trefoil::{
    Backend, Deployment, Layout, Link, Model, NumberFormat, Parties, Preparation, Ranging, Source,
};
use trefoil_net::Network;

/// How samples become what a model takes.
#[derive(Clone, Debug, Default, Args)]
pub struct PreparationOptions {
    /// Divide values by 255, so that pixels lie in [0, 1]
    #[arg(long)]
    unit: bool,
    /// Subtract these, one number for each channel (after --unit)
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    mean: Vec<f64>,
    /// Divide by these, one number for each channel (after --mean)
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    std: Vec<f64>,
    /// Where channels are. `nhwc` if the model or the array has them last: pictures and arrays that have them elsewhere
    /// than the model are transposed
    #[arg(long, value_enum, default_value_t = LayoutOption::Nchw)]
    layout: LayoutOption,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LayoutOption {
    /// Pictures, channels, height, width (PyTorch)
    #[default]
    Nchw,
    /// Pictures, height, width, channels (TensorFlow)
    Nhwc,
}

impl PreparationOptions {
    /// For the library.
    pub fn preparation(&self) -> Preparation {
        Preparation {
            unit: self.unit,
            mean: self.mean.clone(),
            std: self.std.clone(),
            layout: match self.layout {
                LayoutOption::Nchw => Layout::Nchw,
                LayoutOption::Nhwc => Layout::Nhwc,
            },
        }
    }
}

/// How numbers are represented.
#[derive(Clone, Copy, Debug, Args)]
pub struct NumberOptions {
    /// Bits of the ring
    #[arg(long, value_name = "BITS", default_value = "64", value_parser = ring)]
    pub ring: u32,
    /// Bits after the binary point [default: 20 in the ring of 64 bits, 10 in that of 32]
    #[arg(long, value_name = "F")]
    pub fraction_bits: Option<u32>,
}

impl NumberOptions {
    /// For the library.
    pub fn format(self) -> NumberFormat {
        NumberFormat {
            ring: self.ring,
            fraction_bits: self.fraction_bits,
        }
    }
}

fn ring(text: &str) -> Result<u32, String> {
    match text {
        "32" => Ok(32),
        "64" => Ok(64),
        _ => Err("rings of 32 and 64 bits are supported".to_owned()),
    }
}

/// Options about the sizes of numbers.
#[derive(Debug, Args)]
pub struct RangeOptions {
    /// Calibration samples, prepared as the others are: measure how far every layer reaches, refuse what the ring cannot
    /// hold, and refuse samples outside their range, widened by an eighth on either side
    #[arg(long, value_name = "X.npy")]
    calibrate: Option<PathBuf>,
    /// The least and the greatest number of inputs: others are refused, and without --calibrate the worst case for
    /// every layer is computed
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    input_range: Option<[f64; 2]>,
    /// Choose the fraction bits by those ranges: as many as leave room, at most 20 (ring of 32 bits: 13). They become
    /// public with the plan
    #[arg(long, conflicts_with = "fraction_bits")]
    auto_fraction_bits: bool,
    /// Leave what scales the model's input to the client: constants that are added, multiplied or divided by before the
    /// first layer, and a power of two for each feature whose weights in the first layer are small. Servers never see
    /// them; whoever asks does, so say so only if they are public
    #[arg(long, conflicts_with = "input_range")]
    pub public_scaling: bool,
}

impl RangeOptions {
    /// The file that ranges are measured on.
    pub fn file(&self) -> Option<&PathBuf> {
        self.calibrate.as_ref()
    }

    /// For the library; samples are read for `source`.
    ///
    /// # Errors
    /// If they cannot be.
    pub fn ranging(&self, source: &Source, preparation: &Preparation) -> Result<Ranging, Failure> {
        let calibrate = self.calibrate.as_deref();
        let calibrate = calibrate.map(|path| source.samples(path, preparation));
        Ok(Ranging {
            calibrate: calibrate.transpose()?,
            input_range: self.input_range,
            auto_fraction_bits: self.auto_fraction_bits,
        })
    }
}

/// Two numbers, as a user writes them.
fn range(text: &str) -> Result<[f64; 2], String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let ends = text.split_once(',').map(|(a, b)| [number(a), number(b)]);
    match ends {
        Some([Some(low), Some(high)]) if low <= high => Ok([low, high]),
        _ => Err("two numbers are expected, the least and the greatest, such as 0,255".to_owned()),
    }
}

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
    pub network: Option<Network>,
    /// Use three running parties, as `trefoil keys` described them
    #[arg(long, value_name = "parties.toml", conflicts_with_all = ["link", "network"])]
    pub parties: Option<PathBuf>,
    /// How long to wait for a party before giving up
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
}

impl DeployOptions {
    /// Where to compute.
    pub fn backend(&self) -> Backend {
        self.backend.into()
    }

    /// What connects parties that this program starts; nothing where it starts none.
    ///
    /// # Errors
    /// If options contradict each other.
    pub fn link(&self) -> Result<Option<Link>, Failure> {
        if self.backend == BackendOption::Secure {
            if self.parties.is_some() {
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
        let link = self.link()?;
        Ok(match (self.backend, &self.parties) {
            (BackendOption::Clear, _) => Deployment::clear(model),
            (BackendOption::Fixed, _) => Deployment::fixed(model),
            (BackendOption::Secure, Some(path)) => {
                Parties::connect(path, self.timeout)?.deploy(model)
            }
            (BackendOption::Secure, None) => {
                let link = link.unwrap_or(Link::Tls);
                start(link, self.network, self.timeout)?.deploy(model)
            }
        })
    }
}

/// Three parties on this machine: threads, or processes of this very program.
///
/// # Errors
/// If they cannot be started.
pub fn start(link: Link, network: Option<Network>, timeout: Duration) -> Result<Parties, Failure> {
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
    network: Option<Network>,
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
pub fn emulated_only_in_memory(network: Option<Network>, link: Link) -> Result<(), Failure> {
    if network.is_some() && link != Link::Memory {
        let message = format!("--network emulates a network in memory, but the link is {link}");
        return Err(Failure::misuse(message).help("add --link memory, or leave --network out"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_two_numbers_in_order() {
        assert_eq!(range("-2.5, 3"), Ok([-2.5, 3.0]));
        for wrong in ["", "3", "3,1", "0,nan", "0,inf", "a,b", "1,2,3"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
