//! Users: their keys, data that the site keeps with them, and whether they are there.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use clinicall_comet::wire::Seen;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Problem,
    body::{Caller, Sent},
    rooms::made_up,
};
use crate::{backend::BackendError, config::is_user_id, http::App};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Presence {
    user: String,
    online: bool,
    /// When last, unix milliseconds; absent: online now, or never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<u64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Whom {
    /// Up to 500 ids with commas between them.
    #[param(example = "2,3")]
    ids: String,
}

async fn presence(app: &App, users: &[String]) -> Result<Vec<Presence>, BackendError> {
    let seen = app.backend.seen(users).await?;
    let shown = users.iter().zip(seen).map(|(user, seen)| Presence {
        user: user.clone(),
        online: seen == Seen::Online,
        last_seen: match seen {
            Seen::At(at) => Some(at),
            Seen::Online | Seen::Never => None,
        },
    });
    Ok(shown.collect())
}

fn checked(user: &str) -> Result<(), Problem> {
    match is_user_id(user) {
        true => Ok(()),
        false => Err(Problem::invalid(
            "`user` must be 1 to 64 letters, digits, `.`, `-` or `_`",
        )),
    }
}

/// Who of these is there, and when the others were last.
#[utoipa::path(
    get, path = "/users", tag = "users", params(Whom),
    responses((status = 200, body = Vec<Presence>), (status = 422, body = Problem))
)]
pub(super) async fn list(
    caller: Caller,
    State(app): State<App>,
    Query(whom): Query<Whom>,
) -> Result<Json<Vec<Presence>>, Problem> {
    caller.need("users")?;
    let users: Vec<String> = whom.ids.split(',').map(|id| id.trim().to_owned()).collect();
    if users.len() > 500 {
        return Err(Problem::invalid("`ids` names more than 500 users"));
    }
    users.iter().try_for_each(|user| checked(user))?;
    Ok(Json(presence(&app, &users).await?))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    user: String,
    online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<u64>,
    /// The back end has left a key here.
    has_key: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

/// What is known of a user. The key itself is not shown.
#[utoipa::path(
    get, path = "/users/{user}", tag = "users", params(("user" = String, Path)),
    responses((status = 200, body = User), (status = 422, body = Problem))
)]
pub(super) async fn show(
    caller: Caller,
    State(app): State<App>,
    Path(user): Path<String>,
) -> Result<Json<User>, Problem> {
    caller.need("users")?;
    checked(&user)?;
    let one = [user];
    let mut found = presence(&app, &one).await?;
    let seen = found.pop().ok_or_else(|| Problem::not_found("no user"))?;
    let has_key = !app.backend.keys(&one).await?.is_empty();
    let data = app.backend.data(&one).await?.pop().map(|(_, data)| data);
    Ok(Json(User {
        user: seen.user,
        online: seen.online,
        last_seen: seen.last_seen,
        has_key,
        data,
    }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// 1 to 128 ASCII characters without a space; unless given, one is made up.
    #[serde(default)]
    pub key: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Key {
    user: String,
    key: String,
}

/// Leaves a key with which the user's page logs in, as `password` of `connect()`.
#[utoipa::path(
    put, path = "/users/{user}/key", tag = "users", params(("user" = String, Path)),
    request_body = NewKey,
    responses((status = 200, body = Key), (status = 422, body = Problem))
)]
pub(super) async fn put_key(
    caller: Caller,
    State(app): State<App>,
    Path(user): Path<String>,
    Sent(new): Sent<NewKey>,
) -> Result<Json<Key>, Problem> {
    caller.need("users")?;
    let key = match new.key {
        Some(key) => key,
        None => made_up("k")? + &made_up("")?,
    };
    app.backend.set_key(&user, &key).await?;
    Ok(Json(Key { user, key }))
}

/// Takes the key away, and closes what it opened.
#[utoipa::path(
    delete, path = "/users/{user}/key", tag = "users", params(("user" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(super) async fn remove_key(
    caller: Caller,
    State(app): State<App>,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("users")?;
    match app.backend.remove_key(&user).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(&format!("user `{user}` has no key"))),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    /// Text of the site's own, 64 KiB at most; pages may read it.
    pub data: String,
}

/// Keeps data of the site's own with a user.
#[utoipa::path(
    put, path = "/users/{user}/data", tag = "users", params(("user" = String, Path)),
    request_body = Data,
    responses((status = 204), (status = 422, body = Problem))
)]
pub(super) async fn put_data(
    caller: Caller,
    State(app): State<App>,
    Path(user): Path<String>,
    Sent(new): Sent<Data>,
) -> Result<StatusCode, Problem> {
    caller.need("users")?;
    app.backend.set_data(&user, &new.data).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a user's data.
#[utoipa::path(
    delete, path = "/users/{user}/data", tag = "users", params(("user" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(super) async fn remove_data(
    caller: Caller,
    State(app): State<App>,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("users")?;
    match app.backend.remove_data(&user).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(&format!("user `{user}` has no data"))),
    }
}
