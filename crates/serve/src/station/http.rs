//! The interface of owners and users.
//!
//! Bodies that hold shares are binary, everything else is JSON; refusals are problem documents. The OpenAPI document at
//! `/v1/openapi.json` is made of what stands here.

use super::access::{Access, Purpose, Token};
use super::books::{Grant, Model, ModelState};
use super::compute::{self, Public};
use super::desk::{Event, Query, Reply, request_name};
use super::doors::Known;
use super::engine::Engine;
use super::names::{ModelId, Name, RequestId};
use super::parts::{self, Digests};
use super::problem::{Code, Problem};
use super::views::{
    GrantBody, ModelView, PartyView, PushHead, UsageView, plan_digest, public_digest,
};
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use http_body_util::{BodyExt, Limited};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
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

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Trefoil party",
        description = "One of three parties that answer queries to models which none of them sees. Every call needs a bearer \
                       token of this party; bodies of shares are described in docs/wire.md."
    ),
    paths(models, model, plan, push, retire, grant, revoke, usage, query, party),
    components(schemas(Problem, Code, ModelView, UsageView, GrantBody, PartyView))
)]
struct Document;

/// All addresses.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/party", get(party))
        .route("/v1/models", get(models))
        .route("/v1/models/{name}", get(model).delete(retire))
        .route("/v1/models/{name}/plan", get(plan))
        .route("/v1/models/{name}/versions/{version}", put(push))
        .route("/v1/models/{name}/grants/{user}", put(grant).delete(revoke))
        .route("/v1/models/{name}/usage", get(usage))
        .route("/v1/models/{name}/queries/{id}", put(query))
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
    let access = app
        .access
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
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

