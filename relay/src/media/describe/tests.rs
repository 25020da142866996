//! Offers as browsers and clients write them, and what they must not get away with.

use super::*;

fn surface() -> Surface {
    Surface {
        fingerprint: "AA:BB".to_owned(),
        addresses: vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        udp_port: Some(8443),
        tcp_port: Some(443),
    }
}

fn member() -> Describer {
    let credentials = Credentials {
        ufrag: "00abcdefgh".into(),
        password: "p".repeat(24),
    };
    Describer::new(
        credentials,
        Seeds {
            session: 7,
            audio: 1_001,
            video: 1_002,
            rtx: 1_003,
        },
    )
}

const PRINT: &str = "65:ED:42:65:F7:19:F6:F6:D9:28:E6:7B:E0:64:4D:2E:F5:73:4D:7C:7F:D7:3C:80:49:BF:B6:FB:5B:29:E6:E0";

fn head(bundle: &str) -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{bundle}a=fingerprint:sha-256 {PRINT}\r\n\
         a=ice-ufrag:a8a3\r\na=ice-pwd:002473494684493772df2e97\r\na=setup:actpass\r\n"
    )
}

const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 101\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\n\
    a=rtcp-mux\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
    a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=rtpmap:109 opus/48000/2\r\n\
    a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\na=rtcp-fb:109 transport-cc\r\n\
    a=rtpmap:9 G722/8000/1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";

/// Firefox: VP8 first, `bundle-only` with port 0, rtx by apt.
const FIREFOX_VIDEO: &str = "m=video 0 UDP/TLS/RTP/SAVPF 120 124 121 125\r\nc=IN IP4 0.0.0.0\r\n\
    a=bundle-only\r\na=mid:1\r\na=sendrecv\r\na=rtcp-mux\r\na=rtcp-rsize\r\nb=TIAS:128000\r\n\
    a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
    a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
    a=fmtp:124 apt=120\r\na=fmtp:125 apt=121\r\na=rtcp-fb:120 nack\r\na=rtcp-fb:120 nack pli\r\n\
    a=rtcp-fb:* transport-cc\r\na=rtpmap:120 VP8/90000\r\na=rtpmap:124 rtx/90000\r\n\
    a=rtpmap:121 VP9/90000\r\na=rtpmap:125 rtx/90000\r\na=ssrc:2506681218 cname:{x}\r\n\
    a=ssrc:4223713543 cname:{x}\r\na=ssrc-group:FID 2506681218 4223713543\r\n";

/// Safari: H.264 in two profiles and two packetization modes, VP8 too.
const SAFARI_VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 98 99 100 101 96 97\r\na=mid:1\r\na=sendonly\r\n\
    a=rtcp-mux\r\na=rtpmap:98 H264/90000\r\na=fmtp:98 packetization-mode=1;profile-level-id=640c1f\r\n\
    a=rtpmap:99 H264/90000\r\na=fmtp:99 packetization-mode=0;profile-level-id=42e01f\r\n\
    a=rtpmap:100 H264/90000\r\n\
    a=fmtp:100 level-asymmetry-allowed=1; packetization-mode=1; profile-level-id=42e01f\r\n\
    a=rtcp-fb:100 ccm fir\r\na=rtpmap:101 rtx/90000\r\na=fmtp:101 apt=100\r\n\
    a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n";

fn offer(parts: &[&str]) -> Sdp {
    let text = format!("{}{}", head("a=group:BUNDLE 0 1 2 3\r\n"), parts.concat());
    Sdp::parse(&text).unwrap()
}

fn answered(offer: &Sdp, room: &mut Option<VideoCodec>) -> (Settled, Sdp) {
    let mut member = member();
    let (settled, reply) = member.read_offer(offer, room).unwrap();
    let answer = member.answer(&reply, &surface());
    (settled, answer)
}

fn refused(offer: &str) -> String {
    let offer = Sdp::parse(offer).unwrap();
    member().read_offer(&offer, &mut None).unwrap_err().0
}

