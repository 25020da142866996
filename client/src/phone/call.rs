//! One call, from the wish or the INVITE to its end.
//!
//! ```text
//!  call() ─► Preparing ─INVITE─► Calling ─200─┐
//!                                             ├─► Talking ─► Over
//!  INVITE ─► Ringing ─accept()─► Answering ───┘        (Over from anywhere)
//!
//!  Talking ─the relay has lost it─► Lost ─► Preparing ─► Calling ─► Talking
//! ```
//!
//! Towards a relay of ours the description leaves as soon as the browser wrote it, and a callee
//! answers in a provisional response, so that ICE and DTLS finish while it rings. Towards a
//! foreign server the camera comes first (only then do browsers tell real addresses), then a
//! bounded wait for candidates, and a callee answers in the 200.

mod browser;
mod held;
mod quality;
mod resume;
mod wire;

pub(super) use quality::{LIMITS, LINK};

use std::collections::VecDeque;

use clinicall_sip::{
    Headers, Status, Time, Uri,
    agent::{self, Agent, By, Flow},
    sdp::Sdp,
};

use super::{
    CallId, CallState, Direction, Event, Muted, Output, Peer, PeerCommand, Wants, gather::Gather,
    link::Hint, path::Path,
};
use crate::{
    bandwidth::Framing,
    options::Account,
    quality::{Plan, Quality},
    reason::{Cause, Error, Reason},
};
use held::Held;
use resume::Lost;

/// The phone's things a call works with.
pub(crate) struct Desk<'a> {
    pub now: Time,
    pub agent: &'a mut Agent,
    pub out: &'a mut VecDeque<Output>,
    pub account: &'a Account,
    pub flow: Option<Flow>,
    /// The server knows us over this socket.
    pub registered: bool,
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
    /// The socket was replaced for that reason, and sound and picture have not followed yet.
    rerouted: Option<Hint>,
    /// The relay has lost the call, and sound is not back yet.
    lost: Option<Lost>,
    held: Held,
    media_told: bool,
    quality: Quality,
    /// The other side was told what we can take.
    told_limits: bool,
    /// What the senders were last told.
    tuned: Option<Plan>,
    /// How speech is put into packets, as the browser was last told.
    framing: Option<Framing>,
    /// The most that a picture may take with its repairs, as the browser was last told, in kbit/s.
    ceiling: Option<u32>,
    /// Our side and the other understand redundant speech.
    red: [bool; 2],
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
    /// The relay has ended, and the call waits for the next.
    Lost,
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

    fn new(desk: &Desk<'_>, id: CallId, direction: Direction, peer: Peer, ours: bool) -> Self {
        Self {
            id,
            direction,
            peer,
            video: false,
            muted: Muted::default(),
            ours,
            wants: Wants::default(),
            capture: Capture::NotAsked,
            path: Path::default(),
            rerouted: None,
            lost: None,
            held: Held::default(),
            media_told: false,
            quality: Quality::new(desk.account.bandwidth),
            told_limits: false,
            tuned: None,
            framing: None,
            ceiling: None,
            red: [false; 2],
            stage: Stage::Over,
        }
    }

    pub fn place(desk: &mut Desk<'_>, id: CallId, to: Uri, wants: Wants, ours: bool) -> Self {
        let peer = Peer {
            user: to.user.clone(),
            name: None,
            uri: to.to_string(),
            room: to.host.starts_with("conference.").then(|| to.user.clone()),
            message: None,
        };
        let mut call = Self {
            video: wants.video,
            wants,
            stage: Stage::Preparing {
                to,
                draft: Draft::Camera,
            },
            ..Self::new(desk, id, Direction::Outgoing, peer, ours)
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
        let mut call = Self {
            video: offer.as_deref().is_some_and(offers_video),
            ..Self::new(desk, id, Direction::Incoming, peer, ours)
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
            _ if self.lost.is_some() => agent::Cause::Hangup,
            Stage::Talking { .. } | Stage::Lost => agent::Cause::Hangup,
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

    // --- endings -----------------------------------------------------------------------------

    /// Ends the call on the wire as well.
    pub fn end(&mut self, desk: &mut Desk<'_>, reason: Reason) {
        // refused: it ended on the wire in this very moment
        let _ = match self.stage {
            Stage::Preparing { .. } | Stage::Lost | Stage::Over => Ok(()),
            // the person declines for all of their devices; a page that goes away only for itself
            Stage::Ringing { leg, .. } | Stage::Answering { leg, .. } if !self.has_answered() => {
                let declined = reason.cause == Cause::Sip(agent::Cause::Rejected);
                let status = Status(if declined { 603 } else { 480 });
                desk.agent.reject(desk.now, leg, status, Headers::new())
            }
            Stage::Calling { leg, .. }
            | Stage::Ringing { leg, .. }
            | Stage::Answering { leg, .. }
            | Stage::Talking { leg, .. } => desk.agent.hangup(desk.now, leg, None),
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

    /// Our 200 is out.
    fn has_answered(&self) -> bool {
        matches!(
            self.stage,
            Stage::Answering {
                reply: Reply::Sent,
                ..
            }
        )
    }

    // --- questions ---------------------------------------------------------------------------

    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    pub fn leg(&self) -> Option<agent::CallId> {
        match self.stage {
            Stage::Preparing { .. } | Stage::Lost | Stage::Over => None,
            Stage::Calling { leg, .. }
            | Stage::Ringing { leg, .. }
            | Stage::Answering { leg, .. }
            | Stage::Talking { leg, .. } => Some(leg),
        }
    }

    /// Sound and picture get through.
    pub fn has_media(&self) -> bool {
        matches!(self.stage, Stage::Talking { .. }) && self.path.is_up()
    }

    /// What ICE found, if anything, is of no use any more.
    fn needs_way(&self) -> bool {
        self.rerouted.is_some() || !self.path.is_up()
    }

    /// A call of ours that nobody has answered yet.
    pub fn is_calling(&self) -> bool {
        matches!(
            self.stage,
            Stage::Preparing { .. } | Stage::Calling { .. } | Stage::Lost
        )
    }

    /// ... to this user.
    pub fn is_to(&self, user: &str) -> bool {
        self.is_calling() && self.peer.user == user && self.peer.room.is_none()
    }

    pub fn state(&self) -> CallState {
        match self.stage {
            Stage::Over => CallState::Ended,
            _ if self.lost.is_some() => CallState::Reconnecting,
            Stage::Preparing { .. } | Stage::Calling { rung: false, .. } => CallState::Calling,
            Stage::Calling { rung: true, .. } => CallState::Ringing,
            Stage::Ringing { .. } => CallState::Incoming,
            Stage::Answering { .. } => CallState::Answering,
            Stage::Talking { .. } if self.path.is_lost() => CallState::Reconnecting,
            Stage::Talking { .. } => CallState::Connected,
            Stage::Lost => CallState::Reconnecting,
        }
    }
}

/// A section on port 0 was refused, unless it rides on another's transport (RFC 9143 section 6).
fn offers_video(offer: &str) -> bool {
    Sdp::parse(offer).is_ok_and(|sdp| {
        let mut videos = sdp.media.iter().filter(|section| section.kind() == "video");
        videos.any(|video| video.port() != 0 || video.attribute("bundle-only").is_some())
    })
}
