//! Private messages, and pipes.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{
    Problem,
    body::{Caller, Sent, content, shown},
};
use crate::{
    clock::unix_ms,
    comet::{Along, MessageId},
    http::App,
    store::idempotency::Receipt,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    #[serde(default)]
    #[schema(example = "lab-result")]
    pub event: String,
    /// Text or JSON, delivered as it is; 65,535 bytes at most.
    #[schema(value_type = Object)]
    pub body: Box<RawValue>,
    /// The user to name as its sender; in pipes only.
    #[serde(default)]
    pub from: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    id: String,
    /// Connections it went to at once.
    sockets: usize,
    /// Nobody was there: it waits.
    queued: bool,
}

/// Sends a user a private message: to all their pages, or later when nobody is there. It is kept
/// safely when this returns.
#[utoipa::path(
    post, path = "/users/{user}/messages", tag = "messages", params(("user" = String, Path)),
    request_body = NewMessage,
    responses(
        (status = 201, body = Delivery),
        (status = 422, body = Problem),
        (status = 429, body = Problem),
    )
)]
pub(super) async fn send(
    caller: Caller,
    State(app): State<App>,
    Path(user): Path<String>,
    receipt: Option<Extension<Receipt>>,
    Sent(new): Sent<NewMessage>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    caller.need("messages")?;
    if new.from.is_some() {
        return Err(Problem::invalid(
            "`from` is for pipes: a private message comes from the clinic",
        ));
    }
    // should the relay die before it answers, this is the answer: the message waits
    let along = along(receipt, |id: MessageId| Delivery {
        id: id.to_string(),
        sockets: 0,
        queued: true,
    });
    let sent = app
        .backend
        .send(&user, &new.event, content(&new.body)?, along)
        .await?;
    let delivery = Delivery {
        id: sent.id.to_string(),
        sockets: sent.sockets,
        queued: sent.queued,
    };
    Ok((StatusCode::CREATED, Json(delivery)))
}

/// The receipt of a request that names an `Idempotency-Key`, to be kept in the same change as what it
/// asks for: a relay that is killed between the two would do it again.
fn along<T: 'static, A: Serialize>(
    receipt: Option<Extension<Receipt>>,
    answer: impl FnOnce(T) -> A + Send + 'static,
) -> Option<Along<T>> {
    let Extension(receipt) = receipt?;
    Some(Along::new(move |changes, about| {
        let body = serde_json::to_vec(&answer(about)).unwrap_or_default();
        receipt.keep(changes, unix_ms(), StatusCode::CREATED.as_u16(), body)
    }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Queued {
    id: String,
    event: String,
    #[schema(value_type = Object)]
    body: Box<RawValue>,
    /// Unix milliseconds.
    at: u64,
}

/// Messages that wait for a user.
#[utoipa::path(
    get, path = "/users/{user}/messages", tag = "messages", params(("user" = String, Path)),
    responses((status = 200, body = Vec<Queued>), (status = 422, body = Problem))
)]
pub(super) async fn queued(
    caller: Caller,
    State(app): State<App>,
    Path(user): Path<String>,
) -> Result<Json<Vec<Queued>>, Problem> {
    caller.need("messages")?;
    let waiting = app.backend.queued(&user).await?;
    let shown = waiting.into_iter().map(|message| Queued {
        id: message.id.to_string(),
        event: message.event,
        body: shown(&message.body),
        at: message.at,
    });
    Ok(Json(shown.collect()))
}

/// Forgets what waits for a user.
#[utoipa::path(
    delete, path = "/users/{user}/messages", tag = "messages", params(("user" = String, Path)),
    responses((status = 204), (status = 422, body = Problem))
)]
pub(super) async fn clear(
    caller: Caller,
    State(app): State<App>,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("messages")?;
    app.backend.clear_queue(&user).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Published {
    offset: u64,
    /// Connections it went to.
    listeners: usize,
}

/// Publishes into any pipe.
#[utoipa::path(
    post, path = "/pipes/{pipe}/messages", tag = "messages", params(("pipe" = String, Path)),
    request_body = NewMessage,
    responses((status = 201, body = Published), (status = 422, body = Problem))
)]
pub(super) async fn publish(
    caller: Caller,
    State(app): State<App>,
    Path(pipe): Path<String>,
    receipt: Option<Extension<Receipt>>,
    Sent(new): Sent<NewMessage>,
) -> Result<(StatusCode, Json<Published>), Problem> {
    caller.need("messages")?;
    let body = content(&new.body)?;
    // should the relay die before it answers, nobody knows who listened
    let along = along(receipt, |offset| Published {
        offset,
        listeners: 0,
    });
    let published = app
        .backend
        .publish(&pipe, &new.event, body, new.from.as_deref(), along)
        .await?;
    let shown = Published {
        offset: published.position.offset,
        listeners: published.listeners,
    };
    Ok((StatusCode::CREATED, Json(shown)))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Message {
    offset: u64,
    event: String,
    #[schema(value_type = Object)]
    body: Box<RawValue>,
    /// The user whose page published it; absent: the clinic, or somebody unnamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Unix milliseconds.
    at: u64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Latest {
    /// How many of the latest, 1 to 1000.
    #[serde(default = "all")]
    #[param(minimum = 1, maximum = 1000, default = 1000, required = false)]
    limit: usize,
}

const fn all() -> usize {
    1_000
}

/// What a pipe still keeps, oldest first.
#[utoipa::path(
    get, path = "/pipes/{pipe}/messages", tag = "messages", params(("pipe" = String, Path), Latest),
    responses((status = 200, body = Vec<Message>), (status = 422, body = Problem))
)]
pub(super) async fn history(
    caller: Caller,
    State(app): State<App>,
    Path(pipe): Path<String>,
    Query(latest): Query<Latest>,
) -> Result<Json<Vec<Message>>, Problem> {
    caller.need("messages")?;
    let limit = latest.limit.clamp(1, 1_000);
    let kept = app.backend.history(&pipe, limit).await?;
    let shown = kept.iter().map(|message| Message {
        offset: message.position.offset,
        event: message.event.to_string(),
        body: shown(&message.body),
        from: message.from.as_deref().map(str::to_owned),
        at: message.at,
    });
    Ok(Json(shown.collect()))
}

