//! Which of several refusals the caller hears (RFC 3261 section 16.7 step 6).

use clinicall_sip::{
    Status,
    agent::{Cause, Ending},
};

/// A final response to the caller in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub status: Status,
    /// The callee's own words, if it sent more than a code.
    pub text: String,
}

impl Verdict {
    pub fn new(status: u16) -> Self {
        Self {
            status: Status(status),
            text: String::new(),
        }
    }

    pub fn with(status: u16, text: &str) -> Self {
        Self {
            status: Status(status),
            text: text.to_owned(),
        }
    }

    /// What the end of one fork means to the caller. Nothing that speaks of this relay's own
    /// dealings with the callee's client is passed on: no challenge, no redirection, no
    /// breakage of that one socket.
    pub fn of(ending: &Ending) -> Self {
        let status = match (ending.cause, ending.status) {
            (Cause::AuthenticationFailed | Cause::Redirected | Cause::DialogError, _) => 480,
            (Cause::ConnectionLost | Cause::PeerVanished | Cause::Canceled, _) => 480,
            (Cause::RequestTimeout | Cause::NoAnswer, _) => 408,
            (Cause::IncompatibleMedia, _) => 488,
            (_, Some(status)) if (400..700).contains(&status.0) => match status.0 {
                // an overloaded or broken client is not an overloaded relay
                500..600 => 480,
                // 416, 420, 421, 481 to 483, ...: about requests of ours
                403 | 404 | 410 | 480 | 486 | 488 | 600..700 => status.0,
                _ => 480,
            },
            (Cause::Busy, _) => 486,
            (Cause::Rejected, _) => 603,
            _ => 480,
        };
        let text = match ending.status {
            Some(given) if given.0 == status && ending.text != given.phrase() => {
                ending.text.clone()
            }
            _ => String::new(),
        };
        Self {
            status: Status(status),
            text,
        }
    }

    /// A 6xx speaks for the person, not for one device: nobody else needs to ring.
    pub fn is_for_all(&self) -> bool {
        self.status.0 >= 600
    }

    /// As [`crate::metrics::CAUSES`] has it.
    pub fn label(&self) -> &'static str {
        match self.status.0 {
            486 | 600 => "busy",
            403 | 603 => "rejected",
            404 | 604 => "not_found",
            408 => "no_answer",
            488 | 606 => "incompatible_media",
            _ => "unavailable",
        }
    }

    /// The better of two: 6xx before 4xx, a person's word before a device's, anything before
    /// silence.
    pub fn or_better(self, other: Self) -> Self {
        if other.weight() > self.weight() {
            other
        } else {
            self
        }
    }

    fn weight(&self) -> u8 {
        match self.status.0 {
            600.. => 5,
            486 => 4,
            403 => 3,
            488 => 2,
            408 => 0,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use clinicall_sip::agent::By;

    use super::*;

    fn of(cause: Cause, status: u16) -> u16 {
        let text = String::new();
        let status = Some(Status(status));
        Verdict::of(&Ending {
            cause,
            by: By::Remote,
            status,
            text,
        })
        .status
        .0
    }

    #[test]
    fn a_decline_beats_busy_beats_absent_beats_silence() {
        let order = [408, 480, 488, 403, 486, 603];
        for pair in order.windows(2) {
            let [worse, better] = [pair[0], pair[1]].map(Verdict::new);
            assert_eq!(worse.clone().or_better(better.clone()), better);
            assert_eq!(better.clone().or_better(worse), better);
        }
    }

    #[test]
    fn a_callees_challenge_never_reaches_the_caller() {
        assert_eq!(of(Cause::AuthenticationFailed, 407), 480);
        assert_eq!(of(Cause::Redirected, 302), 480);
        assert_eq!(of(Cause::ServerError, 503), 480);
        assert_eq!(of(Cause::Busy, 486), 486);
        assert_eq!(of(Cause::Rejected, 603), 603);
    }
}
