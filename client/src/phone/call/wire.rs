//! What the other side says through the agent, and what time brings.

use clinicall_sip::{
    Status, Time,
    agent::{self, By},
};

use super::{
    super::{PeerCommand, link::Hint},
    Call, Desk, Draft, Event, Exchange, Reply, Stage,
};
use crate::reason::{Cause, Reason};

impl Call {
    /// What became of the agent's side of this call.
    pub fn hear(&mut self, desk: &mut Desk<'_>, leg: agent::CallId, event: agent::Event) {
        use agent::Event as Sip;
        match event {
            Sip::Progress { status, answer, .. } => self.progressed(desk, status, answer),
            Sip::Established { answer, .. } => self.established(desk, answer),
            // an answer to an offer in our provisional response
            Sip::EarlyAnswer { answer, .. } => self.remote_answer(desk, answer),
            Sip::Change { offer, .. } => self.change(desk, leg, offer),
            Sip::Changed { result, .. } => self.changed(desk, result),
            Sip::Ended { ending, .. } => self.ended(desk, ending),
            _ => {}
        }
    }

    fn progressed(&mut self, desk: &mut Desk<'_>, status: Status, answer: Option<String>) {
        let Stage::Calling { rung, .. } = &mut self.stage else {
            return;
        };
        let rings = status.0 == 180 && !std::mem::replace(rung, *rung || status.0 == 180);
        if let Some(answer) = answer {
            self.remote_answer(desk, answer);
        }
        if rings {
            desk.tell(Event::Ringing(self.id));
        }
    }

    fn established(&mut self, desk: &mut Desk<'_>, answer: Option<String>) {
        let calling = matches!(self.stage, Stage::Calling { .. });
        let (Stage::Calling { leg, .. } | Stage::Answering { leg, .. }) = self.stage else {
            return;
        };
        self.stage = Stage::Talking {
            leg,
            exchange: Exchange::Quiet,
        };
        if let Some(answer) = answer {
            self.remote_answer(desk, answer);
        }
        if calling {
            self.attach(desk);
        }
        self.tell_limits(desk);
        if self.lost.is_none() {
            desk.tell(Event::Connected(self.id));
        }
        self.found(desk.now);
        self.tell_of_media(desk);
    }

    /// Once: the path may be up long before the call is accepted, or come up behind it.
    pub(super) fn tell_of_media(&mut self, desk: &mut Desk<'_>) {
        if !self.has_media() {
            return;
        }
        let back = self.lost.take().is_some();
        if !std::mem::replace(&mut self.media_told, true) {
            desk.tell(Event::Media(self.id));
        } else if back {
            desk.tell(Event::Changed(self.id));
        }
    }

    fn change(&mut self, desk: &mut Desk<'_>, leg: agent::CallId, offer: Option<String>) {
        if let Stage::Talking {
            exchange: exchange @ Exchange::Quiet,
            ..
        } = &mut self.stage
        {
            *exchange = Exchange::Answering(Draft::Browser);
            match offer {
                Some(offer) => drop(self.answer(desk, offer)),
                None => self.offer(desk),
            }
            return;
        }
        // our own offer is in the making (RFC 3261 section 14.2)
        let _ = desk.agent.refuse_change(desk.now, leg, Status(491));
    }

    fn changed(&mut self, desk: &mut Desk<'_>, result: Result<Option<String>, Status>) {
        let Stage::Talking { exchange, .. } = &mut self.stage else {
            return;
        };
        let ours = matches!(exchange, Exchange::Offered);
        if ours {
            *exchange = Exchange::Quiet;
        }
        match result {
            Ok(Some(answer)) => {
                self.remote_answer(desk, answer);
                if ours && let Some(hint) = self.rerouted.take() {
                    let report = self.quality.moved(hint == Hint::Network);
                    self.follow(desk, report);
                }
            }
            Ok(None) => {}
            Err(_) if ours => {
                // the path's timer tries again, once the browser has noticed
                self.rerouted = None;
                desk.browser(self.id, PeerCommand::Rollback);
            }
            Err(_) => {}
        }
    }

