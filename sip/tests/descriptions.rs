//! Session descriptions of real browsers and phones: what we read out of them, and that an edit
//! changes only what it names. Where each is from stands in `edits.rs`.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use clinicall_sip::sdp::{Direction, RtpMap, Sdp, edit};

const FILES: [&str; 13] = [
    "chromium-offer",
    "chromium-answer",
    "chromium-slots",
    "firefox-offer",
    "firefox-answer",
    "firefox-slots",
    "safari-offer",
    "freeswitch-offer",
    "freeswitch-answer",
    "phone-offer",
    "jssip-offer",
    "kamailio-jssip-offer",
    "sipjs-offer",
];

const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

fn text(name: &str) -> String {
    let path = format!("{}/tests/sdp/{name}.sdp", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn sdp(name: &str) -> Sdp {
    Sdp::parse(&text(name)).unwrap()
}

/// The lines that an edit took away (`-`) and wrote (`+`), in the order of the sections.
fn changes(before: &Sdp, after: &Sdp) -> String {
    let (before, after) = (before.to_string(), after.to_string());
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    // longest common subsequence; descriptions are short
    let mut common = vec![vec![0; after.len() + 1]; before.len() + 1];
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            common[i][j] = if old == new {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == after.len() || (i < before.len() && common[i + 1][j] >= common[i][j + 1]) {
            out.extend(["-", before[i], "\n"]);
            i += 1;
        } else {
            out.extend(["+", after[j], "\n"]);
            j += 1;
        }
    }
    out
}

#[test]
fn untouched_descriptions_print_as_they_came() {
    for name in FILES {
        let text = text(name);
        assert_eq!(sdp(name).to_string(), text, "{name}");
        let bare = text.replace("\r\n", "\n");
        assert_eq!(Sdp::parse(&bare).unwrap().to_string(), bare, "{name}");
        let open = text.trim_end();
        assert_eq!(Sdp::parse(open).unwrap().to_string(), open, "{name}");
        let mut closed = Sdp::parse(open).unwrap();
        closed.end_lines_with_crlf();
        assert_eq!(closed.to_string(), bare.replace('\n', "\r\n"), "{name}");
    }
}

#[test]
fn a_browsers_offer_is_understood() {
    let offer = sdp("chromium-slots");
    let kinds: Vec<_> = offer.media.iter().map(|section| section.kind()).collect();
    let expected = [
        "audio",
        "video",
        "audio",
        "audio",
        "video",
        "video",
        "video",
        "video",
        "application",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        offer.bundle(),
        ["0", "1", "2", "3", "4", "5", "6", "7", "8"]
    );
    let video = offer.section("1").unwrap();
    assert_eq!((video.port(), video.proto()), (9, "UDP/TLS/RTP/SAVPF"));
    assert_eq!(video.direction(), Direction::SendRecv);
    assert_eq!(offer.section("4").unwrap().direction(), Direction::RecvOnly);
    assert_eq!(video.attribute("simulcast"), Some("send l;m;h"));
    assert_eq!(video.attributes("rid").count(), 3);
    assert_eq!(video.attribute("rtcp-mux"), Some(""));
    let vp8 = video.rtpmap(96).unwrap();
    assert!(vp8.is("vp8") && vp8.clock_rate == 90_000);
    assert_eq!(video.fmtp_parameter(97, "apt"), Some("96"));
    let opus = offer.media[0].rtpmap(111).unwrap();
    assert_eq!((opus.encoding.as_str(), opus.channels), ("opus", Some(2)));
    assert_eq!(offer.media[0].fmtp(111), Some("minptime=10;useinbandfec=1"));
    assert_eq!(offer.media[0].rtpmap(0).unwrap().encoding, "PCMU");
    assert!(
        video
            .extmaps()
            .iter()
            .any(|map| map.id == 3 && map.uri == TRANSPORT_CC)
    );
    assert_eq!(offer.media[8].formats(), ["webrtc-datachannel"]);
    assert!(offer.media[8].rtpmaps().is_empty());
}

#[test]
fn firefox_writes_shared_things_into_the_session() {
    let offer = sdp("firefox-offer");
    let audio = &offer.media[0];
    assert_eq!(audio.attribute("fingerprint"), None);
    assert!(
        offer
            .inherited(audio, "fingerprint")
            .unwrap()
            .starts_with("sha-256 ")
    );
    assert_eq!(offer.inherited(audio, "setup"), Some("actpass"));
    let received = audio.extmaps().into_iter().find(|map| map.id == 2).unwrap();
    assert_eq!(received.direction, Some(Direction::RecvOnly));
    let udp: Vec<_> = audio
        .candidates()
        .filter(|one| one.component == 1 && !one.is_tcp())
        .map(|one| (one.address, one.kind))
        .collect();
    assert_eq!(udp, [("192.0.2.2", "host"), ("fd00::2", "host")]);
    assert_eq!(audio.candidates().filter_map(|one| one.tcptype).count(), 4);
}

#[test]
fn safari_puts_h264_first_and_says_nothing_of_h265() {
    let offer = sdp("safari-offer");
    assert_eq!(offer.bundle(), ["0", "1"]);
    let (audio, video) = (&offer.media[0], &offer.media[1]);
    assert_eq!(audio.port(), 9);
    assert_eq!(
        audio.attribute("msid").unwrap().split(' ').next(),
        Some("-")
    );
    assert_eq!((audio.rtpmaps().len(), video.rtpmaps().len()), (8, 19));
    assert_eq!((audio.extmaps().len(), video.extmaps().len()), (4, 11));
    assert_eq!(audio.fmtp(63), Some("111/111"));
    let first = video.rtpmaps().remove(0);
    assert!(first.is("H264") && first.payload_type == 96);
    assert_eq!(video.fmtp_parameter(96, "profile-level-id"), Some("640c1f"));
    assert_eq!(video.fmtp_parameter(98, "profile-level-id"), Some("42e01f"));
    assert!(video.rtpmap(35).unwrap().is("H265") && video.fmtp(35).is_none());
    assert_eq!(video.fmtp_parameter(108, "apt"), Some("107"));
    assert!(
        offer
            .media
            .iter()
            .all(|section| section.candidates().next().is_none())
    );
}

#[test]
fn freeswitch_offers_each_section_a_way_of_its_own() {
    let offer = sdp("freeswitch-offer");
    assert!(offer.bundle().is_empty());
    for (section, port) in offer.media.iter().zip([23_174, 27_838]) {
        assert_eq!((section.port(), section.proto()), (port, "RTP/SAVPF"));
        assert_eq!((section.mid(), section.extmaps().len()), (None, 0));
        assert_eq!(section.attribute("setup"), Some("actpass"));
        let ways = section.candidates().map(|one| (one.component, one.port));
        assert_eq!(ways.collect::<Vec<_>>(), [(1, port), (2, port)]);
    }
    let (audio, video) = (&offer.media[0], &offer.media[1]);
    assert_ne!(audio.attribute("ice-ufrag"), video.attribute("ice-ufrag"));
    assert_eq!(
        audio.fmtp_parameter(102, "maxaveragebitrate"),
        Some("30000")
    );
    assert_eq!(audio.fmtp_parameter(102, "stereo"), Some("1"));
    assert_eq!(video.lines()[1], "b=AS:1024");
    assert_eq!(video.rtpmaps().len(), 1);
    // with rtcp-mux the second of each pair says nothing new
    let mut muxed = video.clone();
    assert_eq!(
        edit::remove_candidates(&mut muxed, &|one| one.component == 2),
        1
    );
    assert_eq!(muxed.candidates().count(), 1);
    assert_eq!(muxed.lines().len(), video.lines().len() - 1);
}

#[test]
fn a_refused_section_and_static_codecs() {
    let answer = sdp("freeswitch-answer");
    assert_eq!(answer.media[1].port(), 0);
    assert!(answer.bundle().is_empty());
    assert_eq!(answer.media[0].fmtp_parameter(111, "minptime"), Some("10"));
    let phone = sdp("phone-offer");
    let audio = &phone.media[0];
    let codecs: Vec<_> = audio
        .rtpmaps()
        .into_iter()
        .map(|map| map.encoding)
        .collect();
    assert_eq!(codecs, ["PCMA", "PCMU", "G729", "telephone-event"]);
    assert_eq!(audio.direction(), Direction::SendOnly);
    assert_eq!(audio.direction().reversed(), Direction::RecvOnly);
}

#[test]
fn a_trimmed_chromium_offer() {
    let before = sdp("chromium-offer");
    let mut after = before.clone();
    for section in &mut after.media {
        let video = section.kind() == "video";
        edit::keep_codecs(section, &|map: &RtpMap, fmtp| {
            map.is("opus")
                || map.is("VP8")
                || map.is("H264")
                    && fmtp.contains("packetization-mode=1")
                    && fmtp.contains("profile-level-id=42e01f")
        });
        edit::keep_extensions(
            section,
            &["urn:ietf:params:rtp-hdrext:sdes:mid", TRANSPORT_CC],
        );
        edit::remove_candidates(section, &|one| one.is_tcp());
        edit::remove_feedback(section, "goog-remb");
        edit::cap_bitrate(section, if video { 256 } else { 32 });
        edit::set_opus_parameters(
            section,
            &edit::OpusParameters {
                maxaveragebitrate: Some(20_000),
                ptime: Some(60),
                usedtx: Some(true),
                ..edit::OpusParameters::default()
            },
        );
    }
    insta::assert_snapshot!(changes(&before, &after));
    assert!(Sdp::parse(&after.to_string()).is_ok());
}

#[test]
fn a_trimmed_firefox_offer() {
    let before = sdp("firefox-offer");
    let mut after = before.clone();
    for section in &mut after.media {
        edit::keep_codecs(section, &|map: &RtpMap, _| map.is("opus") || map.is("VP9"));
        edit::remove_extension(section, TRANSPORT_CC);
        edit::remove_all_candidates(section);
        edit::set_bandwidth(section, 300, 256_000);
        section.set_direction(Direction::SendOnly);
        section.set_port(9);
    }
    insta::assert_snapshot!(changes(&before, &after));
}

#[test]
fn bad_descriptions_name_their_line() {
    let many = "a=x\r\n".repeat(1_024);
    let sections = "m=audio 9 RTP/AVP 0\r\n".repeat(129);
    let long = format!("v=0\r\na={}\r\n", "x".repeat(70_000));
    for (text, line) in [
        ("", 1),
        ("o=- 1 1 IN IP4 192.0.2.1\r\n", 1),
        ("v=1\r\n", 1),
        ("v=0\r\ns=-\r\nv=0\r\n", 3),
        ("v=0\r\nhello\r\n", 2),
        ("v=0\r\n\r\ns=-\r\n", 2),
        ("v=0\r\nS=-\r\n", 2),
        ("v=0\r\ns=\0\r\n", 2),
        ("v=0\r\ns=a\rb\r\n", 2),
        ("v=0\r\nm=audio\r\n", 2),
        ("v=0\r\nm=audio 9 RTP/AVP\r\n", 2),
        ("v=0\r\ns=-\r\nm=audio 70000 RTP/AVP 0\r\n", 3),
        ("v=0\r\nm=audio x RTP/AVP 0\r\n", 2),
        (&format!("v=0\r\n{many}"), 1_025),
        (&format!("v=0\r\n{sections}"), 130),
        (&long, 1),
    ] {
        let bad = Sdp::parse(text).expect_err(&text[..text.len().min(40)]);
        assert_eq!(bad.line, line, "{bad}");
    }
}
