//! Calls that ring or go on.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    Problem,
    body::{Caller, Sent, text},
    rooms::{Invited, made_up, ring},
};
use crate::{
    backend::{self, CallState},
    http::App,
};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Call {
    /// A number; quoted, since it may be longer than JavaScript can count.
    id: String,
    /// The clinic's room; absent: one user has called another.
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    /// Empty: the clinic itself.
    from: String,
    to: String,
    /// `ringing` or `talking`.
    state: &'static str,
}

/// Every call that rings or goes on.
#[utoipa::path(
    get, path = "/calls", tag = "calls",
    responses((status = 200, body = Vec<Call>), (status = 403, body = Problem))
)]
pub(super) async fn list(
    caller: Caller,
    State(app): State<App>,
) -> Result<Json<Vec<Call>>, Problem> {
    caller.need("calls")?;
    let calls = app.backend.calls().await?;
    let shown = calls.into_iter().map(|call| Call {
        id: call.id.to_string(),
        room: call.room,
        from: call.from,
        to: call.to,
        state: match call.state {
            CallState::Ringing => "ringing",
            CallState::Talking => "talking",
        },
    });
    Ok(Json(shown.collect()))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCall {
    #[schema(example = "2")]
    pub from: String,
    #[schema(example = "3")]
    pub to: String,
    /// Handed to both pages as it is.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub message: Option<Box<RawValue>>,
    /// `audio` or `video`.
    #[serde(default)]
    pub profile: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Originated {
    /// The room in which the two meet.
    room: String,
    invited: Vec<Invited>,
}

/// Rings two people and brings them together: in a room that is theirs alone.
#[utoipa::path(
    post, path = "/calls", tag = "calls", request_body = NewCall,
    responses((status = 201, body = Originated), (status = 422, body = Problem))
)]
pub(super) async fn originate(
    caller: Caller,
    State(app): State<App>,
    Sent(call): Sent<NewCall>,
) -> Result<(StatusCode, Json<Originated>), Problem> {
    caller.need("calls")?;
    if call.from == call.to {
        return Err(Problem::invalid("`to` is the same user as `from`"));
    }
    let room = made_up("call")?;
    let invitation = |user: &str, other: &str| backend::Invitation {
        room: room.clone(),
        user: user.to_owned(),
        caller: other.to_owned(),
        message: text(call.message.as_deref()),
        profile: call.profile.clone().unwrap_or_default(),
        stream: 0,
        at: 0,
    };
    let first = ring(&app, invitation(&call.from, &call.to)).await?;
    let second = ring(&app, invitation(&call.to, &call.from)).await;
    let second = match second {
        Ok(second) => second,
        Err(problem) => {
            // nobody waits in a room to which nobody comes
            let _ = app.backend.close_room(&room).await;
            return Err(problem);
        }
    };
    let invited = vec![first, second];
    Ok((StatusCode::CREATED, Json(Originated { room, invited })))
}

/// Ends a call; in a room, of that one member.
#[utoipa::path(
    delete, path = "/calls/{id}", tag = "calls", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(super) async fn hang_up(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("calls")?;
    let number: Result<u64, _> = id.parse();
    let Ok(number) = number else {
        return Err(Problem::not_found(&format!("there is no call `{id}`")));
    };
    app.backend.hangup(number).await?;
    Ok(StatusCode::NO_CONTENT)
}
