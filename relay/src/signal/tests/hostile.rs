//! People who mean no good.

use clinicall_sip::{Headers, Millis};

use super::{Clinic, plane::sdp};

#[test]
fn a_patient_cannot_call_as_the_doctor() {
    let (mut clinic, patient, _doctor) = Clinic::open();
    clinic.registered("interpreter", "4");
    let offer = Some(sdp("phone", true, true).to_string());
    clinic.call_as(patient, "2", "4", offer);
    clinic.run_for(Millis(500));
    assert!(
        clinic
            .seen(patient)
            .last()
            .unwrap()
            .starts_with("Rejected 403")
    );
    assert_eq!(clinic.metrics.spoofed_total.get(), 1);
    clinic.assert_empty();
}

#[test]
fn a_call_from_an_unregistered_page_is_challenged_and_then_taken() {
    let (mut clinic, _patient, doctor) = Clinic::open();
    let visitor = clinic.phone("visitor", "4");
    clinic.call(visitor, "2");
    clinic.run_for(Millis(500));
    assert!(
        clinic.ladder().contains("visitor < 407 INVITE"),
        "{}",
        clinic.ladder()
    );
    assert_eq!(clinic.seen(doctor), ["incoming from 4, visit 42"]);
}

#[test]
fn every_method_needs_a_login() {
    let mut clinic = Clinic::closed();
    let stranger = clinic.phone("stranger", "2");
    for (number, method) in [
        "MESSAGE",
        "SUBSCRIBE",
        "PUBLISH",
        "REFER",
        "NOTIFY",
        "INFO",
        "OPTIONS",
        "INVITE",
        "BYE",
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!(
            "{method} sip:3@clinic.example SIP/2.0\r\n\
             Via: SIP/2.0/WS page.invalid;branch=z9hG4bKstranger{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:2@clinic.example>;tag=h\r\n\
             To: <sip:3@clinic.example>\r\nContact: <sip:2@page.invalid>\r\n\
             Call-ID: stranger{number}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        );
        clinic.send_raw(stranger, text.as_bytes());
    }
    let last: Vec<&str> = clinic
        .ladder()
        .lines()
        .map(str::trim)
        .filter(|line| !line.contains(" 100 "))
        .collect();
    assert_eq!(
        last,
        [
            "stranger < 407 MESSAGE",
            "stranger < 407 SUBSCRIBE",
            "stranger < 407 PUBLISH",
            "stranger < 407 REFER",
            "stranger < 407 NOTIFY",
            "stranger < 481 INFO",
            "stranger < 407 OPTIONS",
            "stranger < 407 INVITE",
            "stranger < 481 BYE",
        ]
    );
}

#[test]
fn a_flood_of_calls_stays_bounded_and_others_get_through() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let flooder = clinic.registered("flooder", "4");
    for _ in 0..200 {
        clinic.call(flooder, "2");
    }
    clinic.run_for(Millis(500));
    let rings = clinic.seen(doctor).len();
    assert_eq!(rings, 8, "as many as one user may place");
    assert_eq!(clinic.plane.look().rooms.len(), 8);
    clinic.call(patient, "2");
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(doctor).last(),
        Some(&"incoming from 3, visit 42")
    );
    clinic.disconnect(flooder, crate::signal::Closing::Lost);
    clinic.run_for(Millis::from_secs(70));
    clinic.assert_empty();
}

#[test]
fn garbage_of_every_length_ends_nothing() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.talk(patient, doctor);
    let invite = "INVITE sip:2@clinic.example SIP/2.0\r\n\
        Via: SIP/2.0/WS page.invalid;branch=z9hG4bKcut\r\nMax-Forwards: 70\r\n\
        From: <sip:3@clinic.example>;tag=h\r\nTo: <sip:2@clinic.example>\r\n\
        Contact: <sip:3@page.invalid>\r\nCall-ID: cut\r\nCSeq: 4294967295 INVITE\r\n\
        Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";
    for length in 0..invite.len() {
        clinic.send_raw(patient, &invite.as_bytes()[..length]);
    }
    for byte in 0..=255 {
        clinic.send_raw(patient, &[byte; 300]);
    }
    clinic.run_for(Millis::from_secs(5));
    assert!(clinic.seen(doctor).is_empty());
    assert_eq!(clinic.plane.look().admitted.len(), 2);
}

#[test]
fn guessing_a_password_is_slowed_down() {
    let mut clinic = Clinic::closed();
    let thief = clinic.phone("thief", "2");
    for _ in 0..24 {
        clinic.phones[thief].with_password("letmein");
        let offer = Some(sdp("phone", true, true).to_string());
        clinic.call_as(thief, "2", "3", offer);
        clinic.run_for(Millis(100));
    }
    let refused = clinic
        .seen(thief)
        .iter()
        .filter(|seen| seen.starts_with("ServerError 503"))
        .count();
    assert_eq!(refused, 4, "{:?}", clinic.seen(thief));
    assert_eq!(clinic.metrics.logins_failed_total.get(), 20);
}

#[test]
fn a_callee_that_asks_for_credentials_gets_none() {
    let (mut clinic, patient, doctor) = Clinic::open();
    clinic.call(patient, "2");
    clinic.run_for(Millis(500));
    let mut headers = Headers::new();
    headers.push(
        "Proxy-Authenticate",
        "Digest realm=\"clinic.example\", nonce=\"x\", qop=\"auth\"",
    );
    let (now, call) = (clinic.now, clinic.phones[doctor].incoming.unwrap());
    let phone = &mut clinic.phones[doctor].agent;
    phone
        .reject(now, call, clinicall_sip::Status(407), headers)
        .unwrap();
    clinic.run_for(Millis(500));
    assert!(
        clinic
            .seen(patient)
            .last()
            .unwrap()
            .starts_with("Unavailable 480")
    );
    assert_eq!(clinic.ladder().matches("doctor < INVITE").count(), 1);
}

#[test]
fn a_stranger_who_only_talks_is_shown_out() {
    let (mut clinic, patient, _doctor) = Clinic::open();
    let stranger = clinic.phone("stranger", "4");
    for _ in 0..51 {
        if clinic.phones[stranger].flow.is_some() {
            clinic.send_raw(stranger, b"how are you?\r\n\r\n");
        }
    }
    assert_eq!(
        clinic.seen(stranger),
        ["closed: too many messages without a login"]
    );
    for _ in 0..200 {
        clinic.send_raw(patient, b"how are you?\r\n\r\n");
    }
    assert!(
        clinic.seen(patient).is_empty(),
        "whoever has logged in may talk"
    );
}

#[test]
fn a_contact_as_long_as_a_novel_is_refused() {
    let (mut clinic, patient, _doctor) = Clinic::open();
    let text = format!(
        "REGISTER sip:clinic.example SIP/2.0\r\nVia: SIP/2.0/WS p.invalid;branch=z9hG4bKnovel\r\n\
         Max-Forwards: 70\r\nFrom: <sip:3@clinic.example>;tag=n\r\nTo: <sip:3@clinic.example>\r\n\
         Call-ID: novel\r\nCSeq: 1 REGISTER\r\nContact: <sip:{}@p.invalid>\r\n\
         Content-Length: 0\r\n\r\n",
        "x".repeat(40_000)
    );
    clinic.send_raw(patient, text.as_bytes());
    assert!(
        clinic.ladder().ends_with("patient < 400 REGISTER\n"),
        "{}",
        clinic.ladder()
    );
    assert_eq!(clinic.exchange.registrar.len(), 2);
}
