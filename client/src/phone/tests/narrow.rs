//! Narrow links: who is told, and what the browser then does.

use clinicall_sip::{Headers, Method, Millis, Status};

use super::clinic::{BOTH, Clinic, OFFER};
use crate::{
    bandwidth::Bandwidth,
    phone::{CallId, PathState, PeerNews},
    quality::Sample,
};

/// A visit that is going on.
fn talking() -> (Clinic, CallId) {
    let mut clinic = Clinic::open();
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    clinic.accepts();
    clinic.run_for(Millis(100));
    (clinic, call)
}

/// The other side's INFO, as the relay passes it on.
fn tell(clinic: &mut Clinic, what: &str) {
    let leg = clinic.arrived();
    let mut headers = Headers::new();
    headers.push("Content-Type", "application/vnd.clinicall.bandwidth");
    clinic.relay(|server, now| {
        server
            .request_within(now, leg, Method::Info, headers, what.into())
            .unwrap();
    });
    clinic.run_for(Millis(100));
}

#[test]
fn the_page_sets_the_bandwidth_and_the_other_side_hears_of_it() {
    let (mut clinic, _) = talking();
    assert!(!clinic.heard("INFO"), "nothing to say: {}", clinic.ladder());
    let profile = Bandwidth::profile("16k").unwrap();
    clinic.page(|phone, now| phone.set_bandwidth(now, profile));
    clinic.run_for(Millis(100));
    for heard in [
        "-> INFO",
        "Tune(Plan",
        "picture: Paused",
        "Frame(Some",
        "Quality Good: the page has set the bandwidth",
    ] {
        assert!(clinic.heard(heard), "{heard}: {}", clinic.ladder());
    }
    assert!(!clinic.heard("-> UPDATE"), "nothing is negotiated");
}

#[test]
fn a_patient_who_logged_in_with_a_budget_tells_it_when_the_call_is_up() {
    let mut clinic = Clinic::open();
    let profile = Bandwidth::profile("64k").unwrap();
    clinic.page(|phone, now| phone.set_bandwidth(now, profile));
    clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    assert!(!clinic.heard("-> INFO"), "{}", clinic.ladder());
    clinic.accepts();
    clinic.run_for(Millis(100));
    assert!(clinic.heard("-> INFO"), "{}", clinic.ladder());
}

const WITH_TCP: &str = "a=candidate:1 1 udp 2130706431 192.0.2.1 8443 typ host\r\n\
    a=candidate:2 1 tcp 1520435199 192.0.2.1 8443 typ host tcptype passive\r\na=end-of-candidates\r\n";

/// A patient on a slow link rings; the relay answers with candidates over UDP and TCP.
fn rings_over(profile: &str) -> (Clinic, CallId) {
    let mut clinic = Clinic::open();
    let profile = Bandwidth::profile(profile).unwrap();
    clinic.page(|phone, now| phone.set_bandwidth(now, profile));
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(60));
    let leg = clinic.arrived();
    let answer = [OFFER, WITH_TCP].concat();
    clinic.relay(|server, now| {
        server
            .progress(now, leg, Status(183), Some(answer), Headers::new())
            .unwrap();
    });
    clinic.run_for(Millis(60));
    (clinic, call)
}

#[test]
fn a_slow_link_tries_tcp_when_udp_had_its_time() {
    let (mut clinic, _) = rings_over("16k");
    assert!(clinic.heard("SetAnswer"), "{}", clinic.ladder());
    assert!(!clinic.heard("with TCP"), "{}", clinic.ladder());
    clinic.run_for(Millis(4_000));
    assert!(
        clinic.heard("Candidates([\"candidate:2 1 tcp"),
        "{}",
        clinic.ladder()
    );
    clinic.log.clear();
    clinic.run_for(Millis(10_000));
    assert!(!clinic.heard("Candidates"), "once is enough");
}

#[test]
fn where_udp_gets_through_tcp_is_not_tried() {
    let (mut clinic, call) = rings_over("64k");
    clinic.news(call, PeerNews::Path(PathState::Connected));
    clinic.run_for(Millis(5_000));
    assert!(!clinic.heard("Candidates"), "{}", clinic.ladder());
}

