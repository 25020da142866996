//! How large and how fast a picture may be, and in how many versions it is sent.

use super::codecs::payload_types;
use crate::sdp::{RtpMap, Section};

/// What a receiver can take. `None` leaves what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureLimits {
    /// Macroblocks of 16 x 16 pixels: 320x240 is 300.
    pub max_fs: Option<u32>,
    /// Frames a second.
    pub max_fr: Option<u32>,
}

/// Asks for no larger and no faster pictures: `max-fs` and `max-fr` of VP8 (RFC 7741 section 6.1) and
/// VP9 (RFC 9628 section 7). Firefox ESR 153 keeps to them (29 frames a second become 10, or 5, as said);
/// Chromium is told by `setParameters`.
pub fn limit_picture(section: &mut Section, limits: &PictureLimits) {
    let can_say = |map: &RtpMap| map.is("VP8") || map.is("VP9");
    for payload_type in payload_types(&section.rtpmaps(), &can_say) {
        for (name, value) in [("max-fs", limits.max_fs), ("max-fr", limits.max_fr)] {
            if let Some(value) = value {
                section.set_fmtp_parameter(payload_type, name, &value.to_string());
            }
        }
    }
}

/// Asks to be sent these versions of the picture (RFC 8853), the smallest first, instead of any that
/// were asked for before. None: one version, without a name.
pub fn receive_simulcast(section: &mut Section, rids: &[&str]) {
    remove_simulcast(section);
    if rids.is_empty() {
        return;
    }
    for rid in rids {
        section.add_attribute("rid", &[*rid, " recv"].concat());
    }
    section.add_attribute("simulcast", &["recv ", &rids.join(";")].concat());
}

/// Keeps of the offered versions only these. When none of them is left the picture is sent in one
/// version, without a name.
pub fn keep_layers(section: &mut Section, rids: &[&str]) {
    let Some(simulcast) = section.attribute("simulcast") else {
        return;
    };
    let kept = kept_streams(simulcast, rids);
    if kept.is_empty() {
        return remove_simulcast(section);
    }
    section.set_attribute("simulcast", &kept);
    section.keep_lines(&|line| {
        let rid = line
            .strip_prefix("a=rid:")
            .and_then(|value| value.split(' ').next());
        rid.is_none_or(|rid| rids.contains(&rid))
    });
}

/// `send l;m,~n recv x` with these alone (RFC 8853 section 5.1): `;` between streams, `,` between
/// alternatives, `~` before what is paused.
fn kept_streams(simulcast: &str, rids: &[&str]) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut words = simulcast.split_ascii_whitespace();
    while let (Some(direction), Some(streams)) = (words.next(), words.next()) {
        let streams = streams.split(';').filter_map(|stream| {
            let wanted = |rid: &&str| rids.contains(&rid.trim_start_matches('~'));
            let alternatives: Vec<&str> = stream.split(',').filter(wanted).collect();
            (!alternatives.is_empty()).then(|| alternatives.join(","))
        });
        let streams: Vec<String> = streams.collect();
        if !streams.is_empty() {
            kept.push(direction.to_owned());
            kept.push(streams.join(";"));
        }
    }
    kept.join(" ")
}

