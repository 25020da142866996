//! Ringing and answering.

use clinicall_sip::{Headers, Method, Millis, Status};

use super::{Clinic, plane::sdp};
use crate::media::Wants;

#[test]
fn a_patient_calls_the_doctor_who_answers_and_the_patient_hangs_up() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.call(patient, "2");
    clinic.run_for(Millis(1_000));
    assert_eq!(clinic.seen(doctor), ["incoming from 3, visit 42"]);
    assert_eq!(
        clinic.phones[doctor].from_name, "Patient Petrov",
        "the config's name, not theirs"
    );
    assert_eq!(
        clinic.plane.members().len(),
        2,
        "both paths come up while it rings"
    );
    assert!(
        clinic.plane.look().admitted.is_empty(),
        "nobody is heard before the 200"
    );
    clinic.answer(doctor);
    clinic.run_for(Millis(1_000));
    assert_eq!(clinic.plane.look().admitted.len(), 2);
    assert_eq!(
        clinic.seen(patient),
        ["progress 183 with an answer", "progress 180", "established"]
    );
    clinic.hangup(patient, call);
    clinic.run_for(Millis(1_000));
    assert_eq!(clinic.seen(doctor).last(), Some(&"Hangup by Remote 0"));
    clinic.assert_empty();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_doctor_with_a_plain_client_answers_in_the_200() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.preconnects(doctor, false);
    clinic.call(patient, "2");
    clinic.run_for(Millis(1_000));
    clinic.answer(doctor);
    clinic.run_for(Millis(1_000));
    assert_eq!(clinic.plane.look().admitted.len(), 2);
    let call = clinic.phones[doctor].incoming.unwrap();
    clinic.hangup(doctor, call);
    clinic.run_for(Millis(1_000));
    assert_eq!(clinic.seen(patient).last(), Some(&"Hangup by Remote 0"));
    clinic.assert_empty();
}

#[test]
fn the_doctor_declines() {
    for (status, seen) in [(603, "Rejected 603 Decline"), (486, "Busy 486 Busy Here")] {
        let (mut clinic, patient, doctor) = Clinic::open();
        clinic.call(patient, "2");
        clinic.run_for(Millis(1_000));
        clinic.refuse(doctor, status);
        clinic.run_for(Millis(1_000));
        assert_eq!(
            clinic.seen(patient).last(),
            Some(&seen),
            "{}",
            clinic.ladder()
        );
        clinic.assert_empty();
    }
}

#[test]
fn nobody_answers_for_a_minute() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.call(patient, "2");
    clinic.run_for(Millis::from_secs(59));
    assert!(!clinic.exchange.is_quiet());
    clinic.run_for(Millis::from_secs(2));
    assert_eq!(
        clinic.seen(patient).last(),
        Some(&"NoAnswer 408 Request Timeout")
    );
    assert_eq!(clinic.seen(doctor).last(), Some(&"NoAnswer 408 No answer"));
    clinic.assert_empty();
}

#[test]
fn the_patient_gives_up_while_it_rings() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.call(patient, "2");
    clinic.run_for(Millis(300));
    clinic.hangup(patient, call);
    clinic.run_for(Millis(1_000));
    assert!(
        clinic.seen(doctor).last().unwrap().starts_with("Canceled"),
        "{:?}",
        clinic.seen(doctor)
    );
    clinic.assert_empty();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_doctor_has_two_tabs_and_answers_in_one() {
    let (mut clinic, patient, desk) = Clinic::open();
    let laptop = clinic.registered("laptop", "2");
    clinic.call(patient, "2");
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.members().len(), 3);
    clinic.answer(laptop);
    clinic.run_for(Millis(1_000));
    assert_eq!(
        clinic.seen(desk).last(),
        Some(&"AnsweredElsewhere 200 Call completed elsewhere")
    );
    assert_eq!(clinic.seen(laptop).last(), Some(&"established"));
    assert_eq!(clinic.plane.members(), clinic.plane.look().admitted);
    assert_eq!(
        clinic
            .seen(patient)
            .iter()
            .filter(|seen| **seen == "progress 180")
            .count(),
        1
    );
}

#[test]
fn both_tabs_accept_in_the_same_moment_and_only_one_talks() {
    let (mut clinic, patient, desk) = Clinic::open();
    let laptop = clinic.registered("laptop", "2");
    clinic.call(patient, "2");
    clinic.run_for(Millis(500));
    clinic.answer(desk);
    clinic.answer(laptop);
    clinic.run_for(Millis(2_000));
    assert_eq!(clinic.seen(patient).last(), Some(&"established"));
    let talks = |phone| clinic.seen(phone).last() == Some(&"established");
    assert!(talks(desk) != talks(laptop), "{}", clinic.ladder());
    assert_eq!(clinic.plane.members().len(), 2);
}

#[test]
fn one_tab_is_busy_and_the_other_goes_on_ringing() {
    let (mut clinic, patient, desk) = Clinic::open();
    let laptop = clinic.registered("laptop", "2");
    clinic.call(patient, "2");
    clinic.run_for(Millis(500));
    clinic.refuse(desk, 486);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(patient).last(), Some(&"progress 180"));
    clinic.refuse(laptop, 480);
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(patient).last(),
        Some(&"Busy 486 Busy Here"),
        "the better of the two"
    );
    clinic.assert_empty();
}

