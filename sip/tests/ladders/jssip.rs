//! A peer that writes its messages as JsSIP does, behind a proxy that records its route.

use clinicall_sip::agent::Transport;

use super::{clinic::Clinic, script};

fn its_request(method: &str, cseq: u32, to: &str, more: &str) -> Vec<u8> {
    script::text(&format!(
        "
        {method} sip:me@p1.invalid;transport=ws SIP/2.0
        Via: SIP/2.0/WS edge.example;branch=z9hG4bKedge{method}{cseq}
        Via: SIP/2.0/WSS 5ht1odcn3ob0.invalid;branch=z9hG4bK{method}{cseq};received=198.51.100.7
        Record-Route: <sip:edge.example;transport=ws;lr;ovid=1>
        Record-Route: <sip:core.example;lr>
        Max-Forwards: 69
        To: <sip:me@clinic.example>{to}
        From: \"Doctor\" <sip:3@clinic.example>;tag=c5eb8c8j6r
        Call-ID: 5h7pggc07sbq4i1ckb0d
        CSeq: {cseq} {method}
        {more}"
    ))
}

const INVITE: &str = "Contact: <sip:3b2v1c8m@5ht1odcn3ob0.invalid;transport=wss;ob>
        Content-Type: application/sdp
        Session-Expires: 90
        Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY
        Supported: timer,ice,replaces,outbound
        User-Agent: JsSIP 3.13.8

        v=0 jssip's offer";

#[test]
fn jssip_calls_through_a_proxy() {
    let mut clinic = Clinic::scripted("patient", &["jssip"], Transport::Wss);
    clinic.write_bytes("jssip", "patient", its_request("INVITE", 4711, "", INVITE));
    clinic.run_for(20);
    // no 100rel in its Supported: the preview goes unreliably, and the 200 repeats it
    clinic.progress("patient", 183, Some("v=0 patient's answer"));
    clinic.run_for(20);
    let taken = clinic.accept("patient", None);
    clinic.run_for(700);
    clinic.read("jssip");
    let progress = clinic.read_response("jssip");
    assert_eq!(progress.headers.all("Record-Route").count(), 2);
    assert_eq!(progress.headers.get("Require"), None);
    let ok = clinic.read_response("jssip");
    assert_eq!(ok.body, b"v=0 patient's answer");
    let tag = ok
        .headers
        .get("To")
        .unwrap()
        .split("tag=")
        .nth(1)
        .unwrap()
        .to_owned();
    let to = format!(";tag={tag}");
    clinic.write_bytes("jssip", "patient", its_request("ACK", 4711, &to, ""));
    clinic.run_for(20);

    // its refresh is an UPDATE without a description
    let update = "Contact: <sip:3b2v1c8m@5ht1odcn3ob0.invalid;transport=wss;ob>
        Session-Expires: 90;refresher=uac
        Supported: timer,ice,replaces,outbound";
    clinic.write_bytes("jssip", "patient", its_request("UPDATE", 4712, &to, update));
    clinic.run_for(20);
    // an older request than that: 500
    clinic.write_bytes("jssip", "patient", its_request("INFO", 4712, &to, ""));
    clinic.run_for(20);

    clinic.hangup("patient", taken);
    clinic.run_for(20);
    let bye = clinic.read_last_request("jssip");
    assert_eq!(
        bye.uri.to_string(),
        "sip:3b2v1c8m@5ht1odcn3ob0.invalid;transport=wss;ob"
    );
    let routes: Vec<&str> = bye.headers.all("Route").collect();
    assert_eq!(
        routes,
        [
            "<sip:edge.example;transport=ws;lr;ovid=1>",
            "<sip:core.example;lr>"
        ]
    );
    let ok = script::reply(&bye, 200, "", &[], "");
    clinic.write("jssip", "patient", &ok);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_strict_router_gets_itself_as_the_request_uri() {
    let mut clinic = Clinic::scripted("patient", &["jssip"], Transport::Wss);
    let invite = String::from_utf8(its_request("INVITE", 1, "", INVITE)).unwrap();
    let invite = invite.replace("edge.example;transport=ws;lr;ovid=1", "strict.example");
    clinic.write_bytes("jssip", "patient", invite.into_bytes());
    clinic.run_for(20);
    let taken = clinic.accept("patient", Some("v=0 patient's answer"));
    clinic.run_for(20);
    clinic.read("jssip");
    let ok = clinic.read_response("jssip");
    let tag = ok
        .headers
        .get("To")
        .unwrap()
        .split("tag=")
        .nth(1)
        .unwrap()
        .to_owned();
    clinic.write_bytes(
        "jssip",
        "patient",
        its_request("ACK", 1, &format!(";tag={tag}"), ""),
    );
    clinic.run_for(20);
    clinic.hangup("patient", taken);
    clinic.run_for(20);
    let bye = clinic.read_last_request("jssip");
    assert_eq!(bye.uri.to_string(), "sip:strict.example");
    let routes: Vec<&str> = bye.headers.all("Route").collect();
    assert_eq!(
        routes,
        [
            "<sip:core.example;lr>",
            "<sip:3b2v1c8m@5ht1odcn3ob0.invalid;transport=wss;ob>"
        ]
    );
}
