use clinicall_sip::Millis;

use super::clinic::{BOTH, Clinic, Devices, OFFER};
use crate::{
    phone::{CallState, PeerNews},
    reason::Cause,
};

#[test]
fn the_doctor_is_rung_and_answers() {
    let mut clinic = Clinic::open();
    clinic.ring("3", "Patient Petrov", Some(OFFER));
    clinic.run_for(Millis(1_000));
    let call = clinic.last_call.unwrap();
    assert_eq!(clinic.phone.call_state(call), CallState::Incoming);
    assert!(clinic.phone.has_video(call));
    assert!(
        clinic.heard("page  -> 180 INVITE + sdp"),
        "the path gets ready while it rings"
    );
    assert!(
        !clinic.heard("Capture") && !clinic.heard("Attach"),
        "{}",
        clinic.ladder()
    );
    clinic.page(|phone, now| phone.accept(now, call, BOTH).unwrap());
    clinic.run_for(Millis(1_000));
    assert_eq!(clinic.phone.call_state(call), CallState::Connected);
    insta::assert_snapshot!(clinic.story());
}

#[test]
fn the_doctor_answers_from_within_the_callback() {
    let mut clinic = Clinic::open();
    clinic.on_incoming = Some(|phone, now, call| phone.accept(now, call, BOTH).unwrap());
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(1_000));
    let call = clinic.last_call.unwrap();
    assert_eq!(
        clinic.phone.call_state(call),
        CallState::Connected,
        "{}",
        clinic.ladder()
    );
    assert!(clinic.heard("Attach"));
    // the path gets ready while the camera wakes up, and the 200 waits for nothing else
    assert!(clinic.heard("page  -> 180 INVITE + sdp") && !clinic.heard("PRACK"));
}

#[test]
fn the_page_hangs_up_from_within_the_callback() {
    let mut clinic = Clinic::open();
    clinic.on_incoming = Some(|phone, now, call| phone.hangup(now, call));
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(1_000));
    assert!(
        clinic.heard("Hangup Rejected by Local"),
        "{}",
        clinic.ladder()
    );
    assert!(clinic.heard("page  -> 603 INVITE") || clinic.heard("page  -> 480 INVITE"));
    assert_eq!(clinic.phone.calls().count(), 0);
}

#[test]
fn the_page_disconnects_from_within_the_callback() {
    let mut clinic = Clinic::open();
    clinic.on_incoming = Some(|phone, now, _| phone.disconnect(now));
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(2_000));
    assert!(
        clinic.story().ends_with("socket  close"),
        "{}",
        clinic.ladder()
    );
}

#[test]
fn a_tab_that_is_closed_leaves_the_other_ringing() {
    let mut clinic = Clinic::open();
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    clinic.page(|phone, now| phone.disconnect(now));
    clinic.run_for(Millis(2_000));
    // 603 would decline for all devices of the doctor (RFC 3261 section 21.6.2)
    assert!(clinic.heard("page  -> 480 INVITE"), "{}", clinic.ladder());
}

#[test]
fn the_doctor_declines() {
    let mut clinic = Clinic::open();
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    let call = clinic.last_call.unwrap();
    clinic.page(|phone, now| phone.reject(now, call, None).unwrap());
    clinic.run_for(Millis(500));
    assert!(clinic.heard("page  -> 603 INVITE"), "{}", clinic.ladder());
    assert!(clinic.heard("Hangup Rejected by Local 603"));
    let again = clinic.page(|phone, now| phone.accept(now, call, BOTH));
    assert_eq!(again.unwrap_err().cause, Cause::WrongState);
}

#[test]
fn a_second_patient_hears_busy() {
    let mut clinic = Clinic::open();
    clinic.on_incoming = Some(|phone, now, call| phone.accept(now, call, BOTH).unwrap());
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    clinic.log.clear();
    clinic.ring("4", "", Some(OFFER));
    clinic.run_for(Millis(500));
    assert!(clinic.heard("page  -> 486 INVITE"), "{}", clinic.ladder());
    assert!(!clinic.heard("Incoming"));
    clinic.page(|phone, _| phone.set_multiple_calls(true));
    clinic.ring("4", "", Some(OFFER));
    clinic.run_for(Millis(500));
    assert!(clinic.heard("Incoming 4"));
    assert_eq!(clinic.phone.calls().count(), 2);
}

