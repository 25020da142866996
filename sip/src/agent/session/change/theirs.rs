//! Changes and refreshes of the peer's.

use super::{Kind, Theirs};
use crate::{
    agent::{
        Agent, By, Cause, Ending, Event, Refused, read,
        session::{Call, Phase},
        timers::Alarm,
        wire,
    },
    message::{Headers, Method, Request, Status},
    time::Millis,
};

/// The peer's transaction ends after 32 s (timers B and F); the application must be done before.
const ANSWER_LIMIT: Millis = Millis(25_000);

impl Agent {
    /// A re-INVITE or UPDATE of the peer's; its CSeq was checked.
    pub(in crate::agent) fn peer_change(&mut self, call: &mut Call, tx: u64, request: &Request) {
        let is_invite = request.method == Method::Invite;
        let sdp = read::description(&request.headers, &request.body);
        let offers = is_invite || sdp.is_some();
        self.claim(tx, call.id);
        // RFC 3261 section 14.2, RFC 3311 section 5.2.
        let ours = call
            .ours
            .as_ref()
            .is_some_and(|ours| !ours.update || ours.offer.is_some());
        if offers && (ours || call.unacked.as_ref().is_some_and(|unacked| unacked.offered)) {
            return self
                .transactions
                .refuse(&mut self.wire, tx, Status(491), &[]);
        }
        let early = !matches!(call.phase, Phase::Talking);
        let busy = call.theirs.is_some()
            || (is_invite && (early || call.unacked.is_some()))
            || (early && sdp.is_some() && !call.agreed() && !matches!(call.phase, Phase::Answered));
        if offers && busy {
            let after = (self.wire.entropy.u32() % 10).to_string();
            return self.transactions.refuse(
                &mut self.wire,
                tx,
                Status(500),
                &[("Retry-After", &after)],
            );
        }
        call.peer.learn(&request.headers);
        let session = if early {
            Ok(None)
        } else {
            call.timer.asked(&request.headers, call.peer.timer, false)
        };
        let session = match session {
            Ok(session) => session,
            Err(min) => {
                let min = min.to_string();
                return self.transactions.refuse(
                    &mut self.wire,
                    tx,
                    Status(422),
                    &[("Min-SE", &min)],
                );
            }
        };
        if let Some(dialog) = call.dialog_of(&request.headers) {
            dialog.refresh(&request.headers);
        }
        let kind = if is_invite {
            Kind::Invite
        } else {
            Kind::Update
        };
        let theirs = Theirs {
            kind,
            tx,
            tag: String::new(),
            number: 0,
            offer: sdp.clone(),
            session,
        };
        let unchanged = sdp.is_some() && sdp == call.remote;
        if !offers || (unchanged && call.local.is_some()) {
            // A refresh: the application need not know.
            let sdp = if offers { call.local.clone() } else { None };
            return self.answer_theirs(call, theirs, sdp);
        }
        call.theirs = Some(theirs);
        if is_invite {
            self.transactions
                .refuse(&mut self.wire, tx, Status(100), &[]);
        }
        self.wire
            .timers
            .set(call.id, Alarm::Unanswered, self.wire.now + ANSWER_LIMIT);
        self.wire.tell(Event::Change {
            call: call.name(),
            offer: sdp,
        });
    }

    fn answer_theirs(&mut self, call: &mut Call, theirs: Theirs, sdp: Option<String>) {
        if theirs.kind == Kind::Invite {
            let offered = theirs.offer.is_none();
            self.respond_2xx_invite(
                call,
                theirs.tx,
                sdp,
                theirs.session,
                &Headers::new(),
                offered,
            );
        } else if let Some(mut response) = self.call_response(call, theirs.tx, Status(200)) {
            if let Some(session) = theirs.session {
                if session.ends_with("uac") && call.peer.timer {
                    response.headers.push("Require", "timer");
                }
                response.headers.push("Session-Expires", session);
            }
            if let Some(sdp) = sdp {
                wire::describe(&mut response.headers, &mut response.body, &sdp);
            }
            self.transactions
                .respond(&mut self.wire, theirs.tx, response);
        }
        self.arm_session(call);
    }

    pub(in crate::agent) fn answer_their_change(
        &mut self,
        call: &mut Call,
        sdp: String,
    ) -> Result<(), Refused> {
        let Some(mut theirs) = call.theirs.take() else {
            return Err(Refused::WrongState);
        };
        self.wire.timers.cancel(call.id, Alarm::Unanswered);
        call.local = Some(sdp.clone());
        if theirs.offer.is_some() {
            call.remote = theirs.offer.clone();
        }
        match theirs.kind {
            Kind::Invite | Kind::Update => self.answer_theirs(call, theirs, Some(sdp)),
            Kind::Prack => {
                let tag = std::mem::take(&mut theirs.tag);
                self.send_prack(call, &tag, theirs.number, Some(&sdp));
            }
            Kind::Ack => {
                let cseq = u32::try_from(theirs.number).unwrap_or_default();
                self.send_ack(call, theirs.tx, &theirs.tag, cseq, Some(&sdp));
                self.wire.tell(Event::Established {
                    call: call.name(),
                    answer: None,
                });
            }
        }
        self.next_change(call);
        Ok(())
    }

    pub(in crate::agent) fn refuse_their_change(
        &mut self,
        call: &mut Call,
        status: Status,
    ) -> Result<(), Refused> {
        if !(300..700).contains(&status.0) {
            return Err(Refused::WrongState);
        }
        let Some(theirs) = &call.theirs else {
            return Err(Refused::WrongState);
        };
        match theirs.kind {
            Kind::Invite | Kind::Update => {
                self.refuse_theirs(call, status);
                self.next_change(call);
            }
            // There is no way to refuse an offer in their response but to end the call.
            Kind::Prack => {
                call.theirs = None;
                self.hang_up(call, None);
            }
            Kind::Ack => {
                let ending = Ending::new(Cause::IncompatibleMedia, By::Local).with(status);
                self.leave(call, ending, None);
            }
        }
        Ok(())
    }

    fn refuse_theirs(&mut self, call: &mut Call, status: Status) {
        self.wire.timers.cancel(call.id, Alarm::Unanswered);
        if let Some(theirs) = call.theirs.take() {
            match theirs.kind {
                Kind::Invite | Kind::Update => {
                    self.transactions
                        .refuse(&mut self.wire, theirs.tx, status, &[])
                }
                // Their 2xx is acknowledged whatever comes after.
                Kind::Ack => {
                    let cseq = u32::try_from(theirs.number).unwrap_or_default();
                    self.send_ack(call, theirs.tx, &theirs.tag, cseq, None);
                }
                Kind::Prack => {}
            }
        }
    }

    /// The peer goes on by another flow than a change of its came by.
    pub(in crate::agent::session) fn drop_their_change(&mut self, call: &mut Call) {
        let waits = |theirs: &Theirs| matches!(theirs.kind, Kind::Invite | Kind::Update);
        if call.theirs.as_ref().is_some_and(waits) {
            self.refuse_theirs(call, Status(503));
        }
    }

    /// The call ends under a change of the peer's.
    pub(in crate::agent::session) fn drop_theirs(&mut self, call: &mut Call) {
        self.refuse_theirs(call, Status(487));
    }

    /// The application was too slow.
    pub(in crate::agent::session) fn change_unanswered(&mut self, call: &mut Call) {
        self.refuse_theirs(call, Status(504));
    }
}
