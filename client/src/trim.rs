//! Makes an offer for a relay of ours small: one audio codec, two video codecs, the header
//! extensions that the relay reads. A Chromium offer shrinks to half, and everything taken out of
//! the copy we send stays harmlessly in the browser: the answer just never picks it.

use clinicall_sip::sdp::{
    RtpMap, Sdp,
    edit::{keep_codecs, keep_extensions, remove_feedback},
};

/// Header extensions (RFC 8285) worth their bytes in every packet: which section a packet belongs
/// to (RFC 9143), how loud it is (RFC 6464).
const FOR_AUDIO: [&str; 2] = [
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
];
/// Congestion feedback rides on video alone: on audio it costs 2 kbit/s of a 16 kbit/s link.
/// Without `video-orientation` the browser turns a phone's picture upright itself.
const FOR_VIDEO: [&str; 2] = [
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
];

/// Trims an offer that a browser made. A browser with none of these codecs offers what it has.
pub(crate) fn trim_offer(sdp: &mut Sdp) {
    for section in &mut sdp.media {
        // with rtcp-mux there is no port for RTCP, and `a=msid` says it once for all
        section.remove_attributes("rtcp");
        section
            .lines_mut()
            .retain(|line| !line.starts_with("a=ssrc:") || !line.contains(" msid:"));
        // transport-cc does the same in fewer bytes
        remove_feedback(section, "goog-remb");
        match section.kind() {
            "audio" => {
                keep_codecs(section, &|map, _| map.is("opus"));
                remove_feedback(section, "transport-cc");
                keep_extensions(section, &FOR_AUDIO);
            }
            "video" => {
                keep_codecs(section, &is_for_everyone);
                keep_extensions(section, &FOR_VIDEO);
            }
            _ => {}
        }
    }
}

/// VP8 and H.264, which every browser decodes (RFC 7742 section 5). Of the H.264 profiles that
/// Chromium lists only packetization mode 1 of the constrained baseline.
fn is_for_everyone(map: &RtpMap, fmtp: &str) -> bool {
    let fmtp = fmtp.to_ascii_lowercase();
    map.is("VP8")
        || map.is("H264")
            && fmtp.contains("packetization-mode=1")
            && fmtp.contains("profile-level-id=42e0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(text: &str) -> (String, Sdp) {
        let mut sdp = Sdp::parse(text).unwrap();
        trim_offer(&mut sdp);
        (sdp.to_string(), sdp)
    }

    fn codecs(sdp: &Sdp, section: usize) -> Vec<String> {
        let maps = sdp.media[section].rtpmaps().into_iter();
        maps.map(|map| map.encoding).collect()
    }

    #[test]
    fn what_chromium_offers_shrinks_to_half() {
        let offer = include_str!("../../sip/tests/sdp/chromium-offer.sdp");
        let (text, sdp) = trimmed(offer);
        assert!(
            text.len() * 2 < offer.len(),
            "{} of {}",
            text.len(),
            offer.len()
        );
        assert_eq!(codecs(&sdp, 0), ["opus"]);
        assert_eq!(codecs(&sdp, 1), ["VP8", "rtx", "H264", "rtx"]);
        assert_eq!(sdp.media[0].extmaps().len(), 2);
        assert!(text.contains("a=fingerprint:") && text.contains("a=ice-pwd:"));
        assert!(text.contains(" cname:") && text.contains("a=msid:"));
        assert!(text.contains("transport-cc") && !text.contains("goog-remb"));
    }

    #[test]
    fn what_firefox_offers_keeps_what_is_needed() {
        let (_, sdp) = trimmed(include_str!("../../sip/tests/sdp/firefox-offer.sdp"));
        assert_eq!(codecs(&sdp, 0), ["opus"]);
        assert!(codecs(&sdp, 1).contains(&"VP8".to_owned()));
        let mids: Vec<_> = sdp
            .media
            .iter()
            .filter_map(|section| section.mid())
            .collect();
        assert_eq!(mids, ["0", "1"]);
    }

    #[test]
    fn a_telephone_that_has_none_of_these_codecs_offers_what_it_has() {
        let (_, sdp) = trimmed(include_str!("../../sip/tests/sdp/phone-offer.sdp"));
        assert!(!codecs(&sdp, 0).is_empty());
    }
}