/// One version of the picture: neither RFC 8853's names nor Chromium's older group of sources, of
/// which the first stays.
pub fn remove_simulcast(section: &mut Section) {
    section.remove_attributes("simulcast");
    section.remove_attributes("rid");
    let words = |line: &str, group: &str| -> Vec<String> {
        let sources = line.strip_prefix("a=ssrc-group:");
        let sources = sources.and_then(|sources| sources.strip_prefix(group));
        let sources = sources.unwrap_or("").split_ascii_whitespace();
        sources.map(str::to_owned).collect()
    };
    let grouped = |group: &'static str| section.lines().iter().map(move |line| words(line, group));
    let others = grouped("SIM ").flat_map(|of| of.into_iter().skip(1));
    let mut gone: Vec<String> = others.collect();
    gone.sort_unstable();
    let is_gone = |gone: &[String], source: &str| {
        let search = gone.binary_search_by(|other| other.as_str().cmp(source));
        search.is_ok()
    };
    let repairs = grouped("FID ").filter(|of| of.first().is_some_and(|of| is_gone(&gone, of)));
    let repairs: Vec<String> = repairs.flatten().collect();
    gone.extend(repairs);
    gone.sort_unstable();
    section.keep_lines(&|line| {
        let source = line.strip_prefix("a=ssrc:");
        let source = source.and_then(|value| value.split(' ').next());
        let repairs = words(line, "FID ");
        !line.starts_with("a=ssrc-group:SIM ")
            && !repairs.iter().any(|source| is_gone(&gone, source))
            && !source.is_some_and(|source| is_gone(&gone, source))
    });
}

/// One layer within the picture: the header extensions by which Chromium tells a server of more
/// (AV1's dependency descriptor, its own allocation of layers) cost bytes in every packet.
pub fn remove_scalability(section: &mut Section) {
    for uri in [
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
        "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
    ] {
        super::remove_extension(section, uri);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(lines: &[&str]) -> Section {
        Section::from_lines(lines.iter().map(|line| (*line).to_owned()).collect())
    }

    const LAYERS: [&str; 5] = [
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=rid:l send max-width=320",
        "a=rid:m send",
        "a=rid:h send",
        "a=simulcast:send l;m,~h",
    ];

    #[test]
    fn a_slow_link_is_sent_the_small_picture_alone() {
        let mut one = section(&LAYERS);
        keep_layers(&mut one, &["l"]);
        assert_eq!(one.lines(), [LAYERS[0], LAYERS[1], "a=simulcast:send l"]);
        let mut two = section(&LAYERS);
        keep_layers(&mut two, &["h", "l"]);
        assert_eq!(two.lines()[3], "a=simulcast:send l;~h");
        let mut none = section(&LAYERS);
        keep_layers(&mut none, &["x"]);
        assert_eq!(none.lines(), &LAYERS[..1]);
    }

    #[test]
    fn a_receiver_of_three_names_them() {
        let mut asked = section(&LAYERS[..1]);
        receive_simulcast(&mut asked, &["l", "h"]);
        let expected = ["a=rid:l recv", "a=rid:h recv", "a=simulcast:recv l;h"];
        assert_eq!(asked.lines()[1..], expected);
        receive_simulcast(&mut asked, &[]);
        assert_eq!(asked.lines(), &LAYERS[..1]);
    }

    #[test]
    fn of_a_group_of_sources_the_first_stays_with_its_repair() {
        let mut grouped = section(&[
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
            "a=ssrc-group:SIM 1 2",
            "a=ssrc-group:FID 1 11",
            "a=ssrc-group:FID 2 12",
            "a=ssrc:1 cname:x",
            "a=ssrc:2 cname:x",
            "a=ssrc:11 cname:x",
            "a=ssrc:12 cname:x",
        ]);
        remove_simulcast(&mut grouped);
        assert_eq!(
            grouped.lines()[1..],
            [
                "a=ssrc-group:FID 1 11",
                "a=ssrc:1 cname:x",
                "a=ssrc:11 cname:x"
            ]
        );
    }

    #[test]
    fn pictures_are_limited_where_the_codec_can_say_so() {
        let mut limited = section(&[
            "m=video 9 UDP/TLS/RTP/SAVPF 96 102",
            "a=rtpmap:96 VP8/90000",
            "a=rtpmap:102 H264/90000",
        ]);
        let limits = PictureLimits {
            max_fs: Some(300),
            max_fr: Some(10),
        };
        limit_picture(&mut limited, &limits);
        assert_eq!(limited.lines()[2], "a=fmtp:96 max-fs=300;max-fr=10");
        assert_eq!(limited.lines().len(), 4);
    }
}
