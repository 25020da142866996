//! The INVITE server transaction (RFC 3261 section 17.2.1, RFC 6026 section 7.1).
//!
//! ```text
//!   Proceeding --300-699--> Completed --ACK--> Confirmed --timer I--> gone
//!        \                      \ timer H: never acknowledged
//!         --2xx--> Accepted --timer L--> gone    (the call sends its 2xx again by itself)
//! ```

use super::Link;
use crate::{
    agent::{
        timers::{Alarm, T1, T2, T4, T64},
        wire::Wire,
    },
    message::Status,
    time::Millis,
};

#[derive(Debug)]
enum State {
    Proceeding { last: Vec<u8> },
    Completed { last: Vec<u8>, interval: Millis },
    Confirmed,
    Accepted,
}

#[derive(Debug)]
pub(super) struct InviteServer {
    state: State,
}

impl Default for InviteServer {
    fn default() -> Self {
        Self {
            state: State::Proceeding { last: Vec::new() },
        }
    }
}

impl InviteServer {
    pub(super) const fn is_answered(&self) -> bool {
        !matches!(self.state, State::Proceeding { .. })
    }

    /// The INVITE came again.
    pub(super) fn receive(&self, wire: &mut Wire, link: Link) {
        match &self.state {
            State::Proceeding { last } | State::Completed { last, .. } if !last.is_empty() => {
                wire.send(link.flow, last.clone());
            }
            _ => {}
        }
    }

    pub(super) fn acknowledged(&mut self, wire: &mut Wire, link: Link) {
        if let State::Completed { .. } = self.state {
            self.state = State::Confirmed;
            wire.timers.cancel_all(link.id);
            let linger = if link.reliable { Millis(0) } else { T4 };
            wire.timers.set(link.id, Alarm::Linger, wire.now + linger);
        }
    }

    pub(super) fn send(&mut self, wire: &mut Wire, link: Link, status: Status, bytes: &[u8]) {
        let State::Proceeding { last } = &mut self.state else {
            return;
        };
        wire.send(link.flow, bytes.to_vec());
        if status.is_provisional() {
            *last = bytes.to_vec();
        } else if status.is_success() {
            self.state = State::Accepted;
            wire.timers.set(link.id, Alarm::Linger, wire.now + T64);
        } else {
            self.state = State::Completed {
                last: bytes.to_vec(),
                interval: T1,
            };
            if !link.reliable {
                wire.timers.set(link.id, Alarm::Resend, wire.now + T1);
            }
            wire.timers.set(link.id, Alarm::GiveUp, wire.now + T64);
        }
    }

    /// Timer G.
    pub(super) fn resend(&mut self, wire: &mut Wire, link: Link) {
        if let State::Completed { last, interval } = &mut self.state {
            *interval = (*interval * 2).min(T2);
            wire.timers
                .set(link.id, Alarm::Resend, wire.now + *interval);
            wire.send(link.flow, last.clone());
        }
    }
}