#[test]
fn a_decline_in_one_tab_speaks_for_the_doctor() {
    let (mut clinic, patient, desk) = Clinic::open();
    let laptop = clinic.registered("laptop", "2");
    clinic.call(patient, "2");
    clinic.run_for(Millis(500));
    clinic.refuse(desk, 603);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(patient).last(), Some(&"Rejected 603 Decline"));
    assert!(
        clinic
            .seen(laptop)
            .last()
            .unwrap()
            .contains("Declined on another device")
    );
    clinic.assert_empty();
}

#[test]
fn unknown_people_and_people_who_are_not_there() {
    let (mut clinic, patient, _doctor) = Clinic::open();
    clinic.call(patient, "99");
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(patient).last(), Some(&"NotFound 404 Not Found"));
    clinic.call(patient, "4");
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(patient).last(),
        Some(&"Unavailable 480 Temporarily Unavailable")
    );
    clinic.assert_empty();
}

#[test]
fn calling_oneself_rings_the_other_tab_only() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.call(patient, "3");
    clinic.run_for(Millis(500));
    assert!(
        clinic
            .seen(patient)
            .last()
            .unwrap()
            .starts_with("Unavailable")
    );
    let laptop = clinic.registered("laptop", "2");
    clinic.call(doctor, "2");
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(laptop), ["incoming from 2, visit 42"]);
    assert!(
        !clinic
            .seen(doctor)
            .iter()
            .any(|seen| seen.starts_with("incoming"))
    );
}

#[test]
fn video_is_offered_to_the_doctor_only_if_the_patient_offers_it() {
    let (mut clinic, patient, _doctor) = Clinic::open();
    let offer = sdp("phone", true, false).to_string();
    clinic.call_as(patient, "3", "2", Some(offer));
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.plane.look().offered,
        [Wants {
            audio: true,
            video: false
        }]
    );
}

#[test]
fn an_invite_without_an_offer_gets_ours_early_and_answers_in_its_prack() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.call_as(patient, "3", "2", None);
    clinic.run_for(Millis(500));
    // the offer came in a 183, which says so as an answer that the phone takes as its offer
    let offer = clinic.seen(patient)[0];
    assert!(offer.starts_with("progress 183"), "{offer}");
    clinic.answer(doctor);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().admitted.len(), 2, "{}", clinic.ladder());
    let _ = call;
}

#[test]
fn an_offer_that_cannot_be_used_is_refused_with_a_warning() {
    let (mut clinic, patient, _doctor) = Clinic::open();
    clinic.call_as(
        patient,
        "3",
        "2",
        Some("v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\nt=0 0\r\n".to_owned()),
    );
    clinic.run_for(Millis(500));
    assert!(
        clinic
            .seen(patient)
            .last()
            .unwrap()
            .starts_with("IncompatibleMedia 488")
    );
    clinic.call_as(patient, "3", "2", Some("nonsense".to_owned()));
    clinic.run_for(Millis(500));
    assert!(
        clinic
            .seen(patient)
            .last()
            .unwrap()
            .starts_with("IncompatibleMedia 488")
    );
    clinic.assert_empty();
}

#[test]
fn a_patient_puts_the_call_on_hold() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.talk(patient, doctor);
    let offer = sdp("phone", true, false).to_string();
    clinic.phones[patient]
        .agent
        .change(clinic.now, call, offer)
        .unwrap();
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(patient), ["changed"]);
    assert_eq!(clinic.plane.look().renegotiated, 1);
    assert!(
        clinic.seen(doctor).is_empty(),
        "the other side is not bothered"
    );
}

#[test]
fn a_digit_and_a_line_of_chat_reach_the_other_side() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.talk(patient, doctor);
    let mut headers = Headers::new();
    headers.push("Content-Type", "text/plain");
    let body = b"it hurts here".to_vec();
    let now = clinic.now;
    clinic.phones[patient]
        .agent
        .request_within(now, call, Method::Message, headers, body)
        .unwrap();
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(doctor), ["MESSAGE it hurts here"]);
    let (now, pending) = (clinic.now, clinic.phones[doctor].asked.unwrap());
    let phone = &mut clinic.phones[doctor].agent;
    phone
        .respond(now, pending, Status(200), Headers::new(), Vec::new())
        .unwrap();
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(patient), ["replied 200"]);
}

#[test]
fn a_request_for_a_key_frame_is_the_relays_to_fulfil() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.talk(patient, doctor);
    let mut headers = Headers::new();
    headers.push("Content-Type", "application/media_control+xml");
    // RFC 5168 section 7.1
    let body = b"<media_control><vc_primitive><to_encoder><picture_fast_update/>\
        </to_encoder></vc_primitive></media_control>"
        .to_vec();
    let now = clinic.now;
    clinic.phones[patient]
        .agent
        .request_within(now, call, Method::Info, headers, body)
        .unwrap();
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(patient), ["replied 200"]);
    assert!(clinic.seen(doctor).is_empty());
    let asked = clinic.plane.look().key_frames.clone();
    let caller = *clinic.plane.members().first().unwrap();
    assert_eq!(asked, [caller], "whose picture is to begin anew for");
}
