//! The caller's side of a new call (RFC 3261 section 13.2).

use std::sync::Arc;

use super::{Call, Phase, change::Theirs, early::Early};
use crate::{
    agent::{
        Agent, By, CallId, Cause, Ending, Event, Flow, Invite, Refused,
        dialog::Dialog,
        read,
        timers::Alarm,
        transaction::Purpose,
        wire::{self, Line},
    },
    message::{Headers, Method, Request, Response, Status},
};

/// 422 answers taken before giving up.
const MAX_TOO_SMALL: u8 = 3;

#[derive(Debug)]
pub(super) struct Calling {
    pub(super) tx: u64,
    pub(super) cseq: u32,
    /// Our INVITE carried an offer.
    pub(super) offered: bool,
    pub(super) early: Vec<Early>,
    /// The answer the application was told of, and the tag of who gave it.
    pub(super) told: Option<(String, String)>,
    too_small: u8,
}

impl Agent {
    pub(in crate::agent) fn start_invite(
        &mut self,
        flow: Flow,
        invite: Invite,
    ) -> Result<CallId, Refused> {
        if !self.wire.is_open(flow) {
            return Err(Refused::Closed);
        }
        let id = self.wire.id();
        let local_tag = self.wire.entropy.token(16);
        let call_id = self.wire.entropy.token(24);
        let mut from = String::new();
        if let Some(name) = &invite.from_name {
            quote(name, &mut from);
        }
        from.push_str(&["<", &invite.from.to_string(), ">;tag=", &local_tag].concat());
        let to = ["<", &invite.to.to_string(), ">"].concat();
        let line = Line {
            to: &to,
            from: &from,
            call_id: &call_id,
            cseq: 1,
        };
        let target = invite.target.unwrap_or(invite.to);
        let mut request = self.wire.request(flow, Method::Invite, target, &line);
        let headers = &mut request.headers;
        headers.push("Contact", self.contact(flow));
        self.capabilities(headers);
        headers.push(
            "Expires",
            (self.config.ring_timeout.0 / 1000).max(1).to_string(),
        );
        wire::append(headers, &invite.headers);

        let calling = Calling {
            tx: 0,
            cseq: 1,
            offered: invite.offer.is_some(),
            early: Vec::new(),
            told: None,
            too_small: 0,
        };
        let mut call = Call::new(id, flow, Phase::Over, local_tag.clone(), true);
        call.local_seq = 1;
        call.credentials = invite.credentials.map(Arc::new);
        call.timer.start(&self.config);
        call.timer.ask(headers, false);
        if let Some(offer) = &invite.offer {
            wire::describe(headers, &mut request.body, offer);
        }
        call.local = invite.offer;
        let tx = self.dispatch(&call, request, Purpose::Invite(id));
        call.phase = Phase::Calling(Calling { tx, ..calling });
        self.wire
            .timers
            .set(id, Alarm::Ring, self.wire.now + self.config.ring_timeout);
        let key = self.dialog_key(&local_tag);
        self.wire.names.set(key, id);
        self.put(call);
        Ok(CallId(id))
    }

    /// The INVITE left again with credentials or a longer interval.
    pub(in crate::agent) fn invite_resent(&mut self, call: &mut Call, new: u64, cseq: u32) {
        if let Phase::Calling(calling) = &mut call.phase {
            calling.tx = new;
            calling.cseq = cseq;
            calling.early.clear();
        }
    }

    pub(in crate::agent) fn invite_response(&mut self, id: u64, tx: u64, response: Response) {
        let status = response.status;
        let Some(mut call) = self.calls.remove(id) else {
            if status.is_success() {
                self.stray(tx, &response, None);
            }
            return;
        };
        match &call.phase {
            Phase::Calling(calling) if calling.tx == tx => {
                if status.is_provisional() {
                    self.provisional(&mut call, response);
                } else if status.is_success() {
                    self.answered(&mut call, tx, &response);
                } else {
                    self.refused(&mut call, tx, &response);
                }
            }
            // Another phone of the peer's answered too.
            _ if status.is_success() => {
                let cseq = call.next_seq();
                self.stray(tx, &response, Some(cseq));
            }
            _ => {}
        }
        self.put(call);
    }

    fn answered(&mut self, call: &mut Call, tx: u64, response: &Response) {
        let Phase::Calling(calling) = &mut call.phase else {
            return;
        };
        let fallback = match self.transactions.client(tx) {
            Some(client) => client.request.uri.clone(),
            None => return,
        };
        let tag = read::tag(&response.headers, "To")
            .unwrap_or_default()
            .to_owned();
        let Some(mut dialog) = Dialog::of_response(&response.headers, &fallback) else {
            return;
        };
        let mut agreed = false;
        if let Some(early) = calling
            .early
            .iter()
            .find(|early| early.dialog.remote_tag == tag)
        {
            dialog.confirm(&early.dialog);
            agreed = early.agreed;
        }
        let told = calling.told.take().filter(|(of, _)| *of == tag);
        let offered = calling.offered;
        let cseq = calling.cseq;
        let sdp = read::description(&response.headers, &response.body);
        self.wire.timers.cancel(call.id, Alarm::Ring);
        call.dialog = Some(dialog);
        call.peer.learn(&response.headers);
        call.phase = Phase::Talking;
        call.theirs.take_if(|theirs| theirs.is_early());
        call.timer.answered(&response.headers);
        self.arm_session(call);

        if !offered && !agreed {
            // The 200 offers: its ACK waits for our answer.
            self.transactions
                .ack(&mut self.wire, tx, call.flow, &tag, None);
            match sdp {
                Some(offer) => {
                    call.theirs = Some(Theirs::ack(tx, tag, cseq, offer.clone()));
                    let event = Event::Change {
                        call: call.name(),
                        offer: Some(offer),
                    };
                    self.wire.tell(event);
                }
                None => {
                    self.send_ack(call, tx, &tag, cseq, None);
                    self.leave(
                        call,
                        Ending::new(Cause::IncompatibleMedia, By::System),
                        None,
                    );
                }
            }
            return;
        }
        self.send_ack(call, tx, &tag, cseq, None);
        // RFC 3261 section 13.2.1: the first description of this dialog is the answer; what the 200
        // repeats is ignored. Another fork's preview does not count.
        let answer = if told.is_some() || agreed { None } else { sdp };
        if offered && told.is_none() && !agreed && answer.is_none() {
            self.leave(
                call,
                Ending::new(Cause::IncompatibleMedia, By::System),
                None,
            );
            return;
        }
        if let Some((_, sdp)) = told {
            call.remote = Some(sdp);
        }
        if answer.is_some() {
            call.remote.clone_from(&answer);
        }
        self.wire.tell(Event::Established {
            call: call.name(),
            answer,
        });
        // An offer that waited for the end of the early phase.
        self.next_change(call);
    }

