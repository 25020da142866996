//! How many round trips a set-up takes where each is 600 ms: what a village link is like.
//!
//! The callee's first packets follow its 200 to the relay and go on to the caller at once, so the
//! caller hears it with its own 200: one round trip after the acceptance. The caller's first packets
//! leave when that 200 is there: the callee hears it after two.

use clinicall_sip::{Millis, Time};

use super::Clinic;

const THERE: Millis = Millis(300);

fn far_away() -> (Clinic, usize, usize) {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.delay = THERE;
    (clinic, patient, doctor)
}

/// Millisecond by millisecond, until `happened`.
fn until(clinic: &mut Clinic, happened: impl Fn(&Clinic) -> bool) -> Time {
    for _ in 0..10_000 {
        if happened(clinic) {
            return clinic.now;
        }
        clinic.run_for(Millis(1));
    }
    panic!("it never happened\n{}", clinic.ladder());
}

/// Half round trips from the acceptance to both being heard at the relay, and to the caller's 200.
fn after_acceptance(clinic: &mut Clinic, caller: usize) -> (u64, u64) {
    let accepted = clinic.now;
    let trips = |at: Time| (at - accepted).0 / THERE.0;
    let heard = until(clinic, |clinic| clinic.plane.look().admitted.len() == 2);
    let told = until(clinic, |clinic| {
        clinic.seen(caller).last() == Some(&"established")
    });
    (trips(heard), trips(told))
}

#[test]
fn a_doctor_who_is_preconnected_is_heard_after_one() {
    let (mut clinic, patient, doctor) = far_away();
    clinic.call(patient, "2");
    clinic.run_for(Millis::from_secs(5));
    clinic.answer(doctor);
    assert_eq!(after_acceptance(&mut clinic, patient), (1, 2));
}

#[test]
fn a_doctor_who_accepts_at_once_waits_for_no_prack() {
    let (mut clinic, patient, doctor) = far_away();
    clinic.phones[doctor].hasty = true;
    let called = clinic.now;
    clinic.call(patient, "2");
    let rung = until(&mut clinic, |clinic| !clinic.seen(doctor).is_empty());
    assert_eq!((rung - called).0 / THERE.0, 2, "as long as an INVITE takes");
    assert_eq!(after_acceptance(&mut clinic, patient), (1, 2));
    // the caller's path came up meanwhile: its answer was there a round trip after the INVITE
    assert_eq!(clinic.seen(patient)[0], "progress 183 with an answer");
}

#[test]
fn who_dials_into_a_room_is_in_after_one() {
    let (mut clinic, patient, _) = far_away();
    let now = clinic.now;
    let invitation = [("7".to_owned(), "3".to_owned())];
    clinic
        .exchange
        .rooms(now, |rooms, _| rooms.set_invited(invitation));
    clinic.call_uri(
        patient,
        clinicall_sip::Uri::sip("7", "conference.clinic.example"),
    );
    let told = until(&mut clinic, |clinic| !clinic.seen(patient).is_empty());
    assert_eq!(clinic.seen(patient), ["established with an answer"]);
    assert_eq!((told - now).0 / THERE.0, 2);
}