#[test]
fn on_a_slow_link_the_relay_begins_for_its_hello_is_short() {
    let speech = AUDIO.replace("a=mid:0", "b=AS:15\r\na=mid:0");
    let (settled, answer) = answered(&offer(&[&speech, FIREFOX_VIDEO]), &mut None);
    assert_eq!(settled.peer.link, Link::Slow);
    assert_eq!(settled.peer.side, Side::Client);
    assert!(answer.to_string().contains("a=setup:active"));
    let (settled, _) = answered(&offer(&[&speech]), &mut None);
    assert_eq!(settled.peer.link, Link::Narrow);
    // a limit on one of two is none, and enough for a film is not slow
    let fast = AUDIO.replace("a=mid:0", "b=AS:64\r\na=mid:0");
    for parts in [[AUDIO, FIREFOX_VIDEO], [&fast, FIREFOX_VIDEO]] {
        let (settled, _) = answered(&offer(&parts), &mut None);
        assert_eq!(
            (settled.peer.link, settled.peer.side),
            (Link::Fast, Side::Server)
        );
    }
}

#[test]
fn firefox_is_answered_with_its_own_numbers_in_few_bytes() {
    let mut room = None;
    let (settled, answer) = answered(&offer(&[AUDIO, FIREFOX_VIDEO]), &mut room);
    insta::assert_snapshot!(answer.to_string().replace("\r\n", "\n"));
    assert_eq!(room, Some(VideoCodec::Vp8));
    assert_eq!(settled.peer.side, Side::Server);
    let video = settled.negotiated.video.unwrap();
    assert_eq!((video.payload_type, video.rtx), (120, Some(124)));
    assert_eq!(video.remote_fid, Some((2_506_681_218, 4_223_713_543)));
    assert_eq!(video.bandwidth, Some(128_000));
    assert!(video.feedback.nack && video.feedback.pli && video.feedback.transport_cc);
    assert!(!video.feedback.fir && !video.feedback.remb, "not offered");
    assert_eq!(
        (video.local_ssrc, video.local_rtx_ssrc),
        (1_002, Some(1_003))
    );
    let audio = settled.negotiated.audio.unwrap();
    assert_eq!(audio.extensions.audio_level, Some(1));
    assert!(audio.sends && audio.receives);
}

#[test]
fn only_who_sends_no_silence_tells_by_it_who_speaks() {
    let level = "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n";
    let quiet = AUDIO.replace("useinbandfec=1", "useinbandfec=1;usedtx=1");
    assert_ne!(quiet, AUDIO);
    let tells = |speech: &str| {
        let (settled, answer) = answered(&offer(&[speech]), &mut None);
        let quiet = answer.to_string().contains("useinbandfec=1;usedtx=1\r\n");
        assert_eq!(quiet, speech.contains("usedtx=1"), "{answer}");
        settled.negotiated.audio.unwrap().only_pauses_tell()
    };
    assert!(tells(&quiet.replace(level, "")));
    assert!(!tells(&quiet));
    assert!(!tells(&AUDIO.replace(level, "")), "a telephone");
}

#[test]
fn safari_in_a_room_of_h264_gets_constrained_baseline_in_mode_1() {
    let mut room = Some(VideoCodec::H264);
    let (settled, answer) = answered(&offer(&[AUDIO, SAFARI_VIDEO]), &mut room);
    let video = settled.negotiated.video.unwrap();
    assert_eq!((video.payload_type, video.rtx), (100, Some(101)));
    assert!(video.sends && !video.receives);
    assert_eq!(answer.media[1].direction(), Direction::RecvOnly, "mirrored");
    assert_eq!(
        answer.media[1].attribute("ssrc"),
        None,
        "we send it nothing"
    );
    assert!(
        answer.media[1]
            .fmtp(100)
            .unwrap()
            .contains("profile-level-id=42e01f")
    );
    // in a room without a codec the same phone brings VP8
    let (settled, _) = answered(&offer(&[AUDIO, SAFARI_VIDEO]), &mut None);
    assert_eq!(settled.negotiated.video.unwrap().payload_type, 96);
}

