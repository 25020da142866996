//! People whom somebody else vouches for: tokens, keys in the store, the clinic's web server.

use clinicall_sip::{Method, Millis};

use super::Clinic;
use crate::{
    auth::{Grant, Guesses, Refused, Revoked, Right, Rights, Rooms, TokenId},
    config::Secret,
    signal::{
        Closing, News, Question, Told,
        users::{Keys, User},
    },
};

const DEADLINE: Millis = Millis::from_secs(4);
const TOKEN: &str = "aaa.bbb.ccc";

fn open_clinic() -> Clinic {
    let mut clinic = Clinic::closed();
    clinic
        .exchange
        .attach_doorman(DEADLINE, false, Guesses::new(20));
    clinic
}

fn grant(user: &str) -> Grant {
    Grant {
        token: Some(TokenId::of(TOKEN)),
        expires: Some(1),
        ..Grant::of_user(user, Some("Doctor Token"))
    }
}

/// A request by hand; what came back of it is in the ladder.
fn send(clinic: &mut Clinic, phone: usize, method: Method, user: &str, to: &str, lines: &str) {
    let method = method.as_str();
    let cseq = clinic.ladder().len() + 1;
    let uri = match method {
        "REGISTER" => "sip:clinic.example".to_owned(),
        _ => format!("sip:{to}"),
    };
    let text = format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/WS page.invalid;branch=z9hG4bKhand{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{user}@clinic.example>;tag=h\r\n\
         To: <sip:{to}>\r\nCall-ID: by-hand-{phone}-{method}-{cseq}\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:x@page.invalid>;expires=600\r\n{lines}Content-Length: 0\r\n\r\n",
    );
    clinic.send_raw(phone, text.as_bytes());
    clinic.run_for(Millis(100));
}

fn register(clinic: &mut Clinic, phone: usize, user: &str, authorization: &str) {
    let to = format!("{user}@clinic.example");
    let line = format!("Authorization: {authorization}\r\n");
    send(clinic, phone, Method::Register, user, &to, &line);
}

fn answer(clinic: &mut Clinic, told: Told) {
    let (ask, _) = clinic.questions.remove(0);
    let now = clinic.now;
    clinic.exchange.told(now, ask, told);
    clinic.run_for(Millis(100));
}

fn come_in(clinic: &mut Clinic, name: &'static str, user: &'static str, grant: Grant) -> usize {
    let phone = clinic.phone(name, user);
    register(clinic, phone, user, &format!("Bearer {TOKEN}"));
    answer(clinic, Told::Token(Ok((grant, Millis::from_secs(3_600)))));
    assert!(
        clinic.exchange.online().contains(user),
        "{}",
        clinic.ladder()
    );
    phone
}

#[test]
fn a_doctor_without_an_account_registers_with_a_token() {
    // as RFC 8898 writes it, as others spell it, and as JsSIP's authorization_jwt comes
    for authorization in [
        format!("Bearer {TOKEN}"),
        format!("bearer  {TOKEN} "),
        TOKEN.to_owned(),
    ] {
        let mut clinic = open_clinic();
        let doctor = clinic.phone("doctor", "77");
        register(&mut clinic, doctor, "77", &authorization);
        let token = Secret(TOKEN.to_owned());
        assert_eq!(clinic.questions[0].1, Question::Token { token });
        assert!(clinic.exchange.online().is_empty(), "not before the answer");
        // others are not held up meanwhile
        clinic.registered("patient", "3");
        let told = Told::Token(Ok((grant("77"), Millis::from_secs(3_600))));
        answer(&mut clinic, told);
        assert!(clinic.exchange.online().contains("77"));
        // a refresh with the same token asks nobody
        register(&mut clinic, doctor, "77", &authorization);
        assert!(clinic.questions.is_empty());
        // and a caller sees the name in it
        let patient = clinic.phones.len() - 1;
        clinic.call(patient, "77");
        clinic.run_for(Millis(500));
        assert!(clinic.seen(doctor)[0].starts_with("incoming from 3"));
    }
}

#[test]
fn a_bad_token_is_refused_in_words_and_counts_as_a_wrong_password() {
    let mut clinic = open_clinic();
    for refused in [Refused::Forged, Refused::Expired, Refused::Revoked] {
        let thief = clinic.phone("thief", "2");
        register(&mut clinic, thief, "2", &format!("Bearer {TOKEN}"));
        answer(&mut clinic, Told::Token(Err(refused)));
        assert!(
            clinic.ladder().contains("401 REGISTER"),
            "{}",
            clinic.ladder()
        );
        assert!(clinic.exchange.online().is_empty());
    }
    assert_eq!(clinic.metrics.logins_failed_total.get(), 3);
    // a good token of somebody else's
    let thief = clinic.phone("thief", "2");
    register(&mut clinic, thief, "2", &format!("Bearer {TOKEN}"));
    answer(&mut clinic, Told::Token(Ok((grant("3"), DEADLINE))));
    assert!(clinic.ladder().contains("403 REGISTER"));
    assert!(clinic.exchange.online().is_empty());
}

