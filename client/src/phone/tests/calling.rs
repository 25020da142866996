use clinicall_sip::{Headers, Millis, Status};

use super::clinic::{BOTH, Clinic, Devices, OFFER};
use crate::phone::{CallState, Wants};

#[test]
fn the_patient_calls_and_the_doctor_answers() {
    let mut clinic = Clinic::open();
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    let leg = clinic.arrived();
    // the relay answers the offer before it rings anybody
    clinic.relay(|server, now| {
        server
            .progress(now, leg, Status(183), Some(OFFER.into()), Headers::new())
            .unwrap();
    });
    clinic.run_for(Millis(100));
    clinic.relay(|server, now| {
        server
            .progress(now, leg, Status(180), None, Headers::new())
            .unwrap();
    });
    clinic.run_for(Millis(2_000));
    assert_eq!(clinic.phone.call_state(call), CallState::Ringing);
    assert!(
        !clinic.heard("Attach"),
        "nobody is heard before the doctor answers"
    );
    clinic.relay(|server, now| server.accept(now, leg, None, Headers::new()).unwrap());
    clinic.run_for(Millis(1_000));
    assert_eq!(clinic.phone.call_state(call), CallState::Connected);
    clinic.page(|phone, now| phone.hangup(now, call));
    clinic.run_for(Millis(1_000));
    insta::assert_snapshot!(clinic.story());
}

#[test]
fn the_invite_waits_for_neither_camera_nor_candidates() {
    let mut clinic = Clinic::open();
    clinic.devices = Devices::Unanswered;
    clinic.dead_stun = true;
    let asked = clinic.now;
    clinic.call("3", BOTH);
    clinic.run_for(Millis(1_000));
    let left = clinic.when("-> INVITE") + 1_000 - asked.0;
    assert!(left <= 5, "{left} ms");
}

#[test]
fn the_doctor_is_in_another_call() {
    let mut clinic = Clinic::open();
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    let leg = clinic.arrived();
    clinic.relay(|server, now| {
        server
            .reject(now, leg, Status(486), Headers::new())
            .unwrap()
    });
    clinic.run_for(Millis(100));
    assert!(
        clinic.heard("Hangup Busy by Remote 486"),
        "{}",
        clinic.ladder()
    );
    assert_eq!(clinic.phone.call_state(call), CallState::Ended);
    assert!(clinic.story().ends_with("page  -> ACK") || clinic.heard("page  -> ACK"));
}

#[test]
fn every_refusal_has_its_name() {
    for (status, cause) in [
        (404, "NotFound"),
        (480, "Unavailable"),
        (408, "NoAnswer"),
        (603, "Rejected"),
        (488, "IncompatibleMedia"),
        (500, "ServerError"),
        (302, "Redirected"),
    ] {
        let mut clinic = Clinic::open();
        clinic.call("3", BOTH);
        clinic.run_for(Millis(100));
        let leg = clinic.arrived();
        clinic.relay(|server, now| {
            server
                .reject(now, leg, Status(status), Headers::new())
                .unwrap()
        });
        clinic.run_for(Millis(100));
        let expected = format!("Hangup {cause} by Remote {status}");
        assert!(clinic.heard(&expected), "{expected}\n{}", clinic.ladder());
    }
}

#[test]
fn the_patient_gives_up_while_it_rings() {
    let mut clinic = Clinic::open();
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    let leg = clinic.arrived();
    clinic.relay(|server, now| {
        server
            .progress(now, leg, Status(180), None, Headers::new())
            .unwrap();
    });
    clinic.run_for(Millis(500));
    clinic.page(|phone, now| phone.hangup(now, call));
    assert_eq!(clinic.phone.calls().count(), 0, "the page is free at once");
    clinic.run_for(Millis(500));
    insta::assert_snapshot!(clinic.story());
}