#[test]
fn a_member_without_the_rooms_codec_keeps_its_voice() {
    let mut room = Some(VideoCodec::H264);
    let (settled, answer) = answered(&offer(&[AUDIO, FIREFOX_VIDEO]), &mut room);
    assert!(settled.negotiated.video.is_none() && settled.negotiated.audio.is_some());
    assert_eq!(answer.media[1].port(), 0);
    assert_eq!(answer.bundle(), ["0"]);
}

#[test]
fn further_places_to_receive_are_kept_idle_and_the_rest_is_refused() {
    let slot = AUDIO
        .replace("a=mid:0", "a=mid:2")
        .replace("sendrecv", "recvonly");
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:3\r\n";
    let (_, answer) = answered(&offer(&[AUDIO, FIREFOX_VIDEO, &slot, data]), &mut None);
    assert_eq!(answer.bundle(), ["0", "1", "2"]);
    assert_eq!(answer.media[2].direction(), Direction::Inactive);
    assert_ne!(answer.media[2].port(), 0);
    assert_eq!(
        (answer.media[3].kind(), answer.media[3].port()),
        ("application", 0)
    );
    assert_eq!(answer.media[3].formats(), ["webrtc-datachannel"]);
}

#[test]
fn what_cannot_work_is_refused_in_words() {
    let bundle = "a=group:BUNDLE 0 1\r\n";
    let plain = head(bundle) + &AUDIO.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP");
    assert!(refused(&plain).contains("encrypted"));
    let sdes = head(bundle).replace("a=fingerprint", "a=x-print")
        + &AUDIO.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVP")
        + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n";
    assert!(refused(&sdes).contains("SDES"));
    let apart = head("")
        + AUDIO
        + &FIREFOX_VIDEO
            .replace("a=bundle-only\r\n", "")
            .replace("video 0", "video 9");
    assert!(refused(&apart).contains("BUNDLE"));
    assert!(refused(&(head(bundle) + &AUDIO.replace("a=rtcp-mux\r\n", ""))).contains("rtcp-mux"));
    assert!(refused(&(head(bundle).replace("sha-256", "sha-1") + AUDIO)).contains("SHA-256"));
    assert!(refused(&(head(bundle).replace("a=ice-ufrag:a8a3\r\n", "") + AUDIO)).contains("ICE"));
    assert!(refused(&(head("a=ice-lite\r\n") + AUDIO)).contains("ICE-lite"));
    assert!(refused(&(head(bundle).replace("actpass", "holdconn") + AUDIO)).contains("setup"));
    assert!(refused(&(head(bundle) + &AUDIO.replace("opus", "speex"))).contains("codec"));
    assert!(refused(&head(bundle)).contains("no audio or video"));
}

#[test]
fn a_voice_only_offer_without_bundle_is_answered() {
    let sdp = Sdp::parse(&(head("") + AUDIO)).unwrap();
    let (settled, answer) = answered(&sdp, &mut None);
    assert!(settled.negotiated.audio.is_some());
    assert!(answer.bundle().is_empty());
}

#[test]
fn our_offer_is_answered_and_settled_with_the_peers_choice() {
    let mut member = member();
    let wants = Wants {
        audio: true,
        video: true,
    };
    let ours = member.offer(wants, None, &surface());
    insta::assert_snapshot!(ours.to_string().replace("\r\n", "\n"));
    let answer = head("a=group:BUNDLE 0 1\r\n").replace("actpass", "active")
        + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
        + "m=video 9 UDP/TLS/RTP/SAVPF 102 103\r\na=mid:1\r\na=sendrecv\r\na=rtcp-mux\r\n\
           a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\n\
           a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n";
    let answer = Sdp::parse(&answer).unwrap();
    let mut room = None;
    let settled = member.read_answer(&answer, &mut room).unwrap();
    assert_eq!(room, Some(VideoCodec::H264));
    assert_eq!(settled.peer.side, Side::Server);
    let audio = settled.negotiated.audio.unwrap();
    assert!(
        audio.receives && !audio.sends,
        "this patient's microphone is off"
    );
    assert_eq!(settled.negotiated.video.unwrap().rtx, Some(103));
    assert!(
        member.read_answer(&answer, &mut room).is_err(),
        "answered twice"
    );
}

