//! What signalling asks of the media workers, as a trait: tests put a plane of paper here.

use std::{fmt, time::Duration};

use clinicall_sip::sdp::Sdp;

use crate::media::{Limits, Media, MemberId, Refusal, RoomId, Wants};

/// [`Media`]'s methods, which document themselves there.
pub trait MediaPlane: Send + Sync + fmt::Debug {
    fn open_room(&self) -> RoomId;
    fn join_by_offer(&self, room: RoomId, offer: &Sdp) -> Result<(MemberId, Sdp), Refusal>;
    fn join_by_answer(&self, room: RoomId, wants: Wants) -> Result<(MemberId, Sdp), Refusal>;
    fn answered(&self, member: MemberId, answer: &Sdp) -> Result<(), Refusal>;
    fn renegotiate(&self, member: MemberId, offer: &Sdp) -> Result<Sdp, Refusal>;
    fn admit(&self, member: MemberId);
    fn mute(&self, member: MemberId, audio: bool, video: bool);
    fn limit(&self, member: MemberId, limits: Limits);
    fn request_key_frame(&self, member: MemberId);
    fn talked(&self, _member: MemberId) -> Option<Duration> {
        None
    }
    fn leave(&self, member: MemberId);
    fn close_room(&self, room: RoomId);
    fn adopt(&self, stream: std::net::TcpStream);
    fn ports(&self) -> Vec<u16>;
    fn is_alive(&self, within: Duration) -> bool;
    fn metrics(&self) -> Vec<(&'static str, &'static str, u64)>;
    fn stop(&self);
}

macro_rules! forward {
    ($($name:ident($($arg:ident: $Arg:ty),*) -> $Out:ty;)*) => {
        impl MediaPlane for Media {
            $(fn $name(&self, $($arg: $Arg),*) -> $Out {
                Self::$name(self, $($arg),*)
            })*
        }
    };
}

forward! {
    open_room() -> RoomId;
    join_by_offer(room: RoomId, offer: &Sdp) -> Result<(MemberId, Sdp), Refusal>;
    join_by_answer(room: RoomId, wants: Wants) -> Result<(MemberId, Sdp), Refusal>;
    answered(member: MemberId, answer: &Sdp) -> Result<(), Refusal>;
    renegotiate(member: MemberId, offer: &Sdp) -> Result<Sdp, Refusal>;
    admit(member: MemberId) -> ();
    mute(member: MemberId, audio: bool, video: bool) -> ();
    limit(member: MemberId, limits: Limits) -> ();
    request_key_frame(member: MemberId) -> ();
    talked(member: MemberId) -> Option<Duration>;
    leave(member: MemberId) -> ();
    close_room(room: RoomId) -> ();
    adopt(stream: std::net::TcpStream) -> ();
    ports() -> Vec<u16>;
    is_alive(within: Duration) -> bool;
    metrics() -> Vec<(&'static str, &'static str, u64)>;
    stop() -> ();
}
