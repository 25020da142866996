//! Makes an offer for a relay of ours small: one audio codec, two video codecs, the header
//! extensions that the relay reads. A Chromium offer shrinks to half, and everything taken out of
//! the copy we send stays harmlessly in the browser: the answer just never picks it.

use clinicall_sip::sdp::{
    RtpMap, Sdp, Section,
    edit::{keep_codecs, keep_extensions, remove_feedback},
};

/// Header extensions (RFC 8285) worth their bytes in every packet: which section a packet belongs
/// to (RFC 9143), how loud it is (RFC 6464).
const FOR_AUDIO: [&str; 2] = [
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
];
/// Congestion feedback rides on video alone: on audio it costs 2 kbit/s of a 16 kbit/s link. REMB stays beside it: by that the
/// relay says what the receivers of a picture can take.
/// Without `video-orientation` the browser turns a phone's picture upright itself.
const FOR_VIDEO: [&str; 2] = [
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
];

/// What sections of a bundle share and a description may say once for all of them (RFC 8839 section
/// 5.4, RFC 8122 section 5, RFC 4145 section 4).
const SHARED: [&str; 4] = ["ice-ufrag", "ice-pwd", "fingerprint", "setup"];

/// What a relay of ours does not ask for: it names streams itself, never asks us for candidates,
/// and has no port for RTCP beside RTP's. `sendrecv` is the default (RFC 8866 section 6.7).
const UNREAD: [&str; 6] = [
    "rtcp",
    "msid",
    "ice-options",
    "rtcp-xr",
    "sendrecv",
    "extmap-allow-mixed",
];

/// Trims an offer that a browser made. A browser with none of these codecs offers what it has.
pub(crate) fn trim_offer(sdp: &mut Sdp, narrow: bool) {
    trim_description(sdp);
    for section in &mut sdp.media {
        match section.kind() {
            "audio" => {
                // and RED around it: speech twice on a link that loses some
                keep_codecs(section, &|map, _| map.is("opus") || map.is("red"));
                trim_speech(section, narrow);
            }
            "video" => {
                keep_codecs(section, &is_for_everyone);
                keep_extensions(section, &FOR_VIDEO);
            }
            _ => {}
        }
    }
}

/// Trims an offer of a relay of ours, as the browser gets it: what we would not offer is not agreed to.
pub(crate) fn trim_offered(sdp: &mut Sdp, narrow: bool) {
    for section in &mut sdp.media {
        if section.kind() == "audio" {
            trim_speech(section, narrow);
        }
    }
}

/// What speech needs no bytes for. On a `narrow` link its level is not worth eight of them in each packet, a kbit/s each way.
/// Silence is not sent there, and by that the relay knows who speaks.
fn trim_speech(section: &mut Section, narrow: bool) {
    remove_feedback(section, "transport-cc");
    remove_feedback(section, "goog-remb");
    keep_extensions(section, if narrow { &FOR_AUDIO[..1] } else { &FOR_AUDIO });
}

/// Trims what answers have as well.
pub(crate) fn trim_description(sdp: &mut Sdp) {
    for name in ["extmap-allow-mixed", "msid-semantic", "ice-options"] {
        sdp.session.remove_attributes(name);
    }
    for section in &mut sdp.media {
        for name in UNREAD {
            section.remove_attributes(name);
        }
        section.keep_lines(&|line| {
            let about = line
                .strip_prefix("a=ssrc:")
                .and_then(|it| it.split_once(' '));
            !about.is_some_and(|(_, about)| about.starts_with("msid:"))
        });
    }
    for name in SHARED {
        let Some(value) = sdp.media.first().and_then(|first| first.attribute(name)) else {
            continue;
        };
        let value = value.to_owned();
        let says_so =
            |section: &Section| section.attributes(name).eq(std::iter::once(value.as_str()));
        if sdp.media.iter().all(says_so) {
            for section in &mut sdp.media {
                section.remove_attributes(name);
            }
            sdp.session.set_attribute(name, &value);
        }
    }
}

