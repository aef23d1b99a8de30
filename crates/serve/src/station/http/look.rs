//! What callers may look at: models, plans, usage, the party itself.

use super::{Answer, App, binary, holder, json, named};
use crate::station::access::{Purpose, Token, hex};
use crate::station::books::{Books, Model, ModelState};
use crate::station::doors::Known;
use crate::station::names::ModelId;
use crate::station::problem::{Code, Problem};
use crate::station::views::{ModelView, PartyView, UsageView, plan_digest};
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

/// About this party, for `doctor`.
#[utoipa::path(get, path = "/v1/party", responses((status = 200, body = PartyView), (status = "default", body = Problem)))]
pub(super) async fn party(
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
            .map(|(id, model)| (id.to_string(), model.state, hex(&model.public)))
            .collect();
        (desk.is_connected(), mine)
    })?;
    Ok(json(&PartyView {
        role: app.engine.role.index(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        plan_version: trefoil_nn::PLAN_VERSION,
        unix,
        connected,
        draining: app.engine.draining.load(Relaxed),
        models: digest,
    }))
}

/// What `told` says of the active version of a model, if it is this holder's business.
fn active<T>(
    app: &App,
    token: &Token,
    name: &str,
    told: impl FnOnce(&Books, &ModelId, &Model) -> T,
) -> Result<T, Problem> {
    let name = named(name)?;
    let told = app.engine.look(|desk| {
        let books = desk.books();
        let (id, model) = books.active(&name)?;
        may_see(books, token, id, model).then(|| told(books, id, model))
    })?;
    Ok(told.ok_or(Code::NoSuchModel)?)
}

/// Whether a model is this holder's business.
fn may_see(books: &Books, token: &Token, id: &ModelId, model: &Model) -> bool {
    match token.purpose {
        Purpose::Owner => model.owner == token.holder,
        Purpose::User => {
            model.state == ModelState::Active && books.grant(&id.name, &token.holder).is_some()
        }
    }
}

fn view(books: &Books, token: &Token, id: &ModelId, model: &Model) -> ModelView {
    let user = token.purpose == Purpose::User;
    ModelView {
        name: id.name.to_string(),
        version: id.version,
        state: model.state,
        plan: hex(&plan_digest(&model.plan)),
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
pub(super) async fn models(
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
pub(super) async fn model(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let token = holder(&app, &headers, &known)?;
    let view = active(&app, &token, &name, |books, id, model| {
        view(books, &token, id, model)
    })?;
    Ok(json(&view))
}

/// The plan of the active version: what is computed, without weights. Nothing of the guard.
#[utoipa::path(get, path = "/v1/models/{name}/plan", params(("name" = String, Path)), responses((status = 200, content_type = "application/octet-stream", body = [u8]), (status = "default", body = Problem)))]
pub(super) async fn plan(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let token = holder(&app, &headers, &known)?;
    let plan = active(&app, &token, &name, |_, _, model| model.plan.clone())?;
    Ok(binary(plan))
}

/// Samples that were charged: of every user for the owner, of the user itself for a user.
#[utoipa::path(get, path = "/v1/models/{name}/usage", params(("name" = String, Path)), responses((status = 200, body = Vec<UsageView>), (status = "default", body = Problem)))]
pub(super) async fn usage(
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
