//! Why something did not work or came to its end: a cause to branch on, a sentence to show.

use clinicall_sip::agent;

pub use clinicall_sip::agent::By;

/// What went wrong, or simply how it ended. [`Cause::as_str`] is the name a page compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// What the SIP session itself says.
    Sip(agent::Cause),
    /// The socket to the server could not be opened.
    ConnectionFailed,
    /// A wish that needs the server while there is no connection to it.
    NotConnected,
    /// The person, or the browser's settings, refused microphone and camera.
    MediaDenied,
    /// There is no microphone (or no camera) on this device.
    NoDevice,
    /// Another program or page holds the microphone or camera.
    DeviceBusy,
    /// No path for sound and picture could be found, or it was lost for good.
    MediaLost,
    /// The browser refused a step that the standard promises.
    BrowserFailed,
    /// The browser has no WebRTC, or the page is not on HTTPS.
    NotSupported,
    /// The relay does not let this page publish to, or listen to, a pipe of that name.
    Forbidden,
    /// More messages than one page may send in so short a time.
    TooMany,
    /// An option or an address that cannot be used as it is.
    BadOption,
    /// The call is not in a state that allows this.
    WrongState,
    /// We left: [`disconnect`](crate::phone::Phone::disconnect) was called or the page went away.
    Disconnected,
}

impl Cause {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        use agent::Cause as Sip;
        match self {
            Self::Sip(Sip::Hangup) => "Hangup",
            Self::Sip(Sip::Canceled) => "Canceled",
            Self::Sip(Sip::AnsweredElsewhere) => "AnsweredElsewhere",
            Self::Sip(Sip::Busy) => "Busy",
            Self::Sip(Sip::Rejected) => "Rejected",
            Self::Sip(Sip::NotFound) => "NotFound",
            Self::Sip(Sip::Unavailable) => "Unavailable",
            Self::Sip(Sip::NoAnswer) => "NoAnswer",
            Self::Sip(Sip::Redirected) => "Redirected",
            Self::Sip(Sip::AuthenticationFailed) => "AuthenticationFailed",
            Self::Sip(Sip::IncompatibleMedia) => "IncompatibleMedia",
            Self::Sip(Sip::ServerError) => "ServerError",
            Self::Sip(Sip::Failed) => "Failed",
            Self::Sip(Sip::RequestTimeout) => "RequestTimeout",
            Self::Sip(Sip::ConnectionLost) => "ConnectionLost",
            Self::Sip(Sip::PeerVanished) => "PeerVanished",
            Self::Sip(Sip::DialogError) => "DialogError",
            Self::ConnectionFailed => "ConnectionFailed",
            Self::NotConnected => "NotConnected",
            Self::MediaDenied => "MediaDenied",
            Self::NoDevice => "NoDevice",
            Self::DeviceBusy => "DeviceBusy",
            Self::MediaLost => "MediaLost",
            Self::BrowserFailed => "BrowserFailed",
            Self::NotSupported => "NotSupported",
            Self::Forbidden => "Forbidden",
            Self::TooMany => "TooMany",
            Self::BadOption => "BadOption",
            Self::WrongState => "WrongState",
            Self::Disconnected => "Disconnected",
        }
    }

    /// One plain sentence for the person in front of the screen.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        use agent::Cause as Sip;
        match self {
            Self::Sip(Sip::Hangup) => "The call has ended.",
            Self::Sip(Sip::Canceled) => "The call was cancelled before it was answered.",
            Self::Sip(Sip::AnsweredElsewhere) => "The call was answered on another device.",
            Self::Sip(Sip::Busy) => "The other side is in another call.",
            Self::Sip(Sip::Rejected) => "The call was declined.",
            Self::Sip(Sip::NotFound) => "There is nobody with this name or number.",
            Self::Sip(Sip::Unavailable) => "The other side is not connected at the moment.",
            Self::Sip(Sip::NoAnswer) => "Nobody answered.",
            Self::Sip(Sip::Redirected) => "The call was sent on to another address.",
            Self::Sip(Sip::AuthenticationFailed) => "The server refused the user name or password.",
            Self::Sip(Sip::IncompatibleMedia) => {
                "The two sides have no audio or video format in common."
            }
            Self::Sip(Sip::ServerError) => "The server has a problem; try again in a moment.",
            Self::Sip(Sip::Failed) => "The call could not be made.",
            Self::Sip(Sip::RequestTimeout) => "The server did not answer in time.",
            Self::Sip(Sip::ConnectionLost) => "The connection to the server was lost.",
            Self::Sip(Sip::PeerVanished) => "The other side does not answer any more.",
            Self::Sip(Sip::DialogError) => "The two sides lost track of each other.",
            Self::ConnectionFailed => "The server could not be reached.",
            Self::NotConnected => "There is no connection to the server at the moment.",
            Self::MediaDenied => "The browser was not allowed to use the microphone or camera.",
            Self::NoDevice => "No microphone or camera was found.",
            Self::DeviceBusy => "The microphone or camera is in use by another program.",
            Self::MediaLost => "The connection for sound and picture was lost.",
            Self::BrowserFailed => "The browser could not set up the call.",
            Self::NotSupported => "This browser cannot make calls from this page.",
            Self::Forbidden => "The server does not allow this.",
            Self::TooMany => "That was too much at a time.",
            Self::BadOption => "An option has a value that cannot be used.",
            Self::WrongState => "The call is not in a state that allows this.",
            Self::Disconnected => "This page left the server.",
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub cause: Cause,
    /// A plain sentence, never empty.
    pub text: String,
    /// The SIP status code, when one was given.
    pub status: Option<u16>,
    pub by: By,
}

