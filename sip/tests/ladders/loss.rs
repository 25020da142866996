//! Datagrams that get lost, and peers that fall silent.

use clinicall_sip::agent::Transport;

use super::clinic::Clinic;

#[test]
fn the_first_three_invites_get_lost() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Udp);
    clinic.lose("INVITE", 3);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(4_000);
    clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.run_for(100);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_200_gets_lost_and_then_its_ack() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Udp);
    clinic.lose("200 INVITE", 1);
    clinic.lose("ACK", 1);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.run_for(10_000);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_reliable_183_and_its_prack_get_lost() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Udp);
    clinic.lose("183 INVITE", 1);
    clinic.lose("PRACK", 1);
    clinic.lose("200 PRACK", 1);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 183, Some("v=0 doctor's answer"));
    clinic.run_for(10_000);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_busy_answer_gets_lost_and_its_ack() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Udp);
    clinic.lose("486 INVITE", 1);
    clinic.lose("ACK", 1);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    let (now, call) = (clinic.now, clinic.incoming("doctor"));
    let headers = clinicall_sip::Headers::new();
    clinic
        .agent("doctor")
        .reject(now, call, clinicall_sip::Status(486), headers)
        .unwrap();
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_bye_gets_lost_twice() {
    let (mut clinic, call, _) = Clinic::talking(Transport::Udp);
    clinic.lose("BYE", 2);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn nobody_is_there() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.silence("patient", "doctor");
    clinic.call("patient", "doctor");
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_caller_vanished_before_its_ack() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.silence("patient", "doctor");
    clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.run_for(70_000);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_caller_vanished_before_its_prack() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.silence("patient", "doctor");
    clinic.progress("doctor", 183, Some("v=0 doctor's answer"));
    clinic.run_for(40_000);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_callers_tab_closes_while_it_rings() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.cut("patient", "doctor");
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn hanging_up_on_a_peer_that_is_gone() {
    let (mut clinic, call, _) = Clinic::talking(Transport::Wss);
    clinic.silence("patient", "doctor");
    clinic.hangup("patient", call);
    clinic.run_for(60_000);
    insta::assert_snapshot!(clinic.ladder());
}
