//! The callee's side of a new call (RFC 3261 section 13.3).

use super::{Call, Phase, Unacked, reliable::Reliable};
use crate::{
    agent::{
        Agent, By, Cause, Ending, Event, Flow, Refused,
        dialog::Dialog,
        read,
        timers::{Alarm, T1, T2, T64},
        wire,
    },
    message::{Headers, Method, Request, Status},
    time::Millis,
};

/// How long an incoming call without an Expires header may ring: longer than any proxy's timer C
/// (RFC 3261 section 16.6: over three minutes).
const RING_LIMIT: Millis = Millis(300_000);

#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) tx: u64,
    /// The INVITE carried an offer.
    pub(super) offered: bool,
    /// The caller requires 100rel: everything but 100 goes reliably.
    pub(super) must: bool,
    pub(super) reliable: Reliable,
    /// A description given in an unreliable provisional, or kept back from one.
    pub(super) preview: Option<String>,
    pub(super) done: bool,
    /// The 200 that waits for a PRACK.
    pub(super) accepting: Option<(Option<String>, Headers)>,
    /// What `Session-Expires` of the 200 will say.
    session: Option<String>,
}

impl Ringing {
    /// Offer and answer went through in reliable provisionals.
    pub(super) const fn agreed(&self) -> bool {
        self.done
    }
}

impl Agent {
    /// An INVITE outside any dialog, checked already.
    pub(in crate::agent) fn incoming(&mut self, flow: Flow, tx: u64, request: Request) {
        let id = self.wire.id();
        let Some(server) = self.transactions.server_mut(tx) else {
            return;
        };
        server.call = Some(id);
        let tag = server.tag.clone();
        let Some(mut dialog) = Dialog::of_request(&request.headers, &tag) else {
            self.transactions
                .refuse(&mut self.wire, tx, Status(400), &[]);
            return;
        };
        dialog.refresh(&request.headers);
        let offer = read::description(&request.headers, &request.body);
        let ringing = Ringing {
            tx,
            offered: offer.is_some(),
            must: request.headers.lists("Require", "100rel"),
            reliable: Reliable::default(),
            preview: None,
            done: false,
            accepting: None,
            session: None,
        };
        let mut call = Call::new(id, flow, Phase::Ringing(ringing), tag.clone(), false);
        call.dialog = Some(dialog);
        call.remote = offer;
        call.peer.learn(&request.headers);
        call.timer.start(&self.config);
        match call.timer.asked(&request.headers, call.peer.timer, true) {
            Err(min) => {
                let min = min.to_string();
                self.transactions
                    .refuse(&mut self.wire, tx, Status(422), &[("Min-SE", &min)]);
                return;
            }
            Ok(session) => {
                if let Phase::Ringing(ringing) = &mut call.phase {
                    ringing.session = session;
                }
            }
        }
        self.transactions
            .refuse(&mut self.wire, tx, Status(100), &[]);
        let expires = read::number(&request.headers, "Expires").map(Millis::from_secs);
        let limit = expires.unwrap_or(RING_LIMIT).min(RING_LIMIT);
        self.wire.timers.set(id, Alarm::Ring, self.wire.now + limit);
        let key = self.dialog_key(&tag);
        self.wire.names.set(key, id);
        let name = call.name();
        self.put(call);
        self.wire.tell(Event::Incoming {
            call: name,
            flow,
            invite: Box::new(request),
        });
    }

    pub(in crate::agent) fn accept_call(
        &mut self,
        call: &mut Call,
        sdp: Option<String>,
        headers: Headers,
    ) -> Result<(), Refused> {
        let Phase::Ringing(ringing) = &mut call.phase else {
            return Err(Refused::WrongState);
        };
        let has_some = sdp.is_some()
            || ringing.preview.is_some()
            || ringing.done
            || ringing.reliable.describes();
        if ringing.accepting.is_some() || !has_some {
            return Err(Refused::WrongState);
        }
        // RFC 3262 section 3: no 2xx before the PRACK of a provisional that carried a description.
        if ringing.reliable.describes() {
            ringing.accepting = Some((sdp, headers));
            return Ok(());
        }
        self.send_200(call, sdp, &headers);
        Ok(())
    }

