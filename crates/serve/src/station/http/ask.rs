//! What users do: ask.

use super::{Answer, App, binary, body_of, for_purpose, holder, named, number};
use crate::station::access::Purpose;
use crate::station::books::ModelState;
use crate::station::compute;
use crate::station::desk::{Event, Query, Reply, request_name};
use crate::station::doors::Known;
use crate::station::names::{ModelId, Name, RequestId};
use crate::station::parts::{self, Digests};
use crate::station::problem::{Code, Problem};
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use std::time::Instant;

/// Ask: this party's part of the shares of `samples` samples; the answer is this party's shares of the answer. The same
/// id and body may be sent again: it is one request.
#[utoipa::path(put, path = "/v1/models/{name}/queries/{id}", params(("name" = String, Path), ("id" = String, Path, description = "32 hexadecimal digits, drawn at random; the same at all three parties"), ("version" = u64, Query), ("samples" = u64, Query), ("wait_ms" = Option<u64>, Query), ("alone" = Option<u64>, Query, description = "1: a session of its own, shared with no other request")), request_body(content = [u8], content_type = "application/octet-stream"), responses((status = 200, content_type = "application/octet-stream", body = [u8]), (status = "default", body = Problem)))]
pub(super) async fn query(
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
    let Read {
        model,
        samples,
        part,
        wait_ms,
        alone,
    } = read.inspect_err(|problem| {
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
        alone,
        deadline_ms: app.engine.now_ms() + wait_ms,
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

/// What a query's address and body say.
struct Read {
    model: ModelId,
    samples: u64,
    part: Vec<u8>,
    wait_ms: u64,
    alone: bool,
}

async fn read_query(
    app: &App,
    user: &Name,
    name: Name,
    address: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Read, Problem> {
    let missing =
        |what: &str| Problem::saying(Code::Malformed, format!("the address has no ?{what}="));
    let version = number(address, "version")?.ok_or_else(|| missing("version"))?;
    let samples = number(address, "samples")?.ok_or_else(|| missing("samples"))?;
    let longest = app.request_time.as_millis() as u64;
    let alone = number(address, "alone")? == Some(1);
    let wait_ms = number(address, "wait_ms")?
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
    Ok(Read {
        model: id,
        samples,
        part,
        wait_ms,
        alone,
    })
}
