use clinicall_sip::Millis;

use super::clinic::{BOTH, Clinic, OFFER};
use crate::phone::CallState;

#[test]
fn a_pbx_is_offered_sip_alone_and_candidates_in_the_invite() {
    let mut clinic = Clinic::abroad();
    let call = clinic.call("1001", BOTH);
    clinic.run_for(Millis(1_000));
    clinic.accepts();
    clinic.run_for(Millis(1_000));
    assert_eq!(clinic.phone.call_state(call), CallState::Connected);
    insta::assert_snapshot!(clinic.story());
}

#[test]
fn a_dead_stun_server_costs_half_a_second_at_most() {
    let mut clinic = Clinic::abroad();
    clinic.dead_stun = true;
    let asked = clinic.now.0 - 1_000;
    clinic.call("1001", BOTH);
    clinic.run_for(Millis(60_000));
    let left = clinic.when("-> INVITE") - asked;
    assert!(left > 500 && left < 600, "{left} ms\n{}", clinic.ladder());
}

#[test]
fn without_any_usable_candidate_the_invite_leaves_after_two_seconds() {
    let mut clinic = Clinic::abroad();
    clinic.hidden_addresses = true;
    clinic.dead_stun = true;
    let asked = clinic.now.0 - 1_000;
    clinic.call("1001", BOTH);
    clinic.run_for(Millis(60_000));
    let left = clinic.when("-> INVITE") - asked;
    assert!((2_000..2_050).contains(&left), "{left} ms");
}

#[test]
fn a_call_from_a_pbx_is_answered_with_candidates_after_accepting() {
    let mut clinic = Clinic::abroad();
    clinic.dead_stun = true;
    clinic.ring("1001", "Reception", Some(OFFER));
    clinic.run_for(Millis(2_000));
    let call = clinic.last_call.unwrap();
    assert!(!clinic.heard("Answer"), "{}", clinic.ladder());
    let accepted = clinic.now.0 - 1_000;
    clinic.page(|phone, now| phone.accept(now, call, BOTH).unwrap());
    clinic.run_for(Millis(2_000));
    assert_eq!(clinic.phone.call_state(call), CallState::Connected);
    let answered = clinic.when("page  -> 200 INVITE + sdp") - accepted;
    assert!(answered < 650, "{answered} ms");
    clinic.log.retain(|line| !line.contains("open sip"));
    insta::assert_snapshot!(clinic.story());
}

#[test]
fn an_idle_line_is_probed_by_options() {
    let mut clinic = Clinic::abroad();
    clinic.run_for(Millis(26_000));
    assert!(clinic.heard("page  -> OPTIONS"), "{}", clinic.ladder());
    assert!(clinic.heard("page <-  200 OPTIONS"));
}
