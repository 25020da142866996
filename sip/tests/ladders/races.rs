//! Two people do something at the same moment.

use clinicall_sip::agent::Transport;

use super::clinic::Clinic;

#[test]
fn both_hang_up_at_once() {
    let (mut clinic, call, taken) = Clinic::talking(Transport::Wss);
    clinic.hangup("patient", call);
    clinic.hangup("doctor", taken);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn cancel_crosses_the_200() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 180, None);
    clinic.run_for(100);
    clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn two_tabs_accept_at_once_and_the_loser_is_told_why() {
    let mut clinic = Clinic::with(&["relay", "tab"], Transport::Wss);
    let call = clinic.call("relay", "tab");
    clinic.run_for(100);
    clinic.progress("tab", 180, None);
    clinic.run_for(100);
    clinic.accept("tab", Some("v=0 tab's answer"));
    let now = clinic.now;
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned();
    clinic
        .agent("relay")
        .hangup(now, call, Some(reason))
        .unwrap();
    clinic.run_until_quiet();
    let ladder = clinic.ladder();
    assert!(
        ladder.contains("tab: Ended AnsweredElsewhere by Remote"),
        "{ladder}"
    );
}

#[test]
fn doctor_hangs_up_before_the_ack_of_the_200_came() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    let taken = clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.hangup("doctor", taken);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn bye_crosses_a_change() {
    let (mut clinic, call, taken) = Clinic::talking(Transport::Wss);
    clinic.change("patient", call, "v=0 patient's second offer");
    clinic.hangup("doctor", taken);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn patient_hangs_up_while_the_change_waits_for_its_answer() {
    let (mut clinic, call, _) = Clinic::talking(Transport::Wss);
    clinic.change("patient", call, "v=0 patient's second offer");
    clinic.run_for(100);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn patient_hangs_up_just_after_the_doctor_answered_the_change() {
    let (mut clinic, call, taken) = Clinic::talking(Transport::Wss);
    clinic.change("patient", call, "v=0 patient's second offer");
    clinic.run_for(100);
    clinic.answer_change("doctor", taken, "v=0 doctor's second answer");
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn both_change_at_once() {
    let (mut clinic, call, taken) = Clinic::talking(Transport::Wss);
    clinic.change("patient", call, "v=0 patient's second offer");
    clinic.change("doctor", taken, "v=0 doctor's offer");
    // the doctor does not own the Call-ID and comes back first
    clinic.run_for(2_050);
    clinic.answer_change("patient", call, "v=0 patient's answer");
    clinic.run_for(2_100);
    clinic.answer_change("doctor", taken, "v=0 doctor's second answer");
    clinic.run_for(1_000);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_200_and_the_flow_go_at_once() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.cut("patient", "doctor");
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}