#[test]
fn a_flood_of_guessed_tokens_is_not_looked_at() {
    let mut clinic = open_clinic();
    let thief = clinic.phone("thief", "2");
    for guess in 0..30 {
        register(&mut clinic, thief, "2", &format!("Bearer a.b.{guess}"));
        if !clinic.questions.is_empty() {
            answer(&mut clinic, Told::Token(Err(Refused::Forged)));
        }
    }
    assert_eq!(clinic.metrics.logins_failed_total.get(), 20);
    assert!(clinic.ladder().contains("503 REGISTER"));
}

#[test]
fn a_key_that_the_back_end_has_left_is_a_digest_password() {
    let mut clinic = open_clinic();
    let nurse = clinic.phone("nurse", "55");
    clinic.register(nurse);
    clinic.run_for(Millis(200));
    let user = "55".to_owned();
    assert_eq!(clinic.questions[0].1, Question::Keys { user });
    let known = User {
        id: "55".to_owned(),
        name: "Nurse Okafor".to_owned(),
        keys: Keys::derive("55", "clinic.example", "secret of 4"),
    };
    answer(&mut clinic, Told::Keys(Ok(Some(known))));
    assert_eq!(clinic.seen(nurse), ["registered"]);
    // a refresh needs no second look
    clinic.run_for(Millis::from_secs(1_200));
    assert!(clinic.questions.is_empty() && clinic.exchange.online().contains("55"));
    // a stranger is told the same as somebody with a wrong password
    for told in [
        Told::Keys(Ok(None)),
        Told::Keys(Ok(Some(User {
            id: "56".to_owned(),
            name: String::new(),
            keys: Keys::derive("56", "clinic.example", "something else"),
        }))),
    ] {
        let stranger = clinic.phone("stranger", "56");
        clinic.register(stranger);
        clinic.run_for(Millis(200));
        answer(&mut clinic, told);
        assert_eq!(clinic.seen(stranger), ["not registered: 403"]);
    }
}

#[test]
fn a_clinic_that_does_not_answer_keeps_its_doctor_outside_and_nobody_else() {
    let mut clinic = open_clinic();
    let nurse = clinic.phone("nurse", "55");
    clinic.register(nurse);
    clinic.run_for(Millis(200));
    assert_eq!(clinic.questions.len(), 1);
    // a doctor of the configuration is not asked about
    clinic.registered("doctor", "2");
    clinic.run_for(DEADLINE);
    assert_eq!(clinic.seen(nurse), ["not registered: 503"]);
    // the answer comes too late and changes nothing
    answer(&mut clinic, Told::Keys(Ok(None)));
    assert!(!clinic.exchange.online().contains("55"));
    // a nurse who has left is not waited for
    let gone = clinic.phone("gone", "56");
    clinic.register(gone);
    clinic.run_for(Millis(200));
    clinic.disconnect(gone, Closing::Lost);
    answer(&mut clinic, Told::Keys(Ok(None)));
    assert_eq!(clinic.exchange.doorman_wakes_at(), None);
}

#[test]
fn a_revoked_doctor_is_sent_away_and_the_patient_told() {
    let mut clinic = open_clinic();
    let patient = clinic.registered("patient", "3");
    let doctor = come_in(&mut clinic, "doctor", "77", grant("77"));
    let desk = clinic.registered("other doctor", "2");
    clinic.call(patient, "77");
    clinic.run_for(Millis(500));
    clinic.answer(doctor);
    clinic.run_for(Millis(500));
    clinic
        .phones
        .iter_mut()
        .for_each(|phone| phone.seen.clear());
    let now = clinic.now;
    let revoked = Revoked {
        user: "77".to_owned(),
        token: Some(TokenId::of(TOKEN)),
    };
    clinic.exchange.revoke(now, &revoked);
    clinic.run_for(Millis(500));
    assert!(
        clinic.seen(patient)[0].starts_with("Hangup"),
        "{:?}",
        clinic.seen(patient)
    );
    assert!(
        clinic.phones[doctor]
            .seen
            .contains(&"closed: this login was revoked".to_owned())
    );
    assert!(!clinic.exchange.online().contains("77"));
    assert!(clinic.seen(desk).is_empty() && clinic.exchange.online().contains("2"));
    assert!(clinic.exchange.is_quiet());
}