    pub(super) fn send_200(&mut self, call: &mut Call, sdp: Option<String>, more: &Headers) {
        let Phase::Ringing(ringing) = &mut call.phase else {
            return;
        };
        let tx = ringing.tx;
        let sdp = if ringing.done {
            None
        } else {
            sdp.or_else(|| ringing.preview.take())
        };
        let (offered, session) = (ringing.offered || ringing.done, ringing.session.take());
        if let Some(sdp) = &sdp {
            call.local = Some(sdp.clone());
        }
        self.wire.timers.cancel(call.id, Alarm::Ring);
        self.respond_2xx_invite(call, tx, sdp, session, more, !offered);
        call.phase = Phase::Answered;
    }

    /// Sends the 2xx to an INVITE or re-INVITE, and again until its ACK comes.
    pub(super) fn respond_2xx_invite(
        &mut self,
        call: &mut Call,
        tx: u64,
        sdp: Option<String>,
        session: Option<String>,
        more: &Headers,
        offered: bool,
    ) {
        let Some(mut response) = self.call_response(call, tx, Status(200)) else {
            return;
        };
        let Some(server) = self.transactions.server(tx) else {
            return;
        };
        let (flow, direct) = (server.flow(), server.direct);
        let cseq = read::seq(&server.skeleton).unwrap_or_default();
        self.capabilities(&mut response.headers);
        if let Some(session) = session {
            if session.ends_with("uac") && call.peer.timer {
                response.headers.push("Require", "timer");
            }
            response.headers.push("Session-Expires", session);
        }
        wire::append(&mut response.headers, more);
        if let Some(sdp) = sdp {
            wire::describe(&mut response.headers, &mut response.body, &sdp);
        }
        let bytes = self.transactions.respond(&mut self.wire, tx, response);
        // RFC 3261 section 13.3.1.4 repeats the 2xx on every transport, because a later hop may
        // lose it. There is no later hop when the caller itself is at the other end of a WebSocket,
        // and a repeated description would only crowd a slow link.
        if !direct {
            self.wire
                .timers
                .set(call.id, Alarm::Resend200, self.wire.now + T1);
        }
        self.wire
            .timers
            .set(call.id, Alarm::NoAck, self.wire.now + T64);
        call.unacked = Some(Unacked {
            cseq,
            flow,
            bytes,
            interval: T1,
            offered,
        });
    }

    pub(super) fn resend_200(&mut self, call: &mut Call) {
        if let Some(unacked) = &mut call.unacked {
            unacked.interval = (unacked.interval * 2).min(T2);
            self.wire
                .timers
                .set(call.id, Alarm::Resend200, self.wire.now + unacked.interval);
            self.wire.send(unacked.flow, unacked.bytes.clone());
        }
    }

    /// The 2xx of ours whose ACK is waited for no more, if it is this one.
    fn settled(&mut self, call: &mut Call, this: impl Fn(&Unacked) -> bool) -> Option<Unacked> {
        let unacked = call.unacked.take_if(|unacked| this(unacked))?;
        self.wire.timers.cancel(call.id, Alarm::Resend200);
        self.wire.timers.cancel(call.id, Alarm::NoAck);
        Some(unacked)
    }

    /// The ACK of a 2xx of ours.
    pub(in crate::agent) fn acknowledged(&mut self, id: u64, request: &Request) {
        let Some(mut call) = self.calls.remove(id) else {
            return;
        };
        let cseq = read::seq(&request.headers).unwrap_or_default();
        let known = call.dialog_of(&request.headers).is_some();
        if known && let Some(unacked) = self.settled(&mut call, |unacked| unacked.cseq == cseq) {
            let answer =
                read::description(&request.headers, &request.body).filter(|_| unacked.offered);
            if answer.is_some() {
                call.remote.clone_from(&answer);
            }
            self.proceed_after_ack(&mut call, &unacked, answer);
        }
        self.put(call);
    }

    fn proceed_after_ack(&mut self, call: &mut Call, unacked: &Unacked, answer: Option<String>) {
        let unusable = unacked.offered && answer.is_none();
        match &mut call.phase {
            Phase::Leaving { bye } => {
                if let Some(reason) = bye.take() {
                    self.send_bye(call, reason);
                }
            }
            _ if unusable => {
                let text = "SIP;cause=488;text=\"No answer in ACK\"".to_owned();
                self.leave(
                    call,
                    Ending::new(Cause::IncompatibleMedia, By::System),
                    Some(text),
                );
            }
            Phase::Answered => {
                call.phase = Phase::Talking;
                self.arm_session(call);
                self.wire.tell(Event::Established {
                    call: call.name(),
                    answer,
                });
                self.next_change(call);
            }
            Phase::Talking => {
                if unacked.offered {
                    let event = Event::Changed {
                        call: call.name(),
                        result: Ok(answer),
                    };
                    self.wire.tell(event);
                }
                self.next_change(call);
            }
            _ => {}
        }
    }