#[test]
fn an_answer_that_does_not_fit_the_offer_is_refused_and_changes_nothing() {
    let mut member = member();
    member.offer(
        Wants {
            audio: true,
            video: false,
        },
        None,
        &surface(),
    );
    let mut room = None;
    let swapped = offer(&[&FIREFOX_VIDEO.replace("a=mid:1", "a=mid:0")]);
    assert!(member.read_answer(&swapped, &mut room).is_err());
    let renamed = offer(&[&AUDIO.replace("a=mid:0", "a=mid:9")]);
    assert!(member.read_answer(&renamed, &mut room).is_err());
    let refused = offer(&[&AUDIO.replace("audio 9", "audio 0")]);
    assert!(member.read_answer(&refused, &mut room).is_err());
    assert_eq!(room, None);
    let text = offer(&[AUDIO]).to_string().replace("actpass", "active");
    assert!(
        member
            .read_answer(&Sdp::parse(&text).unwrap(), &mut room)
            .is_ok()
    );
}

#[test]
fn a_renegotiation_keeps_ssrcs_and_roles_and_notices_an_ice_restart() {
    let mut member = member();
    let mut room = None;
    let first = offer(&[AUDIO, FIREFOX_VIDEO]);
    let (settled, reply) = member.read_offer(&first, &mut room).unwrap();
    let before = member.answer(&reply, &surface());
    assert!(!settled.restart);

    // video goes, the certificate and the credentials stay
    let without = offer(&[AUDIO, &FIREFOX_VIDEO.replace("a=bundle-only\r\n", "")]);
    let (settled, reply) = member.read_offer(&without, &mut room).unwrap();
    let answer = member.answer(&reply, &surface());
    assert!(settled.negotiated.video.is_none() && !settled.restart);
    assert_eq!((answer.media.len(), answer.media[1].port()), (2, 0));
    assert_ne!(
        before.session.lines()[1],
        answer.session.lines()[1],
        "a new version"
    );

    // and comes back with new credentials, the same SSRC
    let text = first.to_string().replace("a8a3", "b9b4");
    let (settled, reply) = member
        .read_offer(&Sdp::parse(&text).unwrap(), &mut room)
        .unwrap();
    assert!(settled.restart);
    assert_eq!(settled.negotiated.video.unwrap().local_ssrc, 1_002);
    let answer = member.answer(&reply, &surface());
    assert!(answer.to_string().contains("a=setup:passive"));

    let stranger = first.to_string().replace("65:ED", "66:ED");
    let refusal = member
        .read_offer(&Sdp::parse(&stranger).unwrap(), &mut room)
        .unwrap_err();
    assert!(refusal.0.contains("certificate"));
}

#[test]
fn a_hundred_odd_offers_are_answered_or_refused_but_never_panic() {
    let whole = offer(&[AUDIO, FIREFOX_VIDEO, SAFARI_VIDEO]).to_string();
    let lines: Vec<&str> = whole.split_inclusive("\r\n").collect();
    for at in 0..lines.len() {
        // each line missing, doubled, cut short
        for variant in 0..3 {
            let mut lines = lines.clone();
            match variant {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at]),
                _ => lines[at] = "a=x\r\n",
            }
            if let Ok(sdp) = Sdp::parse(&lines.concat())
                && let Ok((_, reply)) = member().read_offer(&sdp, &mut None)
            {
                let answer = member().answer(&reply, &surface()).to_string();
                assert_eq!(Sdp::parse(&answer).unwrap().media.len(), sdp.media.len());
            }
        }
    }
}
