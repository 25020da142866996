//! Tokens by which pages log in, for back ends that do not sign their own.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Problem,
    body::{Caller, Sent},
};
use crate::{
    auth::{self, Grant, Right, Rights, Rooms, jwt::is_name},
    config::is_user_id,
    http::App,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    #[schema(example = "2")]
    pub user: String,
    /// Shown to those they call.
    #[serde(default)]
    #[schema(example = "Doctor Ivanova")]
    pub name: Option<String>,
    /// The rooms it is good for; unless given, all.
    #[serde(default)]
    pub rooms: Option<Vec<String>>,
    /// `call`, `answer`, `join`, `publish`, `subscribe`, `moderate`, `trunk`, `record`; unless given,
    /// the first five.
    #[serde(default)]
    pub rights: Option<Vec<String>>,
    #[serde(default)]
    #[schema(default = 3600)]
    pub ttl_seconds: Option<u64>,
}

/// A token. Whoever holds it is that user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ticket {
    user: String,
    token: String,
    /// Unix seconds.
    expires: u64,
}

impl From<auth::Ticket> for Ticket {
    fn from(ticket: auth::Ticket) -> Self {
        Self {
            user: ticket.user,
            token: ticket.token.0,
            expires: ticket.expires,
        }
    }
}

/// Signs a token for a user. Its life is cut to `login.max_token_seconds`.
#[utoipa::path(
    post, path = "/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, body = Ticket), (status = 422, body = Problem))
)]
pub(super) async fn create(
    caller: Caller,
    State(app): State<App>,
    Sent(new): Sent<NewToken>,
) -> Result<(StatusCode, Json<Ticket>), Problem> {
    caller.need("tokens")?;
    let rooms = new.rooms.as_deref().unwrap_or_default();
    if !is_user_id(&new.user) || !rooms.iter().all(|room| is_user_id(room)) {
        return Err(Problem::invalid(
            "`user` and `rooms` must be of 1 to 64 letters, digits, `.`, `-` or `_`",
        ));
    }
    if rooms.len() > 64 {
        return Err(Problem::invalid("`rooms` names more than 64"));
    }
    if !new.name.as_deref().is_none_or(is_name) {
        return Err(Problem::invalid(
            "`name` must be one line of up to 128 bytes",
        ));
    }
    let right = |name: &String| {
        Right::named(name).ok_or_else(|| Problem::invalid(&format!("there is no right `{name}`")))
    };
    let rights: Rights = match &new.rights {
        Some(names) => names.iter().map(right).collect::<Result<_, _>>()?,
        None => Rights::USER,
    };
    let grant = Grant {
        user: new.user,
        name: new.name,
        rooms: new.rooms.map_or(Rooms::All, Rooms::Only),
        rights,
        expires: None,
        token: None,
    };
    let ticket = app.auth.issue(&grant, new.ttl_seconds.unwrap_or(3_600));
    Ok((StatusCode::CREATED, Json(ticket.into())))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub token: String,
}

/// Tokens that were taken back and have not expired since.
#[utoipa::path(
    get, path = "/tokens/revocations", tag = "tokens",
    responses((status = 200, body = Vec<String>), (status = 403, body = Problem))
)]
pub(super) async fn revoked(
    caller: Caller,
    State(app): State<App>,
) -> Result<Json<Vec<String>>, Problem> {
    caller.need("tokens")?;
    Ok(Json(app.backend.revoked().await?))
}

/// Takes a token back, for good: it opens nothing any more, and what it opened is closed.
#[utoipa::path(
    post, path = "/tokens/revocations", tag = "tokens", request_body = Token,
    responses((status = 204), (status = 422, body = Problem))
)]
pub(super) async fn revoke(
    caller: Caller,
    State(app): State<App>,
    Sent(token): Sent<Token>,
) -> Result<StatusCode, Problem> {
    caller.need("tokens")?;
    app.backend.revoke(&token.token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a revoked token be good again.
#[utoipa::path(
    delete, path = "/tokens/revocations", tag = "tokens", request_body = Token,
    responses((status = 204), (status = 404, body = Problem))
)]
pub(super) async fn unrevoke(
    caller: Caller,
    State(app): State<App>,
    Sent(token): Sent<Token>,
) -> Result<StatusCode, Problem> {
    caller.need("tokens")?;
    match app.backend.unrevoke(&token.token).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("this token is not revoked")),
    }
}
