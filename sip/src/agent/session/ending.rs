//! The end of a call from our side, and what is left to do after it.

use super::{Call, Phase};
use crate::{
    agent::{Agent, By, Cause, Ending, Flow, timers::Alarm, transaction::Purpose},
    message::{Headers, Method, Request, Status},
};

impl Agent {
    pub(in crate::agent) fn hang_up(&mut self, call: &mut Call, reason: Option<String>) {
        match &call.phase {
            Phase::Calling(calling) => {
                self.transactions
                    .cancel(&mut self.wire, calling.tx, reason, call.local_seq);
                self.ended(call, Ending::new(Cause::Canceled, By::Local), Phase::Over);
            }
            Phase::Ringing(_) => {
                let mut headers = Headers::new();
                if let Some(reason) = reason {
                    headers.push("Reason", reason);
                }
                let ending = Ending::new(Cause::Rejected, By::Local).with(Status(603));
                self.end_ringing(call, Status(603), &headers, ending);
            }
            _ => self.leave(call, Ending::new(Cause::Hangup, By::Local), reason),
        }
    }

    /// Ends an established call with a BYE, which waits for the ACK of our first 2xx (RFC 3261 section
    /// 15).
    pub(super) fn leave(&mut self, call: &mut Call, ending: Ending, reason: Option<String>) {
        let waits = matches!(call.phase, Phase::Answered) && call.unacked.is_some();
        self.drop_theirs(call);
        for alarm in [Alarm::Refresh, Alarm::Expire, Alarm::Glare] {
            self.wire.timers.cancel(call.id, alarm);
        }
        call.wanted = None;
        if waits {
            self.ended(call, ending, Phase::Leaving { bye: Some(reason) });
        } else {
            self.ended(call, ending, Phase::Leaving { bye: None });
            self.send_bye(call, reason);
        }
    }

    /// Ends a call in whatever phase because the peer's side of the dialog is no more; an established
    /// one gets its BYE only when `bye` says that somebody may still hear it.
    pub(super) fn abandon(&mut self, call: &mut Call, ending: Ending, bye: bool) {
        match &call.phase {
            Phase::Calling(calling) => {
                let tx = calling.tx;
                self.transactions
                    .cancel(&mut self.wire, tx, None, call.local_seq);
                self.ended(call, ending, Phase::Over);
            }
            Phase::Ringing(_) => self.end_ringing(call, Status(480), &Headers::new(), ending),
            _ if bye => self.leave(call, ending, None),
            _ => {
                self.drop_theirs(call);
                self.ended(call, ending, Phase::Over);
            }
        }
    }

    pub(super) fn send_bye(&mut self, call: &mut Call, reason: Option<String>) {
        let Some(mut request) = self.within(call, Method::Bye) else {
            call.phase = Phase::Over;
            return;
        };
        if let Some(reason) = reason {
            request.headers.push("Reason", reason);
        }
        self.dispatch(call, request, Purpose::Bye(call.id));
    }

    /// The BYE was answered or will never be.
    pub(in crate::agent) fn bye_done(&mut self, id: u64) {
        if let Some(mut call) = self.calls.remove(id) {
            call.phase = Phase::Over;
            self.put(call);
        }
    }

    /// A BYE of the peer's; its CSeq was checked.
    pub(in crate::agent) fn bye(&mut self, call: &mut Call, tx: u64, request: &Request) {
        self.transactions
            .refuse(&mut self.wire, tx, Status(200), &[]);
        self.drop_theirs(call);
        match &call.phase {
            Phase::Ringing(_) => self.bye_while_ringing(call, request),
            // Both hung up at once: our own BYE ends by itself.
            Phase::Leaving { .. } => call.phase = Phase::Over,
            _ => {
                let ending = Ending::of_request(Cause::Hangup, &request.headers);
                self.ended(call, ending, Phase::Over);
            }
        }
    }

    /// The flow went away: a call that is not established cannot go on.
    pub(in crate::agent) fn calls_lost(&mut self, flow: Flow) {
        for id in self.calls_by_flow.all(flow.0) {
            let Some(mut call) = self.calls.remove(id) else {
                continue;
            };
            match call.phase {
                Phase::Calling(_) | Phase::Ringing(_) => {
                    let ending = Ending::new(Cause::ConnectionLost, By::System);
                    self.ended(&mut call, ending, Phase::Over);
                }
                Phase::Leaving { .. } => call.phase = Phase::Over,
                // The INVITE died with the flow on the caller's side as well: nobody will ACK.
                Phase::Answered => {
                    let ending = Ending::new(Cause::ConnectionLost, By::System);
                    self.ended(&mut call, ending, Phase::Over);
                }
                // Requests of theirs died with the flow; answers to them have nowhere to go.
                Phase::Talking => {
                    call.theirs = None;
                    self.no_ack_will_come(&mut call);
                }
                Phase::Over => {}
            }
            self.put(call);
        }
    }

    pub(in crate::agent) fn call_alarm(&mut self, id: u64, alarm: Alarm) {
        let Some(mut call) = self.calls.remove(id) else {
            return;
        };
        match (alarm, &call.phase) {
            (Alarm::Ring, Phase::Calling(_)) => self.rang_out(&mut call),
            (Alarm::Ring, _) => self.expired(&mut call),
            (Alarm::Resend200, _) => self.resend_200(&mut call),
            (Alarm::NoAck, _) => self.never_acknowledged(&mut call),
            (Alarm::Resend18x, _) => self.resend_18x(&mut call),
            (Alarm::NoPrack, _) => self.never_pracked(&mut call),
            (Alarm::Refresh, _) => self.refresh_session(&mut call),
            (Alarm::Expire, _) => self.session_expired(&mut call),
            (Alarm::Glare, _) => self.after_glare(&mut call),
            (Alarm::Unanswered, _) => self.change_unanswered(&mut call),
            _ => {}
        }
        self.put(call);
    }
}
