//! Redundant packets (RFC 2198): each carries the speech of the one before as well.

use super::{keep_codecs, prefer_codecs};
use crate::sdp::{RtpMap, Section};

/// Asks for redundant speech of whoever gets this description: RED goes before the codec it carries.
/// Chromium then sends each frame twice; Firefox takes no notice. Speech without RED, and pictures,
/// where RED is but the envelope of FEC, stay as they are.
pub fn prefer_red(section: &mut Section) {
    if section.kind() == "audio" && section.rtpmaps().iter().any(is_red) {
        prefer_codecs(section, &["red"]);
    }
}

/// Takes RED away, and with it the FEC that travels in it: a link that loses nothing has better use
/// for the bytes. A section that has nothing else stays as it is.
pub fn remove_red(section: &mut Section) {
    if section.rtpmaps().iter().any(is_red) {
        keep_codecs(section, &|map, _| !is_red(map) && !map.is("ulpfec"));
    }
}

fn is_red(map: &RtpMap) -> bool {
    map.is("red")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEECH: [&str; 5] = [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
    ];

    fn speech() -> Section {
        Section::from_lines(SPEECH.map(str::to_owned).to_vec())
    }

    #[test]
    fn a_lossy_link_gets_its_speech_twice_and_a_good_one_once() {
        let mut section = speech();
        prefer_red(&mut section);
        assert_eq!(section.formats(), ["63", "111", "0"]);
        assert_eq!(section.lines()[1..], SPEECH[1..]);
        remove_red(&mut section);
        assert_eq!(section.formats(), ["111", "0"]);
        assert_eq!(section.lines()[1..], SPEECH[1..3]);
    }

    #[test]
    fn nothing_is_left_of_a_codec_in_an_envelope_of_its_own() {
        let mut section = speech();
        keep_codecs(&mut section, &|map, _| !map.is("opus"));
        assert_eq!(section.formats(), ["0"], "RED carries Opus");
        let mut section = speech();
        keep_codecs(&mut section, &|map, _| !map.is("PCMU"));
        assert_eq!(section.formats(), ["111", "63"]);
    }

    #[test]
    fn fec_goes_with_its_envelope() {
        let lines = [
            "m=video 9 UDP/TLS/RTP/SAVPF 96 98 99 100",
            "a=rtpmap:96 VP8/90000",
            "a=rtpmap:98 red/90000",
            "a=rtpmap:99 rtx/90000",
            "a=fmtp:99 apt=98",
            "a=rtpmap:100 ulpfec/90000",
        ];
        let mut section = Section::from_lines(lines.map(str::to_owned).to_vec());
        prefer_red(&mut section);
        assert_eq!(section.formats(), ["96", "98", "99", "100"]);
        remove_red(&mut section);
        assert_eq!(
            section.lines(),
            ["m=video 9 UDP/TLS/RTP/SAVPF 96", lines[1]]
        );
    }
}
