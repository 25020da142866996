//! The non-INVITE server transaction (RFC 3261 section 17.2.2).
//!
//! ```text
//!   Trying --1xx--> Proceeding --200-699--> Completed --timer J--> gone
//! ```
//!
//! A request that nobody answers is forgotten after 64 * T1: its sender gave up by then, and RFC
//! 4320 section 4.2 forbids a 408 for it.

use super::Link;
use crate::{
    agent::{
        timers::{Alarm, T64},
        wire::Wire,
    },
    message::Status,
    time::Millis,
};

#[derive(Debug, Default)]
pub(super) struct NonInviteServer {
    /// The last response sent; empty while none was.
    last: Vec<u8>,
    answered: bool,
}

impl NonInviteServer {
    pub(super) const fn is_answered(&self) -> bool {
        self.answered
    }

    /// The request came again.
    pub(super) fn receive(&self, wire: &mut Wire, link: Link) {
        if !self.last.is_empty() {
            wire.send(link.flow, self.last.clone());
        }
    }

    pub(super) fn send(&mut self, wire: &mut Wire, link: Link, status: Status, bytes: &[u8]) {
        if self.answered {
            return;
        }
        wire.send(link.flow, bytes.to_vec());
        if !link.reliable {
            self.last = bytes.to_vec();
        }
        if status.is_final() {
            self.answered = true;
            wire.timers.cancel_all(link.id);
            let linger = if link.reliable { Millis(0) } else { T64 };
            wire.timers.set(link.id, Alarm::Linger, wire.now + linger);
        }
    }
}
