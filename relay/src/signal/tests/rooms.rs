//! Members of the clinic's rooms have what the two sides of a call have.

use clinicall_sip::{
    Headers, Method, Millis, Status,
    sdp::{Sdp, edit},
};

use super::{
    clinic::Clinic,
    conference::{enter, in_room, present, ring, visit},
    plane::sdp,
};
use crate::media::Limits;

const BANDWIDTH: &str = "application/vnd.clinicall.bandwidth";

/// A request within the call that the phone was rung for.
fn say(clinic: &mut Clinic, phone: usize, method: Method, kind: &str, body: &str) {
    let call = clinic.phones[phone].incoming.expect("was rung");
    let mut headers = Headers::new();
    headers.push("Content-Type", kind);
    let (now, body) = (clinic.now, body.as_bytes().to_vec());
    let agent = &mut clinic.phones[phone].agent;
    agent
        .request_within(now, call, method, headers, body)
        .unwrap();
    clinic.run_for(Millis(200));
}

fn reply(clinic: &mut Clinic, phone: usize, status: u16) {
    let (now, pending) = (clinic.now, clinic.phones[phone].asked.take());
    let pending = pending.expect("it was asked");
    let agent = &mut clinic.phones[phone].agent;
    agent
        .respond(now, pending, Status(status), Headers::new(), Vec::new())
        .unwrap();
    clinic.run_for(Millis(200));
}

/// With the interpreter as a third.
fn three() -> (Clinic, usize, usize, usize) {
    let (mut clinic, patient, doctor) = visit();
    let interpreter = clinic.registered("interpreter", "4");
    ring(&mut clinic, "1", "4", "2");
    clinic.answer(interpreter);
    clinic.run_for(Millis(500));
    assert_eq!(present(&mut clinic), in_room(&["2", "3", "4"]));
    clinic
        .phones
        .iter_mut()
        .for_each(|phone| phone.seen.clear());
    (clinic, patient, doctor, interpreter)
}

#[test]
fn a_member_whose_media_never_comes_is_told_so_and_the_others_go_on() {
    let (mut clinic, patient, doctor) = visit();
    clinic.media = false;
    let interpreter = clinic.registered("interpreter", "4");
    ring(&mut clinic, "1", "4", "2");
    clinic.answer(interpreter);
    clinic.run_for(Millis::from_secs(29));
    assert_eq!(present(&mut clinic), in_room(&["2", "3", "4"]));
    clinic.run_for(Millis::from_secs(2));
    assert_eq!(
        clinic.seen(interpreter).last(),
        Some(&"Hangup by Remote 408 Media connection lost")
    );
    assert_eq!(present(&mut clinic), in_room(&["2", "3"]));
    clinic.run_for(Millis::from_secs(60));
    assert!(clinic.seen(doctor).is_empty() && clinic.seen(patient).is_empty());
}

#[test]
fn who_dials_in_without_an_offer_answers_in_the_ack() {
    let (mut clinic, patient, _) = Clinic::open();
    ring(&mut clinic, "1", "3", "2");
    clinic.refuse(patient, 486);
    clinic.run_for(Millis(500));
    let to = clinicall_sip::Uri::sip("1", "conference.clinic.example");
    let call = clinic.call_uri_with(patient, to, None);
    clinic.run_for(Millis(500));
    let described = |clinic: &Clinic| {
        let members = clinic.plane.members();
        clinic.plane.look().answered.is_superset(&members)
    };
    assert!(!described(&clinic));
    let (now, answer) = (clinic.now, sdp("phone", true, true).to_string());
    let agent = &mut clinic.phones[patient].agent;
    agent.answer_change(now, call, answer).unwrap();
    clinic.run_for(Millis(500));
    assert_eq!(present(&mut clinic), in_room(&["3"]), "{}", clinic.ladder());
    assert!(described(&clinic), "{}", clinic.ladder());
}

#[test]
fn who_dials_in_while_being_rung_has_answered_that_call() {
    let (mut clinic, patient, _) = Clinic::open();
    ring(&mut clinic, "1", "3", "2");
    let rung = clinic.exchange.calls();
    enter(&mut clinic, patient, "1");
    let calls = clinic.exchange.calls();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].answered && calls[0].number == rung[0].number);
    let seen = clinic.seen(patient);
    assert!(
        seen.contains(&"AnsweredElsewhere 200 Call completed elsewhere"),
        "{seen:?}"
    );
}

