//! Two people who ring each other in the same moment.

use clinicall_sip::Millis;

use super::clinic::Clinic;
use crate::signal::Closing;

#[test]
fn they_ring_each_other_and_talk() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.call(patient, "2");
    // before the patient's INVITE reaches the doctor
    clinic.run_for(Millis(10));
    clinic.call(doctor, "3");
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().admitted.len(), 2, "{}", clinic.ladder());
    assert_eq!(clinic.plane.look().rooms.len(), 1, "one call");
    assert!(clinic.seen(patient).contains(&"established"));
    // what rang at the doctor meanwhile has stopped
    let seen = clinic.seen(doctor);
    assert!(seen.contains(&"established with an answer"), "{seen:?}");
    assert!(
        seen.iter()
            .any(|words| words.starts_with("AnsweredElsewhere")),
        "{seen:?}"
    );
    clinic.hangup(patient, call);
    clinic.run_for(Millis(500));
    assert!(
        clinic.seen(doctor).contains(&"Hangup by Remote 0"),
        "{}",
        clinic.ladder()
    );
    clinic.assert_empty();
}

#[test]
fn whoever_calls_back_instead_of_answering_has_answered() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let tablet = clinic.registered("tablet", "2");
    clinic.call(patient, "2");
    clinic.run_for(Millis::from_secs(3));
    assert!(clinic.seen(tablet)[0].starts_with("incoming"));
    let call = clinic.call(doctor, "3");
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().admitted.len(), 2, "{}", clinic.ladder());
    // the tablet is free
    assert!(clinic.seen(tablet)[1].starts_with("AnsweredElsewhere"));
    clinic.hangup(doctor, call);
    clinic.run_for(Millis(500));
    clinic.assert_empty();
}

#[test]
fn a_caller_who_leaves_in_the_moment_of_crossing_leaves_nothing() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.call(patient, "2");
    clinic.run_for(Millis(30));
    let call = clinic.call(doctor, "3");
    clinic.disconnect(patient, Closing::Gone);
    clinic.run_for(Millis::from_secs(2));
    assert!(
        clinic
            .seen(doctor)
            .iter()
            .any(|words| words.starts_with("Unavailable")),
        "{:?}",
        clinic.seen(doctor)
    );
    assert!(
        clinic.phones[doctor]
            .agent
            .hangup(clinic.now, call, None)
            .is_err()
    );
    clinic.assert_empty();
}

#[test]
fn without_an_offer_the_second_call_is_one_of_its_own() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.call(patient, "2");
    clinic.run_for(Millis(30));
    clinic.call_as(doctor, "2", "3", None);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().rooms.len(), 2, "{}", clinic.ladder());
    // nothing is lost: the doctor answers the first
    clinic.answer(doctor);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().admitted.len(), 2);
}
