//! Descriptions before the answer: reliable provisionals, late offers, early changes.

use clinicall_sip::agent::Transport;

use super::clinic::Clinic;

#[test]
fn the_relay_asks_the_doctors_phone_for_the_offer() {
    let mut clinic = Clinic::with(&["relay", "doctor"], Transport::Wss);
    let call = clinic.invite("relay", "doctor", |invite| invite.offer = None);
    clinic.run_for(100);
    clinic.accept("doctor", Some("v=0 doctor's offer"));
    clinic.run_for(100);
    clinic.answer_change("relay", call, "v=0 relay's answer");
    clinic.run_for(100);
    clinic.hangup("relay", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn hanging_up_instead_of_answering_the_offer_in_a_200() {
    let mut clinic = Clinic::with(&["relay", "doctor"], Transport::Wss);
    let call = clinic.invite("relay", "doctor", |invite| invite.offer = None);
    clinic.run_for(100);
    clinic.accept("doctor", Some("v=0 doctor's offer"));
    clinic.run_for(100);
    clinic.hangup("relay", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_doctors_phone_offers_while_it_rings() {
    let mut clinic = Clinic::with(&["relay", "doctor"], Transport::Wss);
    let call = clinic.invite("relay", "doctor", |invite| invite.offer = None);
    clinic.run_for(100);
    clinic.progress("doctor", 183, Some("v=0 doctor's offer"));
    clinic.run_for(100);
    clinic.answer_change("relay", call, "v=0 relay's answer");
    clinic.run_for(1_000);
    clinic.accept("doctor", None);
    clinic.run_for(100);
    clinic.hangup("relay", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn accepted_before_the_prack_came() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 183, Some("v=0 doctor's answer"));
    clinic.accept("doctor", None);
    clinic.run_for(100);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn accepted_right_behind_a_preview() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.preview("doctor", "v=0 doctor's answer");
    clinic.accept("doctor", None);
    clinic.run_for(100);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_preview_for_a_caller_who_requires_100rel_is_reliable() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.invite("patient", "doctor", |invite| {
        invite.headers.push("Require", "100rel");
    });
    clinic.run_for(100);
    clinic.preview("doctor", "v=0 doctor's answer");
    clinic.run_for(100);
    assert!(clinic.ladder().contains("PRACK"));
}

#[test]
fn cancelled_while_the_prack_is_on_its_way() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 183, Some("v=0 doctor's answer"));
    clinic.accept("doctor", None);
    clinic.run_for(15);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_session_changes_while_it_rings() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 183, Some("v=0 doctor's answer"));
    clinic.run_for(100);
    let ringing = clinic.incoming("doctor");
    clinic.change("doctor", ringing, "v=0 doctor's early offer");
    clinic.run_for(100);
    clinic.answer_change("patient", call, "v=0 patient's early answer");
    clinic.run_for(100);
    clinic.change("patient", call, "v=0 patient's early offer");
    clinic.run_for(100);
    clinic.answer_change("doctor", ringing, "v=0 doctor's early answer");
    clinic.run_for(100);
    clinic.accept("doctor", None);
    clinic.run_for(100);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}
