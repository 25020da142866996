//! Requests that cannot be served, and too many of them.

use clinicall_sip::{
    Message, Status,
    agent::{Agent, Event, Flow, Output, Transport},
    time::Time,
};

use super::{
    clinic::{Clinic, config},
    script,
};

fn request(method: &str, branch: &str, more: &str) -> Vec<u8> {
    script::text(&format!(
        "
        {method} sip:me@p1.invalid SIP/2.0
        Via: SIP/2.0/WSS stranger.invalid;branch={branch}
        From: <sip:stranger@clinic.example>;tag=s1
        To: <sip:me@clinic.example>
        Call-ID: {branch}
        CSeq: 1 {method}
        Contact: <sip:stranger@stranger.invalid>
        {more}"
    ))
}

/// What one message on its own is answered with.
fn answer(bytes: Vec<u8>) -> Option<clinicall_sip::Response> {
    let mut clinic = Clinic::scripted("patient", &["stranger"], Transport::Wss);
    clinic.write_bytes("stranger", "patient", bytes);
    clinic.run_for(20);
    clinic.read_any("stranger").map(|message| match message {
        Message::Response(response) => response,
        Message::Request(request) => panic!("{request:?}"),
    })
}

#[test]
fn each_refusal_names_its_reason() {
    let cases = [
        (
            request("INVITE", "z9hG4bK1", "Require: 100rel, foo, bar"),
            420,
            "Unsupported",
            "foo,bar",
        ),
        (
            request("DANCE", "z9hG4bK2", ""),
            405,
            "Allow",
            "INVITE,ACK,CANCEL,BYE,OPTIONS,PRACK,UPDATE,INFO,MESSAGE,REFER,NOTIFY,SUBSCRIBE",
        ),
        (
            request(
                "INVITE",
                "z9hG4bK3",
                "Content-Type: text/plain\n\n        hello",
            ),
            415,
            "Accept",
            "application/sdp",
        ),
        (
            request(
                "INVITE",
                "z9hG4bK4",
                "Supported: timer\nSession-Expires: 30",
            ),
            422,
            "Min-SE",
            "90",
        ),
        (request("BYE", "z9hG4bK5", ""), 481, "CSeq", "1 BYE"),
        (request("CANCEL", "z9hG4bK6", ""), 481, "CSeq", "1 CANCEL"),
        (request("UPDATE", "z9hG4bK7", ""), 481, "CSeq", "1 UPDATE"),
        (
            request("PRACK", "z9hG4bK8", "RAck: 1 1 INVITE"),
            481,
            "CSeq",
            "1 PRACK",
        ),
    ];
    for (bytes, status, name, value) in cases {
        let response = answer(bytes).unwrap();
        assert_eq!(response.status, Status(status));
        assert_eq!(response.headers.get(name), Some(value), "{status}");
        assert!(
            response.headers.get("To").unwrap().contains(";tag="),
            "{status}"
        );
    }
}

#[test]
fn an_ack_out_of_the_blue_is_never_answered() {
    assert_eq!(answer(request("ACK", "z9hG4bK1", "")), None);
}

#[test]
fn a_request_without_the_headers_it_needs_is_bad() {
    let bytes = String::from_utf8(request("OPTIONS", "z9hG4bK1", "")).unwrap();
    let response = answer(
        bytes
            .replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE")
            .into_bytes(),
    )
    .unwrap();
    assert_eq!(response.status, Status(400));
}

#[test]
fn the_same_invite_by_two_ways_is_a_loop() {
    let mut clinic = Clinic::scripted("patient", &["stranger"], Transport::Wss);
    let one = request("INVITE", "z9hG4bK1", "");
    let other = String::from_utf8(one.clone())
        .unwrap()
        .replace("branch=z9hG4bK1", "branch=z9hG4bK2");
    clinic.write_bytes("stranger", "patient", one);
    clinic.write_bytes("stranger", "patient", other.into_bytes());
    clinic.run_for(20);
    clinic.read("stranger");
    assert_eq!(clinic.read_response("stranger").status, Status(482));
}

