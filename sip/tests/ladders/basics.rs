//! Calls where nothing special happens, and the ways they end.

use clinicall_sip::{Headers, Status, agent::Transport};

use super::clinic::Clinic;

#[test]
fn patient_calls_doctor_answers_patient_hangs_up() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 180, None);
    clinic.run_for(3_000);
    clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.run_for(60_000);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn doctor_hangs_up() {
    let (mut clinic, _, taken) = Clinic::talking(Transport::Wss);
    let now = clinic.now;
    let reason = "SIP;cause=200;text=\"Visit over\"".to_owned();
    clinic
        .agent("doctor")
        .hangup(now, taken, Some(reason))
        .unwrap();
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn patient_hangs_up_while_the_doctor_is_still_ringing() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 180, None);
    clinic.run_for(100);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn patient_hangs_up_before_anything_came_back() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn doctor_declines() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    let (now, call) = (clinic.now, clinic.incoming("doctor"));
    clinic
        .agent("doctor")
        .reject(now, call, Status(486), Headers::new())
        .unwrap();
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn nobody_answers_at_the_doctors() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 180, None);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn preconnected_by_a_reliable_183() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 183, Some("v=0 doctor's answer"));
    clinic.run_for(3_000);
    clinic.accept("doctor", None);
    clinic.run_for(1_000);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}