#[test]
fn a_good_link_tries_everything_at_once() {
    let (clinic, _) = rings_over("150k");
    assert!(clinic.heard("with TCP"), "{}", clinic.ladder());
}

#[test]
fn limits_beyond_reason_are_no_slow_link() {
    let mut clinic = Clinic::open();
    let profile = Bandwidth {
        audio: Some(u32::MAX),
        video: Some(64),
        ..Bandwidth::default()
    };
    clinic.page(|phone, now| phone.set_bandwidth(now, profile));
    clinic.ring("3", "Doctor", Some(&[OFFER, WITH_TCP].concat()));
    clinic.run_for(Millis(4_000));
    assert!(!clinic.heard("Candidates"), "{}", clinic.ladder());
}

#[test]
fn the_doctor_sends_no_more_than_the_patient_can_take() {
    let (mut clinic, _) = talking();
    tell(&mut clinic, "audio=15;video=0");
    let told = "Quality Good: the other side's link takes 15 kbit/s of speech and no picture";
    assert!(clinic.heard(told), "{}", clinic.ladder());
    assert!(clinic.heard("picture: Paused") && clinic.heard("ptime: 120"));
    clinic.log.clear();
    tell(&mut clinic, "audio=15;video=0");
    assert!(!clinic.heard("Quality") && !clinic.heard("Tune"));
    // nonsense is no limit
    tell(&mut clinic, "audio=-1;\u{0};=");
    assert!(clinic.heard("picture: Shown"), "{}", clinic.ladder());
}

#[test]
fn a_link_that_gets_worse_costs_the_picture_and_the_page_is_told() {
    let (mut clinic, call) = talking();
    let good = Sample {
        room: Some(500),
        rtt: 200,
        lines: 480,
        ..Sample::default()
    };
    let crowded = Sample {
        room: Some(25),
        rtt: 900,
        ..good
    };
    for sample in [good, crowded, crowded, crowded, crowded] {
        clinic.news(call, PeerNews::Measured(sample));
    }
    assert!(
        clinic.heard("Quality Poor: video paused: the link carries 25 kbit/s of video"),
        "{}",
        clinic.ladder()
    );
    for _ in 0..20 {
        clinic.news(call, PeerNews::Measured(good));
    }
    assert!(
        clinic.heard("Quality Fair: video is back"),
        "{}",
        clinic.ladder()
    );
}

#[test]
fn a_link_that_loses_packets_has_speech_said_twice_and_the_other_side_need_not_know() {
    let (mut clinic, call) = talking();
    let profile = Bandwidth::profile("32k").unwrap();
    clinic.page(|phone, now| phone.set_bandwidth(now, profile));
    clinic.run_for(Millis(100));
    assert!(!clinic.heard("twice: true"), "{}", clinic.ladder());
    clinic.log.clear();
    let lossy = Sample {
        lost: 8,
        rtt: 300,
        ..Sample::default()
    };
    for _ in 0..4 {
        clinic.news(call, PeerNews::Measured(lossy));
    }
    assert!(clinic.heard("Frame(Some(Speech") && clinic.heard("twice: true"));
    assert!(!clinic.heard("->"), "{}", clinic.ladder());
}

#[test]
fn nothing_is_said_twice_to_who_does_not_understand_it() {
    let mut clinic = Clinic::open();
    let profile = Bandwidth::profile("32k").unwrap();
    clinic.page(|phone, now| phone.set_bandwidth(now, profile));
    let offer = OFFER.replace("red/48000", "G722/8000");
    clinic.ring("3", "Doctor", Some(&offer));
    clinic.run_for(Millis(200));
    let call = clinic.last_call.unwrap();
    clinic.page(|phone, now| phone.accept(now, call, BOTH).unwrap());
    clinic.run_for(Millis(500));
    let lossy = Sample {
        lost: 20,
        rtt: 300,
        ..Sample::default()
    };
    for _ in 0..9 {
        clinic.news(call, PeerNews::Measured(lossy));
    }
    assert!(clinic.heard("Attach") && !clinic.heard("twice: true"));
}

