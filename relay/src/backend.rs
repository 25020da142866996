//! What a clinic's back end may ask for. CometQL and the HTTP API call these functions and no
//! others: here, in one place, is decided what is done and what follows from it.

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
