//! One call, from the wish or the INVITE to its end.
//!
//! ```text
//!  call() ─► Preparing ─INVITE─► Calling ─200─┐
//!                                             ├─► Talking ─► Over
//!  INVITE ─► Ringing ─accept()─► Answering ───┘        (Over from anywhere)
//! ```
//!
//! Towards a relay of ours the description leaves as soon as the browser wrote it, and a callee
//! answers in a provisional response, so that ICE and DTLS finish while it rings. Towards a
//! foreign server the camera comes first (only then do browsers tell real addresses), then a
//! bounded wait for candidates, and a callee answers in the 200.

use std::collections::VecDeque;

use clinicall_sip::{
    Headers, Status, Time, Uri,
    agent::{self, Agent, By, Flow, Invite},
    sdp::Sdp,
};

use super::{
    CallId, CallState, Direction, Event, Muted, Output, Peer, PeerCommand, PeerNews, Wants,
    gather::Gather, path::Path,
};
use crate::{
    options::Account,
    reason::{Cause, Error, Reason},
    trim::trim_offer,
};

/// The phone's things a call works with.
pub(crate) struct Desk<'a> {
    pub now: Time,
    pub agent: &'a mut Agent,
    pub out: &'a mut VecDeque<Output>,
    pub account: &'a Account,
    pub flow: Option<Flow>,
}

impl Desk<'_> {
    fn browser(&mut self, call: CallId, command: PeerCommand) {
        self.out.push_back(Output::Peer { call, command });
    }
    fn tell(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }
}

#[derive(Debug)]
pub(crate) struct Call {
    pub id: CallId,
    pub direction: Direction,
    pub peer: Peer,
    /// Whether pictures are part of the call.
    pub video: bool,
    pub muted: Muted,
    /// The server is a relay of ours.
    ours: bool,
    wants: Wants,
    capture: Capture,
    path: Path,
    stage: Stage,
}

/// Microphone and camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Capture {
    NotAsked,
    Asked(Wants),
    Granted,
}

#[derive(Debug)]
enum Stage {
    Preparing {
        to: Uri,
        draft: Draft,
    },
    Calling {
        leg: agent::CallId,
        rung: bool,
    },
    Ringing {
        leg: agent::CallId,
        reply: Reply,
    },
    Answering {
        leg: agent::CallId,
        reply: Reply,
    },
    Talking {
        leg: agent::CallId,
        exchange: Exchange,
    },
    Over,
}

/// A local description in the making.
#[derive(Debug)]
enum Draft {
    /// The camera comes first.
    Camera,
    /// The browser writes it.
    Browser,
    /// Written; candidates are still coming.
    Candidates(Gather),
}

/// Our answer to an incoming call.
#[derive(Debug)]
enum Reply {
    /// Begins when the call is accepted. `offer` is the peer's, if the INVITE had one.
    Later {
        offer: Option<String>,
    },
    Draft(Draft),
    /// Waits for the camera, then goes into the 200.
    Ready(String),
    /// Given in a provisional response.
    Told,
    /// The 200 is out.
    Sent,
}

/// A change of an established session.
#[derive(Debug)]
enum Exchange {
    Quiet,
    /// We make an offer.
    Offering(Draft),
    /// Our offer is with the peer.
    Offered,
    /// We make an answer to the peer's offer.
    Answering(Draft),
}

impl Call {
    // --- beginnings --------------------------------------------------------------------------

    pub fn place(desk: &mut Desk<'_>, id: CallId, to: Uri, wants: Wants, ours: bool) -> Self {
        let peer = Peer {
            user: to.user.clone(),
            name: None,
            uri: to.to_string(),
        };
        let mut call = Self {
            id,
            direction: Direction::Outgoing,
            peer,
            video: wants.video,
            muted: Muted::default(),
            ours,
            wants,
            capture: Capture::NotAsked,
            path: Path::default(),
            stage: Stage::Preparing {
                to,
                draft: Draft::Camera,
            },
        };
        desk.browser(id, PeerCommand::Create { bundle: ours });
        if ours {
            call.offer(desk);
        }
        call.ask_for_devices(desk);
        call
    }

