//! What a slow link needs of the descriptions: few bytes in them, and limits in both directions.
//!
//! Budgets count everything on the wire at IP level, so the codec gets less than the budget: see
//! [`Bandwidth::speech`]. `b=AS` and `b=TIAS` are both written, TIAS last: Chromium takes the last
//! line it understands, Firefox reads TIAS, phones and PBXs read AS.

use clinicall_sip::sdp::{
    Sdp,
    edit::{OpusParameters, set_bandwidth, set_opus_parameters},
};

/// The most each medium may take, each way, in kbit/s at IP level. `None`: no limit of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    pub audio: Option<u32>,
    pub video: Option<u32>,
}

/// How Opus fits into an audio budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Speech {
    /// Codec bits per second.
    pub bitrate: u32,
    /// Milliseconds of speech in a packet.
    pub ptime: u32,
}

impl Speech {
    /// Mono, silence not sent, loss repaired from the next packet (RFC 7587 section 6.1).
    fn parameters(self) -> OpusParameters {
        OpusParameters {
            maxaveragebitrate: Some(self.bitrate),
            ptime: Some(self.ptime),
            stereo: Some(false),
            usedtx: Some(true),
            useinbandfec: Some(true),
            ..OpusParameters::default()
        }
    }
}

/// Bytes around the Opus frame: IPv4 20, UDP 8, RTP 12, header extensions 8, SRTP tag 10.
const AROUND_SPEECH: u32 = 58;

/// What packets cost beside the video in them, in per cent of the budget.
const AROUND_VIDEO: u32 = 8;

impl Bandwidth {
    /// Longer packets when headers would outweigh speech (20 ms ones cost 23 kbit/s in headers):
    /// the shortest packet of which at least half is speech.
    pub(crate) fn speech(self) -> Option<Speech> {
        let budget = self.audio? * 1_000;
        let around = |ptime: u32| AROUND_SPEECH * 8 * 1_000 / ptime;
        let ptime = [20, 40, 60]
            .into_iter()
            .find(|ptime| around(*ptime) * 2 <= budget);
        let ptime = ptime.unwrap_or(120);
        // RFC 6716 section 2: Opus runs from 6 to 510 kbit/s
        let bitrate = budget.saturating_sub(around(ptime)).clamp(6_000, 510_000);
        Some(Speech { bitrate, ptime })
    }

    /// Codec bits per second for video.
    pub(crate) fn picture(self) -> Option<u32> {
        Some(self.video? * 10 * (100 - AROUND_VIDEO))
    }

    /// Writes the limits into a description: ours tells the peer what to send us, the peer's (as
    /// the browser gets it) tells the browser what to send.
    pub(crate) fn limit(self, sdp: &mut Sdp) {
        for section in &mut sdp.media {
            match section.kind() {
                "audio" => {
                    if let (Some(budget), Some(speech)) = (self.audio, self.speech()) {
                        set_bandwidth(section, budget, speech.bitrate);
                        set_opus_parameters(section, &speech.parameters());
                    }
                }
                "video" => {
                    if let (Some(budget), Some(picture)) = (self.video, self.picture()) {
                        set_bandwidth(section, budget, picture);
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(kbps: u32) -> Speech {
        Bandwidth {
            audio: Some(kbps),
            video: None,
        }
        .speech()
        .unwrap()
    }

    #[test]
    fn the_slower_the_link_the_longer_the_packet() {
        assert_eq!(
            audio(64),
            Speech {
                bitrate: 40_800,
                ptime: 20
            }
        );
        assert_eq!(
            audio(32),
            Speech {
                bitrate: 20_400,
                ptime: 40
            }
        );
        assert_eq!(
            audio(16),
            Speech {
                bitrate: 8_267,
                ptime: 60
            }
        );
        assert_eq!(audio(10).ptime, 120);
        for kbps in 12..=64 {
            let speech = audio(kbps);
            let spent = speech.bitrate + AROUND_SPEECH * 8_000 / speech.ptime;
            assert!(spent <= kbps * 1_000, "{kbps} kbit/s: {spent}");
        }
    }

    #[test]
    fn limits_stand_in_their_place_and_replace_older_ones() {
        let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\nb=AS:99\r\na=mid:0\r\n\
            a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\na=ptime:20\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";
        let mut sdp = Sdp::parse(text).unwrap();
        Bandwidth {
            audio: Some(32),
            video: Some(256),
        }
        .limit(&mut sdp);
        insta::assert_snapshot!(sdp.to_string().replace('\r', ""), @r"
        v=0
        o=- 1 1 IN IP4 0.0.0.0
        s=-
        t=0 0
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 0.0.0.0
        b=AS:32
        b=TIAS:20400
        a=mid:0
        a=rtpmap:111 opus/48000/2
        a=fmtp:111 minptime=10;useinbandfec=1;stereo=0;maxaveragebitrate=20400;usedtx=1
        a=ptime:40
        m=video 9 UDP/TLS/RTP/SAVPF 96
        b=AS:256
        b=TIAS:235520
        a=mid:1
        a=rtpmap:96 VP8/90000
        ");
    }

    #[test]
    fn no_limit_changes_nothing() {
        let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
        let mut sdp = Sdp::parse(text).unwrap();
        Bandwidth::default().limit(&mut sdp);
        assert_eq!(sdp.to_string(), text);
    }
}
