//! What a party counts, for its operator: no value, no name of a user.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The counters of one party.
pub(crate) struct Metrics {
    registry: Registry,
    /// Requests of owners and users, by the code of their end.
    pub(crate) requests: Family<Vec<(&'static str, String)>, Counter>,
    /// From a query's last byte to its answer.
    pub(crate) query_seconds: Histogram,
    pub(crate) sessions: Counter,
    pub(crate) failed_sessions: Counter,
    pub(crate) session_seconds: Histogram,
    pub(crate) samples: Counter,
    /// Bytes sent to the peers in sessions that ended well.
    pub(crate) bytes_sent: Counter,
    pub(crate) rounds: Counter,
    pub(crate) alarms: Counter,
    pub(crate) turned_away: Counter,
    pub(crate) waiting: Gauge,
    pub(crate) running: Gauge,
    pub(crate) differences: Gauge,
    pub(crate) connections: Gauge,
}

/// Upper ends of the histograms, in seconds.
const SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("trefoil");
        let requests = Family::<Vec<(&'static str, String)>, Counter>::default();
        let query_seconds = Histogram::new(SECONDS);
        let session_seconds = Histogram::new(SECONDS);
        registry.register("requests", "Requests, by how they ended", requests.clone());
        registry.register(
            "query_seconds",
            "From a query to its answer",
            query_seconds.clone(),
        );
        registry.register(
            "session_seconds",
            "Length of sessions that ended well",
            session_seconds.clone(),
        );
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let sessions = counter("sessions", "Sessions that ended well");
        let failed_sessions = counter("failed_sessions", "Sessions that failed");
        let samples = counter("samples", "Samples computed");
        let bytes_sent = counter(
            "session_bytes_sent",
            "Bytes that sessions sent to the other parties",
        );
        let rounds = counter("session_rounds", "Rounds of sessions");
        let alarms = counter("alarms", "What an operator should look at: see the log");
        let turned_away = counter(
            "turned_away",
            "Connections for other parties that were not admitted",
        );
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let waiting = gauge("waiting_requests", "Requests that wait or run");
        let running = gauge("running_sessions", "Sessions that run");
        let differences = gauge(
            "registry_differences",
            "Active versions that another party does not have",
        );
        let connections = gauge("connections", "Connections of owners and users");
        Self {
            registry,
            requests,
            query_seconds,
            sessions,
            failed_sessions,
            session_seconds,
            samples,
            bytes_sent,
            rounds,
            alarms,
            turned_away,
            waiting,
            running,
            differences,
            connections,
        }
    }

    /// In the text format of Prometheus.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
