//! The service of three operators: owners push models once, users who never see them ask.
//!
//! - [`Station`] is one party: an HTTPS interface for owners and users, links to the other two parties, a store.
//! - What it decides is decided in `desk`, a deterministic machine that is tested by simulation; `books` is what it keeps.
//! - `engine` gives the desk threads, `gate` keeps the links up, `compute` runs a batch on shares.

mod access;
mod admin;
pub(crate) mod books;
pub(crate) mod compute;
pub(crate) mod desk;
mod doors;
mod engine;
mod file;
mod gate;
mod http;
mod links;
mod metrics;
pub(crate) mod names;
mod operator;
pub(crate) mod parts;
pub(crate) mod problem;
pub(crate) mod seal;
mod setup;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod views;

pub(crate) use access::hex;
pub use access::{Access, AccessError, Purpose, Token};
pub use books::{ModelState, StoreError};
pub use file::StationFile;
pub use names::{Name, NameError, RequestId};
pub use operator::AdminAddress;
pub use problem::{Code, Problem};
pub use seal::SealError;
pub use setup::{Place, StationFiles, write_stations};
pub use views::{ModelView, PartyView, UsageView};

use crate::ServeError;
use doors::Doors;
use engine::Engine;
use gate::Gate;
use http::App;
use metrics::Metrics;
use operator::AdminListener;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use trefoil_net::{Listener, SessionError, https_server};

/// Between two looks at whether everything has ended.
const GLANCE: Duration = Duration::from_millis(50);

/// One running party.
pub struct Station {
    engine: Arc<Engine>,
    access: Arc<RwLock<Access>>,
    access_path: PathBuf,
    https: SocketAddr,
    admin: AdminAddress,
    runtime: Option<Runtime>,
    gate: Option<Gate>,
}

struct Counted(Arc<Engine>);

impl AsRef<Metrics> for Counted {
    fn as_ref(&self) -> &Metrics {
        &self.0.metrics
    }
}

impl Station {
    /// Start the party of a configuration file; `note` hears what happens, a line at a time, for the log. No line names a
    /// value.
    ///
    /// # Errors
    /// If keys, the store or the access file cannot be read, or an address cannot be listened on.
    pub fn start(
        file: &StationFile,
        note: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, ServeError> {
        let access_path = file.access_path();
        let access = Arc::new(RwLock::new(Access::load(&access_path)?));
        let listener = Listener::bind(file.listen(), file.security()?)?;
        let tls = https_server(&file.identity()?)?;
        let https = bind(file.https())?;
        let (admin, admin_address) = AdminListener::bind(&file.admin_address()?)?;
        let engine = Engine::start(file, Box::new(note))?;
        let gate = gate::keep(&engine, listener, &file.addresses()?)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("https")
            .enable_all()
            .build()
            .map_err(|error| SessionError::Thread {
                reason: error.to_string(),
            })?;
        let app = App {
            engine: Arc::clone(&engine),
            access: Arc::clone(&access),
            push_bytes: file.queue().push_bytes,
            request_time: Duration::from_secs(file.queue().request_seconds),
        };
        let doors = Doors::new(
            file.queue().connections,
            Arc::new(Counted(Arc::clone(&engine))),
        );
        let (https, https_address) = https;
        {
            let _within = runtime.enter();
            let failed = |error: std::io::Error| SessionError::Thread {
                reason: error.to_string(),
            };
            let https = TcpListener::from_std(https).map_err(failed)?;
            runtime.spawn(doors.serve(https, tls.into(), http::router(app)));
            let router = admin::router(Arc::clone(&engine));
            runtime.spawn(async move {
                let _ = admin.serve(router).await;
            });
        }
        engine.note(&format!(
            "owners and users at https://{https_address}, operator at {admin_address}"
        ));
        Ok(Self {
            engine,
            access,
            access_path,
            https: https_address,
            admin: admin_address,
            runtime: Some(runtime),
            gate: Some(gate),
        })
    }

    /// Where owners and users connect.
    pub fn https_address(&self) -> SocketAddr {
        self.https
    }

    /// Where the operator looks.
    pub fn admin_address(&self) -> &AdminAddress {
        &self.admin
    }

    /// Whether queries would be computed now.
    pub fn is_ready(&self) -> bool {
        self.engine.look(desk::Desk::is_connected).unwrap_or(false)
    }

    /// Read the access file again: tokens issued or revoked meanwhile count from now on.
    ///
    /// # Errors
    /// If it cannot be read: then what was read before still counts.
    pub fn reread_access(&self) -> Result<(), ServeError> {
        let fresh = Access::load(&self.access_path)?;
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        self.engine.note("the access file was read again");
        Ok(())
    }

    /// Take nothing new, and wait until what was taken has ended, at most `patience`; whether it has.
    pub fn drain(&self, patience: Duration) -> bool {
        self.engine.drain();
        let end = Instant::now() + patience;
        loop {
            let idle = self
                .engine
                .look(|desk| desk.load() == (0, 0))
                .unwrap_or(true);
            if idle || Instant::now() >= end {
                return idle;
            }
            std::thread::sleep(GLANCE);
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.engine.end();
        self.gate = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

fn bind(address: &str) -> Result<(std::net::TcpListener, SocketAddr), ServeError> {
    let failed = |error: std::io::Error| SessionError::Bind {
        address: address.to_owned(),
        reason: error.to_string(),
        hint: ": stop the program that holds it, or choose another one",
    };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
