//! A relay that was started anew a moment ago, and people who were in calls through the one before.

use clinicall_sip::{Millis, Time, Uri};

use super::clinic::Clinic;
use crate::{
    auth::Guesses,
    signal::{News, Question, Told},
};

fn answered(clinic: &Clinic) -> Vec<(&str, &str)> {
    let parties = clinic.news.iter().filter_map(|news| match news {
        News::Answered { from, to, .. } => Some((from.as_str(), to.as_str())),
        _ => None,
    });
    parties.collect()
}

fn ended(clinic: &Clinic) -> Vec<&str> {
    let causes = clinic.news.iter().filter_map(|news| match news {
        News::Ended { cause, .. } => Some(*cause),
        _ => None,
    });
    causes.collect()
}

#[test]
fn both_ask_for_each_other_and_talk_on() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let tablet = clinic.registered("tablet", "2");
    let phone = clinic.registered("mother's phone", "3");
    // the one who was called is back first
    clinic.resume(doctor, "3", "callee");
    clinic.run_for(Millis::from_secs(4));
    assert!(clinic.plane.look().admitted.is_empty(), "nobody is heard");
    assert!(clinic.exchange.calls().is_empty(), "and nothing is known");
    clinic.resume(patient, "2", "caller");
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().admitted.len(), 2, "{}", clinic.ladder());
    assert_eq!(clinic.plane.look().rooms.len(), 1, "one call");
    for device in [tablet, phone] {
        assert!(clinic.seen(device).is_empty(), "nobody is rung");
    }
    assert_eq!(answered(&clinic), [("3", "2")]);
    clinic.run_for(Millis::from_secs(60));
    assert!(!clinic.exchange.is_quiet(), "they talk on");
}

#[test]
fn who_comes_back_alone_is_told_so() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.resume(patient, "2", "caller");
    clinic.run_for(Millis::from_secs(9));
    assert!(!clinic.exchange.is_quiet(), "{}", clinic.ladder());
    clinic.run_for(Millis::from_secs(2));
    let seen = clinic.seen(patient);
    let last = seen.last().unwrap();
    assert!(last.starts_with("Unavailable 480"), "{seen:?}");
    assert!(clinic.seen(doctor).is_empty());
    // the clinic never heard of this one
    assert_eq!(ended(&clinic), [""; 0]);
    clinic.assert_empty();
}

#[test]
fn somebody_else_who_calls_is_not_taken_for_the_other() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let interpreter = clinic.registered("interpreter", "4");
    clinic.resume(patient, "2", "caller");
    clinic.run_for(Millis(500));
    clinic.resume(interpreter, "3", "caller");
    clinic.resume(doctor, "4", "caller");
    clinic.run_for(Millis(500));
    assert!(clinic.plane.look().admitted.is_empty());
    assert_eq!(clinic.plane.look().rooms.len(), 3);
    clinic.run_for(Millis::from_secs(11));
    clinic.assert_empty();
}

#[test]
fn a_minute_later_a_call_that_nobody_knows_is_over() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.run_for(Millis::from_secs(60));
    clinic.resume(patient, "2", "caller");
    clinic.resume(doctor, "3", "callee");
    clinic.run_for(Millis(500));
    for phone in [patient, doctor] {
        let seen = clinic.seen(phone);
        assert!(seen[0].starts_with("DialogError 481"), "{seen:?}");
    }
    clinic.assert_empty();
    assert!(clinic.now > Time(60_000));
}

#[test]
fn the_clinic_is_asked_about_the_one_who_had_called() {
    let mut clinic = Clinic::closed();
    let deadline = Millis::from_secs(5);
    clinic
        .exchange
        .attach_doorman(deadline, true, Guesses::new(20));
    let patient = clinic.registered("patient", "3");
    let doctor = clinic.registered("doctor", "2");
    clinic.resume(patient, "2", "callee");
    clinic.resume(doctor, "3", "caller");
    clinic.run_for(Millis(100));
    let (from, to) = ("2".to_owned(), "3@clinic.example".to_owned());
    let asked = Question::Call { from, to };
    let questions = std::mem::take(&mut clinic.questions);
    for (ask, question) in questions {
        assert_eq!(question, asked);
        clinic.exchange.told(clinic.now, ask, Told::Call(Ok(())));
    }
    clinic.run_for(Millis(500));
    assert_eq!(answered(&clinic), [("2", "3")], "{}", clinic.ladder());
}

