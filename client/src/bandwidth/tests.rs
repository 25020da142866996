//! Budgets, and what descriptions say of them.

use super::*;

const START: &str = "x-google-start-bitrate";

fn audio(kbps: u32) -> Speech {
    Bandwidth {
        audio: Some(kbps),
        ..Bandwidth::default()
    }
    .speech()
    .unwrap()
}

#[test]
fn the_slower_the_link_the_longer_the_packet() {
    assert_eq!(
        audio(64),
        Speech {
            bitrate: 40_800,
            ptime: 20,
            twice: false
        }
    );
    assert_eq!(
        audio(32),
        Speech {
            bitrate: 20_400,
            ptime: 40,
            twice: false
        }
    );
    assert_eq!(
        audio(16),
        Speech {
            bitrate: 8_267,
            ptime: 60,
            twice: false
        }
    );
    assert_eq!(audio(10).ptime, 120);
    for kbps in 12..=64 {
        let speech = audio(kbps);
        let spent = speech.bitrate + AROUND_SPEECH * 8_000 / speech.ptime;
        assert!(spent <= kbps * 1_000, "{kbps} kbit/s: {spent}");
    }
}

#[test]
fn a_small_picture_and_its_headers_fit_together() {
    let picture = |kbps| {
        let limits = Bandwidth {
            video: Some(kbps),
            ..Bandwidth::default()
        };
        limits.picture().unwrap()
    };
    assert!(picture(41) + 15 * 58 * 8 < 40_000);
    assert!(picture(36) < picture(41) && picture(41) > 30_000);
    assert_eq!(picture(300), 276_000);
    assert_eq!(picture(0), 0);
}

