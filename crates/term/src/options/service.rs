//! Which service of three operators.

use super::deploy::seconds;
use crate::Failure;
use crate::settings::Settings;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use trefoil::Service;

/// How long a call to the service may take where nothing else is set.
const TIME: Duration = Duration::from_mins(2);

/// A service, as its owners and users reach it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Service")]
pub struct ServiceOption {
    /// The file of an owner or a user: three urls, pins and tokens [env: `TREFOIL_SERVICE`]
    #[arg(long, value_name = "FILE.toml")]
    service: Option<PathBuf>,
    /// How long one call may take [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
}

impl ServiceOption {
    /// The file.
    ///
    /// # Errors
    /// If none is named.
    pub fn file(&self) -> Result<PathBuf, Failure> {
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

    /// The service, not connected to yet.
    ///
    /// # Errors
    /// If none is named, or its file cannot be used.
    pub fn open(&self) -> Result<Service, Failure> {
        Ok(Service::open(&self.file()?, self.timeout.unwrap_or(TIME))?)
    }
}
