//! The relay is started anew in the middle of a call.

use clinicall_sip::{Headers, Millis, Status};

use super::clinic::{BOTH, Clinic, OFFER, talking};
use crate::phone::{CallId, CallState, PathState, PeerNews, State};

/// The INVITE that asks for the other, as it was written.
fn asks(clinic: &Clinic) -> &str {
    let invite = clinic.sent.iter().rev();
    let mut invite = invite.filter(|text| text.starts_with("INVITE"));
    invite.next().expect("the page asks for the other")
}

/// What it asked for is refused.
fn refused(clinic: &mut Clinic, status: u16) {
    let leg = clinic.arrived();
    clinic.relay(|server, now| {
        server
            .reject(now, leg, Status(status), Headers::new())
            .unwrap();
    });
    clinic.run_for(Millis(100));
}

const STOPPING: &str = "SIP ;cause=503 ;text=\"The relay is stopping\"";

/// The relay hangs up in the call that it had placed, with this Reason.
fn hung_up(clinic: &mut Clinic, words: &str) {
    let (leg, words) = (clinic.ring_leg(), words.to_owned());
    clinic.relay(|server, now| server.hangup(now, leg, Some(words)).unwrap());
    clinic.run_for(Millis(100));
}

/// The relay has found the other, and sound gets through.
fn comes_back(clinic: &mut Clinic, call: CallId) {
    clinic.accepts();
    clinic.run_for(Millis(100));
    assert_eq!(clinic.phone.call_state(call), CallState::Reconnecting);
    clinic.news(call, PeerNews::Path(PathState::Connected));
    assert_eq!(clinic.phone.call_state(call), CallState::Connected);
}

#[test]
fn the_call_goes_on_through_the_next_relay() {
    let (mut clinic, call) = talking();
    clinic.page(|phone, now| phone.mute(now, call, None, Some(true)).unwrap());
    clinic.log.clear();
    clinic.restarts();
    clinic.run_for(Millis(1_000));
    assert_eq!(clinic.phone.call_state(call), CallState::Reconnecting);
    let invite = asks(&clinic);
    assert!(invite.starts_with("INVITE sip:3@visits.example"));
    assert!(
        invite.contains("\r\nX-Clinicall-Resume: callee\r\n"),
        "{invite}"
    );
    comes_back(&mut clinic, call);
    // the page had its call all along, and is not told of another
    insta::assert_snapshot!(clinic.story());
    clinic.page(|phone, now| phone.hangup(now, call));
    clinic.run_for(Millis(200));
    assert!(clinic.heard("page  -> BYE"), "{}", clinic.ladder());
}

#[test]
fn who_had_called_says_so() {
    let mut clinic = Clinic::open();
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    clinic.accepts();
    clinic.run_for(Millis(100));
    clinic.news(call, PeerNews::Path(PathState::Connected));
    clinic.restarts();
    clinic.run_for(Millis(1_000));
    assert!(asks(&clinic).contains("\r\nX-Clinicall-Resume: caller\r\n"));
    comes_back(&mut clinic, call);
    let connected = clinic
        .log
        .iter()
        .filter(|line| line.ends_with("tells    Connected"));
    assert_eq!(connected.count(), 1, "{}", clinic.ladder());
}

#[test]
fn a_room_of_the_clinics_is_entered_again() {
    let mut clinic = Clinic::open();
    clinic.on_incoming = Some(|phone, now, call| phone.accept(now, call, BOTH).unwrap());
    clinic.ring_with("0", "", Some(OFFER), &[("X-Clinicall-Room", "12")]);
    clinic.run_for(Millis(500));
    clinic.restarts();
    clinic.run_for(Millis(1_000));
    assert!(asks(&clinic).starts_with("INVITE sip:12@conference.visits.example"));
    let call = clinic.last_call.unwrap();
    comes_back(&mut clinic, call);
}

#[test]
fn a_relay_that_stops_is_waited_for() {
    let (mut clinic, call) = talking();
    hung_up(&mut clinic, STOPPING);
    assert_eq!(clinic.phone.call_state(call), CallState::Reconnecting);
    assert!(!clinic.heard("-> INVITE"), "not of the one that stops");
    let protocol = clinic.protocol.take();
    clinic.restarts();
    clinic.run_for(Millis(3_000));
    clinic.protocol = protocol;
    clinic.run_for(Millis(2_000));
    comes_back(&mut clinic, call);
}