    /// The flow of our 2xx to a re-INVITE is gone, and maybe the 2xx as well. The dialog outlives it: the peer whose
    /// ACK was lost goes on, and the one that was not answered asks again.
    pub(super) fn no_ack_will_come(&mut self, call: &mut Call) {
        if self
            .settled(call, |_| true)
            .is_some_and(|unacked| unacked.offered)
        {
            // an offer that waited for it is of a state that the application now leaves
            call.wanted = None;
            self.wire.tell(Event::Changed {
                call: call.name(),
                result: Err(Status(503)),
            });
        }
    }

    /// A change of the caller's by another flow than our 200 to its INVITE left by: it has the 200, and its ACK died with
    /// that flow.
    pub(in crate::agent) fn acknowledged_by_a_change(&mut self, call: &mut Call, flow: Flow) {
        let answered = matches!(call.phase, Phase::Answered);
        let lost = |unacked: &Unacked| answered && !unacked.offered && unacked.flow != flow;
        if let Some(unacked) = self.settled(call, lost) {
            self.proceed_after_ack(call, &unacked, None);
        }
    }

    /// 64 * T1 without an ACK.
    pub(super) fn never_acknowledged(&mut self, call: &mut Call) {
        self.settled(call, |_| true);
        if let Phase::Leaving { bye } = &mut call.phase {
            if let Some(reason) = bye.take() {
                self.send_bye(call, reason);
            }
            return;
        }
        self.leave(
            call,
            Ending::new(Cause::PeerVanished, By::System),
            Some("SIP;cause=408;text=\"No ACK\"".to_owned()),
        );
    }

    pub(in crate::agent) fn reject_call(
        &mut self,
        call: &mut Call,
        status: Status,
        headers: &Headers,
    ) -> Result<(), Refused> {
        if !matches!(call.phase, Phase::Ringing(_)) || !(300..700).contains(&status.0) {
            return Err(Refused::WrongState);
        }
        let ending = Ending::new(Cause::of(status), By::Local).with(status);
        self.end_ringing(call, status, headers, ending);
        Ok(())
    }

    /// The final refusal of a call that rings here.
    pub(super) fn end_ringing(
        &mut self,
        call: &mut Call,
        status: Status,
        more: &Headers,
        ending: Ending,
    ) {
        let Phase::Ringing(ringing) = &call.phase else {
            return;
        };
        let tx = ringing.tx;
        if let Some(mut response) = self.call_response(call, tx, status) {
            wire::append(&mut response.headers, more);
            self.transactions.respond(&mut self.wire, tx, response);
        }
        // An UPDATE or PRACK of the caller's that waits for an answer gets one too.
        self.drop_theirs(call);
        self.ended(call, ending, Phase::Over);
    }

    /// The caller gave up (RFC 3261 section 9.2), on a call or on a re-INVITE.
    pub(in crate::agent) fn canceled(&mut self, invite: u64, request: &Request) {
        let Some(id) = self
            .transactions
            .server(invite)
            .and_then(|server| server.call)
        else {
            return;
        };
        let Some(mut call) = self.calls.remove(id) else {
            return;
        };
        if let Phase::Ringing(_) = call.phase {
            let ending = Ending::of_request(Cause::Canceled, &request.headers);
            self.end_ringing(&mut call, Status(487), &Headers::new(), ending);
        } else {
            self.transactions
                .refuse(&mut self.wire, invite, Status(487), &[]);
            call.theirs.take_if(|theirs| theirs.is_of(invite));
            self.wire.timers.cancel(id, Alarm::Unanswered);
        }
        self.put(call);
    }

    /// Nobody answered here in time.
    pub(super) fn expired(&mut self, call: &mut Call) {
        let ending = Ending::new(Cause::NoAnswer, By::System);
        self.end_ringing(call, Status(487), &Headers::new(), ending);
    }

    /// BYE before the answer (RFC 3261 section 15.1.2).
    pub(super) fn bye_while_ringing(&mut self, call: &mut Call, request: &Request) {
        debug_assert_eq!(request.method, Method::Bye);
        let ending = Ending::of_request(Cause::Canceled, &request.headers);
        self.end_ringing(call, Status(487), &Headers::new(), ending);
    }
}