#[test]
fn limits_stand_in_their_place_and_replace_older_ones() {
    let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\nb=AS:99\r\na=mid:0\r\n\
        a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\na=ptime:20\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";
    let mut sdp = Sdp::parse(text).unwrap();
    Bandwidth {
        audio: Some(32),
        video: Some(256),
        ..Bandwidth::default()
    }
    .limit(&mut sdp);
    insta::assert_snapshot!(sdp.to_string().replace('\r', ""), @r"
    v=0
    o=- 1 1 IN IP4 0.0.0.0
    s=-
    t=0 0
    m=audio 9 UDP/TLS/RTP/SAVPF 111
    c=IN IP4 0.0.0.0
    b=AS:32
    b=TIAS:20400
    a=mid:0
    a=rtpmap:111 opus/48000/2
    a=fmtp:111 minptime=10;useinbandfec=1;stereo=0;maxaveragebitrate=20400;usedtx=1;cbr=0
    a=ptime:40
    m=video 9 UDP/TLS/RTP/SAVPF 96
    b=AS:256
    b=TIAS:235520
    a=mid:1
    a=rtpmap:96 VP8/90000
    ");
}

#[test]
fn what_is_lost_is_said_twice_where_that_leaves_enough_to_say() {
    let speech = |kbps, lossy| {
        let limits = Bandwidth {
            audio: Some(kbps),
            lossy,
            ..Bandwidth::default()
        };
        limits.speech().unwrap()
    };
    for kbps in 13..=120 {
        let speech = speech(kbps, Lossy::Much);
        let copies = 1 + u32::from(speech.twice);
        let carrying = u32::from(speech.twice) * CARRYING * 8_000 / speech.ptime;
        let spent = copies * speech.bitrate + carrying + AROUND_SPEECH * 8_000 / speech.ptime;
        assert!(spent <= kbps * 1_000, "{kbps} kbit/s: {spent}");
    }
    assert!(!speech(13, Lossy::Much).twice && !speech(17, Lossy::Some).twice);
    assert!(speech(22, Lossy::Much).twice && speech(24, Lossy::Some).twice);
    assert!(!speech(64, Lossy::Not).twice);
}

#[test]
fn what_is_said_twice_beside_a_wide_picture_is_the_pictures_loss() {
    let beside = |profile, lossy| {
        let limits = Bandwidth {
            lossy,
            ..Bandwidth::profile(profile).unwrap()
        };
        let (speech, clean) = (limits.speech().unwrap(), {
            let lossy = Lossy::Not;
            Bandwidth { lossy, ..limits }.speech().unwrap()
        });
        (speech, clean, limits.beside(speech).unwrap())
    };
    for profile in ["150k", "256k", "hd"] {
        let (speech, clean, video) = beside(profile, Lossy::Some);
        assert!(speech.twice);
        assert_eq!(speech.framing().0, clean.framing().0, "{profile}");
        assert_eq!(speech.bitrate, clean.bitrate, "{profile}");
        let limits = Bandwidth::profile(profile).unwrap();
        let all = speech.at_ip_level(false).div_ceil(1_000) + video;
        assert!(all <= limits.total().unwrap(), "{profile}: {all}");
        assert!(video >= limits.video.unwrap() / 2, "{profile}: {video}");
        let (_, _, video) = beside(profile, Lossy::Not);
        assert_eq!(Some(video), limits.video);
    }
    let (speech, _, video) = beside("64k", Lossy::Some);
    assert!(!speech.twice && video == 36, "there is none to spare");
}

#[test]
fn what_freeswitch_asks_for_gives_way_to_the_link() {
    let offer = include_str!("../../../sip/tests/sdp/freeswitch-offer.sdp");
    let mut sdp = Sdp::parse(offer).unwrap();
    let limits = Bandwidth::profile("64k").unwrap();
    limits.limit(&mut sdp);
    let (audio, video) = (&sdp.media[0], &sdp.media[1]);
    let (speech, picture) = (limits.speech().unwrap(), limits.picture().unwrap());
    assert_eq!(
        audio.lines()[1..3],
        ["b=AS:16".to_owned(), format!("b=TIAS:{}", speech.bitrate)]
    );
    assert_eq!(
        video.lines()[1..3],
        ["b=AS:36".to_owned(), format!("b=TIAS:{picture}")]
    );
    assert_eq!(video.attributes("rtcp-fb").count(), 4);
    assert!(!sdp.to_string().contains("b=AS:1024"));
    // it says the same twice
    assert_eq!(audio.attribute("ptime"), Some("60"));
    for (name, value) in [("ptime", "60"), ("maxptime", "60"), ("stereo", "0")] {
        assert_eq!(audio.fmtp_parameter(102, name), Some(value), "{name}");
    }
}

#[test]
fn over_ipv6_packets_are_longer_to_stay_in_the_budget() {
    for kbps in 14..=64 {
        let speech = Bandwidth {
            v6: true,
            audio: Some(kbps),
            ..Bandwidth::default()
        }
        .speech()
        .unwrap();
        let spent = speech.bitrate + 78 * 8_000 / speech.ptime;
        assert!(spent <= kbps * 1_000, "{kbps} kbit/s: {spent}");
    }
}

#[test]
fn every_profile_leaves_room_for_what_is_no_media() {
    for (name, kbps) in [
        ("16k", 16),
        ("32k", 32),
        ("64k", 64),
        ("150k", 150),
        ("256k", 256),
    ] {
        let profile = Bandwidth::profile(name).unwrap();
        let sum = profile.audio.unwrap() + profile.video.unwrap();
        assert!(sum < kbps && sum * 10 >= kbps * 8, "{name}: {sum}");
        assert!(profile.speech().unwrap().bitrate >= 7_000, "{name}");
    }
    assert_eq!(Bandwidth::profile("auto"), Some(Bandwidth::default()));
    assert_eq!(Bandwidth::profile("fast"), None);
}

#[test]
fn no_second_of_speech_takes_more_than_16_kbit() {
    let speech = Bandwidth::profile("16k").unwrap().speech().unwrap();
    assert_eq!(speech.parameters().cbr, Some(true));
    let packet = speech.bitrate * speech.ptime / 8_000 + AROUND_SPEECH;
    let packets = 1_000_u32.div_ceil(speech.ptime);
    // what a check and a report take at IP level, as captured
    let (stun, rtcp) = (128, 98);
    let most = packets * packet + stun + rtcp;
    assert!(most <= 16_000 / 8, "{most}");
}

#[test]
fn limits_are_told_in_a_line() {
    for (limits, line) in [
        (Bandwidth::profile("64k").unwrap(), "audio=16;video=36"),
        (Bandwidth::default(), ""),
    ] {
        assert_eq!(limits.written(), line);
        assert_eq!(Bandwidth::read(line), limits);
    }
    let odd = Bandwidth::read(" video = 9 ;audio=x;;y=1;video=7");
    assert_eq!((odd.audio, odd.video), (None, Some(9)));
}

#[test]
fn a_chromium_on_a_slow_link_begins_with_what_there_is() {
    let answer = include_str!("../../../sip/tests/sdp/chromium-answer.sdp");
    for (name, start) in [
        ("16k", Some("30")),
        ("32k", Some("30")),
        ("64k", Some("52")),
        ("150k", Some("130")),
        ("256k", Some("228")),
        ("hd", None),
        ("auto", None),
    ] {
        let mut sdp = Sdp::parse(answer).unwrap();
        let limits = Bandwidth::profile(name).unwrap();
        limits.allow(&mut sdp);
        let (audio, video) = (&sdp.media[0], &sdp.media[1]);
        assert_eq!(video.fmtp_parameter(96, START), start, "{name}");
        assert_eq!(video.fmtp(97), Some("apt=96"), "{name}: a repair");
        assert_eq!(audio.fmtp_parameter(111, START), None, "{name}: speech");
        let text = sdp.to_string();
        for other in ["x-google-min", "x-google-max"] {
            assert!(!text.contains(other), "{name}: {other}");
        }
        let ceiling = limits.ceiling().map(|kbps| format!("b=TIAS:{kbps}000"));
        let found = video.lines().iter().find(|line| line.starts_with("b=TIAS"));
        assert_eq!(found, ceiling.as_ref(), "{name}: a picture and its repairs");
    }
}

#[test]
fn a_browser_that_tries_what_its_link_carries_leaves_room_for_speech() {
    for (name, link) in [("64k", 64_u32), ("150k", 150), ("256k", 256)] {
        let limits = Bandwidth::profile(name).unwrap();
        let (speech, tried) = (limits.audio.unwrap(), limits.ceiling().unwrap());
        // RTCP was seen to take a twentieth
        let all = speech + tried + link.div_ceil(20);
        assert!(all <= link, "{name}: {all}");
    }
}

#[test]
fn a_limit_of_one_medium_tells_nothing_of_the_link() {
    let answer = include_str!("../../../sip/tests/sdp/chromium-answer.sdp");
    for (audio, video) in [
        (Some(24), None),
        (None, Some(100)),
        (Some(u32::MAX), Some(1)),
    ] {
        let mut sdp = Sdp::parse(answer).unwrap();
        let limits = Bandwidth {
            audio,
            video,
            ..Bandwidth::default()
        };
        limits.allow(&mut sdp);
        assert!(!sdp.to_string().contains("x-google"));
    }
}

#[test]
fn no_limit_changes_nothing() {
    let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let mut sdp = Sdp::parse(text).unwrap();
    Bandwidth::default().limit(&mut sdp);
    assert_eq!(sdp.to_string(), text);
}