#[test]
fn the_next_relay_ends_as_well() {
    let (mut clinic, call) = talking();
    clinic.restarts();
    clinic.run_for(Millis(600));
    assert!(clinic.heard("-> INVITE"), "{}", clinic.ladder());
    clinic.restarts();
    clinic.run_for(Millis(1_000));
    comes_back(&mut clinic, call);
    clinic.restarts();
    clinic.run_for(Millis(1_000));
    comes_back(&mut clinic, call);
}

#[test]
fn the_other_does_not_come_back() {
    let (mut clinic, call) = talking();
    clinic.restarts();
    clinic.run_for(Millis(1_000));
    refused(&mut clinic, 480);
    assert_eq!(clinic.phone.call_state(call), CallState::Ended);
    let told = "Hangup PeerVanished by Remote";
    assert!(clinic.heard(told), "{}", clinic.ladder());
}

#[test]
fn the_relay_does_not_come_back() {
    let (mut clinic, call) = talking();
    hung_up(&mut clinic, STOPPING);
    clinic.protocol = None;
    clinic.cut();
    clinic.run_for(Millis(39_000));
    assert_eq!(clinic.phone.call_state(call), CallState::Reconnecting);
    clinic.run_for(Millis(2_000));
    assert_eq!(clinic.phone.call_state(call), CallState::Ended);
    let told = "Hangup ServerError by Remote 503";
    assert!(clinic.heard(told), "{}", clinic.ladder());
    assert_eq!(*clinic.phone.state(), State::Reconnecting);
}

#[test]
fn the_person_hangs_up_meanwhile() {
    let (mut clinic, call) = talking();
    clinic.protocol = None;
    clinic.restarts();
    clinic.protocol = Some("clinicall.v1");
    clinic.run_for(Millis(450));
    clinic.page(|phone, now| phone.hangup(now, call));
    clinic.run_for(Millis(5_000));
    assert!(
        clinic.heard("Hangup Hangup by Local"),
        "{}",
        clinic.ladder()
    );
    assert_eq!(clinic.phone.call_state(call), CallState::Ended);
}

#[test]
fn a_call_that_ended_while_the_page_was_away_is_over() {
    let (mut clinic, call) = talking();
    clinic.restarts();
    clinic.run_for(Millis(1_000));
    // a relay that runs for longer than a minute
    refused(&mut clinic, 481);
    assert_eq!(clinic.phone.call_state(call), CallState::Ended);
    let told = "Hangup DialogError by Remote 481";
    assert!(clinic.heard(told), "{}", clinic.ladder());
}

/// How often the page asked for the other.
fn asked(clinic: &Clinic) -> usize {
    let asks = |text: &&String| text.contains("X-Clinicall-Resume");
    clinic.sent.iter().filter(asks).count()
}

#[test]
fn a_relay_that_is_busy_with_everybody_is_asked_again() {
    let (mut clinic, call) = talking();
    clinic.restarts();
    clinic.run_for(Millis(1_000));
    for times in 1..4 {
        assert_eq!(asked(&clinic), times, "{}", clinic.ladder());
        refused(&mut clinic, 503);
        clinic.run_for(Millis(5_100));
    }
    comes_back(&mut clinic, call);
}

#[test]
fn the_other_calls_by_hand_while_the_page_waits() {
    let (mut clinic, call) = talking();
    clinic.restarts();
    clinic.run_for(Millis(1_000));
    refused(&mut clinic, 503);
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    // a relay of ours takes the ring back when our own INVITE answers it
    assert!(!clinic.heard("486"), "busy\n{}", clinic.ladder());
    clinic.run_for(Millis(5_000));
    assert_eq!(asked(&clinic), 2);
    comes_back(&mut clinic, call);
}

#[test]
fn words_that_are_not_the_relays_own_end_a_call_as_any_others_do() {
    let (mut clinic, call) = talking();
    hung_up(
        &mut clinic,
        "SIP ;cause=481 ;text=\"a peer may write what it likes\"",
    );
    assert_eq!(clinic.phone.call_state(call), CallState::Ended);
}
