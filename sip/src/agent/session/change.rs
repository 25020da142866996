//! Changes and refreshes of a session: re-INVITE (RFC 3261 section 14) and UPDATE (RFC 3311), ours and
//! the peer's, and what happens when both come at once.

use super::{Call, Phase};
use crate::{
    agent::{
        Agent, By, Cause, Ending, Event, Refused, read, timers::Alarm, transaction::Purpose, wire,
    },
    message::{Headers, Method, Request, Response, Status},
    time::Millis,
};

/// How often one change is tried again after glare, 422 or a busy peer.
const MAX_RETRIES: u8 = 6;
/// The peer's transaction ends after 32 s (timers B and F); the application must be done before.
const ANSWER_LIMIT: Millis = Millis(25_000);

/// A re-INVITE or UPDATE of ours under way.
#[derive(Debug)]
pub(super) struct Ours {
    update: bool,
    cseq: u32,
    /// The application's offer; a refresh has none.
    offer: Option<String>,
    retries: u8,
}

/// A change of the peer's that waits for the application.
#[derive(Debug)]
pub(super) struct Theirs {
    kind: Kind,
    tx: u64,
    /// Whose it is, while there may be several early dialogs.
    tag: String,
    /// RSeq of their provisional, or CSeq of our INVITE.
    number: u64,
    offer: Option<String>,
    session: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Answered by a 2xx to their re-INVITE.
    Invite,
    /// Answered by a 2xx to their UPDATE or PRACK.
    Update,
    /// Their 2xx offered: our ACK answers.
    Ack,
    /// Their reliable provisional offered: our PRACK answers.
    Prack,
}

impl Theirs {
    pub(super) fn update(tx: u64, offer: String) -> Self {
        Self {
            kind: Kind::Update,
            tx,
            tag: String::new(),
            number: 0,
            offer: Some(offer),
            session: None,
        }
    }
    pub(super) fn ack(tx: u64, tag: String, cseq: u32, offer: String) -> Self {
        Self {
            kind: Kind::Ack,
            tx,
            tag,
            number: cseq.into(),
            offer: Some(offer),
            session: None,
        }
    }
    pub(super) fn early(tx: u64, tag: String, rseq: u64, offer: String) -> Self {
        Self {
            kind: Kind::Prack,
            tx,
            tag,
            number: rseq,
            offer: Some(offer),
            session: None,
        }
    }
    pub(super) const fn is_of(&self, tx: u64) -> bool {
        self.tx == tx
    }
}

impl Agent {
    // --- ours --------------------------------------------------------------------------------

    pub(in crate::agent) fn change_call(
        &mut self,
        call: &mut Call,
        offer: String,
    ) -> Result<(), Refused> {
        let busy =
            call.wanted.is_some() || call.ours.as_ref().is_some_and(|ours| ours.offer.is_some());
        let early_without_update =
            !matches!(call.phase, Phase::Talking | Phase::Answered) && !call.peer.update;
        if busy || early_without_update || !(call.agreed() || matches!(call.phase, Phase::Answered))
        {
            return Err(Refused::WrongState);
        }
        call.wanted = Some(offer);
        self.next_change(call);
        Ok(())
    }

    /// Sends the offer that waits, when nothing stands in its way.
    pub(super) fn next_change(&mut self, call: &mut Call) {
        if call.ours.is_some() || call.theirs.is_some() || call.unacked.is_some() || !call.agreed()
        {
            return;
        }
        if let Some(offer) = call.wanted.take() {
            self.wire.timers.cancel(call.id, Alarm::Glare);
            let update = !matches!(call.phase, Phase::Talking);
            self.send_change(call, update, Some(offer), 0);
        }
    }

    fn send_change(&mut self, call: &mut Call, update: bool, offer: Option<String>, retries: u8) {
        let method = if update {
            Method::Update
        } else {
            Method::Invite
        };
        let Some(mut request) = self.within(call, method) else {
            return;
        };
        let cseq = call.local_seq;
        self.capabilities(&mut request.headers);
        if call.timer.interval > 0 {
            call.timer.ask(&mut request.headers, call.timer.refresher());
        }
        // A refresh by re-INVITE repeats the description in force; by UPDATE it needs none.
        let sdp = if update {
            offer.as_ref()
        } else {
            offer.as_ref().or(call.local.as_ref())
        };
        if let Some(sdp) = sdp {
            wire::describe(&mut request.headers, &mut request.body, sdp);
        }
        call.ours = Some(Ours {
            update,
            cseq,
            offer,
            retries,
        });
        self.dispatch(call, request, Purpose::Change(call.id));
    }

    pub(super) fn refresh_session(&mut self, call: &mut Call) {
        if !matches!(call.phase, Phase::Talking) {
            return;
        }
        if call.ours.is_some() || call.theirs.is_some() || call.unacked.is_some() {
            // Whatever is under way refreshes as well when it succeeds.
            self.wire
                .timers
                .set(call.id, Alarm::Refresh, self.wire.now + Millis(5_000));
            return;
        }
        let update = call.peer.update || call.local.is_none();
        self.send_change(call, update, None, 0);
    }

    /// Our change left again with credentials.
    pub(in crate::agent) fn change_resent(&mut self, call: &mut Call, cseq: u32) {
        if let Some(ours) = &mut call.ours {
            ours.cseq = cseq;
        }
    }

