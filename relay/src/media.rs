//! Media: ICE-lite, DTLS-SRTP, rooms and forwarding, in workers that own their rooms.
//!
//! This file is the door. Signalling asks for descriptions and tells who may be heard; everything
//! on a packet's way lives behind it, on the workers' threads.

pub mod assign;
pub mod cache;
pub mod codec;
pub mod forward;
pub mod keyframe;
pub mod level;
pub mod member;
pub mod nack;
pub mod negotiated;
pub mod report;
pub mod room;
pub mod rtcp;
pub mod rtp;
pub mod sequence;
pub mod serve;
pub mod slot;
pub mod source;
pub mod time;
pub mod twcc;
pub mod vp8;

use std::{net::IpAddr, sync::mpsc};

use clinicall_sip::sdp::Sdp;

#[derive(Clone, Debug)]
pub struct Config {
    /// Where the workers' UDP sockets bind.
    pub bind: IpAddr,
    /// Worker `n` takes UDP port `port + n`; 0 lets the system choose (tests).
    pub port: u16,
    /// The addresses written as candidates into SDP.
    pub public: Vec<IpAddr>,
    /// The TCP port whose accepted connections reach [`Media::adopt`]; `None`: no ICE-TCP.
    pub tcp_port: Option<u16>,
    /// Candidates offered: false drops UDP from SDP (for tests of the TCP path).
    pub udp: bool,
    /// Threads; 0: one per core.
    pub workers: usize,
}

/// A room on one worker. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u64);

/// A member of a room: one peer connection. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

/// What an offer of ours contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    pub audio: bool,
    pub video: bool,
}

/// Why a description cannot be used; signalling answers 488 with this text as a Warning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// ICE and DTLS are done.
    Connected { member: MemberId },
    /// The path died (consent expired, DTLS failed or closed). The member is still there.
    Lost { member: MemberId, why: String },
}

/// A handle on the workers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Media {}

impl Media {
    /// Binds the sockets and starts the workers.
    pub fn start(_config: Config) -> std::io::Result<(Self, mpsc::Receiver<Event>)> {
        todo!()
    }
    /// Places a new room on the least loaded worker.
    #[must_use]
    pub fn open_room(&self) -> RoomId {
        todo!()
    }
    /// A member joins by its own offer; the answer is ready at once. Nothing of the member's media
    /// is forwarded, and nothing is forwarded to it, before [`Media::admit`].
    pub fn join_by_offer(&self, _room: RoomId, _offer: &Sdp) -> Result<(MemberId, Sdp), Refusal> {
        todo!()
    }
    /// A member joins by an offer of ours.
    pub fn join_by_answer(&self, _room: RoomId, _wants: Wants) -> Result<(MemberId, Sdp), Refusal> {
        todo!()
    }
    /// The answer to [`Media::join_by_answer`]'s offer.
    pub fn answered(&self, _member: MemberId, _answer: &Sdp) -> Result<(), Refusal> {
        todo!()
    }
    /// The member offers a change (hold, ICE restart, video added): the answer.
    pub fn renegotiate(&self, _member: MemberId, _offer: &Sdp) -> Result<Sdp, Refusal> {
        todo!()
    }
    /// From now on the member hears and is heard.
    pub fn admit(&self, _member: MemberId) {
        todo!()
    }
    pub fn leave(&self, _member: MemberId) {
        todo!()
    }
    /// Every member leaves and the room is gone.
    pub fn close_room(&self, _room: RoomId) {
        todo!()
    }
    /// An accepted TCP connection whose first bytes are not HTTP or TLS: RFC 4571 frames.
    pub fn adopt(&self, _stream: std::net::TcpStream) {
        todo!()
    }
    /// Counters for `/metrics`: name, help, value.
    #[must_use]
    pub fn metrics(&self) -> Vec<(&'static str, &'static str, u64)> {
        todo!()
    }
    /// Stops the workers and waits for them.
    pub fn stop(&self) {
        todo!()
    }
}
