//! RFC 4028 on virtual time.

use clinicall_sip::{Millis, agent::Transport};

use super::clinic::Clinic;

#[test]
fn the_session_is_refreshed_and_nobody_notices() {
    let (mut clinic, call, _) = Clinic::talking(Transport::Wss);
    clinic.run_for(2_000_000);
    clinic.hangup("patient", call);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_peer_vanished_and_the_refresh_tells() {
    let (mut clinic, _, _) = Clinic::talking(Transport::Wss);
    clinic.silence("patient", "doctor");
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_session_that_is_too_short_is_asked_for_again() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.replace_config("patient", Transport::Wss, |config| {
        config.session_expires = Millis::from_secs(100);
    });
    clinic.replace_config("doctor", Transport::Wss, |config| {
        config.min_se = Millis::from_secs(300);
    });
    clinic.call("patient", "doctor");
    clinic.run_for(100);
    clinic.accept("doctor", Some("v=0 doctor's answer"));
    clinic.run_for(400_000);
    insta::assert_snapshot!(clinic.ladder());
}
