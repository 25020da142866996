//! What the browser says, and what a call has it do: descriptions, microphone and camera.

use clinicall_sip::{
    Headers, Status, Time, Uri,
    agent::{self, By, Invite},
    sdp::Sdp,
};

use super::{
    super::{PeerCommand, PeerNews, Wants, gather::Gather},
    Call, Capture, Desk, Draft, Event, Exchange, Reply, Stage,
};
use crate::{
    bandwidth::Speech,
    reason::{Cause, Reason},
    trim::{trim_description, trim_offer, trim_offered},
};

impl Call {
    pub fn peer_news(&mut self, desk: &mut Desk<'_>, news: PeerNews) {
        match news {
            PeerNews::Local { sdp, complete } => self.described(desk, sdp, complete),
            PeerNews::Candidate {
                section,
                candidate,
                local,
            } => {
                let now = desk.now;
                if let Some(Draft::Candidates(gather)) = self.draft_mut() {
                    gather.found(now, section, &candidate, local);
                }
            }
            PeerNews::GatheringDone { local } => {
                if let Some(Draft::Candidates(_)) = self.draft_mut() {
                    self.drafted(desk, local);
                }
            }
            PeerNews::Captured => self.captured(desk),
            PeerNews::CaptureFailed(cause) => self.not_captured(desk, cause),
            PeerNews::Path(state) => {
                let was = self.state();
                self.path.news(desk.now, state);
                if self.path.is_up() {
                    self.quality.path_found();
                } else {
                    self.quality.path_lost();
                }
                if self.state() != was {
                    desk.tell(Event::Changed(self.id));
                }
                self.tell_of_media(desk);
            }
            PeerNews::Measured(sample) => self.measured(desk, sample),
            PeerNews::Failed { message } => self.browser_failed(desk, &message),
        }
    }

    pub(super) fn described(&mut self, desk: &mut Desk<'_>, sdp: String, complete: bool) {
        let (now, at_once) = (desk.now, self.ours || complete);
        match self.draft_mut() {
            Some(Draft::Browser) if at_once => self.drafted(desk, sdp),
            Some(draft @ Draft::Browser) => *draft = Draft::Candidates(Gather::new(now, sdp)),
            _ => {}
        }
    }