#[test]
fn two_who_both_say_that_they_were_called_were_not() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.resume(patient, "2", "callee");
    clinic.resume(doctor, "3", "callee");
    clinic.run_for(Millis(500));
    assert!(clinic.plane.look().admitted.is_empty());
    clinic.run_for(Millis::from_secs(11));
    clinic.assert_empty();
}

#[test]
fn who_is_called_by_the_one_it_waits_for_has_answered() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.resume(patient, "2", "caller");
    clinic.run_for(Millis(500));
    // the page was loaded anew meanwhile, and the doctor calls back by hand
    clinic.call(doctor, "3");
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().admitted.len(), 2, "{}", clinic.ladder());
}

#[test]
fn who_is_not_back_yet_need_not_have_an_account_to_be_asked_for() {
    let (mut clinic, patient, _) = Clinic::open();
    clinic.resume(patient, "guest-of-a-token", "caller");
    clinic.run_for(Millis(500));
    let seen = clinic.seen(patient);
    assert_eq!(seen, ["progress 183 with an answer"]);
    clinic.run_for(Millis::from_secs(11));
    clinic.assert_empty();
}

#[test]
fn a_device_that_asks_again_over_another_socket_is_found_there() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.resume(patient, "2", "caller");
    clinic.run_for(Millis(500));
    // another network: the relay has not noticed that the old socket is dead
    clinic.connect(patient);
    clinic.register(patient);
    clinic.run_for(Millis(200));
    clinic.resume(patient, "2", "caller");
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().rooms.len(), 1, "{}", clinic.ladder());
    clinic.phones[patient].seen.clear();
    clinic.resume(doctor, "3", "callee");
    clinic.run_for(Millis(500));
    assert!(clinic.seen(patient).contains(&"established"));
    assert_eq!(clinic.plane.look().admitted.len(), 2, "{}", clinic.ladder());
}

#[test]
fn nobody_fills_the_relay_with_people_it_waits_for() {
    let (mut clinic, patient, _) = Clinic::open();
    for number in 0..20 {
        clinic.resume(patient, &format!("somebody-{number}"), "callee");
    }
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().rooms.len(), 8, "{}", clinic.ladder());
}

#[test]
fn a_peer_that_hangs_up_with_the_relays_words_is_not_believed() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let call = clinic.talk(patient, doctor);
    let now = clinic.now;
    let words = "SIP ;cause=503 ;text=\"The relay is stopping\"".to_owned();
    clinic.phones[patient]
        .agent
        .hangup(now, call, Some(words))
        .unwrap();
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(doctor), ["Hangup by Remote 0"]);
}

#[test]
fn who_is_back_in_a_room_waits_for_the_others_like_one_who_came_first() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let now = clinic.now;
    let invited = ["2", "3"].map(|user| ("12".to_owned(), user.to_owned()));
    clinic
        .exchange
        .rooms(now, |focus, _| focus.set_invited(invited));
    let room = || Uri::sip("12", "conference.clinic.example");
    clinic.resume_at(doctor, room(), "callee");
    clinic.run_for(Millis::from_secs(40));
    clinic.resume_at(patient, room(), "caller");
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(doctor), ["established with an answer"]);
    assert_eq!(clinic.plane.look().admitted.len(), 2, "{}", clinic.ladder());
}

#[test]
fn who_was_not_invited_enters_no_room_by_saying_that_it_was_called() {
    let (mut clinic, patient, _) = Clinic::open();
    clinic.resume_at(
        patient,
        Uri::sip("12", "conference.clinic.example"),
        "callee",
    );
    clinic.run_for(Millis(500));
    assert!(clinic.seen(patient)[0].contains("403"));
    clinic.assert_empty();
}
