//! What happens, as it happens.

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Problem, body::Caller};
use crate::{events, http::App};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Since {
    /// The last event that was read, where `Last-Event-ID` cannot be sent.
    after: Option<u64>,
}

/// Events as server-sent events: calls, members, messages that could not be delivered, presence.
#[utoipa::path(
    get, path = "/events", tag = "events", params(Since),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 403, body = Problem),
    )
)]
pub(super) async fn stream(
    caller: Caller,
    State(app): State<App>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.need("events")?;
    Ok(events::stream::respond(&app.events, &headers, since.after))
}
