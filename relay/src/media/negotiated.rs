//! What a member's descriptions settled: the boundary between the transport, which reads and
//! writes SDP, and the room, which forwards.

/// One audio and one video track each way; `None` when that kind was not offered or was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Negotiated {
    pub audio: Option<Track>,
    pub video: Option<Track>,
}

/// One `m=` section as both sides agreed on it. Payload types and extension ids are the member's
/// own and hold for both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    pub mid: String,
    pub codec: Codec,
    pub payload_type: u8,
    /// The payload type of retransmissions (RFC 4588); `None`: they are not agreed.
    pub rtx: Option<u8>,
    /// The payload type of redundant speech (RFC 2198) with this codec inside.
    pub red: Option<u8>,
    /// The member wishes for silence that is not sent (`usedtx` of RFC 7587). An answer of ours tells it to do so itself; our
    /// client does without being told.
    pub dtx: bool,
    pub clock_rate: u32,
    /// The member takes media from us.
    pub receives: bool,
    /// The member sends media to us.
    pub sends: bool,
    pub extensions: Extensions,
    pub feedback: Feedback,
    /// The SSRC of what we send to the member.
    pub local_ssrc: u32,
    /// Set exactly when `rtx` is.
    pub local_rtx_ssrc: Option<u32>,
    /// From `a=ssrc`, retransmission streams included; may be empty: then the payload type and
    /// the `mid` extension tell.
    pub remote_ssrcs: Vec<u32>,
    /// Primary and retransmission SSRC from `a=ssrc-group:FID`.
    pub remote_fid: Option<(u32, u32)>,
    /// The member's `b=` lines for this section: what it wants to receive at most, in bit/s
    /// (`TIAS` as written, `AS` times 1,000).
    pub bandwidth: Option<u64>,
}

impl Track {
    /// No level says who speaks, but that anything is sent at all.
    #[must_use]
    pub const fn only_pauses_tell(&self) -> bool {
        self.dtx && self.extensions.audio_level.is_none()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    Opus,
    Vp8,
    /// `a=fmtp` as both sides have it.
    H264 {
        fmtp: String,
    },
}

/// Ids of the header extensions (RFC 8285) the member takes and sends; 1 to 14 fit the one-byte
/// form, the only one the transport agrees to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464)
    pub audio_level: Option<u8>,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    pub transport_cc: Option<u8>,
    pub abs_send_time: Option<u8>,
    pub rid: Option<u8>,
    pub repaired_rid: Option<u8>,
    /// `urn:3gpp:video-orientation`: an iPhone turns its picture with this.
    pub video_orientation: Option<u8>,
}

/// The `a=rtcp-fb` lines agreed for the payload type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    pub nack: bool,
    pub pli: bool,
    pub fir: bool,
    pub transport_cc: bool,
    pub remb: bool,
}
