//! Every status code as a word a page can show.

use super::{By, Cause, Ending, read};
use crate::message::{Headers, Status};

impl Cause {
    /// The cause a final response to an INVITE stands for.
    #[must_use]
    pub const fn of(status: Status) -> Self {
        match status.0 {
            200..=299 => Self::Hangup,
            300..=399 => Self::Redirected,
            401 | 407 => Self::AuthenticationFailed,
            403 | 603 | 607 | 608 => Self::Rejected,
            404 | 604 => Self::NotFound,
            410 | 430 | 480 => Self::Unavailable,
            408 | 487 => Self::NoAnswer,
            415 | 488 | 606 => Self::IncompatibleMedia,
            481 => Self::DialogError,
            486 | 600 => Self::Busy,
            500..=599 => Self::ServerError,
            _ => Self::Failed,
        }
    }
}

impl Ending {
    pub(super) fn new(cause: Cause, by: By) -> Self {
        Self {
            cause,
            by,
            status: None,
            text: String::new(),
        }
    }

    pub(super) fn with(mut self, status: Status) -> Self {
        self.status = Some(status);
        self.text = status.phrase().to_owned();
        self
    }

    /// What a final response says, a Reason header in it first.
    pub(super) fn of_response(status: Status, phrase: &str, headers: &Headers) -> Self {
        let mut ending = Self::new(Cause::of(status), By::Remote);
        ending.status = Some(status);
        ending.text = phrase.to_owned();
        if let Some((cause, text)) = read::reason(headers) {
            if cause == Some(200) {
                ending.cause = Cause::AnsweredElsewhere;
            }
            if !text.is_empty() {
                ending.text = text;
            }
        }
        ending
    }

    /// What a BYE or CANCEL of the peer's says.
    pub(super) fn of_request(otherwise: Cause, headers: &Headers) -> Self {
        let mut ending = Self::new(otherwise, By::Remote);
        if let Some((cause, text)) = read::reason(headers) {
            ending.status = cause.map(Status);
            // A 200 that crossed the CANCEL is ended by a BYE with the CANCEL's reason. In other BYEs
            // cause 200 means no more than a hang-up, so there RFC 3326's own words decide.
            if cause == Some(200) && text.ends_with("elsewhere") {
                ending.cause = Cause::AnsweredElsewhere;
            }
            ending.text = text;
            if otherwise == Cause::Canceled {
                match cause {
                    Some(200) => ending.cause = Cause::AnsweredElsewhere,
                    Some(408) => ending.cause = Cause::NoAnswer,
                    _ => {}
                }
            }
        }
        ending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_final_response_has_a_cause() {
        for code in 300..700 {
            assert_ne!(Cause::of(Status(code)), Cause::Hangup, "{code}");
        }
        assert_eq!(Cause::of(Status(486)), Cause::Busy);
        assert_eq!(Cause::of(Status(503)), Cause::ServerError);
        assert_eq!(Cause::of(Status(606)), Cause::IncompatibleMedia);
    }
}
