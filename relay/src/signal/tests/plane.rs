//! A media plane of paper: descriptions in, descriptions out, and a note of who may be heard.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use clinicall_sip::sdp::Sdp;

use crate::{
    media::{Limits, MemberId, Refusal, RoomId, Wants},
    signal::MediaPlane,
};

#[derive(Debug, Default)]
pub(super) struct Plane(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    last: u64,
    /// Open rooms and who is in them.
    pub rooms: BTreeMap<RoomId, BTreeSet<MemberId>>,
    pub admitted: BTreeSet<MemberId>,
    pub answered: BTreeSet<MemberId>,
    pub muted: BTreeMap<MemberId, (bool, bool)>,
    /// Who asked for a key frame, in order.
    pub key_frames: Vec<MemberId>,
    pub offered: Vec<Wants>,
    pub renegotiated: usize,
    pub limits: BTreeMap<MemberId, Limits>,
}

impl Plane {
    pub fn look(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Everybody who is in an open room.
    pub fn members(&self) -> BTreeSet<MemberId> {
        self.look().rooms.values().flatten().copied().collect()
    }
}

impl State {
    fn join(&mut self, room: RoomId) -> MemberId {
        self.last += 1;
        let member = MemberId(self.last);
        self.rooms
            .get_mut(&room)
            .expect("the room is open")
            .insert(member);
        member
    }
}

/// A description that names its kinds and who wrote it.
pub(super) fn sdp(by: &str, audio: bool, video: bool) -> Sdp {
    let mut text = format!("v=0\r\no={by} 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");
    if audio {
        text.push_str("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n");
    }
    if video {
        text.push_str("m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n");
    }
    Sdp::parse(&text).unwrap()
}

impl MediaPlane for Plane {
    fn open_room(&self) -> RoomId {
        let mut state = self.look();
        state.last += 1;
        let room = RoomId(state.last);
        state.rooms.insert(room, BTreeSet::new());
        room
    }

    fn join_by_offer(&self, room: RoomId, offer: &Sdp) -> Result<(MemberId, Sdp), Refusal> {
        if offer.media.is_empty() {
            return Err(Refusal("nothing is offered".to_owned()));
        }
        let has = |kind| offer.media.iter().any(|section| section.kind() == kind);
        Ok((
            self.look().join(room),
            sdp("relay", has("audio"), has("video")),
        ))
    }

    fn join_by_answer(&self, room: RoomId, wants: Wants) -> Result<(MemberId, Sdp), Refusal> {
        let mut state = self.look();
        state.offered.push(wants);
        Ok((state.join(room), sdp("relay", wants.audio, wants.video)))
    }

    fn answered(&self, member: MemberId, answer: &Sdp) -> Result<(), Refusal> {
        if answer.media.is_empty() {
            return Err(Refusal("nothing is answered".to_owned()));
        }
        assert!(self.look().answered.insert(member), "answered twice");
        Ok(())
    }

    fn renegotiate(&self, _member: MemberId, offer: &Sdp) -> Result<Sdp, Refusal> {
        if offer.media.is_empty() {
            return Err(Refusal("nothing is offered".to_owned()));
        }
        self.look().renegotiated += 1;
        Ok(sdp("relay", true, true))
    }

    fn admit(&self, member: MemberId) {
        self.look().admitted.insert(member);
    }

    fn mute(&self, member: MemberId, audio: bool, video: bool) {
        self.look().muted.insert(member, (audio, video));
    }

    fn limit(&self, member: MemberId, limits: Limits) {
        self.look().limits.insert(member, limits);
    }

    fn request_key_frame(&self, member: MemberId) {
        self.look().key_frames.push(member);
    }

    fn leave(&self, member: MemberId) {
        for members in self.look().rooms.values_mut() {
            members.remove(&member);
        }
    }

    fn close_room(&self, room: RoomId) {
        self.look()
            .rooms
            .remove(&room)
            .expect("the room is closed once");
    }

    fn adopt(&self, _stream: std::net::TcpStream) {}

    fn ports(&self) -> Vec<u16> {
        Vec::new()
    }

    fn is_alive(&self, _within: std::time::Duration) -> bool {
        true
    }

    fn metrics(&self) -> Vec<(&'static str, &'static str, u64)> {
        Vec::new()
    }

    fn stop(&self) {}
}
