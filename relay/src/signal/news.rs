//! What others want to know of calls and logins: webhooks, the event stream, presence.

use clinicall_sip::agent::Flow;

use crate::auth::{Rights, TokenId};

/// Something that happened. Told once, in the order it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The connection belongs to this user from now on, or its login was renewed.
    LoggedIn {
        flow: Flow,
        user: String,
        rights: Rights,
        token: Option<TokenId>,
    },
    /// A login of the user's was taken back, and no device is left.
    Banished { user: String },
    /// The user's first device registered.
    Online { user: String },
    /// The user's last device is gone.
    Offline { user: String },
    /// A telephone rings: `to` is rung on behalf of `from` (empty: of the clinic itself).
    Ringing {
        call: u64,
        room: Option<String>,
        from: String,
        to: String,
    },
    Answered {
        call: u64,
        room: Option<String>,
        from: String,
        to: String,
    },
    /// `cause` as [`crate::metrics::CAUSES`] has it; `talked` in milliseconds since the answer.
    Ended {
        call: u64,
        room: Option<String>,
        from: String,
        to: String,
        cause: &'static str,
        talked: Option<u64>,
    },
    /// Somebody entered a room of the clinic's.
    Joined { room: String, user: String },
    Left {
        room: String,
        user: String,
        cause: &'static str,
    },
}
