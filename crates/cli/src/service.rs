//! `trefoil model`, `trefoil ask` and `trefoil doctor`: a service of three operators, as its owners and users see it.

mod ask;
mod doctor;
mod model;

pub(crate) use ask::{Ask, run as ask};
pub(crate) use doctor::{Doctor, run as doctor};
pub(crate) use model::{ModelCommands, run as model};

use crate::Failure;
use crate::options::seconds;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use trefoil::Service;
use trefoil_term::settings::Settings;

/// How long a call to the service may take where nothing else is set.
const TIME: Duration = Duration::from_mins(2);

/// Which service.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// The file of an owner or a user: three urls, pins and tokens [env: `TREFOIL_SERVICE`]
    #[arg(long, value_name = "FILE.toml")]
    service: Option<PathBuf>,
    /// How long one call may take [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
}

impl Which {
    /// The file.
    ///
    /// # Errors
    /// If none is named.
    fn file(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.service {
            return Ok(file.clone());
        }
        Settings::load()?.service.ok_or_else(|| {
            Failure::misuse("no service is named").help(
                "give --service FILE.toml, or set TREFOIL_SERVICE or `service` in the configuration file; operators give you the urls and pins \
                 of the three parties, and a token each",
            )
        })
    }

    fn open(&self) -> Result<Service, Failure> {
        Ok(Service::open(&self.file()?, self.timeout.unwrap_or(TIME))?)
    }
}
