//! Printing a description of ours.
//!
//! What all sections share (candidates, credentials, certificate) is written once, for the bytes:
//! an answer must travel over a 16 kbit/s link.

use std::net::IpAddr;

use clinicall_sip::sdp::{Direction, Sdp, Section};

use super::{
    Describer, Part, Surface, Use,
    codecs::{AUDIO_LEVEL, Chosen, MID, TRANSPORT_CC},
};

pub fn description(
    member: &Describer,
    surface: &Surface,
    setup: &str,
    parts: &[Part],
    bundled: bool,
) -> Sdp {
    let accepted: Vec<&Part> = parts
        .iter()
        .filter(|part| part.used != Use::Refused)
        .collect();
    let mut session = vec![
        "v=0".to_owned(),
        format!(
            "o=- {} {} IN IP4 127.0.0.1",
            member.seeds.session, member.version
        ),
        "s=-".to_owned(),
        connection(surface),
        "t=0 0".to_owned(),
    ];
    if bundled {
        let mids: Vec<&str> = accepted
            .iter()
            .filter_map(|part| part.mid.as_deref())
            .collect();
        session.push(format!("a=group:BUNDLE {}", mids.join(" ")));
    }
    session.extend([
        "a=msid-semantic:WMS *".to_owned(),
        "a=ice-lite".to_owned(),
        format!("a=ice-ufrag:{}", member.credentials.ufrag),
        format!("a=ice-pwd:{}", member.credentials.password),
        format!("a=fingerprint:sha-256 {}", surface.fingerprint),
        format!("a=setup:{setup}"),
    ]);
    let mut candidates_due = true;
    let media = parts
        .iter()
        .map(|part| {
            let mut lines = section(member, surface, part);
            if part.used != Use::Refused && std::mem::take(&mut candidates_due) {
                lines.extend(candidates(surface));
                lines.push("a=end-of-candidates".to_owned());
            }
            Section::from_lines(lines)
        })
        .collect();
    Sdp::new(Section::from_lines(session), media)
}

fn connection(surface: &Surface) -> String {
    match surface.addresses.first() {
        Some(IpAddr::V6(ip)) => format!("c=IN IP6 {ip}"),
        Some(IpAddr::V4(ip)) => format!("c=IN IP4 {ip}"),
        None => "c=IN IP4 0.0.0.0".to_owned(),
    }
}

fn section(member: &Describer, surface: &Surface, part: &Part) -> Vec<String> {
    let port = surface.udp_port.or(surface.tcp_port).unwrap_or(9);
    let mut codecs: Vec<&Chosen> = part.chosen.iter().chain(&part.others).collect();
    if part.used == Use::Refused {
        codecs.clear();
    }
    let mid = part.mid.as_ref().map(|mid| format!("a=mid:{mid}"));
    if codecs.is_empty() {
        let mut lines = vec![format!("m={} 0 {} {}", part.kind, part.proto, part.formats)];
        lines.extend(mid);
        lines.push("a=inactive".to_owned());
        return lines;
    }
    let formats: Vec<String> = codecs
        .iter()
        .flat_map(|codec| [Some(codec.payload_type), codec.rtx, codec.red])
        .flatten()
        .map(|payload_type| payload_type.to_string())
        .collect();
    let mut lines = vec![format!(
        "m={} {port} {} {}",
        part.kind,
        part.proto,
        formats.join(" ")
    )];
    lines.extend(mid);
    lines.push(format!("a={}", direction_word(part.direction)));
    lines.push("a=rtcp-mux".to_owned());
    if part.reduced_size {
        lines.push("a=rtcp-rsize".to_owned());
    }
    for codec in &codecs {
        describe_codec(codec, &mut lines);
    }
    // the ids are the same for every codec of a section
    if let Some(codec) = codecs.first() {
        let extensions = &codec.extensions;
        for (id, uri) in [
            (extensions.audio_level, AUDIO_LEVEL),
            (extensions.transport_cc, TRANSPORT_CC),
            (extensions.mid, MID),
        ] {
            lines.extend(id.map(|id| format!("a=extmap:{id} {uri}")));
        }
    }
    if matches!(part.direction, Direction::SendRecv | Direction::SendOnly) {
        streams(
            member,
            part,
            codecs.iter().any(|codec| codec.rtx.is_some()),
            &mut lines,
        );
    }
    lines
}

fn describe_codec(codec: &Chosen, lines: &mut Vec<String>) {
    let payload_type = codec.payload_type;
    lines.push(format!("a=rtpmap:{payload_type} {}", codec.name));
    if let Some(fmtp) = &codec.fmtp {
        lines.push(format!("a=fmtp:{payload_type} {fmtp}"));
    }
    let feedback = &codec.feedback;
    for (agreed, kind) in [
        (feedback.nack, "nack"),
        (feedback.pli, "nack pli"),
        (feedback.fir, "ccm fir"),
        (feedback.transport_cc, "transport-cc"),
        (feedback.remb, "goog-remb"),
    ] {
        if agreed {
            lines.push(format!("a=rtcp-fb:{payload_type} {kind}"));
        }
    }
    if let Some(red) = codec.red {
        lines.push(format!("a=rtpmap:{red} red/48000/2"));
        lines.push(format!("a=fmtp:{red} {payload_type}/{payload_type}"));
    }
    if let Some(rtx) = codec.rtx {
        lines.push(format!("a=rtpmap:{rtx} rtx/{}", codec.clock_rate));
        lines.push(format!("a=fmtp:{rtx} apt={payload_type}"));
    }
}

/// One MediaStream for both kinds, so that a page hangs it on one element.
fn streams(member: &Describer, part: &Part, rtx: bool, lines: &mut Vec<String>) {
    let seeds = &member.seeds;
    let (ssrc, track) = match part.used {
        Use::Audio => (seeds.audio, "audio"),
        _ => (seeds.video, "video"),
    };
    lines.push(format!("a=msid:clinicall {track}"));
    if rtx {
        lines.push(format!("a=ssrc-group:FID {ssrc} {}", seeds.rtx));
    }
    lines.push(format!("a=ssrc:{ssrc} cname:clinicall"));
    if rtx {
        lines.push(format!("a=ssrc:{} cname:clinicall", seeds.rtx));
    }
}

/// RFC 8445 section 5.1.2 for UDP, RFC 6544 section 4.2 for TCP: UDP first, whatever the address.
fn candidates(surface: &Surface) -> Vec<String> {
    let mut lines = Vec::new();
    let mut foundation = 0;
    for (at, address) in surface.addresses.iter().enumerate() {
        let rank = u32::try_from(at).unwrap_or(0).min(8_000);
        let mut push = |transport: &str, port: u16, kind: u32, local: u32, tail: &str| {
            foundation += 1;
            let priority = kind << 24 | local << 8 | 255;
            lines.push(format!(
                "a=candidate:{foundation} 1 {transport} {priority} {address} {port} typ host{tail}"
            ));
        };
        if let Some(port) = surface.udp_port {
            push("udp", port, 126, 65_535 - rank, "");
        }
        if let Some(port) = surface.tcp_port {
            // passive counts 4 of 7 as direction (RFC 6544 section 4.2)
            push(
                "tcp",
                port,
                90,
                (4 << 13) + 8_191 - rank,
                " tcptype passive",
            );
        }
    }
    lines
}

const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}
