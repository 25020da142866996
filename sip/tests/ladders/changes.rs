//! Changes of an established session.

use clinicall_sip::{
    Status,
    agent::{CallId, Flow, Transport},
};

use super::clinic::Clinic;

#[test]
fn patient_adds_video() {
    let (mut clinic, call, taken) = Clinic::talking(Transport::Wss);
    clinic.change("patient", call, "v=0 with video");
    clinic.run_for(100);
    clinic.answer_change("doctor", taken, "v=0 with video too");
    clinic.run_for(100);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn doctor_refuses_a_change_and_the_call_goes_on() {
    let (mut clinic, call, taken) = Clinic::talking(Transport::Wss);
    clinic.change("patient", call, "v=0 with video");
    clinic.run_for(100);
    let now = clinic.now;
    clinic
        .agent("doctor")
        .refuse_change(now, taken, Status(488))
        .unwrap();
    clinic.run_for(100);
    clinic.hangup("doctor", taken);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn doctors_page_never_answers_a_change() {
    let (mut clinic, call, _) = Clinic::talking(Transport::Wss);
    clinic.change("patient", call, "v=0 with video");
    clinic.run_for(40_000);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn an_offer_made_before_the_ack_waits_for_it() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    let taken = clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.change("doctor", taken, "v=0 doctor's offer");
    clinic.run_for(100);
    clinic.answer_change("patient", call, "v=0 patient's answer");
    clinic.run_for(100);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_connection_is_replaced_and_the_call_goes_on() {
    let mut clinic = Clinic::with(&["patient", "doctor", "relay"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    let taken = clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.run_for(100);
    clinic.ladder();
    let flow = clinic.reconnect("patient", "doctor");
    clinic.moves("patient", call, flow);
    clinic.change("patient", call, "v=0 after the tunnel");
    clinic.run_for(100);
    clinic.answer_change("doctor", taken, "v=0 good to see you again");
    clinic.run_for(100);
    clinic.hangup("doctor", taken);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_change_over_a_dead_connection_fails_and_the_call_stays() {
    let (mut clinic, call, _) = Clinic::talking(Transport::Wss);
    clinic.cut("patient", "doctor");
    clinic.change("patient", call, "v=0 with video");
    clinic.run_for(1_000);
    let flow = clinic.reconnect("patient", "doctor");
    clinic.moves("patient", call, flow);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

/// Whether both ends see the old connection die, or the doctor's not yet when the new one is there.
type Replace = fn(&mut Clinic, &str, &str) -> Flow;
const REPLACED: [Replace; 2] = [Clinic::reconnect, Clinic::replace];

/// The patient's call goes on over a new connection: a change by that is answered, and nothing of before ends the call.
fn goes_on(clinic: &mut Clinic, (call, taken): (CallId, CallId), replace: Replace, what: &str) {
    let flow = replace(clinic, "patient", "doctor");
    clinic.moves("patient", call, flow);
    clinic.ladder();
    clinic.change("patient", call, "v=0 after the tunnel");
    clinic.run_for(100);
    clinic.answer_change("doctor", taken, "v=0 good to see you again");
    clinic.run_for(60_000);
    let ladder = clinic.ladder();
    for end in ["500 ", "491 ", "503 ", "BYE", "Ended"] {
        assert!(!ladder.contains(end), "{what}: {end}: {ladder}");
    }
}

/// The doctor's 200 dies with the connection, or the patient's ACK of it does: either way the patient's next change
/// comes by the new one, is answered, and the call does not end half a minute later for want of that ACK.
#[test]
fn the_connection_is_replaced_while_a_change_is_answered() {
    for (lost, later) in [("the 200", 0), ("the ACK", 15)] {
        for replace in REPLACED {
            let (mut clinic, call, taken) = Clinic::talking(Transport::Wss);
            clinic.change("patient", call, "v=0 into the tunnel");
            clinic.run_for(12);
            clinic.answer_change("doctor", taken, "v=0 good bye");
            clinic.run_for(later);
            goes_on(&mut clinic, (call, taken), replace, lost);
        }
    }
}

/// The doctor's page is still at it when the patient asks again by another connection: what it was asked first is
/// asked by nobody any more.
#[test]
fn the_connection_is_replaced_before_a_change_is_answered() {
    for replace in REPLACED {
        let (mut clinic, call, taken) = Clinic::talking(Transport::Wss);
        clinic.change("patient", call, "v=0 into the tunnel");
        clinic.run_for(12);
        goes_on(&mut clinic, (call, taken), replace, "the change");
    }
}

/// The ACK of the first 200 dies with the connection: that the patient changes the call says that the 200 came.
#[test]
fn the_connection_is_replaced_before_the_call_is_acknowledged() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    let call = clinic.call("patient", "doctor");
    clinic.run_for(100);
    let taken = clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.run_for(15);
    goes_on(&mut clinic, (call, taken), Clinic::replace, "the ACK");
}
