//! The INVITE client transaction (RFC 3261 section 17.1.1, RFC 6026 section 7.2).
//!
//! ```text
//!   Calling --1xx--> Proceeding
//!      |  \              |  \
//!     2xx  300-699      2xx  300-699
//!      v     v           v     v
//!   Accepted  Completed ...            timer M, D: gone; timer B in Calling: timed out
//! ```
//!
//! The ACK for 300-699 is made by [`super::Transactions`]; the ACK for a 2xx is the call's.

use super::{Link, Verdict};
use crate::{
    agent::{
        timers::{Alarm, T1, T64},
        wire::Wire,
    },
    message::{Request, Status},
    time::Millis,
};

/// Timer D on a transport that loses messages: how long a repeated final response may still come.
const TIMER_D: Millis = Millis(32_000);

/// How long a re-INVITE may stay unanswered after a provisional: a proxy's timer C (RFC 3261 section
/// 16.6). The first INVITE of a call is bounded by how long the call may ring.
const TIMER_C: Millis = Millis(180_000);

#[derive(Debug)]
enum State {
    Calling { interval: Millis },
    Proceeding,
    Completed,
    Accepted,
}

#[derive(Debug)]
pub(super) struct InviteClient {
    state: State,
    in_dialog: bool,
}

impl InviteClient {
    pub(super) fn start(wire: &mut Wire, link: Link, in_dialog: bool) -> Self {
        // Timer A only where messages get lost.
        if !link.reliable {
            wire.timers.set(link.id, Alarm::Resend, wire.now + T1);
        }
        wire.timers.set(link.id, Alarm::GiveUp, wire.now + T64);
        Self {
            state: State::Calling { interval: T1 },
            in_dialog,
        }
    }

    pub(super) const fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    pub(super) const fn waits(&self) -> bool {
        matches!(self.state, State::Proceeding | State::Calling { .. })
    }

    pub(super) fn receive(&mut self, wire: &mut Wire, link: Link, status: Status) -> Verdict {
        match self.state {
            State::Calling { .. } | State::Proceeding if status.is_provisional() => {
                // Timer B stops at the first provisional; a CANCEL sets its own limit later, and
                // must not lose it to a second one.
                if let State::Calling { .. } = self.state {
                    wire.timers.cancel_all(link.id);
                    self.state = State::Proceeding;
                    if self.in_dialog {
                        let limit = wire.now + TIMER_C;
                        wire.timers.set(link.id, Alarm::GiveUp, limit);
                    }
                }
                Verdict::Deliver
            }
            State::Calling { .. } | State::Proceeding => {
                wire.timers.cancel_all(link.id);
                let (state, linger) = if status.is_success() {
                    (State::Accepted, T64)
                } else if link.reliable {
                    (State::Completed, Millis(0))
                } else {
                    (State::Completed, TIMER_D)
                };
                self.state = state;
                wire.timers.set(link.id, Alarm::Linger, wire.now + linger);
                Verdict::Deliver
            }
            State::Accepted if status.is_success() => Verdict::Deliver,
            State::Accepted | State::Completed => Verdict::Absorb,
        }
    }

    /// Timer A.
    pub(super) fn resend(&mut self, wire: &mut Wire, link: Link, request: &Request) {
        if let State::Calling { interval } = &mut self.state {
            *interval = *interval * 2;
            wire.timers
                .set(link.id, Alarm::Resend, wire.now + *interval);
            wire.send_request(link.flow, request);
        }
    }
}