#[test]
fn a_line_of_chat_reaches_everybody_in_the_room() {
    let (mut clinic, patient, doctor, interpreter) = three();
    let line = "it hurts here";
    say(&mut clinic, patient, Method::Message, "text/plain", line);
    for phone in [doctor, interpreter] {
        assert_eq!(clinic.seen(phone), ["MESSAGE it hurts here"]);
    }
    reply(&mut clinic, interpreter, 405);
    assert!(
        clinic.seen(patient).is_empty(),
        "the doctor may yet take it"
    );
    reply(&mut clinic, doctor, 200);
    assert_eq!(clinic.seen(patient), ["replied 200"]);
}

#[test]
fn nobody_hears_who_is_alone_in_a_room() {
    let (mut clinic, patient, _) = Clinic::open();
    ring(&mut clinic, "1", "3", "2");
    clinic.answer(patient);
    clinic.run_for(Millis(500));
    say(
        &mut clinic,
        patient,
        Method::Message,
        "text/plain",
        "hello?",
    );
    assert_eq!(clinic.seen(patient).last(), Some(&"replied 480"));
}

#[test]
fn everybody_sends_what_the_best_of_the_others_can_take() {
    let (mut clinic, patient, doctor, interpreter) = three();
    let narrow = "audio=17;video=41";
    say(&mut clinic, patient, Method::Info, BANDWIDTH, narrow);
    assert_eq!(clinic.seen(patient), ["replied 200"]);
    let limits: Vec<Limits> = clinic.plane.look().limits.values().copied().collect();
    assert_eq!(limits, [limit(17, 41)], "the relay keeps to it");
    for phone in [doctor, interpreter] {
        assert!(clinic.seen(phone).is_empty(), "the other takes all");
    }
    say(
        &mut clinic,
        doctor,
        Method::Info,
        BANDWIDTH,
        "audio=32;video=0",
    );
    assert_eq!(clinic.seen(interpreter), ["INFO audio=32;video=41"]);
    assert!(
        !clinic
            .seen(patient)
            .iter()
            .any(|seen| seen.starts_with("INFO"))
    );

    // with the interpreter gone there are only the two
    let call = clinic.phones[interpreter].incoming.expect("was rung");
    clinic.hangup(interpreter, call);
    clinic.run_for(Millis(200));
    assert_eq!(clinic.seen(doctor).last(), Some(&"INFO audio=17;video=41"));
    assert_eq!(clinic.seen(patient).last(), Some(&"INFO audio=32;video=0"));
    // and the patient's link is good again
    say(&mut clinic, patient, Method::Info, BANDWIDTH, "");
    assert_eq!(clinic.seen(doctor).last(), Some(&"INFO "));
}

const fn limit(audio: u64, video: u64) -> Limits {
    Limits {
        audio: Some(audio * 1_000),
        video: Some(video * 1_000),
    }
}

/// Somebody who wants no more than that.
fn modest(limits: &[u32]) -> Sdp {
    let mut said = sdp("phone", true, true);
    for (section, kbps) in said.media.iter_mut().zip(limits) {
        edit::cap_bitrate(section, *kbps);
    }
    said
}

#[test]
fn what_a_patient_can_take_is_known_from_the_offer_before_the_first_word() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.call_as(patient, "3", "2", Some(modest(&[17, 0]).to_string()));
    clinic.run_for(Millis(500));
    let limits: Vec<Limits> = clinic.plane.look().limits.values().copied().collect();
    assert_eq!(limits, [limit(17, 0)], "the relay keeps to it");
    clinic.answer(doctor);
    clinic.run_for(Millis(500));
    let told = |clinic: &Clinic, phone| {
        let told = clinic.seen(phone).into_iter();
        told.filter(|seen| seen.starts_with("INFO"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&clinic, doctor), ["INFO audio=17;video=0"]);
    assert!(told(&clinic, patient).is_empty(), "the doctor takes all");

    // its next description says what the first one said, and then less
    let mut change = |limits: &[u32]| {
        let (now, offer) = (clinic.now, modest(limits).to_string());
        let agent = &mut clinic.phones[patient].agent;
        agent.change(now, call, offer).unwrap();
        clinic.run_for(Millis(500));
        told(&clinic, doctor)
    };
    assert_eq!(change(&[17, 0]).len(), 1);
    assert_eq!(change(&[13, 0])[1..], ["INFO audio=13;video=0"]);
    // of a picture the INFO tells
    assert_eq!(change(&[24, 106])[2..], ["INFO "]);
}

