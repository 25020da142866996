//! Requests outside of calls.

use clinicall_sip::{
    Headers, Message, Method, Status, Uri,
    agent::{Event, Transport},
};

use super::{
    clinic::{Clinic, password},
    script,
};

#[test]
fn a_message_is_challenged_and_arrives() {
    let mut clinic = Clinic::scripted("patient", &["pbx"], Transport::Wss);
    let (now, flow) = (clinic.now, clinic.flow("pbx"));
    let (to, from) = (
        Uri::sip("doctor", "pbx.example"),
        Uri::sip("patient", "pbx.example"),
    );
    let (headers, body) = (Headers::new(), b"I am late".to_vec());
    let login = Some(password("patient"));
    let patient = clinic.agent("patient");
    patient
        .request(now, flow, Method::Message, to, from, headers, body, login)
        .unwrap();
    clinic.run_for(20);
    let challenge = (
        "Proxy-Authenticate",
        "Digest realm=\"pbx.example\", nonce=\"n\", qop=\"auth\"",
    );
    for (status, more) in [(407, vec![challenge]), (202, vec![])] {
        let message = clinic.read_request("pbx");
        assert_eq!(message.body, b"I am late");
        let reply = script::reply(&message, status, "pbx", &more, "");
        clinic.write("pbx", "patient", &reply);
        clinic.run_for(20);
    }
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn nobody_answers_a_request_and_the_flow_breaks_under_another() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    for _ in 0..2 {
        let (now, flow) = (clinic.now, clinic.flow("doctor"));
        let (to, from) = (
            Uri::sip("doctor", "a.example"),
            Uri::sip("patient", "a.example"),
        );
        let patient = clinic.agent("patient");
        let sent = patient.request(
            now,
            flow,
            Method::Options,
            to,
            from,
            Headers::new(),
            vec![],
            None,
        );
        sent.unwrap();
        clinic.run_for(33_000);
    }
    let (now, flow) = (clinic.now, clinic.flow("doctor"));
    let (to, from) = (
        Uri::sip("doctor", "a.example"),
        Uri::sip("patient", "a.example"),
    );
    let patient = clinic.agent("patient");
    let sent = patient.request(
        now,
        flow,
        Method::Options,
        to,
        from,
        Headers::new(),
        vec![],
        None,
    );
    sent.unwrap();
    clinic.run_for(100);
    clinic.cut("patient", "doctor");
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_application_keeps_the_dialog_of_a_subscription() {
    let mut clinic = Clinic::scripted("relay", &["phone"], Transport::Wss);
    let subscribe = script::text(
        "
        SUBSCRIBE sip:room@clinic.example SIP/2.0
        Via: SIP/2.0/WSS phone.invalid;branch=z9hG4bKs1
        From: <sip:3@clinic.example>;tag=ph
        To: <sip:room@clinic.example>
        Call-ID: sub1
        CSeq: 7 SUBSCRIBE
        Event: conference
        Contact: <sip:3@phone.invalid;transport=ws>",
    );
    clinic.write_bytes("phone", "relay", subscribe);
    clinic.run_for(20);
    let pending = clinic.pending("relay");
    let tag = clinic.agent("relay").local_tag(pending).unwrap().to_owned();
    clinic.respond("relay", 200);
    clinic.run_for(20);
    let ok = clinic.read_response("phone");
    assert_eq!(
        ok.headers.get("To").unwrap(),
        format!("<sip:room@clinic.example>;tag={tag}")
    );

    let mut headers = Headers::new();
    headers.push("From", format!("<sip:room@clinic.example>;tag={tag}"));
    headers.push("To", "<sip:3@clinic.example>;tag=ph");
    headers.push("Call-ID", "sub1");
    headers.push("CSeq", "1 NOTIFY");
    headers.push("Event", "conference");
    let (now, flow) = (clinic.now, clinic.flow("phone"));
    let target: Uri = "sip:3@phone.invalid;transport=ws".parse().unwrap();
    let from = Uri::sip("room", "clinic.example");
    let relay = clinic.agent("relay");
    relay
        .request(
            now,
            flow,
            Method::Notify,
            target,
            from,
            headers,
            vec![],
            None,
        )
        .unwrap();
    clinic.run_for(20);
    let Message::Request(notify) = clinic.read("phone") else {
        panic!("no NOTIFY")
    };
    assert_eq!(notify.uri.to_string(), "sip:3@phone.invalid;transport=ws");
    assert_eq!(notify.headers.get("Call-ID"), Some("sub1"));
    assert_eq!(
        notify.headers.get("To"),
        Some("<sip:3@clinic.example>;tag=ph")
    );
    let reply = script::reply(&notify, 200, "", &[], "");
    clinic.write("phone", "relay", &reply);
    clinic.run_for(20);
    let replied = clinic.news("relay").iter().any(|event| {
        matches!(
            event,
            Event::Replied {
                status: Status(200),
                ..
            }
        )
    });
    assert!(replied);
}
