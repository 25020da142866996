//! Registrations.

use clinicall_sip::{Message, Method, Millis};

use super::Clinic;
use crate::signal::{
    Closing,
    users::{Keys, User},
};

#[test]
fn a_doctor_logs_in_and_is_seen_until_the_tab_closes() {
    let mut clinic = Clinic::closed();
    let doctor = clinic.registered("doctor", "2");
    assert!(clinic.exchange.online().contains("2"));
    insta::assert_snapshot!(clinic.ladder());
    clinic.disconnect(doctor, Closing::Gone);
    assert!(clinic.exchange.online().is_empty());
}

#[test]
fn a_wrong_password_is_refused_and_so_is_a_stranger() {
    let mut clinic = Clinic::closed();
    let thief = clinic.phone("thief", "2");
    clinic.phones[thief].with_password("letmein");
    clinic.register(thief);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(thief), ["not registered: 403"]);
    let stranger = clinic.phone("stranger", "99");
    clinic.register(stranger);
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(stranger),
        ["not registered: 403"],
        "the same as a wrong password"
    );
    assert!(clinic.exchange.online().is_empty());
}

#[test]
fn a_refresh_on_the_same_socket_needs_no_second_challenge() {
    let mut clinic = Clinic::closed();
    clinic.registered("doctor", "2");
    clinic.run_for(Millis::from_secs(1_200));
    assert!(clinic.exchange.online().contains("2"));
    let challenges = clinic.ladder().matches("401 REGISTER").count();
    assert_eq!(challenges, 1, "{}", clinic.ladder());
}

#[test]
fn jssip_finds_md5_where_it_looks() {
    let mut clinic = Clinic::closed();
    let doctor = clinic.phone("doctor", "2");
    let challenged = register(&mut clinic, doctor, 1, "");
    let algorithms: Vec<bool> = challenged
        .lines()
        .filter(|line| line.starts_with("WWW-Authenticate"))
        .map(|line| line.contains("algorithm=MD5"))
        .collect();
    // JsSIP 3.13 keeps the last one it reads
    assert_eq!(algorithms, [false, true], "{challenged}");
}

#[test]
fn a_user_added_to_the_store_may_log_in_at_once() {
    let mut clinic = Clinic::closed();
    clinic.exchange.set_stored_users(vec![User {
        id: "5".to_owned(),
        name: "Nurse Okafor".to_owned(),
        keys: Keys::derive("5", "clinic.example", "secret of 4"),
    }]);
    clinic.registered("nurse", "5");
}

#[test]
fn a_socket_that_never_logs_in_is_closed() {
    let mut clinic = Clinic::closed();
    let idler = clinic.phone("idler", "2");
    clinic.run_for(Millis::from_secs(31));
    assert_eq!(clinic.seen(idler), ["closed: no login in time"]);
}

/// A REGISTER written by hand, on a socket that is logged in; the response.
fn register(clinic: &mut Clinic, phone: usize, cseq: u32, lines: &str) -> String {
    let text = format!(
        "REGISTER sip:clinic.example SIP/2.0\r\n\
         Via: SIP/2.0/WS page.invalid;branch=z9hG4bKhand{cseq}x{}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:2@clinic.example>;tag=h\r\nTo: <sip:2@clinic.example>\r\n\
         Call-ID: by-hand\r\nCSeq: {cseq} REGISTER\r\n{lines}Content-Length: 0\r\n\r\n",
        lines.len()
    );
    let flow = clinic.phones[phone].flow.unwrap();
    clinic.exchange.receive(clinic.now, flow, text.as_bytes());
    let Some(crate::signal::Out::Send { bytes, .. }) = clinic.exchange.poll() else {
        panic!("no response to\n{text}");
    };
    let Ok(Message::Response(response)) = Message::parse(&bytes) else {
        panic!("no response");
    };
    assert_eq!(response.headers.cseq().unwrap().method, Method::Register);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn bindings_are_listed_shortened_refused_and_removed() {
    let mut clinic = Clinic::closed();
    let doctor = clinic.registered("doctor", "2");
    let listed = register(&mut clinic, doctor, 1, "");
    assert!(listed.starts_with("SIP/2.0 200 "), "{listed}");
    assert!(listed.contains("reg-id=1"), "{listed}");

    let brief = register(
        &mut clinic,
        doctor,
        2,
        "Contact: <sip:x@h.invalid>;expires=5\r\n",
    );
    assert!(
        brief.starts_with("SIP/2.0 423 ") && brief.contains("Min-Expires: 30"),
        "{brief}"
    );

    let long = "Contact: <sip:x@h.invalid>;expires=999999\r\n";
    assert!(register(&mut clinic, doctor, 10, long).contains("<sip:x@h.invalid>;expires=3600"));
    assert_eq!(clinic.exchange.registrar.len(), 2);

    let older = register(
        &mut clinic,
        doctor,
        5,
        "Contact: <sip:x@h.invalid>;expires=60\r\n",
    );
    assert!(older.starts_with("SIP/2.0 500 "), "{older}");

    let star = register(&mut clinic, doctor, 11, "Contact: *\r\nExpires: 60\r\n");
    assert!(star.starts_with("SIP/2.0 400 "), "{star}");
    let star = register(&mut clinic, doctor, 12, "Contact: *\r\nExpires: 0\r\n");
    assert!(
        star.starts_with("SIP/2.0 200 ") && !star.contains("Contact"),
        "{star}"
    );
    assert_eq!(clinic.exchange.registrar.len(), 0);
}

#[test]
fn a_public_gruu_is_given_to_those_who_ask_and_rings_that_device_alone() {
    let mut clinic = Clinic::closed();
    let desk = clinic.registered("desk", "2");
    let laptop = clinic.registered("laptop", "2");
    let patient = clinic.registered("patient", "3");
    let listed = register(&mut clinic, desk, 1, "Supported: gruu, outbound\r\n");
    let gruu = "sip:2@clinic.example;gr=urn:uuid:00000000-0000-1000-8000-000000000002";
    assert!(listed.contains(&format!("pub-gruu=\"{gruu}\"")), "{listed}");
    assert!(listed.contains("Require: outbound"), "{listed}");

    let uri = gruu.parse().unwrap();
    clinic.call_uri(patient, uri);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(laptop), ["incoming from 3, visit 42"]);
    assert!(clinic.seen(desk).is_empty());
}

#[test]
fn a_user_with_too_many_tabs_keeps_the_newest() {
    let mut clinic = Clinic::closed();
    for _ in 0..15 {
        clinic.registered("tab", "2");
    }
    assert_eq!(clinic.exchange.registrar.len(), 12);
}
