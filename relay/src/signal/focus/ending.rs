//! How calls end, and with which words.

use clinicall_sip::{
    Headers, Status,
    agent::{CallId, Cause, Ending},
};

use super::{
    Desk, Focus,
    fork::Verdict,
    room::{Key, Leg, Phase, Room},
};
use crate::signal::News;

/// Why a room is closed.
#[derive(Clone, Debug)]
pub(super) enum Why {
    /// Every socket of the callee refused, or one spoke for all.
    Refused(Verdict),
    /// Nobody answered in time.
    NoAnswer,
    /// The caller gave up before the answer, with its own words if it had any.
    Canceled(Option<String>),
    /// The caller gave up in the moment of the answer.
    CallerGone,
    /// One side hung up, with its own words if it had any.
    HungUp { by: CallId, reason: Option<String> },
    /// One side's page was closed.
    PageClosed { by: CallId },
    /// One side's socket, media path or dialog is lost for good.
    Lost { by: CallId, text: &'static str },
    /// A description that cannot be used.
    Media(String),
    /// The clinic's back end ended it.
    Cleared,
    /// The relay stops.
    Stopping,
}

impl Focus {
    /// The agent says that a leg is over.
    pub(super) fn ended(&mut self, desk: &mut Desk<'_>, call: CallId, ending: &Ending) {
        let Some(&key) = self.legs.get(&call) else {
            return;
        };
        let Some(room) = self.rooms.get(&key) else {
            return;
        };
        let said = said(ending);
        let why = match &room.phase {
            Phase::Ringing(_) if room.caller.call == call => Why::Canceled(said),
            Phase::Ringing(_) => {
                self.fork_failed(desk, key, call, Verdict::of(ending));
                return;
            }
            Phase::Talking(_) => match ending.cause {
                Cause::PeerVanished | Cause::ConnectionLost | Cause::RequestTimeout => Why::Lost {
                    by: call,
                    text: "Connection lost",
                },
                _ => Why::HungUp {
                    by: call,
                    reason: said,
                },
            },
        };
        self.end(desk, key, why);
    }

    /// Ends the call on every leg and closes the room.
    pub(super) fn end(&mut self, desk: &mut Desk<'_>, key: Key, why: Why) {
        let Some(room) = self.rooms.remove(&key) else {
            return;
        };
        for leg in room.legs() {
            self.forget(leg);
        }
        self.passed.retain(|_, (of, _)| *of != key);
        desk.media.close_room(room.media);
        let cause = why.label();
        desk.metrics.ended(cause);
        tracing::info!(call = key.0, cause, "ended");
        desk.news.push_back(News::Ended {
            call: key.0,
            room: None,
            from: room.caller.user.clone(),
            to: room.callee.clone(),
            cause,
            talked: room.answered.map(|since| (desk.now - since).0),
        });
        match &room.phase {
            Phase::Ringing(_) => end_ringing(desk, &room, &why),
            Phase::Talking(_) => end_talking(desk, &room, &why),
        }
    }

    /// Ends every call because the relay stops.
    pub fn end_all(&mut self, desk: &mut Desk<'_>) {
        let keys: Vec<Key> = self.rooms.keys().copied().collect();
        for key in keys {
            self.end(desk, key, Why::Stopping);
        }
    }
}

fn end_ringing(desk: &mut Desk<'_>, room: &Room, why: &Why) {
    let reason = why.reason();
    for leg in room.legs().skip(1) {
        let _ = desk.agent.hangup(desk.now, leg.call, reason.clone());
    }
    let (status, text) = match why {
        Why::Refused(verdict) => (verdict.status, verdict.text.as_str()),
        Why::NoAnswer => (Status(408), ""),
        Why::Media(text) => (Status(488), text.as_str()),
        Why::Stopping => (Status(503), ""),
        // it has gone by itself; should the agent still know it, the call ends here as well
        _ => {
            let _ = desk.agent.hangup(desk.now, room.caller.call, reason);
            return;
        }
    };
    let mut headers = Headers::new();
    if status == Status(488) {
        headers.push("Warning", warning(desk.settings.host(), text));
    } else if !text.is_empty() {
        headers.push("Reason", self::reason(status.0, text));
    }
    let _ = desk
        .agent
        .reject(desk.now, room.caller.call, status, headers);
}

fn end_talking(desk: &mut Desk<'_>, room: &Room, why: &Why) {
    let reason = why.reason();
    let first = why.by();
    // the agent does not know a leg that ended by itself, and says so; that is well
    let mut hang_up = |leg: &Leg| {
        let _ = desk.agent.hangup(desk.now, leg.call, reason.clone());
    };
    room.legs()
        .filter(|leg| Some(leg.call) != first)
        .for_each(&mut hang_up);
    room.legs()
        .filter(|leg| Some(leg.call) == first)
        .for_each(&mut hang_up);
}

impl Why {
    /// The Reason header for whoever is hung up on (RFC 3326).
    fn reason(&self) -> Option<String> {
        match self {
            Self::Refused(verdict) if verdict.is_for_all() => {
                Some(reason(verdict.status.0, "Declined on another device"))
            }
            Self::Refused(_) => None,
            Self::NoAnswer => Some(reason(408, "No answer")),
            Self::Canceled(said) => said.clone(),
            Self::CallerGone => Some(reason(487, "The caller gave up")),
            Self::HungUp { reason, .. } => reason.clone(),
            Self::PageClosed { .. } => Some(reason(410, "Page closed")),
            Self::Lost { text, .. } => Some(reason(408, text)),
            Self::Media(text) => Some(reason(488, text)),
            Self::Cleared => Some(reason(200, "Ended by the clinic")),
            Self::Stopping => Some(reason(503, "The relay is stopping")),
        }
    }

    const fn by(&self) -> Option<CallId> {
        match self {
            Self::HungUp { by, .. } | Self::PageClosed { by } | Self::Lost { by, .. } => Some(*by),
            _ => None,
        }
    }

    /// As [`crate::metrics::CAUSES`] has it.
    fn label(&self) -> &'static str {
        match self {
            Self::Refused(verdict) => verdict.label(),
            Self::NoAnswer => "no_answer",
            Self::Canceled(_) | Self::CallerGone => "canceled",
            Self::HungUp { .. } | Self::Cleared => "hangup",
            Self::PageClosed { .. } => "page_closed",
            Self::Lost { .. } => "connection_lost",
            Self::Media(_) => "incompatible_media",
            Self::Stopping => "shutdown",
        }
    }
}

/// What the side that ended the call said about it, to be said to the other.
pub(in crate::signal) fn said(ending: &Ending) -> Option<String> {
    let status = ending.status?;
    (!ending.text.is_empty()).then(|| reason(status.0, &ending.text))
}

/// A Reason header's value (RFC 3326).
pub(in crate::signal) fn reason(cause: u16, text: &str) -> String {
    format!("SIP ;cause={cause} ;text={}", quoted(text))
}

/// A Warning header's value (RFC 3261 section 20.43); 399 is the code without a meaning of its own.
pub(in crate::signal) fn warning(host: &str, text: &str) -> String {
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
    use super::{super::ring::ELSEWHERE, *};

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
