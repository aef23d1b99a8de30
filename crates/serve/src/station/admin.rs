//! For the operator alone, on the loopback interface or a socket of this machine: health, metrics, drain.

use super::engine::Engine;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The operator's addresses.
pub(crate) fn router(engine: Arc<Engine>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/drain", post(drain))
        .with_state(engine)
}

/// Whether queries would be computed now, and why not.
async fn ready(State(engine): State<Arc<Engine>>) -> Response {
    let connected = engine.look(super::desk::Desk::is_connected);
    let reason = match connected {
        _ if engine.draining.load(Relaxed) => "draining\n",
        Err(_) => "the store cannot be used: see the log\n",
        Ok(false) => "not connected to both other parties\n",
        Ok(true) => return "ready\n".into_response(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

async fn metrics(State(engine): State<Arc<Engine>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], engine.metrics.text()).into_response()
}

async fn drain(State(engine): State<Arc<Engine>>) -> &'static str {
    engine.drain();
    "draining\n"
}
