//! Where owners and users connect: TLS, and who gives way when places are short.
//!
//! A connection without a valid token so far is a stranger's. Strangers have a deadline to show one, a bounded number of
//! places from one address, and give way, oldest first, when all places are taken: a flood of them keeps nobody
//! out who has shown a token.

use super::metrics::Metrics;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// How long a handshake, and the head of a request, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Strangers' connections from one address.
const STRANGERS_OF_ONE: usize = 256;

/// Whether the holder of a connection has shown a valid token on it.
#[derive(Clone, Default)]
pub(crate) struct Known(Arc<AtomicBool>);

impl Known {
    /// It has.
    pub(crate) fn set(&self) {
        self.0.store(true, Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// The places.
pub(crate) struct Doors {
    places: usize,
    taken: Mutex<BTreeMap<u64, Place>>,
    metrics: Arc<dyn AsRef<Metrics> + Send + Sync>,
}

struct Place {
    from: IpAddr,
    known: Known,
    leave: Arc<Notify>,
}

impl Doors {
    pub(crate) fn new(places: usize, metrics: Arc<dyn AsRef<Metrics> + Send + Sync>) -> Arc<Self> {
        Arc::new(Self {
            places,
            taken: Mutex::default(),
            metrics,
        })
    }

    /// A place for a new connection, if there is one or a stranger gives way.
    fn enter(&self, number: u64, from: IpAddr) -> Option<(Known, Arc<Notify>)> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let stranger = |place: &Place| !place.known.is_set();
        let of_one = |place: &&Place| place.from == from && stranger(place);
        if taken.values().filter(of_one).count() >= STRANGERS_OF_ONE {
            let oldest = taken
                .iter()
                .find(|(_, place)| of_one(place))
                .map(|(&number, _)| number);
            taken.remove(&oldest?)?.leave.notify_one();
        } else if taken.len() >= self.places {
            let oldest = taken
                .iter()
                .find(|(_, place)| stranger(place))
                .map(|(&number, _)| number);
            taken.remove(&oldest?)?.leave.notify_one();
        }
        let (known, leave) = (Known::default(), Arc::new(Notify::new()));
        let place = Place {
            from,
            known: known.clone(),
            leave: Arc::clone(&leave),
        };
        taken.insert(number, place);
        self.count(taken.len());
        Some((known, leave))
    }

    fn leave(&self, number: u64) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&number);
        self.count(taken.len());
    }

    fn count(&self, taken: usize) {
        self.metrics.as_ref().as_ref().connections.set(taken as i64);
    }

    /// Serve connections until the task is dropped.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: TlsAcceptor,
        router: axum::Router,
    ) {
        let number = AtomicUsize::new(0);
        loop {
            let Ok((socket, from)) = listener.accept().await else {
                // Too many open files: somebody will leave.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let number = number.fetch_add(1, Relaxed) as u64;
            let Some((known, leave)) = self.enter(number, from.ip()) else {
                continue;
            };
            let (doors, tls, router) = (Arc::clone(&self), tls.clone(), router.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = connection(socket, from, tls, router, known) => {}
                    () = leave.notified() => {}
                }
                doors.leave(number);
            });
        }
    }
}

async fn connection(
    socket: TcpStream,
    _: SocketAddr,
    tls: TlsAcceptor,
    router: axum::Router,
    known: Known,
) {
    let _ = socket.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(socket)).await else {
        return;
    };
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(known.clone());
        let router = router.clone();
        async move { tower_service::Service::call(&mut router.clone(), request).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(75))
        .serve_connection(TokioIo::new(stream), service);
    // How a connection ends is its peer's affair.
    let _ = served.await;
}
