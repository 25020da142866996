//! Changes and refreshes of ours.

use super::Ours;
use crate::{
    agent::{
        Agent, By, Cause, Ending, Event, Refused, read,
        session::{Call, Phase, early::rack},
        timers::Alarm,
        transaction::Purpose,
        wire,
    },
    message::{Headers, Method, Response, Status},
    time::Millis,
};

/// How often one change is tried again after glare, 422 or a busy peer.
const MAX_RETRIES: u8 = 6;

impl Agent {
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
        call.tries = 0;
        self.next_change(call);
        Ok(())
    }

    /// Sends the offer that waits, when nothing stands in its way.
    pub(in crate::agent::session) fn next_change(&mut self, call: &mut Call) {
        if call.ours.is_some() || call.theirs.is_some() || call.unacked.is_some() || !call.agreed()
        {
            return;
        }
        if let Some(offer) = call.wanted.take() {
            self.wire.timers.cancel(call.id, Alarm::Glare);
            let update = !matches!(call.phase, Phase::Talking);
            self.send_change(call, update, Some(offer), call.tries);
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
            call.timer.ask(&mut request.headers, true);
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
            rseq: None,
            early: None,
        });
        self.dispatch(call, request, Purpose::Change(call.id));
    }

    pub(in crate::agent) fn refresh_session(&mut self, call: &mut Call) {
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
        let cseq = read::seq(&response.headers).unwrap_or_default();
        let is_invite = self
            .transactions
            .client(tx)
            .is_some_and(|client| client.request.method == Method::Invite);
        let Some(mut call) = self.calls.remove(id) else {
            if status.is_success() && is_invite {
                self.stray(tx, response, None);
            }
            return;
        };
        if status.is_provisional() {
            self.change_progress(&mut call, cseq, response);
            return self.put(call);
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
                self.stray(tx, response, None);
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

    /// A reliable provisional to a re-INVITE is acknowledged as any other; the answer may come in it
    /// alone (RFC 3262 section 5).
    fn change_progress(&mut self, call: &mut Call, cseq: u32, response: &Response) {
        let headers = &response.headers;
        let rseq = read::number(headers, "RSeq").filter(|_| headers.lists("Require", "100rel"));
        let ours = call
            .ours
            .as_mut()
            .filter(|ours| ours.cseq == cseq && !ours.update);
        let (Some(rseq), Some(ours)) = (rseq, ours) else {
            return;
        };
        if ours.rseq.is_some_and(|last| rseq != last + 1) {
            return;
        }
        ours.rseq = Some(rseq);
        let sdp = read::description(headers, &response.body);
        if ours.early.is_none() {
            ours.early = sdp;
        }
        let Some(mut prack) = self.within(call, Method::Prack) else {
            return;
        };
        prack.headers.push("RAck", rack(rseq, cseq));
        self.dispatch(call, prack, Purpose::Prack(call.id));
    }

    fn changed(&mut self, call: &mut Call, ours: Ours, response: &Response) {
        let sdp = ours
            .early
            .or_else(|| read::description(&response.headers, &response.body));
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
                call.tries = ours.retries + 1;
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
            return self.abandon(call, ending, false);
        }
        if status.0 == 408 {
            let ending = Ending::new(Cause::PeerVanished, By::System).with(status);
            return self.abandon(call, ending, true);
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
        let Some(mut call) = self.calls.remove(id) else {
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

    pub(in crate::agent::session) fn after_glare(&mut self, call: &mut Call) {
        self.next_change(call);
        // Still in the way: look again soon.
        if call.wanted.is_some() {
            self.wire
                .timers
                .set(call.id, Alarm::Glare, self.wire.now + Millis(1_000));
        }
    }
}