/// Forgets what a pipe keeps.
#[utoipa::path(
    delete, path = "/pipes/{pipe}/messages", tag = "messages", params(("pipe" = String, Path)),
    responses((status = 204), (status = 422, body = Problem))
)]
pub(super) async fn forget(
    caller: Caller,
    State(app): State<App>,
    Path(pipe): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("messages")?;
    app.backend.clear_history(&pipe).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pipe {
    name: String,
    /// Connections that listen.
    listeners: usize,
    /// Users among them, each once.
    users: Vec<String>,
    /// How many messages are kept.
    history: usize,
}

/// A pipe: who listens, how much is kept.
#[utoipa::path(
    get, path = "/pipes/{pipe}", tag = "messages", params(("pipe" = String, Path)),
    responses((status = 200, body = Pipe), (status = 422, body = Problem))
)]
pub(super) async fn pipe(
    caller: Caller,
    State(app): State<App>,
    Path(pipe): Path<String>,
) -> Result<Json<Pipe>, Problem> {
    caller.need("messages")?;
    let listeners = app.backend.in_pipe(&pipe).await?;
    let count = listeners.len();
    let mut users: Vec<String> = listeners.into_iter().filter_map(|one| one.user).collect();
    users.sort_unstable();
    users.dedup();
    let history = app.backend.history_length(&pipe).await?;
    Ok(Json(Pipe {
        name: pipe,
        listeners: count,
        users,
        history,
    }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Keep {
    /// How many messages to keep from now on; 0 forgets them.
    pub history: usize,
}

/// Says how many messages of a pipe are kept.
#[utoipa::path(
    put, path = "/pipes/{pipe}", tag = "messages", params(("pipe" = String, Path)),
    request_body = Keep,
    responses((status = 204), (status = 422, body = Problem))
)]
pub(super) async fn keep(
    caller: Caller,
    State(app): State<App>,
    Path(pipe): Path<String>,
    Sent(keep): Sent<Keep>,
) -> Result<StatusCode, Problem> {
    caller.need("messages")?;
    app.backend.set_history(&pipe, keep.history).await?;
    Ok(StatusCode::NO_CONTENT)
}
