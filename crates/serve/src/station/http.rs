//! The interface of owners and users.
//!
//! Bodies that hold shares are binary, everything else is JSON; refusals are problem documents. The `OpenAPI` document at
//! `/v1/openapi.json` is made of what stands here.

mod ask;
mod look;
mod owner;

use super::access::{Access, Purpose, Token};
use super::doors::Known;
use super::engine::Engine;
use super::names::Name;
use super::problem::{Code, Problem};
use super::views::{GrantBody, ModelView, PartyView, UsageView};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use http_body_util::{BodyExt, Limited};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use utoipa::OpenApi;

/// Largest body that is JSON.
const JSON_LIMIT: u64 = 64 << 10;
/// Longest time that a push may take to arrive.
const PUSH_TIME: Duration = Duration::from_mins(30);

/// What every handler knows.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) access: Arc<RwLock<Access>>,
    pub(crate) push_bytes: u64,
    pub(crate) request_time: Duration,
}

type Answer = Result<Response, Problem>;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.code.retry_after() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}

/// The `OpenAPI` document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Trefoil party",
        description = "One of three parties that answer queries to models which none of them sees. Every call needs a bearer \
                       token of this party; bodies of shares are described in docs/wire.md."
    ),
    paths(
        look::models,
        look::model,
        look::plan,
        look::usage,
        look::party,
        owner::push,
        owner::retire,
        owner::grant,
        owner::revoke,
        ask::query
    ),
    components(schemas(Problem, Code, ModelView, UsageView, GrantBody, PartyView))
)]
struct Document;

/// All addresses.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/party", get(look::party))
        .route("/v1/models", get(look::models))
        .route("/v1/models/{name}", get(look::model).delete(owner::retire))
        .route("/v1/models/{name}/plan", get(look::plan))
        .route("/v1/models/{name}/versions/{version}", put(owner::push))
        .route(
            "/v1/models/{name}/grants/{user}",
            put(owner::grant).delete(owner::revoke),
        )
        .route("/v1/models/{name}/usage", get(look::usage))
        .route("/v1/models/{name}/queries/{id}", put(ask::query))
        .fallback(async || Problem::new(Code::NoSuchAddress))
        .method_not_allowed_fallback(async || Problem::new(Code::NoSuchAddress))
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .with_state(app)
}

/// Count how requests end.
async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let code = response
        .extensions()
        .get::<Code>()
        .map_or_else(|| "ok".to_owned(), ToString::to_string);
    app.engine
        .metrics
        .requests
        .get_or_create(&vec![("code", code)])
        .inc();
    response
}

/// Who asks, if a token of this party says so.
fn holder(app: &App, headers: &HeaderMap, known: &Known) -> Result<Token, Problem> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let secret = given
        .and_then(|text| text.strip_prefix("Bearer "))
        .ok_or(Code::BadToken)?;
    let access = app.access.read().unwrap_or_else(PoisonError::into_inner);
    let token = access.find(secret.trim()).cloned().ok_or(Code::BadToken)?;
    known.set();
    Ok(token)
}

fn for_purpose(token: &Token, purpose: Purpose) -> Result<Name, Problem> {
    if token.purpose == purpose {
        Ok(token.holder.clone())
    } else {
        Err(Code::NotAllowed.into())
    }
}

fn named(text: &str) -> Result<Name, Problem> {
    text.parse()
        .map_err(|error| Problem::saying(Code::Malformed, format!("{error}")))
}

/// A number in the address's query, `?samples=3`.
fn number(query: Option<&str>, name: &str) -> Result<Option<u64>, Problem> {
    let mut pairs = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let Some((_, text)) = pairs.find(|(key, _)| *key == name) else {
        return Ok(None);
    };
    let wrong = || Problem::saying(Code::Malformed, format!("{name}={text} is no whole number"));
    text.parse().map(Some).map_err(|_| wrong())
}

fn json(value: &impl serde::Serialize) -> Response {
    let body = serde_json::to_vec(value).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn binary(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}

/// A body of at most `limit` bytes.
async fn body_of(
    headers: &HeaderMap,
    body: Body,
    limit: u64,
    time: Duration,
) -> Result<Vec<u8>, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let too_large = || {
        Problem::saying(
            Code::TooLarge,
            format!("the body has more than the {limit} bytes that are allowed here"),
        )
    };
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_large());
    }
    let collected = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)).collect();
    match tokio::time::timeout(time, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::saying(
            Code::Malformed,
            "the body ended early: send it again",
        )),
        Err(_) => Err(Problem::saying(
            Code::TooLate,
            "the body did not arrive in time: send it again",
        )),
    }
}

async fn openapi() -> Response {
    json(&Document::openapi())
}