#[test]
fn a_ping_gets_its_pong() {
    let mut clinic = Clinic::scripted("patient", &["stranger"], Transport::Wss);
    let mut agent = Agent::new(config(9));
    agent.open(Flow(1), Transport::Wss);
    agent.receive(Time(0), Flow(1), b"\r\n\r\n");
    agent.receive(Time(0), Flow(1), b"\r\n");
    agent.receive(Time(0), Flow(1), b"");
    assert!(matches!(agent.poll(), Some(Output::Send { bytes, .. }) if bytes == b"\r\n"));
    assert!(agent.poll().is_none());
    clinic.run_until_quiet();
}

#[test]
fn a_flood_of_calls_is_turned_away_and_the_doctor_still_gets_through() {
    let mut agent = Agent::new(config(1));
    agent.open(Flow(1), Transport::Udp);
    agent.open(Flow(2), Transport::Wss);
    let (mut rung, mut refused) = (Vec::new(), 0);
    for number in 0..20_000_u64 {
        let bytes = request("INVITE", &format!("z9hG4bK{number}"), "");
        agent.receive(Time(number), Flow(1), &bytes);
        while let Some(output) = agent.poll() {
            match output {
                Output::Event(Event::Incoming { call, .. }) => rung.push(call),
                Output::Send { bytes, .. } if bytes.starts_with(b"SIP/2.0 503") => {
                    assert!(String::from_utf8(bytes).unwrap().contains("Retry-After: "));
                    refused += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!((rung.len(), refused), (10, 19_990));
    for call in rung {
        let headers = clinicall_sip::Headers::new();
        agent
            .reject(Time(20_000), call, Status(486), headers)
            .unwrap();
    }
    agent.receive(
        Time(20_001),
        Flow(2),
        &request("INVITE", "z9hG4bKdoctor", ""),
    );
    let rings = std::iter::from_fn(|| agent.poll())
        .any(|output| matches!(output, Output::Event(Event::Incoming { .. })));
    assert!(rings);
}

#[test]
fn callers_who_never_acknowledge_a_refusal_fill_only_so_much() {
    let mut agent = Agent::new(config(1));
    agent.open(Flow(1), Transport::Udp);
    for number in 0..5_000_u64 {
        let bytes = request("INVITE", &format!("z9hG4bK{number}"), "");
        agent.receive(Time(number), Flow(1), &bytes);
        while let Some(output) = agent.poll() {
            if let Output::Event(Event::Incoming { call, .. }) = output {
                let headers = clinicall_sip::Headers::new();
                agent
                    .reject(Time(number), call, Status(486), headers)
                    .unwrap();
            }
        }
    }
    assert!(agent.transactions() <= 1_184, "{}", agent.transactions());
    assert_eq!(agent.calls(), 0);
    agent.tick(Time(60_000));
    assert_eq!(agent.transactions(), 0);
}

#[test]
fn a_flood_of_registers_nobody_answers_is_bounded_and_passes() {
    let mut agent = Agent::new(config(1));
    agent.open(Flow(1), Transport::Udp);
    let mut asked = 0;
    for number in 0..5_000_u64 {
        let bytes = request("REGISTER", &format!("z9hG4bK{number}"), "");
        agent.receive(Time(0), Flow(1), &bytes);
        while let Some(output) = agent.poll() {
            asked += usize::from(matches!(output, Output::Event(Event::Asked { .. })));
        }
    }
    assert!(asked < 200, "{asked} are kept");
    // when the first ones are too old to be answered, there is room again
    agent.tick(Time(40_000));
    agent.receive(
        Time(40_000),
        Flow(1),
        &request("REGISTER", "z9hG4bKlate", ""),
    );
    let heard = std::iter::from_fn(|| agent.poll())
        .any(|output| matches!(output, Output::Event(Event::Asked { .. })));
    assert!(heard);
}
