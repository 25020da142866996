//! Which codecs a section offers.

use crate::{
    header::grammar::number,
    sdp::{RtpMap, Section},
};

/// Keeps the codecs that `wanted` says yes to (it sees the codec and its fmtp parameters, empty
/// when there are none) and the retransmissions (RFC 4588) of those kept; RED (RFC 2198) goes with the
/// codec it carries. All others leave the `m=` line and take their `rtpmap`, `fmtp` and `rtcp-fb`
/// with them.
///
/// Tells how many are left, retransmissions included. When nothing would be left, or the section
/// is not RTP, nothing is changed: an `m=` line without formats is no line.
pub fn keep_codecs(section: &mut Section, wanted: &dyn Fn(&RtpMap, &str) -> bool) -> usize {
    if !section.proto().split('/').any(|word| word == "RTP") {
        return 0;
    }
    let maps = section.rtpmaps();
    let mut kept: Vec<u8> = maps
        .iter()
        .filter(|map| {
            let fmtp = section.fmtp(map.payload_type).unwrap_or("");
            !map.is("rtx") && wanted(map, fmtp)
        })
        .map(|map| map.payload_type)
        .collect();
    let red = payload_types(&maps, &|map| map.is("red"));
    let spoken: Vec<u8> = payload_types(&maps, &|map| kept.contains(&map.payload_type))
        .into_iter()
        .filter(|spoken| !red.contains(spoken))
        .collect();
    kept.retain(|kept| {
        // `111/111`: the payload types inside; without that (in video) anything may be
        let inside = section.fmtp(*kept).filter(|_| red.contains(kept));
        let mut inside = inside.unwrap_or("").split('/').map(str::trim_ascii);
        inside.all(|word| number(word).is_none_or(|carried| spoken.contains(&carried)))
    });
    if kept.is_empty() {
        return 0;
    }
    for map in maps.iter().filter(|map| map.is("rtx")) {
        let original = section.fmtp_parameter(map.payload_type, "apt");
        if original
            .and_then(number)
            .is_some_and(|apt| kept.contains(&apt))
        {
            kept.push(map.payload_type);
        }
    }
    let is_kept = |format: &str| number(format).is_some_and(|pt| kept.contains(&pt));
    let formats: Vec<String> = section
        .formats()
        .into_iter()
        .filter(|format| is_kept(format))
        .map(str::to_owned)
        .collect();
    let formats: Vec<&str> = formats.iter().map(String::as_str).collect();
    section.set_formats(&formats);
    section.keep_lines(&|line| {
        let about = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"]
            .iter()
            .find_map(|start| line.strip_prefix(start));
        about.is_none_or(|about| {
            let format = about.split(' ').next().unwrap_or("");
            format == "*" || is_kept(format)
        })
    });
    kept.len()
}

/// The payload types of those codecs, each once however often the `m=` line lists it.
pub(super) fn payload_types(maps: &[RtpMap], wanted: &dyn Fn(&RtpMap) -> bool) -> Vec<u8> {
    let mut seen = [false; 256];
    let is_new = |map: &&RtpMap| !std::mem::replace(&mut seen[usize::from(map.payload_type)], true);
    let maps = maps.iter().filter(is_new).filter(|map| wanted(map));
    maps.map(|map| map.payload_type).collect()
}

/// Moves the codecs of these encodings to the front of the `m=` line, in this order: the first
/// that both sides have is the one that is spoken. A retransmission goes where its codec goes.
pub fn prefer_codecs(section: &mut Section, encodings: &[&str]) {
    let maps = section.rtpmaps();
    let rank = |format: &str| {
        let payload_type = number(format)?;
        let map = maps.iter().find(|map| map.payload_type == payload_type)?;
        let spoken = if map.is("rtx") {
            let apt = section
                .fmtp_parameter(payload_type, "apt")
                .and_then(number)?;
            maps.iter().find(|map| map.payload_type == apt)?
        } else {
            map
        };
        encodings.iter().position(|wanted| spoken.is(wanted))
    };
    let mut formats: Vec<String> = section.formats().into_iter().map(str::to_owned).collect();
    // stable: equals keep their order
    formats.sort_by_key(|format| rank(format).unwrap_or(encodings.len()));
    let formats: Vec<&str> = formats.iter().map(String::as_str).collect();
    section.set_formats(&formats);
}

/// Removes one kind of RTCP feedback (`goog-remb`, `transport-cc`, `nack pli`) from every codec.
pub fn remove_feedback(section: &mut Section, kind: &str) {
    section.keep_lines(&|line| {
        let about = line.strip_prefix("a=rtcp-fb:");
        about.and_then(|about| about.split_once(' ')).map(|x| x.1) != Some(kind)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Sdp;

    fn video() -> Section {
        let text = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 45 34\r\n\
            a=rtcp-fb:* ccm fir\r\n\
            a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 goog-remb\r\n\
            a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
            a=mid:1\r\n\
            a=rtpmap:102 h264/90000\r\na=fmtp:102 packetization-mode=1\r\n\
            a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n\
            a=rtpmap:45 AV1/90000\r\n";
        Sdp::parse(text).unwrap().media.remove(0)
    }

    #[test]
    fn a_codec_stays_with_its_retransmission() {
        let mut section = video();
        assert_eq!(keep_codecs(&mut section, &|map, _| map.is("VP8")), 2);
        assert_eq!(
            section.lines(),
            [
                "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
                "a=rtcp-fb:* ccm fir",
                "a=rtpmap:96 VP8/90000",
                "a=rtcp-fb:96 nack pli",
                "a=rtcp-fb:96 goog-remb",
                "a=rtpmap:97 rtx/90000",
                "a=fmtp:97 apt=96",
                "a=mid:1",
            ]
        );
    }

    #[test]
    fn parameters_decide_too_and_static_types_count() {
        let mut section = video();
        let wanted =
            |map: &RtpMap, fmtp: &str| map.is("H263") || fmtp.contains("packetization-mode=1");
        assert_eq!(keep_codecs(&mut section, &wanted), 3);
        assert_eq!(section.formats(), ["102", "103", "34"]);
    }

    #[test]
    fn the_last_codec_is_not_taken_away() {
        let mut section = video();
        assert_eq!(keep_codecs(&mut section, &|_, _| false), 0);
        assert_eq!(section, video());
    }

    #[test]
    fn preferring_moves_retransmissions_along() {
        let mut section = video();
        prefer_codecs(&mut section, &["AV1", "H264"]);
        assert_eq!(section.formats(), ["45", "102", "103", "96", "97", "34"]);
    }

    #[test]
    fn feedback_goes_by_its_whole_name() {
        let mut section = video();
        remove_feedback(&mut section, "nack");
        assert_eq!(section, video());
        remove_feedback(&mut section, "nack pli");
        assert_eq!(section.lines().len(), video().lines().len() - 1);
    }
}