    /// Sends the ACK of a 2xx (RFC 3261 section 13.2.2.4): the INVITE's CSeq number and credentials.
    pub(super) fn send_ack(
        &mut self,
        call: &Call,
        tx: u64,
        tag: &str,
        cseq: u32,
        answer: Option<&str>,
    ) {
        let Some(dialog) = &call.dialog else { return };
        let mut ack = dialog.request(&mut self.wire, call.flow, Method::Ack, cseq);
        if let Some(client) = self.transactions.client(tx) {
            copy_credentials(&client.request, &mut ack.headers);
        }
        if let Some(answer) = answer {
            wire::describe(&mut ack.headers, &mut ack.body, answer);
        }
        self.transactions
            .ack(&mut self.wire, tx, call.flow, tag, Some(&ack));
    }

    /// A 2xx nobody wants any more, or a second phone's: ACK it and say goodbye.
    pub(super) fn stray(&mut self, tx: u64, response: &Response, bye: Option<u32>) {
        let Some(client) = self.transactions.client(tx) else {
            return;
        };
        let (flow, login) = (client.flow(), client.login.clone());
        let reason = client.cancel_reason().map(str::to_owned);
        let Some(cseq) = read::seq(&response.headers) else {
            return;
        };
        let Some(dialog) = Dialog::of_response(&response.headers, &client.request.uri) else {
            return;
        };
        let mut ack = dialog.request(&mut self.wire, flow, Method::Ack, cseq);
        copy_credentials(&client.request, &mut ack.headers);
        let is_first = read::tag(&client.request.headers, "To").is_none();
        let bye_seq = bye.unwrap_or(client.last_seq.max(cseq) + 1);
        self.transactions
            .ack(&mut self.wire, tx, flow, &dialog.remote_tag, Some(&ack));
        // A re-INVITE's late 2xx in a dialog that had its BYE needs no second one.
        if is_first {
            let mut bye = dialog.request(&mut self.wire, flow, Method::Bye, bye_seq);
            if let Some(reason) = reason {
                bye.headers.push("Reason", reason);
            }
            self.transactions
                .send(&mut self.wire, flow, bye, Purpose::Nobody, login);
        }
    }

    fn refused(&mut self, call: &mut Call, tx: u64, response: &Response) {
        let Phase::Calling(calling) = &mut call.phase else {
            return;
        };
        if response.status.0 == 422 && calling.too_small < MAX_TOO_SMALL {
            calling.too_small += 1;
            if call.timer.too_small(&response.headers)
                && let Some(client) = self.transactions.client(tx)
            {
                let mut request = client.request.clone();
                let mut again = client.again();
                call.timer.ask(&mut request.headers, false);
                let cseq = call.next_seq();
                // The nonce may be used again, its count may not.
                again.login = self.login(call.flow, &mut request, call.credentials.as_ref());
                let new = self.resend(request, cseq, again);
                self.invite_resent(call, new, cseq);
                return;
            }
        }
        let ending = Ending::of_response(response.status, &response.reason, &response.headers);
        self.ended(call, ending, Phase::Over);
    }

    pub(in crate::agent) fn invite_failed(&mut self, id: u64, lost: bool) {
        let Some(mut call) = self.calls.remove(id) else {
            return;
        };
        if let Phase::Calling(_) = call.phase {
            let ending = if lost {
                Ending::new(Cause::ConnectionLost, By::System)
            } else {
                Ending::new(Cause::RequestTimeout, By::System).with(Status(408))
            };
            self.ended(&mut call, ending, Phase::Over);
        }
        self.put(call);
    }

    /// It rang long enough.
    pub(super) fn rang_out(&mut self, call: &mut Call) {
        let Phase::Calling(calling) = &call.phase else {
            return;
        };
        let reason = "SIP;cause=408;text=\"No answer\"".to_owned();
        self.transactions
            .cancel(&mut self.wire, calling.tx, Some(reason), call.local_seq);
        let ending = Ending::new(Cause::NoAnswer, By::System);
        self.ended(call, ending, Phase::Over);
    }
}

fn copy_credentials(invite: &Request, headers: &mut Headers) {
    for name in ["Authorization", "Proxy-Authorization"] {
        for (field, value) in invite.headers.iter() {
            if field.eq_ignore_ascii_case(name) {
                headers.push(name, value);
            }
        }
    }
}

/// A display name as a quoted string.
fn quote(name: &str, out: &mut String) {
    out.push('"');
    for letter in name.chars().filter(|letter| !letter.is_control()) {
        if letter == '"' || letter == '\\' {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push_str("\" ");
}
