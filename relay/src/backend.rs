//! What a clinic's back end may ask for. CometQL and the HTTP API call these functions and no
//! others: here, in one place, is decided what is done and what follows from it.

mod messages;
mod people;
mod rooms;

use std::sync::Arc;

use crate::{
    auth::Auth,
    comet::{self, CometError},
    config::is_user_id,
    signal::{self, Stopped},
    store::{Store, StoreError},
};

/// The clinic's back end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Backend {
    parts: Arc<Parts>,
}

/// What it is made of.
#[derive(Debug)]
pub struct Parts {
    pub store: Store,
    pub auth: Auth,
    pub comet: comet::Handle,
    pub bell: comet::cppcomet::Bell,
    pub signal: signal::Handle,
    /// Invitations there may be, in all rooms together.
    pub invitations: u64,
}

impl Backend {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }
}

/// Why something was not done, in words for whoever wrote the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    #[error("there is no {what} `{name}`")]
    NotFound { what: &'static str, name: String },
    /// `field` as both CometQL and the HTTP API call it.
    #[error("`{field}` {why}")]
    Invalid { field: &'static str, why: String },
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    TooMany(String),
    /// The relay is stopping, or a part of it does not answer; worth another try.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for BackendError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(waiting) => Self::TooMany(format!("{waiting} are waiting already")),
            StoreError::Refused(why) => Self::Conflict(why),
            error => {
                tracing::error!(%error, "the store fails");
                Self::Unavailable("the store fails: the relay's log says how".to_owned())
            }
        }
    }
}

impl From<CometError> for BackendError {
    fn from(error: CometError) -> Self {
        match error {
            CometError::Invalid { field, why } => Self::Invalid {
                field,
                why: why.to_owned(),
            },
            CometError::QueueFull => Self::TooMany(error.to_string()),
            CometError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl From<Stopped> for BackendError {
    fn from(stopped: Stopped) -> Self {
        Self::Unavailable(stopped.to_string())
    }
}

fn invalid(field: &'static str, why: &str) -> BackendError {
    BackendError::Invalid {
        field,
        why: why.to_owned(),
    }
}

/// The name of a user or a room, which share an alphabet.
fn check_name(field: &'static str, name: &str) -> Result<(), BackendError> {
    if is_user_id(name) {
        return Ok(());
    }
    Err(invalid(
        field,
        "must be 1 to 64 letters, digits, `.`, `-` or `_`",
    ))
}

/// A user who is rung into a room, and may enter it from then on. A row of CppComet's `conference`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Invitation {
    pub room: String,
    pub user: String,
    /// Whose call it is; shown to the user who is rung. Empty: the clinic itself.
    #[serde(default)]
    pub caller: String,
    /// The clinic's own text or JSON, handed to the page as it is.
    #[serde(default)]
    pub message: String,
    /// `audio` or `video`, or a name of the clinic's own, which means `video`.
    #[serde(default)]
    pub profile: String,
    #[serde(default)]
    pub stream: i64,
    /// When it was written, unix milliseconds.
    #[serde(default)]
    pub at: u64,
}

/// Someone who is in a room now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Member {
    pub room: String,
    pub user: String,
    pub name: String,
    /// Unix milliseconds.
    pub joined: u64,
    /// Unix milliseconds; `None`: has said nothing yet.
    pub last_talking: Option<u64>,
    pub audio_muted: bool,
    pub video_muted: bool,
}

/// What came of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Invited {
    /// Sockets that ring now.
    pub rung: usize,
    /// Nobody is there: the user is rung when coming online in time.
    pub waiting: bool,
}

/// A call that rings or goes on, seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Call {
    pub id: u64,
    /// The clinic's room; `None`: one user has called another.
    pub room: Option<String>,
    /// Empty: the clinic itself.
    pub from: String,
    pub to: String,
    pub state: CallState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    Ringing,
    Talking,
}