#[test]
fn the_patient_gives_up() {
    let mut clinic = Clinic::open();
    let leg = clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    clinic.relay(|server, now| server.hangup(now, leg, None).unwrap());
    clinic.run_for(Millis(500));
    assert!(
        clinic.heard("Hangup Canceled by Remote"),
        "{}",
        clinic.ladder()
    );
}

#[test]
fn the_doctor_answered_in_the_other_tab() {
    let mut clinic = Clinic::open();
    let leg = clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    let reason = "SIP;cause=200;text=\"Answered elsewhere\"".to_owned();
    clinic.relay(|server, now| server.hangup(now, leg, Some(reason)).unwrap());
    clinic.run_for(Millis(500));
    assert!(
        clinic.heard("Hangup AnsweredElsewhere by Remote"),
        "{}",
        clinic.ladder()
    );
}

#[test]
fn a_doctor_who_denies_the_microphone_cannot_answer() {
    let mut clinic = Clinic::open();
    clinic.devices = Devices::Denied;
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    let call = clinic.last_call.unwrap();
    clinic.page(|phone, now| phone.accept(now, call, BOTH).unwrap());
    clinic.run_for(Millis(500));
    assert!(clinic.heard("page  -> 480 INVITE"), "{}", clinic.ladder());
    assert!(clinic.heard("Hangup MediaDenied by System"));
}

#[test]
fn the_caller_gives_up_while_the_camera_prompt_is_open() {
    let mut clinic = Clinic::open();
    clinic.devices = Devices::Unanswered;
    let leg = clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    let call = clinic.last_call.unwrap();
    clinic.page(|phone, now| phone.accept(now, call, BOTH).unwrap());
    clinic.run_for(Millis(500));
    clinic.relay(|server, now| server.hangup(now, leg, None).unwrap());
    clinic.run_for(Millis(500));
    clinic.news(call, PeerNews::Captured);
    assert!(clinic.heard("Hangup Canceled"), "{}", clinic.ladder());
    assert!(!clinic.heard("Attach"));
}

#[test]
fn the_caller_leaves_the_offer_to_us() {
    let mut clinic = Clinic::open();
    clinic.ring("3", "", None);
    clinic.run_for(Millis(500));
    let call = clinic.last_call.unwrap();
    assert!(clinic.heard("page  -> 180 INVITE"), "{}", clinic.ladder());
    clinic.page(|phone, now| phone.accept(now, call, BOTH).unwrap());
    clinic.run_for(Millis(500));
    assert!(clinic.heard("Offer { video: true"), "{}", clinic.ladder());
    assert!(
        clinic.heard("page  -> 200 INVITE + sdp"),
        "{}",
        clinic.ladder()
    );
}

#[test]
fn the_other_side_hangs_up() {
    let mut clinic = Clinic::open();
    clinic.on_incoming = Some(|phone, now, call| phone.accept(now, call, BOTH).unwrap());
    let leg = clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    clinic.relay(|server, now| server.hangup(now, leg, None).unwrap());
    clinic.run_for(Millis(500));
    assert!(
        clinic.heard("Hangup Hangup by Remote"),
        "{}",
        clinic.ladder()
    );
    assert!(clinic.heard("browser  Close"));
}

#[test]
fn a_late_camera_of_an_older_wish_changes_nothing() {
    let mut clinic = Clinic::open();
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    let call = clinic.last_call.unwrap();
    clinic.news(call, PeerNews::CaptureFailed(Cause::NoDevice));
    assert_eq!(clinic.phone.call_state(call), CallState::Incoming);
}

#[test]
fn the_clinic_says_which_room_and_why() {
    let mut clinic = Clinic::open();
    let headers = [
        ("X-Clinicall-Room", "1"),
        (
            "X-Clinicall-Message",
            "%7B%22why%22%3A%22%D0%BA%D0%B0%D1%88%D0%B5%D0%BB%D1%8C%22%7D 100%",
        ),
    ];
    clinic.ring_with("3", "Patient Petrov", Some(OFFER), &headers);
    clinic.run_for(Millis(1_000));
    let peer = clinic.phone.peer(clinic.last_call.unwrap()).unwrap();
    assert_eq!(peer.room.as_deref(), Some("1"));
    assert_eq!(peer.message.as_deref(), Some("{\"why\":\"кашель\"} 100%"));
}
