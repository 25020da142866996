//! Rooms: who is rung into which, and who is there.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    Problem,
    body::{Caller, Page, Sent, text},
};
use crate::{
    backend::{self, BackendError},
    http::App,
    signal::focus,
};

/// Whom to ring.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Invite {
    #[schema(example = "2")]
    pub user: String,
    /// Whose call it is, shown to the user; nobody: the clinic's.
    #[serde(default)]
    #[schema(example = "3")]
    pub caller: Option<String>,
    /// Handed to the page as it is: text, or JSON of the site's own. 8 KiB at most.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub message: Option<Box<RawValue>>,
    /// `audio` or `video`.
    #[serde(default)]
    #[schema(example = "video")]
    pub profile: Option<String>,
    #[serde(default)]
    pub stream: i64,
}

impl Invite {
    fn into(self, room: &str) -> backend::Invitation {
        backend::Invitation {
            room: room.to_owned(),
            user: self.user,
            caller: self.caller.unwrap_or_default(),
            message: text(self.message.as_deref()),
            profile: self.profile.unwrap_or_default(),
            stream: self.stream,
            at: 0,
        }
    }
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Invited {
    room: String,
    user: String,
    /// Pages and telephones that ring now.
    rung: usize,
    /// Nobody is there: the user is rung when coming online in time.
    waiting: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Invitation {
    user: String,
    caller: String,
    message: String,
    profile: String,
    stream: i64,
    /// Unix milliseconds.
    at: u64,
}

/// Somebody in a room.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Member {
    user: String,
    name: String,
    /// Unix milliseconds.
    joined: u64,
    /// When the member last spoke, unix milliseconds; `null`: has said nothing yet.
    last_talking: Option<u64>,
    audio_muted: bool,
    video_muted: bool,
}

impl From<backend::Member> for Member {
    fn from(member: backend::Member) -> Self {
        Self {
            user: member.user,
            name: member.name,
            joined: member.joined,
            last_talking: member.last_talking,
            audio_muted: member.audio_muted,
            video_muted: member.video_muted,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Room {
    name: String,
    invitations: Vec<Invitation>,
    members: Vec<Member>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rooms {
    rooms: Vec<String>,
    /// `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Rooms somebody is invited to, by name.
#[utoipa::path(
    get, path = "/rooms", tag = "rooms", params(Page),
    responses((status = 200, body = Rooms), (status = 403, body = Problem))
)]
pub(super) async fn list(
    caller: Caller,
    State(app): State<App>,
    Query(page): Query<Page>,
) -> Result<Json<Rooms>, Problem> {
    caller.need("rooms")?;
    let rooms = app.backend.rooms(&page.after, page.limit()).await?;
    let full = rooms.len() == page.limit();
    let next = rooms.last().filter(|_| full).cloned();
    Ok(Json(Rooms { rooms, next }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRoom {
    /// One of the site's own, or one is made up.
    #[serde(default)]
    #[schema(example = "visit-7")]
    pub name: Option<String>,
    /// Everybody to ring into it.
    #[serde(default)]
    pub invite: Vec<Invite>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Created {
    name: String,
    invited: Vec<Invited>,
}

/// Makes a room and rings people into it. A room is there while somebody is invited or inside.
#[utoipa::path(
    post, path = "/rooms", tag = "rooms", request_body = NewRoom,
    responses((status = 201, body = Created), (status = 422, body = Problem))
)]
pub(super) async fn create(
    caller: Caller,
    State(app): State<App>,
    Sent(new): Sent<NewRoom>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    caller.need("rooms")?;
    if new.invite.len() > 100 {
        return Err(Problem::invalid("`invite` has more than 100 users"));
    }
    let name = match new.name {
        Some(name) => name,
        None => made_up("room")?,
    };
    let mut invited = Vec::new();
    for invite in new.invite {
        invited.push(ring(&app, invite.into(&name)).await?);
    }
    Ok((StatusCode::CREATED, Json(Created { name, invited })))
}

/// A name that nobody guesses.
pub(super) fn made_up(what: &str) -> Result<String, Problem> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| Problem::unavailable("no random bytes"))?;
    Ok(format!("{what}-{:016x}", u64::from_be_bytes(random)))
}

pub(super) async fn ring(app: &App, invitation: backend::Invitation) -> Result<Invited, Problem> {
    let (room, user) = (invitation.room.clone(), invitation.user.clone());
    let invited = app.backend.invite(invitation).await?;
    Ok(Invited {
        room,
        user,
        rung: invited.rung,
        waiting: invited.waiting,
    })
}

/// A room: who is invited, who is there.
#[utoipa::path(
    get, path = "/rooms/{room}", tag = "rooms", params(("room" = String, Path)),
    responses((status = 200, body = Room), (status = 404, body = Problem))
)]
pub(super) async fn show(
    caller: Caller,
    State(app): State<App>,
    Path(room): Path<String>,
) -> Result<Json<Room>, Problem> {
    caller.need("rooms")?;
    let invitations = invitations_of(&app, &room).await?;
    let members = members_of(&app, &room).await?;
    if invitations.is_empty() && members.is_empty() {
        return Err(Problem::not_found(&format!("there is no room `{room}`")));
    }
    Ok(Json(Room {
        name: room,
        invitations,
        members,
    }))
}

/// Closes a room: everybody leaves, and nobody may come back.
#[utoipa::path(
    delete, path = "/rooms/{room}", tag = "rooms", params(("room" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(super) async fn close(
    caller: Caller,
    State(app): State<App>,
    Path(room): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("rooms")?;
    app.backend.close_room(&room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is invited to a room.
#[utoipa::path(
    get, path = "/rooms/{room}/invitations", tag = "rooms", params(("room" = String, Path)),
    responses((status = 200, body = Vec<Invitation>))
)]
pub(super) async fn invitations(
    caller: Caller,
    State(app): State<App>,
    Path(room): Path<String>,
) -> Result<Json<Vec<Invitation>>, Problem> {
    caller.need("rooms")?;
    Ok(Json(invitations_of(&app, &room).await?))
}

async fn invitations_of(app: &App, room: &str) -> Result<Vec<Invitation>, BackendError> {
    let invitations = app.backend.invitations(room).await?;
    let shown = invitations.into_iter().map(|one| Invitation {
        user: one.user,
        caller: one.caller,
        message: one.message,
        profile: one.profile,
        stream: one.stream,
        at: one.at,
    });
    Ok(shown.collect())
}

/// Rings a user into a room, now or when coming online in time. A second invitation replaces the
/// first.
#[utoipa::path(
    post, path = "/rooms/{room}/invitations", tag = "rooms",
    params(
        ("room" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "the same request is done once"),
    ),
    request_body = Invite,
    responses(
        (status = 201, body = Invited),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn invite(
    caller: Caller,
    State(app): State<App>,
    Path(room): Path<String>,
    Sent(invite): Sent<Invite>,
) -> Result<(StatusCode, Json<Invited>), Problem> {
    caller.need("rooms")?;
    let invited = ring(&app, invite.into(&room)).await?;
    Ok((StatusCode::CREATED, Json(invited)))
}

/// Withdraws an invitation: the user is rung no more, leaves the room and may not come back.
#[utoipa::path(
    delete, path = "/rooms/{room}/invitations/{user}", tag = "rooms",
    params(("room" = String, Path), ("user" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(super) async fn uninvite(
    caller: Caller,
    State(app): State<App>,
    Path((room, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    caller.need("rooms")?;
    withdraw(&app, &room, &user, "not invited to").await
}

/// Who is in a room now.
#[utoipa::path(
    get, path = "/rooms/{room}/members", tag = "rooms", params(("room" = String, Path)),
    responses((status = 200, body = Vec<Member>))
)]
pub(super) async fn members(
    caller: Caller,
    State(app): State<App>,
    Path(room): Path<String>,
) -> Result<Json<Vec<Member>>, Problem> {
    caller.need("rooms")?;
    Ok(Json(members_of(&app, &room).await?))
}

async fn members_of(app: &App, room: &str) -> Result<Vec<Member>, BackendError> {
    let members = app.backend.members(Some(room)).await?;
    Ok(members.into_iter().map(Member::from).collect())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mute {
    #[serde(default)]
    pub audio: bool,
    #[serde(default)]
    pub video: bool,
}

/// Keeps a member's sound or picture from the others, or gives it back.
#[utoipa::path(
    put, path = "/rooms/{room}/members/{user}/mute", tag = "rooms",
    params(("room" = String, Path), ("user" = String, Path)), request_body = Mute,
    responses((status = 204), (status = 404, body = Problem))
)]
pub(super) async fn mute(
    caller: Caller,
    State(app): State<App>,
    Path((room, user)): Path<(String, String)>,
    Sent(mute): Sent<Mute>,
) -> Result<StatusCode, Problem> {
    caller.need("rooms")?;
    let muted = focus::Mute {
        audio: mute.audio,
        video: mute.video,
    };
    app.backend.mute(&room, &user, muted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a member out of a room; the invitation goes too, so that nobody walks back in.
#[utoipa::path(
    delete, path = "/rooms/{room}/members/{user}", tag = "rooms",
    params(("room" = String, Path), ("user" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(super) async fn remove(
    caller: Caller,
    State(app): State<App>,
    Path((room, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    caller.need("rooms")?;
    withdraw(&app, &room, &user, "not in").await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGuest {
    /// Shown to the others.
    #[serde(default)]
    #[schema(example = "Petrov's son")]
    pub name: Option<String>,
    /// How long the link is good.
    #[serde(default)]
    #[schema(default = 3600)]
    pub ttl_seconds: Option<u64>,
}

/// A token by which somebody without an account enters this room and no other: put it behind a link.
#[utoipa::path(
    post, path = "/rooms/{room}/guests", tag = "rooms", params(("room" = String, Path)),
    request_body = NewGuest,
    responses((status = 201, body = super::tokens::Ticket), (status = 422, body = Problem))
)]
pub(super) async fn guest(
    caller: Caller,
    State(app): State<App>,
    Path(room): Path<String>,
    Sent(guest): Sent<NewGuest>,
) -> Result<(StatusCode, Json<super::tokens::Ticket>), Problem> {
    caller.need("tokens")?;
    let seconds = guest.ttl_seconds.unwrap_or(3_600);
    let ticket = app.auth.guest(&room, guest.name.as_deref(), seconds)?;
    Ok((StatusCode::CREATED, Json(ticket.into())))
}

async fn withdraw(app: &App, room: &str, user: &str, not: &str) -> Result<StatusCode, Problem> {
    match app.backend.uninvite(room, user).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(&format!(
            "user `{user}` is {not} room `{room}`"
        ))),
    }
}