#[test]
fn a_pbx_is_told_nothing_it_does_not_know() {
    let mut clinic = Clinic::abroad();
    let profile = Bandwidth::profile("32k").unwrap();
    clinic.page(|phone, now| phone.set_bandwidth(now, profile));
    clinic.call("3", BOTH);
    clinic.run_for(Millis(3_000));
    clinic.accepts();
    clinic.run_for(Millis(100));
    assert!(clinic.heard("Attach") && !clinic.heard("-> INFO"));
}

#[test]
fn the_own_browser_begins_slowly_and_nobody_else_hears_of_it() {
    let profile = Bandwidth::profile("64k").unwrap();
    let mut caller = Clinic::open();
    caller.page(|phone, now| phone.set_bandwidth(now, profile));
    caller.call("3", BOTH);
    caller.run_for(Millis(100));
    caller.accepts();
    let mut callee = Clinic::abroad();
    callee.page(|phone, now| phone.set_bandwidth(now, profile));
    callee.ring("1001", "Reception", Some(OFFER));
    callee.run_for(Millis(200));
    let call = callee.last_call.unwrap();
    callee.page(|phone, now| phone.accept(now, call, BOTH).unwrap());
    for mut clinic in [caller, callee] {
        clinic.run_for(Millis(1_000));
        assert_eq!(clinic.described.len(), 1, "{}", clinic.ladder());
        assert!(clinic.described[0].contains("a=fmtp:96 x-google-start-bitrate=52\r\n"));
        let with_limits = clinic.sent.iter().filter(|text| text.contains("b=AS:36"));
        assert!(with_limits.count() > 0, "{}", clinic.ladder());
        assert!(!clinic.sent.iter().any(|text| text.contains("x-google")));
    }
}

#[test]
fn on_a_narrow_link_no_packet_of_speech_says_how_loud_it_is() {
    const LEVEL: &str = "ssrc-audio-level";
    for (profile, tells) in [("16k", false), ("64k", false), ("150k", true)] {
        let profile = Bandwidth::profile(profile).unwrap();
        for rings in [true, false] {
            let mut clinic = Clinic::open();
            clinic.page(|phone, now| phone.set_bandwidth(now, profile));
            if rings {
                clinic.call("3", BOTH);
            } else {
                clinic.ring("3", "Dr. Ada", Some(OFFER));
            }
            clinic.run_for(Millis(200));
            // what it offers, and what its browser is offered
            let offers = if rings {
                &clinic.sent
            } else {
                &clinic.described
            };
            let offer = offers.iter().find(|text| text.contains("m=audio"));
            let offer = offer.unwrap_or_else(|| panic!("{}", clinic.ladder()));
            assert_eq!(offer.contains(LEVEL), tells, "{profile:?}, rings: {rings}");
        }
    }
    // a foreign server may need it
    let mut abroad = Clinic::abroad();
    let profile = Bandwidth::profile("64k").unwrap();
    abroad.page(|phone, now| phone.set_bandwidth(now, profile));
    abroad.ring("1001", "Reception", Some(OFFER));
    abroad.run_for(Millis(200));
    let call = abroad.last_call.unwrap();
    abroad.page(|phone, now| phone.accept(now, call, BOTH).unwrap());
    abroad.run_for(Millis(200));
    assert!(abroad.described[0].contains(LEVEL), "{}", abroad.ladder());
}

#[test]
fn what_was_offered_before_the_link_was_known_to_be_narrow_stays_agreed() {
    let mut clinic = Clinic::open();
    clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    let profile = Bandwidth::profile("64k").unwrap();
    clinic.page(|phone, now| phone.set_bandwidth(now, profile));
    clinic.accepts();
    clinic.run_for(Millis(100));
    assert!(clinic.described[0].contains("ssrc-audio-level"));
}

#[test]
fn without_limits_the_browser_gets_what_the_peer_said() {
    let (clinic, _) = talking();
    assert_eq!(clinic.described, [OFFER]);
}
