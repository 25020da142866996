//! Tabs that close, sockets and media paths that are lost, and a relay that stops.

use clinicall_sip::Millis;

use super::Clinic;
use crate::{
    media::{Event, MemberId},
    signal::Closing,
};

/// The member of the caller; the callee's comes after it.
fn members(clinic: &Clinic) -> Vec<MemberId> {
    clinic.plane.members().into_iter().collect()
}

#[test]
fn the_patient_closes_the_tab_while_it_rings() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.call(patient, "2");
    clinic.run_for(Millis(500));
    clinic.disconnect(patient, Closing::Gone);
    clinic.run_for(Millis(500));
    assert!(clinic.seen(doctor).last().unwrap().starts_with("Canceled"));
    clinic.assert_empty();
}

#[test]
fn the_doctors_only_tab_is_closed_while_it_rings() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.call(patient, "2");
    clinic.run_for(Millis(500));
    clinic.disconnect(doctor, Closing::Gone);
    clinic.run_for(Millis(500));
    assert!(
        clinic
            .seen(patient)
            .last()
            .unwrap()
            .starts_with("Unavailable 480")
    );
    clinic.assert_empty();
}

#[test]
fn a_page_closed_during_the_call_ends_it_at_once() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.talk(patient, doctor);
    clinic.disconnect(patient, Closing::Gone);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(doctor), ["Hangup by Remote 410 Page closed"]);
    clinic.assert_empty();
}

#[test]
fn a_lost_socket_comes_back_and_the_call_goes_on() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.talk(patient, doctor);
    clinic.disconnect(patient, Closing::Lost);
    clinic.run_for(Millis::from_secs(4));
    clinic.connect(patient);
    clinic.register(patient);
    clinic.goes_on_over_its_socket(patient, call);
    clinic.run_for(Millis::from_secs(60));
    assert_eq!(clinic.seen(patient), ["registered"]);
    // and a BYE of the other side finds its way over the new socket
    let other = clinic.phones[doctor].incoming.unwrap();
    clinic.hangup(doctor, other);
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(patient),
        ["registered", "Hangup by Remote 0"],
        "{}",
        clinic.ladder()
    );
    clinic.assert_empty();
}

#[test]
fn a_lost_socket_that_stays_away_ends_the_call_after_the_grace() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.talk(patient, doctor);
    clinic.disconnect(patient, Closing::Lost);
    clinic.run_for(Millis::from_secs(9));
    assert!(clinic.seen(doctor).is_empty());
    clinic.run_for(Millis::from_secs(2));
    assert_eq!(
        clinic.seen(doctor),
        ["Hangup by Remote 408 Connection lost"]
    );
    clinic.assert_empty();
}

#[test]
fn another_device_of_the_patient_does_not_take_the_call_over() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.talk(patient, doctor);
    clinic.disconnect(patient, Closing::Lost);
    clinic.registered("tablet", "3");
    clinic.run_for(Millis::from_secs(11));
    assert_eq!(
        clinic.seen(doctor),
        ["Hangup by Remote 408 Connection lost"]
    );
}

#[test]
fn a_telephone_that_changed_networks_replaces_the_socket_nobody_saw_die() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.talk(patient, doctor);
    let old = clinic.phones[patient].flow.unwrap();
    // the phone knows, the relay does not
    let now = clinic.now;
    clinic.phones[patient].agent.closed(now, old);
    clinic.connect(patient);
    clinic.register(patient);
    clinic.goes_on_over_its_socket(patient, call);
    clinic.run_for(Millis::from_secs(30));
    assert_eq!(clinic.seen(patient), ["registered"]);
    assert!(clinic.seen(doctor).is_empty());
    assert_eq!(
        clinic.exchange.registrar.len(),
        2,
        "one binding for each device"
    );
    clinic.hangup(patient, call);
    clinic.run_for(Millis(500));
    clinic.assert_empty();
}

#[test]
fn media_lost_and_found_again_within_the_grace() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.talk(patient, doctor);
    let member = members(&clinic)[0];
    let now = clinic.now;
    clinic.exchange.media(
        now,
        Event::Lost {
            member,
            why: "consent expired".to_owned(),
        },
    );
    clinic.run_for(Millis::from_secs(9));
    let now = clinic.now;
    clinic.exchange.media(now, Event::Connected { member });
    clinic.run_for(Millis::from_secs(9));
    assert!(clinic.seen(doctor).is_empty());
    let now = clinic.now;
    clinic.exchange.media(
        now,
        Event::Lost {
            member,
            why: "consent expired".to_owned(),
        },
    );
    clinic.run_for(Millis::from_secs(11));
    assert_eq!(
        clinic.seen(doctor),
        ["Hangup by Remote 408 Media connection lost"]
    );
    assert_eq!(
        clinic.seen(patient),
        ["Hangup by Remote 408 Media connection lost"]
    );
    clinic.assert_empty();
}

#[test]
fn a_relay_that_stops_says_so() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.talk(patient, doctor);
    clinic.exchange.drain();
    clinic.call(doctor, "3");
    clinic.run_for(Millis(500));
    assert!(
        clinic
            .seen(doctor)
            .last()
            .unwrap()
            .starts_with("ServerError 503")
    );
    let now = clinic.now;
    clinic.exchange.end_calls(now);
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(patient),
        ["Hangup by Remote 503 The relay is stopping"]
    );
    clinic.assert_empty();
}

#[test]
fn a_call_whose_media_never_comes_is_ended_with_a_reason() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.media = false;
    clinic.talk(patient, doctor);
    clinic.run_for(Millis::from_secs(29));
    assert!(clinic.seen(doctor).is_empty(), "TCP may yet come");
    clinic.run_for(Millis::from_secs(2));
    for phone in [patient, doctor] {
        assert_eq!(
            clinic.seen(phone),
            ["Hangup by Remote 408 Media connection lost"]
        );
    }
    clinic.assert_empty();
}

#[test]
fn media_that_comes_late_is_welcome() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.media = false;
    clinic.talk(patient, doctor);
    clinic.run_for(Millis::from_secs(25));
    clinic.media = true;
    clinic.run_for(Millis::from_secs(300));
    assert!(clinic.seen(doctor).is_empty() && clinic.seen(patient).is_empty());
}
