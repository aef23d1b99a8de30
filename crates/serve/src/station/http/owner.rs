//! What owners do: push, retire, grant.

use super::{Answer, App, JSON_LIMIT, PUSH_TIME, body_of, for_purpose, holder, named};
use crate::station::access::Purpose;
use crate::station::books::{Grant, Model, ModelState};
use crate::station::compute::Public;
use crate::station::desk::Event;
use crate::station::doors::Known;
use crate::station::names::ModelId;
use crate::station::parts::{self, Digests};
use crate::station::problem::{Code, Problem};
use crate::station::views::{GrantBody, PushHead, public_digest};
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use std::time::{SystemTime, UNIX_EPOCH};

/// Push a version: head, plan and guard, then this party's part of the shares of weights and guard (docs/wire.md).
#[utoipa::path(put, path = "/v1/models/{name}/versions/{version}", params(("name" = String, Path), ("version" = u64, Path)), request_body(content = [u8], content_type = "application/octet-stream"), responses((status = 204, description = "It is active at all three"), (status = "default", body = Problem)))]
pub(super) async fn push(
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
pub(super) async fn retire(
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
pub(super) async fn grant(
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
pub(super) async fn revoke(
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
