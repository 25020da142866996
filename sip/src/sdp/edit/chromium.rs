//! What only Chromium reads: its own `fmtp` parameters for the estimate of the link.

use super::codecs::payload_types;
use crate::sdp::{RtpMap, Section};

/// kbit/s of everything the connection sends. `None` leaves what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChromiumBitrates {
    /// What the estimate begins with. Its own 300 flood a link of 64 for seconds.
    pub start: Option<u32>,
    /// What the estimate never goes below.
    pub min: Option<u32>,
    pub max: Option<u32>,
}

/// Asks a Chromium that gets this description for these bounds of what it sends: `x-google-*-bitrate`
/// of every video codec, of which it reads those of the one it chooses. Others ignore them.
///
/// Seen in Chromium 156 on loopback: with 40 its first target is 30 instead of 231, but it is at 500 in a
/// second; with a maximum of 64 as well it stays at 30 to 50.
pub fn set_chromium_bitrates(section: &mut Section, bitrates: &ChromiumBitrates) {
    if section.kind() != "video" {
        return;
    }
    let repair = ["rtx", "red", "ulpfec", "flexfec-03"];
    let is_codec = |map: &RtpMap| !repair.iter().any(|name| map.is(name));
    for payload_type in payload_types(&section.rtpmaps(), &is_codec) {
        for (name, kbps) in [
            ("x-google-start-bitrate", bitrates.start),
            ("x-google-min-bitrate", bitrates.min),
            ("x-google-max-bitrate", bitrates.max),
        ] {
            if let Some(kbps) = kbps {
                section.set_fmtp_parameter(payload_type, name, &kbps.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_begin_slowly_and_repairs_and_speech_are_left_alone() {
        let video = [
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102",
            "a=rtpmap:96 VP8/90000",
            "a=rtpmap:97 rtx/90000",
            "a=fmtp:97 apt=96",
            "a=rtpmap:102 H264/90000",
            "a=fmtp:102 packetization-mode=1;x-google-start-bitrate=900",
        ];
        let slow = ChromiumBitrates {
            start: Some(40),
            max: Some(64),
            ..ChromiumBitrates::default()
        };
        let mut section = Section::from_lines(video.map(str::to_owned).to_vec());
        set_chromium_bitrates(&mut section, &slow);
        assert_eq!(
            section.lines()[1..],
            [
                "a=rtpmap:96 VP8/90000",
                "a=fmtp:96 x-google-start-bitrate=40;x-google-max-bitrate=64",
                "a=rtpmap:97 rtx/90000",
                "a=fmtp:97 apt=96",
                "a=rtpmap:102 H264/90000",
                "a=fmtp:102 packetization-mode=1;x-google-start-bitrate=40;x-google-max-bitrate=64",
            ]
        );
        let mut speech = Section::from_lines(vec!["m=audio 9 RTP/AVP 0".to_owned()]);
        set_chromium_bitrates(&mut speech, &slow);
        assert_eq!(speech.lines().len(), 1);
    }
}
