//! API keys of back ends: made, listed, taken back.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Problem,
    body::{Caller, Sent},
};
use crate::{
    auth::api::{KeyError, Last, MANAGE},
    http::App,
};

/// A key of a back end. The key itself is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiKey {
    name: String,
    /// `users`, `tokens`, `rooms`, `messages`, `calls`, `events`, `keys`, or all of it: `*`.
    rights: Vec<String>,
    /// When it was made, unix milliseconds; absent when nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<u64>,
    /// It stands in the relay's configuration, and is changed there alone.
    configured: bool,
}

/// What a new key may do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApiKey {
    /// `users`, `tokens`, `rooms`, `messages`, `calls`, `events`, `keys`; unless given, all of it. Only
    /// what the asking key may do itself.
    #[serde(default)]
    #[schema(example = json!(["rooms", "calls"]))]
    rights: Vec<String>,
}

/// A key that was just made. It is shown this once: the relay keeps its hash alone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeApiKey {
    name: String,
    key: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Forced {
    /// Also when nobody can then manage keys over HTTP any more.
    #[serde(default)]
    force: bool,
}

impl Forced {
    const fn last(&self) -> Last {
        match self.force {
            true => Last::Force,
            false => Last::Keep,
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        let words = error.to_string();
        match error {
            KeyError::Name(_) | KeyError::Right(_) => Self::invalid(&words),
            KeyError::Above(right) => Self::forbidden(&right),
            KeyError::Configured(_) => Self::conflict(&words, "edit the file, then restart"),
            KeyError::Unknown(_) => Self::not_found(&words),
            KeyError::Last(_) => Self::conflict(
                &words,
                "make another key with the right `keys` first, or add `?force=true`",
            ),
            KeyError::TooMany => Self::conflict(&words, "take back those that nobody uses"),
            KeyError::Store(error) => error.into(),
        }
    }
}

/// Which keys there are, and what they may do.
#[utoipa::path(
    get, path = "/api-keys", tag = "keys",
    responses((status = 200, body = Vec<ApiKey>), (status = 403, body = Problem))
)]
pub(super) async fn list(
    caller: Caller,
    State(app): State<App>,
) -> Result<Json<Vec<ApiKey>>, Problem> {
    caller.need(MANAGE)?;
    let keys = app.api_keys.list()?.into_iter().map(|listed| ApiKey {
        name: listed.name,
        rights: listed.rights,
        made: (listed.made > 0).then_some(listed.made),
        configured: listed.configured,
    });
    Ok(Json(keys.collect()))
}

/// Makes a key. One of that name before is good no longer.
#[utoipa::path(
    put, path = "/api-keys/{name}", tag = "keys", params(("name" = String, Path), Forced),
    request_body = NewApiKey,
    responses(
        (status = 201, body = MadeApiKey), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)
    )
)]
pub(super) async fn make(
    caller: Caller,
    State(app): State<App>,
    Path(name): Path<String>,
    Query(forced): Query<Forced>,
    Sent(new): Sent<NewApiKey>,
) -> Result<(StatusCode, Json<MadeApiKey>), Problem> {
    caller.need(MANAGE)?;
    let by = Some(&caller.0);
    let made = app.api_keys.make(by, &name, new.rights, forced.last());
    let key = made.await?;
    tracing::info!(by = caller.0.name, name, "an API key was made");
    Ok((StatusCode::CREATED, Json(MadeApiKey { name, key })))
}

/// Takes a key back: it opens nothing any more.
#[utoipa::path(
    delete, path = "/api-keys/{name}", tag = "keys", params(("name" = String, Path), Forced),
    responses(
        (status = 204), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn revoke(
    caller: Caller,
    State(app): State<App>,
    Path(name): Path<String>,
    Query(forced): Query<Forced>,
) -> Result<StatusCode, Problem> {
    caller.need(MANAGE)?;
    let by = Some(&caller.0);
    app.api_keys.revoke(by, &name, forced.last()).await?;
    tracing::info!(by = caller.0.name, name, "an API key was taken back");
    Ok(StatusCode::NO_CONTENT)
}