/// VP8 and H.264, which every browser decodes (RFC 7742 section 5). Of the H.264 profiles that
/// Chromium lists only packetization mode 1 of the constrained baseline.
fn is_for_everyone(map: &RtpMap, fmtp: &str) -> bool {
    let says = |wanted: &str| {
        let mut parameters = fmtp.split(';').map(str::trim_ascii);
        parameters.any(|one| {
            one.get(..wanted.len())
                .is_some_and(|one| one.eq_ignore_ascii_case(wanted))
        })
    };
    map.is("VP8") || map.is("H264") && says("packetization-mode=1") && says("profile-level-id=42e0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(text: &str) -> (String, Sdp) {
        let mut sdp = Sdp::parse(text).unwrap();
        trim_offer(&mut sdp, false);
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
        assert_eq!(codecs(&sdp, 0), ["opus", "red"]);
        assert_eq!(codecs(&sdp, 1), ["VP8", "rtx", "H264", "rtx"]);
        assert_eq!(sdp.media[0].extmaps().len(), 2);
        let mut narrow = sdp.clone();
        trim_offer(&mut narrow, true);
        let left = narrow.media.iter().map(|section| section.extmaps().len());
        assert_eq!(left.collect::<Vec<_>>(), [1, 2]);
        assert!(text.contains(" cname:") && !text.contains("msid"));
        for once in ["a=fingerprint:", "a=ice-ufrag:", "a=ice-pwd:", "a=setup:"] {
            assert_eq!(text.matches(once).count(), 1, "{once}");
            let name = &once[2..once.len() - 1];
            assert!(sdp.inherited(&sdp.media[1], name).is_some(), "{once}");
        }
        assert!(text.contains("transport-cc"));
    }

    #[test]
    fn what_a_relay_offers_of_feedback_on_speech_is_not_agreed_to() {
        let offer = include_str!("../../sip/tests/sdp/chromium-offer.sdp");
        let transport_cc = |section: &Section| {
            let lines = section.lines().iter();
            lines.filter(|line| line.contains("transport-")).count()
        };
        let untouched = Sdp::parse(offer).unwrap();
        assert_eq!(untouched.media.iter().map(transport_cc).min(), Some(2));
        for (narrow, left) in [(false, 2), (true, 1)] {
            let mut sdp = Sdp::parse(offer).unwrap();
            trim_offered(&mut sdp, narrow);
            assert_eq!(transport_cc(&sdp.media[0]), 0);
            assert_eq!(sdp.media[0].extmaps().len(), left);
            assert_eq!(sdp.media[1], untouched.media[1]);
        }
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
    fn of_safaris_four_h264_the_one_for_everyone_stays() {
        let offer = include_str!("../../sip/tests/sdp/safari-offer.sdp");
        let (text, sdp) = trimmed(offer);
        assert!(
            text.len() * 2 < offer.len(),
            "{} of {}",
            text.len(),
            offer.len()
        );
        assert_eq!(sdp.media[0].formats(), ["111", "63"]);
        let video = &sdp.media[1];
        assert_eq!(video.formats(), ["98", "99", "107", "108"]);
        assert_eq!(codecs(&sdp, 1), ["H264", "rtx", "VP8", "rtx"]);
        let h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
        assert_eq!(video.fmtp(98), Some(h264));
        assert_eq!(video.fmtp_parameter(108, "apt"), Some("107"));
        assert!(sdp.media.iter().all(|each| each.extmaps().len() == 2));
        assert_eq!(text.matches("a=ssrc:").count(), 3);
        assert!(text.contains("a=ssrc-group:FID ") && !text.contains("msid"));
        assert_eq!(text.matches("a=fingerprint:").count(), 1);
    }

    #[test]
    fn sections_that_differ_speak_for_themselves() {
        let offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:one\r\na=setup:actpass\r\na=recvonly\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:two\r\na=setup:actpass\r\n";
        let (_, sdp) = trimmed(offer);
        assert_eq!(sdp.media[0].attribute("ice-ufrag"), Some("one"));
        assert_eq!(sdp.media[1].attribute("ice-ufrag"), Some("two"));
        assert_eq!(sdp.session.attribute("setup"), Some("actpass"));
        assert!(sdp.media[0].attribute("recvonly").is_some());
    }

    #[test]
    fn a_telephone_that_has_none_of_these_codecs_offers_what_it_has() {
        let (_, sdp) = trimmed(include_str!("../../sip/tests/sdp/phone-offer.sdp"));
        assert!(!codecs(&sdp, 0).is_empty());
    }
}
