//! What the registrar says.

use clinicall_sip::{
    Millis, Time,
    agent::{self, By},
};

use super::{Act, Phone, State};
use crate::reason::{Cause, Reason};

impl Phone {
    pub(super) fn registered(&mut self, now: Time) {
        if self.is_finished() {
            return;
        }
        let again = std::mem::replace(&mut self.entered, true);
        if again && self.state == State::Reconnecting {
            let (calls, mut desk) = self.desk(now);
            for call in calls {
                call.moved(&mut desk);
            }
        }
        self.turn(State::Registered);
        self.comet_begin(now);
    }

    pub(super) fn not_registered(
        &mut self,
        now: Time,
        ending: agent::Ending,
        retry: Option<Millis>,
    ) {
        if self.is_finished() || self.link.flow().is_none() {
            return; // the socket's loss is told already
        }
        // 403 and 404 to a REGISTER are how servers without a second challenge (FreeSWITCH, our own
        // relay) say that user or password is wrong
        let refused = matches!(
            ending.cause,
            agent::Cause::AuthenticationFailed | agent::Cause::Rejected | agent::Cause::NotFound
        );
        if refused {
            let status = ending.status.map(|status| status.0);
            let cause = Cause::Sip(agent::Cause::AuthenticationFailed);
            let reason = Reason::of(cause, By::Remote);
            self.fail(now, Reason { status, ..reason });
        } else if !self.entered {
            self.fail(now, ending.into());
        } else if retry.is_some() {
            self.turn(State::Reconnecting);
        } else if let Some(flow) = self.link.flow() {
            // a server that does not answer is as good as a dead socket
            self.link.closed(now, flow);
            self.act(
                now,
                Act::Drop {
                    socket: flow,
                    was_open: true,
                },
            );
        }
    }
}