/// About this party, for `doctor`.
#[utoipa::path(get, path = "/v1/party", responses((status = 200, body = PartyView), (status = "default", body = Problem)))]
async fn party(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    headers: HeaderMap,
) -> Answer {
    let token = holder(&app, &headers, &known)?;
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (connected, digest) = app.engine.look(|desk| {
        let mine: Vec<_> = desk
            .books()
            .models
            .iter()
            .filter(|(id, model)| may_see(desk.books(), &token, id, model))
            .map(|(id, model)| {
                (
                    id.to_string(),
                    model.state,
                    super::access::hex(&model.public),
                )
            })
            .collect();
        (desk.is_connected(), mine)
    })?;
    Ok(json(&PartyView {
        role: app.engine.role.index(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        plan_version: trefoil_nn::PLAN_VERSION,
        unix,
        connected,
        draining: app
            .engine
            .draining
            .load(std::sync::atomic::Ordering::Relaxed),
        models: digest,
    }))
}

/// Whether a model is this holder's business.
fn may_see(books: &super::books::Books, token: &Token, id: &ModelId, model: &Model) -> bool {
    match token.purpose {
        Purpose::Owner => model.owner == token.holder,
        Purpose::User => {
            model.state == ModelState::Active && books.grant(&id.name, &token.holder).is_some()
        }
    }
}

fn view(books: &super::books::Books, token: &Token, id: &ModelId, model: &Model) -> ModelView {
    let user = token.purpose == Purpose::User;
    ModelView {
        name: id.name.to_string(),
        version: id.version,
        state: model.state,
        plan: super::access::hex(&plan_digest(&model.plan)),
        guarded: model.guard.is_some(),
        batch: model.batch,
        quota: books
            .grant(&id.name, &token.holder)
            .filter(|_| user)
            .and_then(|grant| grant.quota),
        used: books.used(&id.name, &token.holder),
    }
}

/// The models that the holder may ask, or has pushed.
#[utoipa::path(get, path = "/v1/models", responses((status = 200, body = Vec<ModelView>), (status = "default", body = Problem)))]
async fn models(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    headers: HeaderMap,
) -> Answer {
    let token = holder(&app, &headers, &known)?;
    let views: Vec<ModelView> = app.engine.look(|desk| {
        let books = desk.books();
        let mine = books
            .models
            .iter()
            .filter(|(id, model)| may_see(books, &token, id, model));
        mine.map(|(id, model)| view(books, &token, id, model))
            .collect()
    })?;
    Ok(json(&views))
}

/// The active version of a model.
#[utoipa::path(get, path = "/v1/models/{name}", params(("name" = String, Path)), responses((status = 200, body = ModelView), (status = "default", body = Problem)))]
async fn model(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let token = holder(&app, &headers, &known)?;
    let name = named(&name)?;
    let view = app.engine.look(|desk| {
        let books = desk.books();
        let (id, model) = books.active(&name)?;
        may_see(books, &token, id, model).then(|| view(books, &token, id, model))
    })?;
    Ok(json(&view.ok_or(Code::NoSuchModel)?))
}

/// The plan of the active version: what is computed, without weights. Nothing of the guard.
#[utoipa::path(get, path = "/v1/models/{name}/plan", params(("name" = String, Path)), responses((status = 200, content_type = "application/octet-stream", body = [u8]), (status = "default", body = Problem)))]
async fn plan(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let token = holder(&app, &headers, &known)?;
    let name = named(&name)?;
    let plan = app.engine.look(|desk| {
        let books = desk.books();
        let (id, model) = books.active(&name)?;
        may_see(books, &token, id, model).then(|| model.plan.clone())
    })?;
    Ok(binary(plan.ok_or(Code::NoSuchModel)?))
}

/// Push a version: head, plan and guard, then this party's part of the shares of weights and guard (docs/wire.md).
#[utoipa::path(put, path = "/v1/models/{name}/versions/{version}", params(("name" = String, Path), ("version" = u64, Path)), request_body(content = [u8], content_type = "application/octet-stream"), responses((status = 204, description = "It is active at all three"), (status = "default", body = Problem)))]
async fn push(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path((name, version)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let owner = for_purpose(&holder(&app, &headers, &known)?, Purpose::Owner)?;
    let name = named(&name)?;
    let version = version
        .parse()
        .ok()
        .filter(|&version: &u64| version > 0 && version < u64::MAX);
    let version = version
        .ok_or_else(|| Problem::saying(Code::Malformed, "a version is a whole number from 1"))?;
    let id = ModelId { name, version };
    let mut body = body_of(&headers, body, app.push_bytes, PUSH_TIME).await?;
    let head = PushHead::split(&mut body)?;
    let limits = app.engine.limits;
    let public = Public::read(&head.plan, head.guard.as_deref(), &limits);
    let public = public.map_err(|error| {
        let code = if matches!(error, crate::ServeError::Limit { .. }) {
            Code::TooLarge
        } else {
            Code::BadPlan
        };
        Problem::saying(code, error.to_string())
    })?;
    let role = app.engine.role;
    let due = parts::len(role, &public.secrets(), public.plan.ring_bits);
    if body.len() as u64 != due {
        let words = format!(
            "the part of {role} has {} bytes, and {due} are due for this plan and guard",
            body.len()
        );
        return Err(Problem::saying(Code::WrongShape, words));
    }
    let digests = Digests::of(role, &body).ok_or(Code::WrongShape)?;
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let model = Model {
        public: public_digest(&id, &owner, &head),
        owner,
        state: ModelState::Staged,
        plan: head.plan,
        guard: head.guard,
        push: head.push,
        digests,
        batch: public.plan.batch as u64,
        since: unix,
    };
    let model = Box::new(model);
    let pushed = app.engine.ask(|ticket| Event::Push {
        ticket,
        id,
        model,
        part: body,
    });
    pushed.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Retire a model: it answers nothing more, and its shares are wiped.
#[utoipa::path(delete, path = "/v1/models/{name}", params(("name" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
async fn retire(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let owner = for_purpose(&holder(&app, &headers, &known)?, Purpose::Owner)?;
    let model = named(&name)?;
    app.engine
        .ask(|ticket| Event::Retire {
            ticket,
            owner,
            model,
        })
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Let a user ask a model, up to a quota.
#[utoipa::path(put, path = "/v1/models/{name}/grants/{user}", params(("name" = String, Path), ("user" = String, Path)), request_body = GrantBody, responses((status = 204), (status = "default", body = Problem)))]
async fn grant(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path((name, user)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let owner = for_purpose(&holder(&app, &headers, &known)?, Purpose::Owner)?;
    let (model, user) = (named(&name)?, named(&user)?);
    let body = body_of(&headers, body, JSON_LIMIT, app.request_time).await?;
    let body: GrantBody = serde_json::from_slice(&body).map_err(|error| {
        Problem::saying(
            Code::Malformed,
            format!("the grant cannot be read: {error}"),
        )
    })?;
    let grant = Some(Grant { quota: body.quota });
    let granted = app.engine.ask(|ticket| Event::Grant {
        ticket,
        owner,
        model,
        user,
        grant,
    });
    granted.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Let a user no longer ask a model.
#[utoipa::path(delete, path = "/v1/models/{name}/grants/{user}", params(("name" = String, Path), ("user" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
async fn revoke(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path((name, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let owner = for_purpose(&holder(&app, &headers, &known)?, Purpose::Owner)?;
    let (model, user) = (named(&name)?, named(&user)?);
    app.engine
        .ask(|ticket| Event::Grant {
            ticket,
            owner,
            model,
            user,
            grant: None,
        })
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Samples that were charged: of every user for the owner, of the user itself for a user.
#[utoipa::path(get, path = "/v1/models/{name}/usage", params(("name" = String, Path)), responses((status = 200, body = Vec<UsageView>), (status = "default", body = Problem)))]
async fn usage(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let token = holder(&app, &headers, &known)?;
    let name = named(&name)?;
    let views = app.engine.look(|desk| {
        let books = desk.books();
        let owns = books
            .versions(&name)
            .any(|(_, model)| model.owner == token.holder);
        let mut views: Vec<UsageView> = Vec::new();
        let granted = books.grants.iter().filter(|((model, _), _)| *model == name);
        for ((_, user), grant) in granted {
            let seen = match token.purpose {
                Purpose::Owner => owns,
                Purpose::User => *user == token.holder,
            };
            if seen {
                views.push(UsageView {
                    user: user.to_string(),
                    used: books.used(&name, user),
                    quota: grant.quota,
                });
            }
        }
        (owns || token.purpose == Purpose::User && !views.is_empty()).then_some(views)
    })?;
    Ok(json(&views.ok_or(Code::NoSuchModel)?))
}

/// Ask: this party's part of the shares of `samples` samples; the answer is this party's shares of the answer. The same
/// id and body may be sent again: it is one request.
#[utoipa::path(put, path = "/v1/models/{name}/queries/{id}", params(("name" = String, Path), ("id" = String, Path, description = "32 hexadecimal digits, drawn at random; the same at all three parties"), ("version" = u64, Query), ("samples" = u64, Query), ("wait_ms" = Option<u64>, Query)), request_body(content = [u8], content_type = "application/octet-stream"), responses((status = 200, content_type = "application/octet-stream", body = [u8]), (status = "default", body = Problem)))]
async fn query(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path((name, id)): Path<(String, String)>,
    RawQuery(address): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let start = Instant::now();
    let user = for_purpose(&holder(&app, &headers, &known)?, Purpose::User)?;
    let name = named(&name)?;
    let id: RequestId = id
        .parse()
        .map_err(|error| Problem::saying(Code::Malformed, format!("{error}")))?;
    let request = request_name(&user, id);
    let read = read_query(&app, &user, name, address.as_deref(), &headers, body).await;
    let (model, samples, part, wait) = read.inspect_err(|problem| {
        // The others shall not wait for a part that was refused here.
        app.engine.tell(Event::TurnedAway {
            request: request.clone(),
            code: problem.code,
        });
    })?;
    let digests = Digests::of(app.engine.role, &part).ok_or(Code::WrongShape)?;
    let query = Query {
        request,
        model,
        samples,
        part: part.into(),
        digests,
        deadline_ms: app.engine.now_ms() + wait,
    };
    match app
        .engine
        .ask(|ticket| Event::Query { ticket, query })
        .await?
    {
        Reply::Answer(answer) => {
            app.engine
                .metrics
                .query_seconds
                .observe(start.elapsed().as_secs_f64());
            Ok(binary(answer))
        }
        Reply::Done => Err(Code::Undecided.into()),
    }
}

/// A query's version, samples, part and time in milliseconds.
async fn read_query(
    app: &App,
    user: &Name,
    name: Name,
    address: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(ModelId, u64, Vec<u8>, u64), Problem> {
    let missing =
        |what: &str| Problem::saying(Code::Malformed, format!("the address has no ?{what}="));
    let version = number(address, "version")?.ok_or_else(|| missing("version"))?;
    let samples = number(address, "samples")?.ok_or_else(|| missing("samples"))?;
    let longest = app.request_time.as_millis() as u64;
    let wait = number(address, "wait_ms")?
        .unwrap_or(longest)
        .clamp(1, longest);
    let id = ModelId { name, version };
    app.engine.look(|desk| {
        let books = desk.books();
        if books.grant(&id.name, user).is_none() {
            return Err(Problem::from(Code::NoSuchModel));
        }
        let model = books
            .models
            .get(&id)
            .filter(|model| model.state == ModelState::Active);
        let model = model.ok_or(Code::NotActive)?;
        if samples == 0 || samples > model.batch {
            let words = format!(
                "{samples} samples are asked for, and {id} takes 1 to {} at once",
                model.batch
            );
            return Err(Problem::saying(Code::WrongShape, words));
        }
        Ok(())
    })??;
    // In memory, but in the moment after it has become active.
    let loaded = app
        .engine
        .loaded(&id)
        .map_err(|_| Problem::from(Code::NotActive))?;
    let shapes = compute::inputs(loaded.plan(), samples as usize);
    let due = parts::len(app.engine.role, &shapes, loaded.plan().ring_bits);
    let part = body_of(headers, body, due, app.request_time).await?;
    if part.len() as u64 != due {
        let words = format!(
            "the part of {} has {} bytes, and {due} are due for {samples} samples of {id}",
            app.engine.role,
            part.len()
        );
        return Err(Problem::saying(Code::WrongShape, words));
    }
    Ok((id, samples, part, wait))
}
