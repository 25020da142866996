//! Why calls end, and how everybody is told.

use clinicall_sip::{
    Headers, Status,
    agent::{Cause, Ending},
};

use super::verdict::Verdict;

/// RFC 3261 section 16.7 and RFC 3326 section 2: what a device says nothing about having missed.
pub(super) const ELSEWHERE: &str = "Call completed elsewhere";

/// Why somebody goes, or does not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Hung up, in the own words of the client if it had any.
    HungUp(Option<String>),
    PageClosed,
    ConnectionLost,
    MediaLost,
    /// A description that cannot be used.
    Media(String),
    /// Nobody who was rung will come.
    Refused(Verdict),
    /// The caller gave up before the answer, with its own words if it had any.
    Canceled(Option<String>),
    /// The caller gave up in the moment of the answer.
    CallerGone,
    /// The clinic ended the call, or took the user out.
    Removed,
    /// The clinic closed the room.
    Closed,
    /// The others did not come.
    NobodyCame(Verdict),
    /// The others have left.
    Alone,
    Stopping,
}

impl Why {
    /// What ended on the agent's side before it was answered here.
    pub fn canceled(ending: &Ending) -> Self {
        Self::Canceled(said(ending))
    }

    /// What the agent says of a member's call that is over.
    pub fn of(ending: &Ending) -> Self {
        match ending.cause {
            Cause::PeerVanished | Cause::ConnectionLost | Cause::RequestTimeout => {
                Self::ConnectionLost
            }
            _ => Self::HungUp(said(ending)),
        }
    }

    /// The Reason header for whoever is hung up on (RFC 3326).
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::HungUp(said) | Self::Canceled(said) => said.clone(),
            Self::PageClosed => Some(reason(410, "Page closed")),
            Self::ConnectionLost => Some(reason(408, "Connection lost")),
            Self::MediaLost => Some(reason(408, "Media connection lost")),
            Self::Media(text) => Some(reason(488, text)),
            Self::Refused(verdict) if verdict.is_for_all() => {
                Some(reason(verdict.status.0, "Declined on another device"))
            }
            Self::Refused(verdict) if verdict.status == Status(408) => {
                Some(reason(408, "No answer"))
            }
            Self::Refused(_) => None,
            Self::CallerGone => Some(reason(487, "The caller gave up")),
            Self::Removed => Some(reason(200, "Ended by the clinic")),
            Self::Closed => Some(reason(200, "The room is closed")),
            Self::NobodyCame(verdict) => {
                let text = match verdict.label() {
                    "busy" => "Busy",
                    "rejected" => "Declined",
                    "no_answer" => "No answer",
                    _ => "Not available",
                };
                Some(reason(verdict.status.0, text))
            }
            Self::Alone => Some(reason(200, "Everybody else has left")),
            Self::Stopping => Some(reason(503, "The relay is stopping")),
        }
    }

    /// The final response to a caller nobody answered; `None`: it has gone by itself.
    pub fn refusal(&self, host: &str) -> Option<(Status, Headers)> {
        let (status, text) = match self {
            Self::Refused(verdict) => (verdict.status, verdict.text.as_str()),
            Self::Media(text) => (Status(488), text.as_str()),
            Self::ConnectionLost => (Status(480), ""),
            Self::Stopping => (Status(503), ""),
            _ => return None,
        };
        let mut headers = Headers::new();
        if status == Status(488) {
            headers.push("Warning", warning(host, text));
        } else if !text.is_empty() {
            headers.push("Reason", reason(status.0, text));
        }
        Some((status, headers))
    }

    /// As [`crate::metrics::CAUSES`] has it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::HungUp(_) | Self::Removed | Self::Closed | Self::Alone => "hangup",
            Self::PageClosed => "page_closed",
            Self::ConnectionLost | Self::MediaLost => "connection_lost",
            Self::Media(_) => "incompatible_media",
            Self::Refused(verdict) | Self::NobodyCame(verdict) => verdict.label(),
            Self::Canceled(_) | Self::CallerGone => "canceled",
            Self::Stopping => "shutdown",
        }
    }
}

/// What the side that ended the call said about it, to be said to the other. That the relay is stopping, or knows nothing of
/// a call, is for the relay to say.
fn said(ending: &Ending) -> Option<String> {
    let status = ending
        .status
        .filter(|status| !matches!(status.0, 481 | 503))?;
    (!ending.text.is_empty()).then(|| reason(status.0, &ending.text))
}

/// A Reason header's value (RFC 3326).
pub(super) fn reason(cause: u16, text: &str) -> String {
    format!("SIP ;cause={cause} ;text={}", quoted(text))
}

/// A Warning header's value (RFC 3261 section 20.43); 399 is the code without a meaning of its own.
pub(super) fn warning(host: &str, text: &str) -> String {
    format!("399 {host} {}", quoted(text))
}

/// A quoted-string. Text of others is cut, and nothing in it can end the quotes or the line.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 128;
    let mut quoted = String::from("\"");
    for letter in text
        .chars()
        .filter(|letter| !letter.is_control())
        .take(LONGEST)
    {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_peer_cannot_leave_their_quotes() {
        let text = "ok\"\r\nX-Evil: 1\\";
        assert_eq!(
            reason(603, text),
            r#"SIP ;cause=603 ;text="ok\"X-Evil: 1\\""#
        );
        assert_eq!(
            reason(200, ELSEWHERE),
            "SIP ;cause=200 ;text=\"Call completed elsewhere\""
        );
    }
}
