//! The non-INVITE client transaction (RFC 3261 section 17.1.2).
//!
//! ```text
//!   Trying --1xx--> Proceeding --200-699--> Completed --timer K--> gone
//!      \------------ 200-699 --------------/          timer F: timed out
//! ```

use super::{Link, Verdict};
use crate::{
    agent::{
        timers::{Alarm, T1, T2, T4, T64},
        wire::Wire,
    },
    message::{Request, Status},
    time::Millis,
};

#[derive(Debug)]
enum State {
    Trying { interval: Millis },
    Proceeding,
    Completed,
}

#[derive(Debug)]
pub(super) struct NonInviteClient {
    state: State,
}

impl NonInviteClient {
    pub(super) fn start(wire: &mut Wire, link: Link) -> Self {
        if !link.reliable {
            wire.timers.set(link.id, Alarm::Resend, wire.now + T1);
        }
        wire.timers.set(link.id, Alarm::GiveUp, wire.now + T64);
        Self {
            state: State::Trying { interval: T1 },
        }
    }

    pub(super) const fn waits(&self) -> bool {
        !matches!(self.state, State::Completed)
    }

    pub(super) fn receive(&mut self, wire: &mut Wire, link: Link, status: Status) -> Verdict {
        if !self.waits() {
            return Verdict::Absorb;
        }
        if status.is_provisional() {
            self.state = State::Proceeding;
            return Verdict::Deliver;
        }
        self.state = State::Completed;
        wire.timers.cancel_all(link.id);
        // Timer K: where messages get lost, the response may come again.
        let linger = if link.reliable { Millis(0) } else { T4 };
        wire.timers.set(link.id, Alarm::Linger, wire.now + linger);
        Verdict::Deliver
    }

    /// Timer E: doubles up to T2, and stays at T2 once a provisional came.
    pub(super) fn resend(&mut self, wire: &mut Wire, link: Link, request: &Request) {
        let interval = match &mut self.state {
            State::Trying { interval } => {
                *interval = (*interval * 2).min(T2);
                *interval
            }
            State::Proceeding => T2,
            State::Completed => return,
        };
        wire.timers.set(link.id, Alarm::Resend, wire.now + interval);
        wire.send_request(link.flow, request);
    }
}