    pub(in crate::agent) fn change_response(&mut self, id: u64, tx: u64, response: &Response) {
        let status = response.status;
        let cseq = read::cseq(&response.headers).unwrap_or_default().0;
        let is_invite = self
            .transactions
            .client(tx)
            .is_some_and(|client| client.request.method == Method::Invite);
        let Some(mut call) = self.calls.remove(&id) else {
            if status.is_success() && is_invite {
                self.stray(tx, response);
            }
            return;
        };
        if status.is_provisional() {
            self.put(call);
            return;
        }
        let ours = call.ours.take_if(|ours| ours.cseq == cseq);
        if status.is_success() && is_invite {
            let tag = read::tag(&response.headers, "To").unwrap_or_default();
            if matches!(call.phase, Phase::Talking) {
                if let Some(dialog) = &mut call.dialog {
                    dialog.refresh(&response.headers);
                }
                self.send_ack(&call, tx, tag, cseq, None);
            } else {
                self.stray(tx, response);
            }
        }
        if let Some(ours) = ours
            && !matches!(call.phase, Phase::Leaving { .. })
        {
            if status.is_success() {
                self.changed(&mut call, ours, response);
            } else {
                self.not_changed(&mut call, ours, status, &response.headers);
            }
        }
        self.put(call);
    }

    fn changed(&mut self, call: &mut Call, ours: Ours, response: &Response) {
        let sdp = read::description(&response.headers, &response.body);
        if ours.update
            && let Some(dialog) = call.dialog_of_response(&response.headers)
        {
            dialog.refresh(&response.headers);
        }
        call.peer.learn(&response.headers);
        call.timer.answered(&response.headers);
        self.arm_session(call);
        if ours.offer.is_some() {
            call.local = ours.offer;
            if sdp.is_some() {
                call.remote.clone_from(&sdp);
            }
            self.wire.tell(Event::Changed {
                call: call.name(),
                result: Ok(sdp),
            });
        }
        self.next_change(call);
    }

    fn not_changed(&mut self, call: &mut Call, ours: Ours, status: Status, headers: &Headers) {
        let again = ours.retries < MAX_RETRIES;
        let retry_after = read::number(headers, "Retry-After").map(Millis::from_secs);
        let delay = match (status.0, retry_after) {
            (491, _) => Some(self.glare_delay(call.caller)),
            (500 | 503, Some(after)) if after <= Millis(10_000) => Some(after),
            _ => None,
        };
        if let Some(delay) = delay.filter(|_| again) {
            let at = self.wire.now + delay;
            if ours.offer.is_some() {
                call.wanted = ours.offer;
                self.wire.timers.set(call.id, Alarm::Glare, at);
            } else {
                self.wire.timers.set(call.id, Alarm::Refresh, at);
            }
            return;
        }
        if again && status.0 == 422 && call.timer.too_small(headers) {
            return self.send_change(call, ours.update, ours.offer, ours.retries + 1);
        }
        // RFC 5057: these end the dialog, not only the request.
        if matches!(
            status.0,
            404 | 410 | 416 | 481 | 482 | 484 | 485 | 502 | 604
        ) {
            let ending = Ending::new(Cause::DialogError, By::Remote).with(status);
            self.drop_theirs(call);
            return self.ended(call, ending, Phase::Over);
        }
        if status.0 == 408 {
            let ending = Ending::new(Cause::PeerVanished, By::System).with(status);
            return self.leave(call, ending, None);
        }
        if ours.offer.is_some() {
            self.wire.tell(Event::Changed {
                call: call.name(),
                result: Err(status),
            });
        } else if ours.update && matches!(status.0, 405 | 420 | 501) && call.local.is_some() {
            call.peer.update = false;
            return self.send_change(call, false, None, ours.retries + 1);
        }
        self.next_change(call);
    }

    pub(in crate::agent) fn change_failed(&mut self, id: u64, lost: bool) {
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        if let Some(ours) = call.ours.take() {
            if !lost {
                self.not_changed(&mut call, ours, Status(408), &Headers::new());
            } else if ours.offer.is_some() {
                let result = Err(Status(503));
                self.wire.tell(Event::Changed {
                    call: call.name(),
                    result,
                });
            } else {
                // The dialog outlives its flow; the refresh is tried again on the next one.
                self.wire
                    .timers
                    .set(id, Alarm::Refresh, self.wire.now + Millis(5_000));
            }
        }
        self.put(call);
    }

    /// RFC 3261 section 14.1: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps
    /// of 10 ms.
    fn glare_delay(&mut self, owner: bool) -> Millis {
        let random = u64::from(self.wire.entropy.u32());
        if owner {
            Millis(2_100 + random % 191 * 10)
        } else {
            Millis(random % 201 * 10)
        }
    }

    pub(super) fn after_glare(&mut self, call: &mut Call) {
        self.next_change(call);
        // Still in the way: look again soon.
        if call.wanted.is_some() {
            self.wire
                .timers
                .set(call.id, Alarm::Glare, self.wire.now + Millis(1_000));
        }
    }

    // --- theirs ------------------------------------------------------------------------------

    /// A re-INVITE or UPDATE of the peer's; its CSeq was checked.
    pub(in crate::agent) fn peer_change(&mut self, call: &mut Call, tx: u64, request: &Request) {
        let is_invite = request.method == Method::Invite;
        let sdp = read::description(&request.headers, &request.body);
        let offers = is_invite || sdp.is_some();
        if let Some(server) = self.transactions.server_mut(tx) {
            server.call = Some(call.id);
        }
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

    /// The call ends under a change of the peer's.
    pub(super) fn drop_theirs(&mut self, call: &mut Call) {
        self.refuse_theirs(call, Status(487));
    }

    /// The application was too slow.
    pub(super) fn change_unanswered(&mut self, call: &mut Call) {
        self.refuse_theirs(call, Status(504));
    }
}