    /// The socket was replaced, and this is why. When the network has changed sound and picture need another way, too,
    /// even if the browser has not noticed yet (Chromium takes five seconds). Where they flow, a relay of ours gets a
    /// few bytes that tell it where we are, and whether it still knows the call tells us; a foreign server is left
    /// alone.
    pub fn moved(&mut self, desk: &mut Desk<'_>, rerouted: Option<Hint>) {
        if matches!(self.stage, Stage::Lost) {
            return self.resume(desk);
        }
        if matches!(self.stage, Stage::Talking { .. }) {
            self.rerouted = self.rerouted.max(rerouted);
        }
        if self.needs_way() {
            return self.reoffer(desk);
        }
        if self.ours
            && let Stage::Talking { leg, .. } = self.stage
        {
            // refused: it ended in this very moment
            let _ = desk.agent.refresh(desk.now, leg);
        }
    }

    pub(super) fn reoffer(&mut self, desk: &mut Desk<'_>) {
        if let Stage::Talking {
            exchange: exchange @ Exchange::Quiet,
            ..
        } = &mut self.stage
            && desk.flow.is_some()
        {
            *exchange = Exchange::Offering(Draft::Browser);
            self.path.tried(desk.now);
            self.offer(desk);
        }
    }

    pub(super) fn browser_failed(&mut self, desk: &mut Desk<'_>, message: &str) {
        if let Stage::Talking { leg, exchange } = &mut self.stage {
            let leg = *leg;
            match std::mem::replace(exchange, Exchange::Quiet) {
                Exchange::Answering(_) => {
                    let _ = desk.agent.refuse_change(desk.now, leg, Status(488));
                    return;
                }
                // the path's timer tries again
                Exchange::Offering(_) => return desk.browser(self.id, PeerCommand::Rollback),
                Exchange::Quiet | Exchange::Offered => {}
            }
        }
        let mut reason = Reason::of(Cause::BrowserFailed, By::System);
        reason.text = [reason.text.as_str(), " (", message, ")"].concat();
        self.end(desk, reason);
    }

    // --- time --------------------------------------------------------------------------------

    pub fn wake(&self) -> Option<Time> {
        let draft = match &self.stage {
            Stage::Preparing { draft, .. }
            | Stage::Ringing {
                reply: Reply::Draft(draft),
                ..
            }
            | Stage::Answering {
                reply: Reply::Draft(draft),
                ..
            }
            | Stage::Talking {
                exchange: Exchange::Offering(draft) | Exchange::Answering(draft),
                ..
            } => match draft {
                Draft::Candidates(gather) => Some(gather.until()),
                Draft::Camera | Draft::Browser => None,
            },
            _ => None,
        };
        let path = match self.stage {
            Stage::Talking { .. } => self.path.wake(),
            _ => None,
        };
        let held = self.held.until();
        let waits = matches!(self.stage, Stage::Lost);
        let lost = self.lost.as_ref().map(|lost| lost.wake(waits));
        draft.into_iter().chain(path).chain(held).chain(lost).min()
    }

    pub fn tick(&mut self, desk: &mut Desk<'_>) {
        let now = desk.now;
        if let Some(draft) = self.draft_mut()
            && matches!(draft, Draft::Candidates(gather) if now >= gather.until())
            && let Draft::Candidates(gather) = std::mem::replace(draft, Draft::Browser)
        {
            self.drafted(desk, gather.into_local());
        }
        self.tick_lost(desk);
        if self.is_over() {
            return;
        }
        let candidates = self.held.due(now, self.path.is_up());
        if !candidates.is_empty() {
            desk.browser(self.id, PeerCommand::Candidates(candidates));
        }
        if matches!(self.stage, Stage::Talking { .. }) {
            if self.path.is_given_up(now) {
                self.end(desk, Reason::of(Cause::MediaLost, By::System));
            } else if self.path.is_due(now) {
                self.path.tried(now);
                self.reoffer(desk);
            }
        }
    }
}