    pub fn ring(
        desk: &mut Desk<'_>,
        id: CallId,
        leg: agent::CallId,
        peer: Peer,
        offer: Option<String>,
        ours: bool,
    ) -> Self {
        let video = offer.as_deref().is_some_and(offers_video);
        let mut call = Self {
            id,
            direction: Direction::Incoming,
            peer,
            video,
            muted: Muted::default(),
            ours,
            wants: Wants::default(),
            capture: Capture::NotAsked,
            path: Path::default(),
            stage: Stage::Over,
        };
        let reply = match offer {
            // the answer's provisional response says that it rings, too
            Some(offer) if ours => {
                desk.browser(id, PeerCommand::Create { bundle: true });
                call.answer(desk, offer)
            }
            offer => {
                // refused: the caller has gone already, and `Ended` is on the way
                let _ = desk
                    .agent
                    .progress(desk.now, leg, Status(180), None, Headers::new());
                Reply::Later { offer }
            }
        };
        call.stage = Stage::Ringing { leg, reply };
        desk.tell(Event::Incoming(id));
        call
    }

    // --- wishes ------------------------------------------------------------------------------

    pub fn accept(&mut self, desk: &mut Desk<'_>, wants: Wants) -> Result<(), Error> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let Stage::Ringing { leg, reply } = stage else {
            self.stage = stage;
            return Err(Error::of(Cause::WrongState));
        };
        self.wants = Wants {
            video: wants.video && self.may_show(&reply),
            ..wants
        };
        if matches!(reply, Reply::Later { .. }) {
            desk.browser(self.id, PeerCommand::Create { bundle: self.ours });
        }
        self.stage = Stage::Answering { leg, reply };
        self.ask_for_devices(desk);
        Ok(())
    }

    /// Our camera is of use when the caller offered a video section, or left the offer to us.
    fn may_show(&self, reply: &Reply) -> bool {
        self.video || matches!(reply, Reply::Later { offer: None })
    }

    pub fn reject(&mut self, desk: &mut Desk<'_>, status: Status) -> Result<(), Error> {
        let Stage::Ringing { leg, .. } = self.stage else {
            return Err(Error::of(Cause::WrongState));
        };
        desk.agent.reject(desk.now, leg, status, Headers::new())?;
        let mut reason = Reason::of(Cause::Sip(agent::Cause::Rejected), By::Local);
        reason.status = Some(status.0);
        self.over(desk, reason);
        Ok(())
    }

    pub fn hang_up(&mut self, desk: &mut Desk<'_>) {
        let cause = match self.stage {
            Stage::Over => return,
            Stage::Talking { .. } => agent::Cause::Hangup,
            Stage::Preparing { .. } | Stage::Calling { .. } => agent::Cause::Canceled,
            Stage::Ringing { .. } | Stage::Answering { .. } => agent::Cause::Rejected,
        };
        self.end(desk, Reason::of(Cause::Sip(cause), By::Local));
    }

    pub fn mute(&mut self, desk: &mut Desk<'_>, muted: Muted) {
        if self.muted != muted {
            self.muted = muted;
            desk.browser(self.id, PeerCommand::Mute(muted));
            desk.tell(Event::Changed(self.id));
        }
    }

    // --- news from the browser ---------------------------------------------------------------

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
                if self.state() != was {
                    desk.tell(Event::Changed(self.id));
                }
            }
            PeerNews::Failed { message } => self.browser_failed(desk, &message),
        }
    }

    fn described(&mut self, desk: &mut Desk<'_>, sdp: String, complete: bool) {
        let (now, at_once) = (desk.now, self.ours || complete);
        match self.draft_mut() {
            Some(Draft::Browser) if at_once => self.drafted(desk, sdp),
            Some(draft @ Draft::Browser) => *draft = Draft::Candidates(Gather::new(now, sdp)),
            _ => {}
        }
    }

    fn draft_mut(&mut self) -> Option<&mut Draft> {
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
    fn drafted(&mut self, desk: &mut Desk<'_>, written: String) {
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
        if offering && self.ours {
            trim_offer(&mut sdp);
        }
        desk.account.bandwidth.limit(&mut sdp);
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
                    // while the person looks at the camera prompt the media path gets ready
                    *reply = Reply::Told;
                    desk.agent
                        .progress(desk.now, leg, Status(180), Some(text), Headers::new())
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
            Stage::Calling { .. } | Stage::Over => return,
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

    fn invite(&mut self, desk: &mut Desk<'_>, to: Uri, offer: String) {
        let invite = Invite {
            to,
            target: None,
            from: desk.account.aor.clone(),
            from_name: desk.account.name.clone(),
            offer: Some(offer),
            headers: Headers::new(),
            credentials: Some(desk.account.credentials.clone()),
        };
        let placed = desk
            .flow
            .map(|flow| desk.agent.invite(desk.now, flow, invite))
            .and_then(Result::ok);
        match placed {
            Some(leg) => self.stage = Stage::Calling { leg, rung: false },
            None => {
                let cause = Cause::Sip(agent::Cause::ConnectionLost);
                self.over(desk, Reason::of(cause, By::System));
            }
        }
    }

    fn answer_if_ready(&mut self, desk: &mut Desk<'_>) {
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

    fn ask_for_devices(&mut self, desk: &mut Desk<'_>) {
        if self.wants.audio || self.wants.video {
            self.capture = Capture::Asked(self.wants);
            desk.browser(self.id, PeerCommand::Capture(self.wants));
        } else {
            self.captured(desk);
        }
    }

    fn captured(&mut self, desk: &mut Desk<'_>) {
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
    fn not_captured(&mut self, desk: &mut Desk<'_>, cause: Cause) {
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
    fn attach(&mut self, desk: &mut Desk<'_>) {
        if self.capture == Capture::Granted {
            desk.browser(self.id, PeerCommand::Mute(self.muted));
            desk.browser(self.id, PeerCommand::Attach(desk.account.bandwidth));
        }
    }

    // --- descriptions ------------------------------------------------------------------------

    /// Asks the browser for an offer and sets the stage's draft accordingly.
    fn offer(&mut self, desk: &mut Desk<'_>) {
        let restart = matches!(self.stage, Stage::Talking { .. }) && !self.path.is_up();
        if let Stage::Preparing { draft, .. } = &mut self.stage {
            *draft = Draft::Browser;
        }
        let video = self.video || self.wants.video;
        desk.browser(self.id, PeerCommand::Offer { video, restart });
    }

    fn answer(&mut self, desk: &mut Desk<'_>, offer: String) -> Reply {
        let sdp = limited(desk, offer);
        desk.browser(self.id, PeerCommand::Answer { offer: sdp });
        Reply::Draft(Draft::Browser)
    }

    fn remote_answer(&mut self, desk: &mut Desk<'_>, answer: String) {
        let sdp = limited(desk, answer);
        desk.browser(self.id, PeerCommand::SetAnswer { answer: sdp });
    }

    // --- news from the agent -----------------------------------------------------------------

    pub fn progressed(&mut self, desk: &mut Desk<'_>, status: Status, answer: Option<String>) {
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

    pub fn established(&mut self, desk: &mut Desk<'_>, answer: Option<String>) {
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
        desk.tell(Event::Connected(self.id));
    }

    /// An answer to an offer in our provisional response.
    pub fn early_answer(&mut self, desk: &mut Desk<'_>, answer: String) {
        self.remote_answer(desk, answer);
    }

    pub fn change(&mut self, desk: &mut Desk<'_>, leg: agent::CallId, offer: Option<String>) {
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

    pub fn changed(&mut self, desk: &mut Desk<'_>, result: Result<Option<String>, Status>) {
        let Stage::Talking { exchange, .. } = &mut self.stage else {
            return;
        };
        let ours = matches!(exchange, Exchange::Offered);
        if ours {
            *exchange = Exchange::Quiet;
        }
        match result {
            Ok(Some(answer)) => self.remote_answer(desk, answer),
            Ok(None) => {}
            Err(_) if ours => desk.browser(self.id, PeerCommand::Rollback),
            Err(_) => {}
        }
    }

    /// The socket was replaced. A re-INVITE tells a relay of ours where we are now; a foreign
    /// server is left alone as long as sound and picture flow.
    pub fn moved(&mut self, desk: &mut Desk<'_>) {
        if self.ours || !self.path.is_up() {
            self.reoffer(desk);
        }
    }

    fn reoffer(&mut self, desk: &mut Desk<'_>) {
        if let Stage::Talking {
            exchange: exchange @ Exchange::Quiet,
            ..
        } = &mut self.stage
            && desk.flow.is_some()
        {
            *exchange = Exchange::Offering(Draft::Browser);
            self.offer(desk);
        }
    }

    fn browser_failed(&mut self, desk: &mut Desk<'_>, message: &str) {
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
        draft.into_iter().chain(path).min()
    }

    pub fn tick(&mut self, desk: &mut Desk<'_>) {
        let now = desk.now;
        if let Some(draft) = self.draft_mut()
            && matches!(draft, Draft::Candidates(gather) if now >= gather.until())
            && let Draft::Candidates(gather) = std::mem::replace(draft, Draft::Browser)
        {
            self.drafted(desk, gather.into_local());
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

    // --- endings -----------------------------------------------------------------------------

    /// Ends the call on the wire as well.
    pub fn end(&mut self, desk: &mut Desk<'_>, reason: Reason) {
        // refused: it ended on the wire in this very moment
        let _ = match self.stage {
            Stage::Preparing { .. } | Stage::Over => Ok(()),
            Stage::Ringing { leg, .. }
            | Stage::Answering {
                leg,
                reply: Reply::Sent,
            } => desk.agent.hangup(desk.now, leg, None),
            Stage::Answering { leg, .. } => {
                let status = if reason.by == By::Local { 603 } else { 480 };
                desk.agent
                    .reject(desk.now, leg, Status(status), Headers::new())
            }
            Stage::Calling { leg, .. } | Stage::Talking { leg, .. } => {
                desk.agent.hangup(desk.now, leg, None)
            }
        };
        self.over(desk, reason);
    }

    pub fn over(&mut self, desk: &mut Desk<'_>, reason: Reason) {
        if !self.is_over() {
            self.stage = Stage::Over;
            desk.browser(self.id, PeerCommand::Close);
            desk.tell(Event::Hangup(self.id, reason));
        }
    }

    // --- questions ---------------------------------------------------------------------------

    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    pub fn leg(&self) -> Option<agent::CallId> {
        match self.stage {
            Stage::Preparing { .. } | Stage::Over => None,
            Stage::Calling { leg, .. }
            | Stage::Ringing { leg, .. }
            | Stage::Answering { leg, .. }
            | Stage::Talking { leg, .. } => Some(leg),
        }
    }

    pub fn state(&self) -> CallState {
        match self.stage {
            Stage::Preparing { .. } | Stage::Calling { rung: false, .. } => CallState::Calling,
            Stage::Calling { rung: true, .. } => CallState::Ringing,
            Stage::Ringing { .. } => CallState::Incoming,
            Stage::Answering { .. } => CallState::Answering,
            Stage::Talking { .. } if self.path.is_lost() => CallState::Reconnecting,
            Stage::Talking { .. } => CallState::Connected,
            Stage::Over => CallState::Ended,
        }
    }
}

/// The peer's description as the browser gets it: with our limits for what we send.
fn limited(desk: &Desk<'_>, text: String) -> String {
    match Sdp::parse(&text) {
        Ok(mut sdp) => {
            desk.account.bandwidth.limit(&mut sdp);
            sdp.to_string()
        }
        // the browser will say what is wrong with it
        Err(_) => text,
    }
}

/// A section on port 0 was refused, unless it rides on another's transport (RFC 9143 section 6).
fn offers_video(offer: &str) -> bool {
    Sdp::parse(offer).is_ok_and(|sdp| {
        let mut videos = sdp.media.iter().filter(|section| section.kind() == "video");
        videos.any(|video| video.port() != 0 || video.attribute("bundle-only").is_some())
    })
}