#[test]
fn a_token_that_runs_out_is_asked_for_again_and_ends_no_call() {
    let mut clinic = open_clinic();
    let patient = clinic.registered("patient", "3");
    let doctor = clinic.phone("doctor", "77");
    register(&mut clinic, doctor, "77", &format!("Bearer {TOKEN}"));
    let minute = Millis::from_secs(60);
    answer(&mut clinic, Told::Token(Ok((grant("77"), minute))));
    clinic.call(patient, "77");
    clinic.run_for(Millis(500));
    clinic.answer(doctor);
    clinic.run_for(Millis(minute.0 + 1_000));
    assert!(!clinic.exchange.is_quiet(), "the visit goes on");
    let other = clinic.registered("other patient", "4");
    clinic.call(other, "77");
    clinic.run_for(Millis(500));
    assert!(clinic.seen(other)[0].contains("480") || clinic.seen(other)[0].contains("404"));
    // a newer token, and the doctor is there again
    register(&mut clinic, doctor, "77", "Bearer ddd.eee.fff");
    answer(&mut clinic, Told::Token(Ok((grant("77"), minute))));
    assert!(clinic.exchange.online().contains("77"));
}

#[test]
fn a_guest_enters_one_room_and_rings_nobody() {
    let mut clinic = open_clinic();
    clinic.registered("doctor", "2");
    let guest = Grant {
        rooms: Rooms::Only(vec!["visit-7".to_owned()]),
        rights: Rights::GUEST,
        ..grant("guest-1")
    };
    let guest = come_in(&mut clinic, "guest", "guest-1", guest);
    // messages on the same socket are under the same token
    let of_guest = |news: &News| match news {
        News::LoggedIn { user, rights, .. } if user == "guest-1" => Some(*rights),
        _ => None,
    };
    assert_eq!(clinic.news.iter().find_map(of_guest), Some(Rights::GUEST));
    let uri = |to: &str| to.parse().unwrap();
    let may = |clinic: &Clinic, to: &str| {
        let flow = clinic.phones[guest].flow.unwrap();
        clinic.exchange.registrar.may_call(flow, &uri(to)).is_ok()
    };
    assert!(may(&clinic, "sip:visit-7@conference.clinic.example"));
    for closed in [
        "sip:visit-8@conference.clinic.example",
        "sip:visit-7@conference.elsewhere.example",
        "sip:1*visit-8*video@clinic.example",
        "sip:visit-7@clinic.example",
        "sip:2@clinic.example",
        "sip:+7900@clinic.example",
    ] {
        assert!(!may(&clinic, closed), "{closed}");
    }
    clinic.call(guest, "2");
    clinic.run_for(Millis(500));
    assert!(
        clinic.ladder().contains("403 INVITE"),
        "{}",
        clinic.ladder()
    );
    assert!(Rights::USER.has(Right::Call));
}

#[test]
fn the_clinic_is_asked_before_a_call_and_may_say_no() {
    let mut clinic = Clinic::closed();
    clinic
        .exchange
        .attach_doorman(DEADLINE, true, Guesses::new(20));
    let patient = clinic.registered("patient", "3");
    let doctor = clinic.registered("doctor", "2");
    clinic.call(patient, "2");
    clinic.run_for(Millis(200));
    let (from, to) = ("3".to_owned(), "2@clinic.example".to_owned());
    assert_eq!(clinic.questions[0].1, Question::Call { from, to });
    assert!(
        clinic.seen(doctor).is_empty(),
        "nothing rings before the answer"
    );
    answer(&mut clinic, Told::Call(Err(Refused::Forbidden)));
    assert!(
        clinic.seen(patient)[0].contains("403"),
        "{:?}",
        clinic.seen(patient)
    );

    clinic.phones[patient].seen.clear();
    clinic.call(patient, "2");
    clinic.run_for(Millis(200));
    answer(&mut clinic, Told::Call(Ok(())));
    clinic.run_for(Millis(300));
    assert_eq!(clinic.seen(doctor), ["incoming from 3, visit 42"]);

    // who hangs up before the answer rings nobody
    let other = clinic.registered("other patient", "4");
    let call = clinic.call(other, "2");
    clinic.run_for(Millis(200));
    clinic.hangup(other, call);
    clinic.run_for(Millis(200));
    answer(&mut clinic, Told::Call(Ok(())));
    assert_eq!(clinic.seen(doctor).len(), 1);
    // and a clinic that says nothing lets nobody call
    clinic.phones[other].seen.clear();
    clinic.call(other, "2");
    clinic.run_for(Millis(DEADLINE.0 + 500));
    assert!(
        clinic.seen(other)[0].contains("503"),
        "{:?}",
        clinic.seen(other)
    );
}