#[test]
fn who_calls_without_a_picture_tells_of_speech_in_the_offer() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let mut offer = sdp("phone", true, false);
    edit::cap_bitrate(&mut offer.media[0], 28);
    clinic.call_as(patient, "3", "2", Some(offer.to_string()));
    clinic.run_for(Millis(500));
    clinic.answer(doctor);
    clinic.run_for(Millis(500));
    assert!(clinic.seen(doctor).contains(&"INFO audio=28"));
}

#[test]
fn what_a_page_has_said_itself_no_later_description_takes_back() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.talk(patient, doctor);
    let (now, mut headers) = (clinic.now, Headers::new());
    headers.push("Content-Type", BANDWIDTH);
    let agent = &mut clinic.phones[patient].agent;
    let body = b"audio=17;video=36".to_vec();
    agent
        .request_within(now, call, Method::Info, headers, body)
        .unwrap();
    clinic.run_for(Millis(200));
    // it comes to another network, and its browser writes the picture's limit without headers
    for limits in [[17, 36], [13, 0]] {
        clinic.plane.look().limits.clear();
        let (now, offer) = (clinic.now, modest(&limits).to_string());
        let agent = &mut clinic.phones[patient].agent;
        agent.change(now, call, offer).unwrap();
        clinic.run_for(Millis(500));
        let kept: Vec<Limits> = clinic.plane.look().limits.values().copied().collect();
        assert_eq!(kept, [limit(17, 36)]);
    }
    let told = clinic.seen(doctor);
    assert_eq!(told, ["INFO audio=17;video=36"]);
}

#[test]
fn what_a_patient_can_take_is_known_from_the_answer_too() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.preconnects(patient, false);
    clinic.call(doctor, "3");
    clinic.run_for(Millis(500));
    let (now, rung) = (clinic.now, clinic.phones[patient].incoming.unwrap());
    let agent = &mut clinic.phones[patient].agent;
    let answer = modest(&[17, 0]).to_string();
    agent
        .accept(now, rung, Some(answer), Headers::new())
        .unwrap();
    clinic.run_for(Millis(500));
    assert!(clinic.seen(doctor).contains(&"INFO audio=17;video=0"));
}

#[test]
fn a_limit_told_while_the_doctor_was_away_is_told_on_the_return() {
    use crate::signal::Closing;
    let (mut clinic, patient, doctor) = visit();
    clinic.disconnect(doctor, Closing::Lost);
    say(&mut clinic, patient, Method::Info, BANDWIDTH, "audio=17");
    clinic.connect(doctor);
    clinic.register(doctor);
    let call = clinic.phones[doctor].incoming.unwrap();
    clinic.goes_on_over_its_socket(doctor, call);
    clinic.run_for(Millis(500));
    assert!(clinic.seen(doctor).contains(&"INFO audio=17"));
}

#[test]
fn what_the_patients_link_carries_is_told_to_both() {
    use crate::media::Event;
    let (mut clinic, patient, doctor) = visit();
    say(
        &mut clinic,
        patient,
        Method::Info,
        BANDWIDTH,
        "audio=24;video=116",
    );
    assert_eq!(clinic.seen(doctor).last(), Some(&"INFO audio=24;video=116"));
    let member = *clinic.plane.look().limits.keys().next().unwrap();
    let mut carries = |limits| {
        let now = clinic.now;
        clinic
            .exchange
            .media(now, Event::Carries { member, limits });
        clinic.run_for(Millis(200));
        let last = |phone| clinic.seen(phone).last().map(|seen| (*seen).to_owned());
        (last(patient), last(doctor))
    };
    let said = |said: &str| Some(said.to_owned());
    let (patient_hears, doctor_hears) = carries(limit(15, 0));
    assert_eq!(patient_hears, said("INFO audio=15;video=0"));
    assert_eq!(doctor_hears, said("INFO audio=15;video=0"));
    let room = Limits {
        audio: None,
        video: Some(60_000),
    };
    let (patient_hears, doctor_hears) = carries(room);
    assert_eq!(patient_hears, said("INFO video=60"), "the picture is back");
    assert_eq!(doctor_hears, said("INFO audio=24;video=60"));
    let (patient_hears, doctor_hears) = carries(Limits::default());
    assert_eq!(patient_hears, said("INFO video=60"), "only that it is back");
    assert_eq!(doctor_hears, said("INFO audio=24;video=116"));
}
