//! What the phone, its shell and a page say to each other.

use clinicall_sip::{Time, agent::Flow};

use crate::{
    bandwidth::Speech,
    quality::{Plan, Report, Sample},
    reason::{Cause, Error, Reason},
};

/// A call of this phone. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    Incoming,
    Outgoing,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The user part of the address: the clinic's own id, or a telephone number.
    pub user: String,
    pub name: Option<String>,
    pub uri: String,
    /// The room of the clinic's that the call leads to.
    pub room: Option<String>,
    /// What the clinic's back end gave along with its invitation: text or JSON of its own.
    pub message: Option<String>,
}

impl Peer {
    /// Somebody who does not say who it is.
    pub(crate) fn nobody() -> Self {
        Self {
            user: String::new(),
            name: None,
            uri: String::new(),
            room: None,
            message: None,
        }
    }
}

/// Which devices a call uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    pub audio: bool,
    pub video: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Muted {
    pub audio: bool,
    pub video: bool,
}

/// How the phone stands with the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Connecting,
    Registered,
    /// The connection was lost; it comes back by itself.
    Reconnecting,
    /// For good: the first connection could not be made, or the server refused us.
    Failed(Reason),
    Disconnected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallState {
    /// We call; the other side does not ring yet.
    Calling,
    /// We call; the other side rings.
    Ringing,
    /// Somebody calls us.
    Incoming,
    /// We accepted; the camera or the caller is not ready yet.
    Answering,
    Connected,
    /// Sound and picture were interrupted; the phone looks for another way.
    Reconnecting,
    Ended,
}

/// How sound and picture get through, as `RTCPeerConnection.connectionState` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathState {
    Connected,
    Disconnected,
    Failed,
}

/// What the browser has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    SocketOpen {
        socket: Flow,
        /// The subprotocol that the server chose.
        protocol: &'a str,
    },
    SocketFrame {
        socket: Flow,
        bytes: &'a [u8],
    },
    /// Closed, or never opened.
    SocketClosed {
        socket: Flow,
    },
    /// The network came back or changed, or the page woke up.
    Online,
    Peer {
        call: CallId,
        news: PeerNews,
    },
    Tick,
}

/// The result of a [`PeerCommand`], or news of a peer connection's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerNews {
    /// The local description that `Offer` or `Answer` asked for; `complete`: all its candidates
    /// are in it.
    Local {
        sdp: String,
        complete: bool,
    },
    /// `section`: the index of the `m=` line; `local`: the description with the candidate in it.
    Candidate {
        section: usize,
        candidate: String,
        local: String,
    },
    GatheringDone {
        local: String,
    },
    /// The devices asked for are ours.
    Captured,
    CaptureFailed(Cause),
    Path(PathState),
    /// Every second, once something is attached.
    Measured(Sample),
    /// A step was refused by the browser.
    Failed {
        message: String,
    },
}

/// What the shell does for the call's peer connection. Commands are carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerCommand {
    /// `bundle`: `max-bundle` (a relay of ours), else the browser's default, `balanced`.
    Create {
        bundle: bool,
    },
    /// Sections for audio and, if wanted, video, sendrecv without a track; then
    /// `setLocalDescription`. `restart`: with new ICE credentials. Result: [`PeerNews::Local`].
    Offer {
        video: bool,
        restart: bool,
    },
    /// Takes the peer's offer and answers it, sendrecv without a track. Result:
    /// [`PeerNews::Local`].
    Answer {
        offer: String,
    },
    SetAnswer {
        answer: String,
    },
    /// More of the peer's candidates, for its first section: RFC 8839 lines without `a=`.
    Candidates(Vec<String>),
    /// Takes back a local offer that the peer did not answer.
    Rollback,
    /// `getUserMedia`, or the stream the page gave. Result: [`PeerNews::Captured`] or
    /// [`PeerNews::CaptureFailed`].
    Capture(Wants),
    /// Puts what was captured onto the wire, as planned.
    Attach(Plan),
    /// Changes what the senders do, without a description.
    Tune(Plan),
    /// Changes how speech is put into packets, and the kbit/s that everything sent may take (`None`: as many as it
    /// likes): the browser goes through an offer and an answer that nobody else sees.
    Frame(Option<Speech>, Option<u32>),
    Mute(Muted),
    /// Closes the connection and lets the devices go.
    Close,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    OpenSocket {
        socket: Flow,
        url: String,
        protocols: &'static [&'static str],
    },
    CloseSocket {
        socket: Flow,
    },
    Send {
        socket: Flow,
        text: String,
    },
    Peer {
        call: CallId,
        command: PeerCommand,
    },
    Event(Event),
    /// The last one said counts; `None`: nothing to wake for.
    WakeAt(Option<Time>),
}

/// What the page hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    State(State),
    Incoming(CallId),
    Ringing(CallId),
    Connected(CallId),
    /// Agreed, and for the first time sound and picture get through.
    Media(CallId),
    /// Its state, its devices or its muting changed.
    Changed(CallId),
    Hangup(CallId, Reason),
    /// The link got better or worse, or what is sent was changed.
    Quality(CallId, Report),
    /// A message of a pipe, as JSON.
    Message(String),
    /// Messages of this pipe were lost.
    Gap(String),
    /// What a [`Phone::ask`](super::Phone::ask) came to: JSON.
    Answered {
        id: u32,
        answer: Result<String, Error>,
    },
    /// The relay lets us not listen to this pipe.
    Refused {
        pipe: String,
        cause: Cause,
    },
}
