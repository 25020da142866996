//! Calls that were there before this process was.
//!
//! A relay keeps no call on a disk: when it ends, all of them are gone. The pages notice, by a BYE that says so or
//! by the 481 that answers the first request of theirs after they are back (RFC 3261 section 12.2.1.2). Then each asks
//! for the other with an INVITE that says which of the two it was. Nobody is rung: who asks for one that asks for it,
//! or calls it, is connected, and who asks alone waits in vain. So it takes the will of both, as it did the first time.
//!
//! Nothing is told of somebody who is asked for, not even that there is such a user, and nothing is made known of a call
//! that did not come about again.

use clinicall_sip::{Request, Status, Time};

use crate::signal::Answer;

/// What the sender of such an INVITE was in the call: `caller` or `callee`.
pub const HEADER: &str = "X-Clinicall-Resume";

/// Whoever lost a call with the relay of before has come back by then, on a clock that begins with the process. Later,
/// a call that we do not know is one that has ended.
const IN_TIME: Time = Time(60_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Caller,
    /// Answers, so it is the other who has to be allowed to call.
    Callee,
}

impl Role {
    /// The same for one that comes in time; any other refers to a call that is over.
    pub fn in_time(now: Time, invite: &Request) -> Result<Option<Self>, Answer> {
        match Self::of(invite) {
            Some(_) if now > IN_TIME => Err(Answer::new(Status(481))),
            role => Ok(role),
        }
    }

    /// `None`: a call that begins.
    #[must_use]
    pub fn of(invite: &Request) -> Option<Self> {
        let role = invite.headers.get(HEADER)?;
        Some(match role.eq_ignore_ascii_case("callee") {
            true => Self::Callee,
            false => Self::Caller,
        })
    }
}
