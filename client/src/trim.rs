//! Makes an offer for a relay of ours small: one audio codec, two video codecs, the header
//! extensions that the relay reads. A Chromium offer shrinks to half, and everything taken out of
//! the copy we send stays harmlessly in the browser: the answer just never picks it.

use clinicall_sip::sdp::{Sdp, Section};

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

/// Trims an offer that a browser made.
pub(crate) fn trim_offer(sdp: &mut Sdp) {
    for section in &mut sdp.media {
        let kept = match section.kind() {
            "audio" => speech_codecs(section),
            "video" => picture_codecs(section),
            _ => continue,
        };
        // a browser without any of them shall offer what it has
        if !kept.is_empty() {
            keep_codecs(section, &kept);
        }
        let extensions = if section.kind() == "audio" {
            &FOR_AUDIO
        } else {
            &FOR_VIDEO
        };
        keep_extensions(section, extensions);
    }
}

fn speech_codecs(section: &Section) -> Vec<String> {
    payload_types(section, |map, _| map == "opus")
}

/// VP8 and H.264, which every browser decodes (RFC 7742 section 5), with their retransmissions. Of
/// the H.264 profiles that Chromium lists only packetization mode 1 of the constrained baseline.
fn picture_codecs(section: &Section) -> Vec<String> {
    let mut kept = payload_types(section, |map, fmtp| match map {
        "vp8" => true,
        "h264" => {
            fmtp.contains("packetization-mode=1")
                && fmtp.to_ascii_lowercase().contains("profile-level-id=42e0")
        }
        _ => false,
    });
    let repairs = payload_types(section, |map, fmtp| {
        map == "rtx"
            && fmtp
                .strip_prefix("apt=")
                .is_some_and(|apt| kept.iter().any(|kept| kept == apt))
    });
    if !kept.is_empty() {
        kept.extend(repairs);
    }
    kept
}

/// Those payload types of the section whose encoding (in lower case) and parameters please.
fn payload_types(section: &Section, please: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let maps = section.rtpmaps().into_iter();
    maps.filter(|map| {
        let fmtp = section.fmtp(map.payload_type).unwrap_or("").trim();
        please(&map.encoding.to_ascii_lowercase(), fmtp)
    })
    .map(|map| map.payload_type.to_string())
    .collect()
}

/// Keeps these formats in the `m=` line, in its order, and the attributes that speak of them.
fn keep_codecs(section: &mut Section, kept: &[String]) {
    let is_kept = |format: &str| kept.iter().any(|kept| kept == format);
    let audio = section.kind() == "audio";
    section.lines_mut().retain_mut(|line| {
        if line.starts_with("m=") {
            // m=<media> <port> <proto> <format> ...
            let words = line.split(' ').enumerate();
            let words: Vec<_> = words
                .filter(|(at, word)| *at < 3 || is_kept(word))
                .map(|(_, word)| word)
                .collect();
            *line = words.join(" ");
            return true;
        }
        for name in ["a=rtpmap:", "a=fmtp:"] {
            if let Some(rest) = line.strip_prefix(name) {
                return is_kept(rest.split(' ').next().unwrap_or(""));
            }
        }
        match line.strip_prefix("a=rtcp-fb:") {
            Some(rest) => {
                let (format, feedback) = rest.split_once(' ').unwrap_or((rest, ""));
                // goog-remb yields to transport-cc, which audio goes without
                (format == "*" || is_kept(format))
                    && feedback != "goog-remb"
                    && !(audio && feedback == "transport-cc")
            }
            None => true,
        }
    });
}

fn keep_extensions(section: &mut Section, uris: &[&str]) {
    section
        .lines_mut()
        .retain(|line| match line.strip_prefix("a=extmap:") {
            Some(rest) => rest
                .split(' ')
                .nth(1)
                .is_some_and(|uri| uris.contains(&uri)),
            None => true,
        });
}
