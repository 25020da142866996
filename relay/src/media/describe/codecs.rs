//! Which codec, feedback and header extensions of a section are taken.

use clinicall_sip::sdp::{RtpMap, Section};

use crate::media::negotiated::{Codec, Extensions, Feedback};

/// A room's video codec. The first member with video decides, so that what one sends every other
/// can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    Vp8,
    H264,
}

/// One codec of a section with all that hangs on it.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub codec: Codec,
    /// As in `a=rtpmap`.
    pub name: String,
    pub payload_type: u8,
    pub rtx: Option<u8>,
    /// Redundant speech (RFC 2198) with this codec inside.
    pub red: Option<u8>,
    /// Silence need not be sent (`usedtx` of RFC 7587).
    pub dtx: bool,
    pub clock_rate: u32,
    pub fmtp: Option<String>,
    pub extensions: Extensions,
    pub feedback: Feedback,
}

pub const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
pub const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
pub const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// In-band FEC, because the doctor must hear through loss; 10 ms at least, as browsers write it.
const OPUS: &str = "minptime=10;useinbandfec=1";
/// Constrained baseline 3.1: what every browser and phone has.
const H264: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";

/// Opus, and RED with nothing but that inside.
pub fn choose_audio(section: &Section) -> Option<Chosen> {
    let maps = section.rtpmaps();
    let find = |name: &str| {
        let is_it = |map: &&RtpMap| map.is(name) && map.clock_rate == 48_000;
        maps.iter().find(is_it)
    };
    let map = find("opus")?;
    let red = find("red").filter(|red| {
        let inside = section.fmtp(red.payload_type).unwrap_or("");
        let mut inside = inside.split('/').map(str::trim_ascii);
        inside.all(|one| one.parse() == Ok(map.payload_type))
    });
    let all = feedback(section, map.payload_type);
    let dtx = section.fmtp_parameter(map.payload_type, "usedtx") == Some("1");
    Some(Chosen {
        codec: Codec::Opus,
        name: "opus/48000/2".to_owned(),
        payload_type: map.payload_type,
        rtx: None,
        red: red.map(|red| red.payload_type),
        dtx,
        clock_rate: 48_000,
        // who wishes for it is to do it, too
        fmtp: Some([OPUS, if dtx { ";usedtx=1" } else { "" }].concat()),
        extensions: extensions(section, true),
        feedback: Feedback {
            transport_cc: all.transport_cc,
            ..Feedback::default()
        },
    })
}

/// The room's codec; VP8 before H.264 when it has none, and then that is the room's.
pub fn choose_video(section: &Section, room: &mut Option<VideoCodec>) -> Option<Chosen> {
    let candidates = match *room {
        Some(codec) => vec![codec],
        None => vec![VideoCodec::Vp8, VideoCodec::H264],
    };
    for codec in candidates {
        if let Some(chosen) = find(section, codec) {
            *room = Some(codec);
            return Some(chosen);
        }
    }
    None
}

fn find(section: &Section, codec: VideoCodec) -> Option<Chosen> {
    let maps = section.rtpmaps();
    let map = maps.iter().find(|map| {
        map.clock_rate == 90_000
            && match codec {
                VideoCodec::Vp8 => map.encoding.eq_ignore_ascii_case("VP8"),
                VideoCodec::H264 => {
                    map.encoding.eq_ignore_ascii_case("H264")
                        && section
                            .fmtp(map.payload_type)
                            .is_some_and(is_constrained_baseline)
                }
            }
    })?;
    let apt = format!("apt={}", map.payload_type);
    let rtx = maps.iter().find(|other| {
        other.encoding.eq_ignore_ascii_case("rtx")
            && section
                .fmtp(other.payload_type)
                .is_some_and(|fmtp| fmtp.split(';').any(|parameter| parameter.trim() == apt))
    });
    let fmtp = match codec {
        VideoCodec::Vp8 => None,
        VideoCodec::H264 => section.fmtp(map.payload_type).map(ToOwned::to_owned),
    };
    Some(Chosen {
        codec: match codec {
            VideoCodec::Vp8 => Codec::Vp8,
            VideoCodec::H264 => Codec::H264 {
                fmtp: fmtp.clone().unwrap_or_default(),
            },
        },
        name: match codec {
            VideoCodec::Vp8 => "VP8/90000".to_owned(),
            VideoCodec::H264 => "H264/90000".to_owned(),
        },
        payload_type: map.payload_type,
        rtx: rtx.map(|map| map.payload_type),
        red: None,
        dtx: false,
        clock_rate: 90_000,
        fmtp,
        extensions: extensions(section, false),
        feedback: feedback(section, map.payload_type),
    })
}