impl Reason {
    pub(crate) fn of(cause: Cause, by: By) -> Self {
        Self {
            cause,
            text: cause.sentence().to_owned(),
            status: None,
            by,
        }
    }
}

impl From<agent::Ending> for Reason {
    fn from(ending: agent::Ending) -> Self {
        let status = ending.status.map(|status| status.0);
        let cause = match (ending.cause, status) {
            // nobody hung up: the relay's Reason tells what was lost
            (agent::Cause::Hangup, Some(408)) if ending.text.starts_with("Media") => {
                Cause::MediaLost
            }
            (agent::Cause::Hangup, Some(408)) => Cause::Sip(agent::Cause::PeerVanished),
            (agent::Cause::Hangup, Some(503)) => Cause::Sip(agent::Cause::ServerError),
            (cause, _) => Cause::Sip(cause),
        };
        Self {
            status,
            ..Self::of(cause, ending.by)
        }
    }
}

/// A wish that could not be granted, or a login that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub cause: Cause,
    pub message: String,
    pub status: Option<u16>,
}

impl Error {
    pub(crate) fn of(cause: Cause) -> Self {
        Self {
            cause,
            message: cause.sentence().to_owned(),
            status: None,
        }
    }
    pub(crate) fn bad_option(message: &str) -> Self {
        Self {
            cause: Cause::BadOption,
            message: message.to_owned(),
            status: None,
        }
    }
}

impl From<agent::Refused> for Error {
    fn from(refused: agent::Refused) -> Self {
        Self::of(match refused {
            agent::Refused::Closed => Cause::NotConnected,
            _ => Cause::WrongState,
        })
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self {
            cause: reason.cause,
            message: reason.text,
            status: reason.status,
        }
    }
}

#[cfg(test)]
mod tests {
    use clinicall_sip::Status;

    use super::*;

    fn ended(status: u16, text: &str) -> Cause {
        let ending = agent::Ending {
            cause: agent::Cause::Hangup,
            by: By::Remote,
            status: Some(Status(status)),
            text: text.to_owned(),
        };
        Reason::from(ending).cause
    }

    #[test]
    fn a_call_that_nobody_hung_up_says_what_was_lost() {
        assert_eq!(ended(408, "Media connection lost"), Cause::MediaLost);
        let vanished = Cause::Sip(agent::Cause::PeerVanished);
        assert_eq!(ended(408, "Connection lost"), vanished);
        let stopping = Cause::Sip(agent::Cause::ServerError);
        assert_eq!(ended(503, "The relay is stopping"), stopping);
        let page_closed = Cause::Sip(agent::Cause::Hangup);
        assert_eq!(ended(410, "Page closed"), page_closed);
    }
}