#[test]
fn the_patient_thinks_better_of_it_before_the_invite_left() {
    let mut clinic = Clinic::open();
    let call = clinic.call("3", BOTH);
    clinic.page(|phone, now| phone.hangup(now, call));
    clinic.run_for(Millis(500));
    assert!(!clinic.heard("INVITE"), "{}", clinic.ladder());
    assert!(clinic.heard("Hangup Canceled by Local"));
    assert!(clinic.heard("browser  Close"));
}

#[test]
fn without_a_camera_one_can_still_talk() {
    let mut clinic = Clinic::open();
    clinic.devices = Devices::NoCamera;
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    assert!(clinic.heard("Capture true false"), "{}", clinic.ladder());
    clinic.accepts();
    clinic.run_for(Millis(100));
    assert_eq!(clinic.phone.call_state(call), CallState::Connected);
    assert!(clinic.heard("Attach"));
}

#[test]
fn a_patient_who_denies_the_microphone_cannot_call() {
    let mut clinic = Clinic::open();
    clinic.devices = Devices::Denied;
    clinic.call("3", BOTH);
    clinic.run_for(Millis(1_000));
    assert!(
        clinic.heard("Hangup MediaDenied by System"),
        "{}",
        clinic.ladder()
    );
    assert!(clinic.heard("-> CANCEL"));
}

#[test]
fn the_camera_comes_after_the_answer() {
    let mut clinic = Clinic::open();
    clinic.devices = Devices::Unanswered;
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    clinic.accepts();
    clinic.run_for(Millis(3_000));
    assert!(clinic.heard("Connected") && !clinic.heard("Attach"));
    clinic.news(call, crate::phone::PeerNews::Captured);
    assert!(clinic.heard("Attach"));
}

#[test]
fn a_call_by_voice_alone_offers_no_picture() {
    let mut clinic = Clinic::open();
    let call = clinic.call(
        "3",
        Wants {
            audio: true,
            video: false,
        },
    );
    clinic.run_for(Millis(100));
    assert!(clinic.heard("Offer { video: false"), "{}", clinic.ladder());
    assert!(!clinic.phone.has_video(call));
}

#[test]
fn muting_is_told_and_kept_for_when_the_camera_comes() {
    let mut clinic = Clinic::open();
    let call = clinic.call("3", BOTH);
    clinic.page(|phone, now| phone.mute(now, call, Some(true), None).unwrap());
    clinic.run_for(Millis(100));
    clinic.accepts();
    clinic.run_for(Millis(100));
    let story = clinic.story();
    let attached = story.find("Attach").unwrap();
    assert!(story[..attached].contains("Mute true false"), "{story}");
    clinic.page(|phone, now| phone.mute(now, call, Some(false), Some(true)).unwrap());
    assert!(clinic.heard("Mute false true"));
    assert!(clinic.phone.muted(call).video);
}

#[test]
fn the_one_we_are_about_to_call_does_not_hear_busy() {
    let mut clinic = Clinic::open();
    let theirs = {
        clinic.ring("3", "", Some(OFFER));
        clinic.ring_leg()
    };
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    assert!(!clinic.heard("486 INVITE"), "{}", clinic.ladder());
    assert!(!clinic.heard("Incoming"), "{}", clinic.ladder());
    // the relay takes our INVITE for the answer to theirs
    let ours = clinic.arrived();
    clinic.relay(|server, now| {
        server
            .accept(now, ours, Some(OFFER.into()), Headers::new())
            .unwrap();
        server.hangup(now, theirs, None).unwrap();
    });
    clinic.run_for(Millis(500));
    assert_eq!(clinic.phone.call_state(call), CallState::Connected);
    assert_eq!(clinic.phone.calls().count(), 1);
}

#[test]
fn who_crossed_a_call_that_came_to_nothing_hears_busy() {
    let mut clinic = Clinic::open();
    clinic.ring("3", "", Some(OFFER));
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    assert!(!clinic.heard("486 INVITE"), "{}", clinic.ladder());
    clinic.page(|phone, now| phone.hangup(now, call));
    clinic.run_for(Millis(500));
    assert!(clinic.heard("page  -> 486 INVITE"), "{}", clinic.ladder());
    assert_eq!(clinic.phone.calls().count(), 0);
}