/// Packetization mode 1 and profile 42 with the constraint flag of constrained baseline (RFC 6184
/// section 8.1).
fn is_constrained_baseline(fmtp: &str) -> bool {
    let parameter = |name: &str| {
        fmtp.split(';').find_map(|parameter| {
            let (key, value) = parameter.trim().split_once('=')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let profile = parameter("profile-level-id").and_then(|id| u32::from_str_radix(&id, 16).ok());
    parameter("packetization-mode").as_deref() == Some("1")
        && profile.is_some_and(|id| id >> 16 == 0x42 && id & 0x4000 != 0)
}

fn extensions(section: &Section, audio: bool) -> Extensions {
    let mut extensions = Extensions::default();
    for map in section.extmaps() {
        // one-byte headers have ids 1 to 14 (RFC 8285 section 4.2)
        let Ok(id @ 1..=14) = u8::try_from(map.id) else {
            continue;
        };
        match map.uri.as_str() {
            MID => extensions.mid = Some(id),
            AUDIO_LEVEL if audio => extensions.audio_level = Some(id),
            TRANSPORT_CC => extensions.transport_cc = Some(id),
            _ => {}
        }
    }
    extensions
}

fn feedback(section: &Section, payload_type: u8) -> Feedback {
    let mut feedback = Feedback::default();
    for line in section.attributes("rtcp-fb") {
        let Some((format, kind)) = line.split_once(' ') else {
            continue;
        };
        if format != "*" && format.parse() != Ok(payload_type) {
            continue;
        }
        match kind.trim() {
            "nack" => feedback.nack = true,
            "nack pli" => feedback.pli = true,
            "ccm fir" => feedback.fir = true,
            "transport-cc" => feedback.transport_cc = true,
            "goog-remb" => feedback.remb = true,
            _ => {}
        }
    }
    feedback
}

/// Opus as we offer it.
pub fn our_opus() -> Chosen {
    Chosen {
        codec: Codec::Opus,
        name: "opus/48000/2".to_owned(),
        payload_type: 111,
        rtx: None,
        red: Some(63),
        dtx: false,
        clock_rate: 48_000,
        fmtp: Some(OPUS.to_owned()),
        extensions: Extensions {
            mid: Some(4),
            audio_level: Some(1),
            transport_cc: Some(3),
            ..Extensions::default()
        },
        feedback: Feedback {
            transport_cc: true,
            ..Feedback::default()
        },
    }
}

/// The video codecs we offer, preferred first.
pub fn our_video(room: Option<VideoCodec>) -> Vec<Chosen> {
    let make = |codec, name: &str, payload_type, fmtp: Option<&str>| Chosen {
        codec,
        name: name.to_owned(),
        payload_type,
        rtx: Some(payload_type + 1),
        red: None,
        dtx: false,
        clock_rate: 90_000,
        fmtp: fmtp.map(ToOwned::to_owned),
        extensions: Extensions {
            mid: Some(4),
            transport_cc: Some(3),
            ..Extensions::default()
        },
        feedback: Feedback {
            nack: true,
            pli: true,
            fir: true,
            transport_cc: true,
            remb: true,
        },
    };
    let vp8 = make(Codec::Vp8, "VP8/90000", 96, None);
    let h264 = make(
        Codec::H264 {
            fmtp: H264.to_owned(),
        },
        "H264/90000",
        102,
        Some(H264),
    );
    match room {
        None => vec![vp8, h264],
        Some(VideoCodec::Vp8) => vec![vp8],
        Some(VideoCodec::H264) => vec![h264],
    }
}