    pub(super) fn draft_mut(&mut self) -> Option<&mut Draft> {
        match &mut self.stage {
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
            } => Some(draft),
            _ => None,
        }
    }

    /// Our description is complete: say it to the peer.
    pub(super) fn drafted(&mut self, desk: &mut Desk<'_>, written: String) {
        let offering = matches!(
            self.stage,
            Stage::Preparing { .. }
                | Stage::Talking {
                    exchange: Exchange::Offering(_),
                    ..
                }
        );
        let Ok(mut sdp) = Sdp::parse(&written) else {
            return self.end(desk, Reason::of(Cause::BrowserFailed, By::System));
        };
        match (self.ours, offering) {
            (true, true) => trim_offer(&mut sdp, self.quality.ours().is_narrow()),
            (true, false) => trim_description(&mut sdp),
            (false, _) => {}
        }
        self.understands_red(0, &sdp);
        self.quality.ours().limit(&mut sdp);
        let text = sdp.to_string();

        let said = match &mut self.stage {
            Stage::Preparing { to, .. } => {
                let to = to.clone();
                return self.invite(desk, to, text);
            }
            Stage::Ringing { leg, reply } => {
                let leg = *leg;
                *reply = Reply::Told;
                desk.agent
                    .progress(desk.now, leg, Status(180), Some(text), Headers::new())
            }
            Stage::Answering { leg, reply } => {
                let leg = *leg;
                if self.ours && self.capture != Capture::Granted {
                    // while the person looks at the camera prompt the media path gets ready; the
                    // 200 may follow at any moment and is not to wait for a PRACK
                    *reply = Reply::Told;
                    desk.agent
                        .preview(desk.now, leg, Status(180), text, Headers::new())
                } else {
                    *reply = Reply::Ready(text);
                    return self.answer_if_ready(desk);
                }
            }
            Stage::Talking { leg, exchange } => {
                let leg = *leg;
                if offering {
                    *exchange = Exchange::Offered;
                    desk.agent.change(desk.now, leg, text)
                } else {
                    *exchange = Exchange::Quiet;
                    desk.agent.answer_change(desk.now, leg, text)
                }
            }
            Stage::Calling { .. } | Stage::Lost | Stage::Over => return,
        };
        if said.is_err()
            && let Stage::Talking { exchange, .. } = &mut self.stage
        {
            // the session changed under us; the path's timer tries again when it matters
            *exchange = Exchange::Quiet;
            if offering {
                desk.browser(self.id, PeerCommand::Rollback);
            }
        }
    }

    pub(super) fn invite(&mut self, desk: &mut Desk<'_>, to: Uri, offer: String) {
        let invite = Invite {
            to,
            target: None,
            from: desk.account.aor.clone(),
            from_name: desk.account.name.clone(),
            offer: Some(offer),
            headers: self.resume_header(),
            credentials: desk.account.credentials.clone(),
        };
        let placed = desk
            .flow
            // not ahead of the login on a new socket
            .filter(|_| self.lost.is_none() || desk.registered)
            .map(|flow| desk.agent.invite(desk.now, flow, invite))
            .and_then(Result::ok);
        match placed {
            Some(leg) => self.stage = Stage::Calling { leg, rung: false },
            None if self.lost.is_some() => self.waits(desk),
            None => {
                let cause = Cause::Sip(agent::Cause::ConnectionLost);
                self.over(desk, Reason::of(cause, By::System));
            }
        }
    }

    pub(super) fn answer_if_ready(&mut self, desk: &mut Desk<'_>) {
        let Stage::Answering { leg, reply } = &mut self.stage else {
            return;
        };
        if self.capture != Capture::Granted {
            return;
        }
        let sdp = match std::mem::replace(reply, Reply::Sent) {
            Reply::Ready(sdp) => Some(sdp),
            Reply::Told => None,
            unready => {
                *reply = unready;
                return;
            }
        };
        let leg = *leg;
        if desk
            .agent
            .accept(desk.now, leg, sdp, Headers::new())
            .is_ok()
        {
            self.attach(desk);
        }
        // refused: the caller was faster to hang up, and its `Ended` is on the way
    }

    // --- microphone and camera ---------------------------------------------------------------

    pub(super) fn ask_for_devices(&mut self, desk: &mut Desk<'_>) {
        if self.wants.audio || self.wants.video {
            self.capture = Capture::Asked(self.wants);
            desk.browser(self.id, PeerCommand::Capture(self.wants));
        } else {
            self.captured(desk);
        }
    }

    pub(super) fn captured(&mut self, desk: &mut Desk<'_>) {
        self.capture = Capture::Granted;
        match &mut self.stage {
            Stage::Preparing {
                draft: Draft::Camera,
                ..
            } => self.offer(desk),
            Stage::Answering {
                reply: reply @ Reply::Later { .. },
                ..
            } => {
                let Reply::Later { offer } = std::mem::replace(reply, Reply::Draft(Draft::Browser))
                else {
                    return;
                };
                match offer {
                    Some(offer) => drop(self.answer(desk, offer)),
                    None => self.offer(desk),
                }
            }
            Stage::Answering { .. } => self.answer_if_ready(desk),
            Stage::Talking { .. } => self.attach(desk),
            _ => {}
        }
        desk.tell(Event::Changed(self.id));
    }

    /// Without a camera one can still talk; without a microphone there is no call.
    pub(super) fn not_captured(&mut self, desk: &mut Desk<'_>, cause: Cause) {
        match self.capture {
            Capture::Asked(Wants {
                audio: true,
                video: true,
            }) => {
                self.wants.video = false;
                self.ask_for_devices(desk);
            }
            Capture::Asked(_) => self.end(desk, Reason::of(cause, By::System)),
            Capture::NotAsked | Capture::Granted => {}
        }
    }

    /// From here on the person is seen and heard. Never before the call was accepted.
    pub(super) fn attach(&mut self, desk: &mut Desk<'_>) {
        if self.capture == Capture::Granted {
            desk.browser(self.id, PeerCommand::Mute(self.muted));
            let plan = self.quality.plan();
            self.tuned = Some(plan);
            desk.browser(self.id, PeerCommand::Attach(plan));
        }
    }

    // --- descriptions ------------------------------------------------------------------------

    /// Asks the browser for an offer and sets the stage's draft accordingly.
    pub(super) fn offer(&mut self, desk: &mut Desk<'_>) {
        let restart = matches!(self.stage, Stage::Talking { .. }) && self.needs_way();
        if let Stage::Preparing { draft, .. } = &mut self.stage {
            *draft = Draft::Browser;
        }
        let video = self.video || self.wants.video;
        desk.browser(self.id, PeerCommand::Offer { video, restart });
    }

    pub(super) fn answer(&mut self, desk: &mut Desk<'_>, offer: String) -> Reply {
        let sdp = self.limited(desk.now, offer, true);
        desk.browser(self.id, PeerCommand::Answer { offer: sdp });
        Reply::Draft(Draft::Browser)
    }

    pub(super) fn remote_answer(&mut self, desk: &mut Desk<'_>, answer: String) {
        let sdp = self.limited(desk.now, answer, false);
        desk.browser(self.id, PeerCommand::SetAnswer { answer: sdp });
    }

    /// The peer's description as the browser gets it: with both sides' limits for what we send.
    fn limited(&mut self, now: Time, text: String, offered: bool) -> String {
        let Ok(mut sdp) = Sdp::parse(&text) else {
            // the browser will say what is wrong with it
            return text;
        };
        self.quality.set_v6(is_v6(&sdp));
        let limits = self.quality.limits();
        (self.framing, self.ceiling) = (limits.speech().map(Speech::framing), limits.ceiling());
        self.understands_red(1, &sdp);
        if self.ours && offered {
            trim_offered(&mut sdp, self.quality.ours().is_narrow());
        }
        limits.allow(&mut sdp);
        // a browser that does not know yet that its path is dead would say that UDP made it
        if self.ours && !self.path.is_up() {
            self.held.back(now, self.quality.ours(), &mut sdp);
        }
        sdp.to_string()
    }

    /// One side has said what it understands; a description that leaves it out takes it back.
    fn understands_red(&mut self, side: usize, sdp: &Sdp) {
        self.red[side] = has_red(sdp);
        self.quality.set_red(self.red == [true; 2]);
    }
}

/// Redundant speech (RFC 2198) is in the description.
fn has_red(sdp: &Sdp) -> bool {
    let mut speech = sdp.media.iter().filter(|section| section.kind() == "audio");
    speech.any(|section| section.rtpmaps().iter().any(|map| map.is("red")))
}

/// Every candidate of the peer is an IPv6 address.
fn is_v6(sdp: &Sdp) -> bool {
    let mut candidates = sdp.media.iter().flat_map(|section| section.candidates());
    let first = candidates.next();
    first.is_some_and(|first| first.address.contains(':'))
        && candidates.all(|other| other.address.contains(':'))
}
