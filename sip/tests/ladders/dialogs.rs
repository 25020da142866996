//! Within an established call, a peer whose messages are written by hand.

use clinicall_sip::{
    Headers, Message, Method, Millis, Request,
    agent::{CallId, Transport},
};

use super::{clinic::Clinic, script};

const CONTACT: (&str, &str) = ("Contact", "<sip:doctor@pbx.example>");

/// The patient called the PBX and talks.
struct Visit {
    clinic: Clinic,
    call: CallId,
    /// Identifies the dialog as the PBX sees it.
    ack: Request,
}

impl Visit {
    fn begun(allow: &str, more: &[(&str, &str)]) -> Self {
        let mut clinic = Clinic::scripted("patient", &["pbx"], Transport::Wss);
        let call = clinic.call("patient", "pbx");
        clinic.run_for(20);
        let invite = clinic.read_request("pbx");
        let mut headers = vec![CONTACT, ("Allow", allow)];
        headers.extend_from_slice(more);
        let message = script::reply(&invite, 200, "pbx", &headers, "v=0 pbx's answer");
        clinic.write("pbx", "patient", &message);
        clinic.run_for(20);
        let ack = clinic.read_request("pbx");
        clinic.ladder();
        Self { clinic, call, ack }
    }

    /// The PBX reads the next request and answers it.
    fn answer(&mut self, status: u16, more: &[(&str, &str)], sdp: &str) -> Request {
        let request = self.clinic.read_request("pbx");
        let message = script::reply(&request, status, "pbx", more, sdp);
        self.clinic.write("pbx", "patient", &message);
        self.clinic.run_for(20);
        request
    }

    /// A request of the PBX's within the dialog.
    fn ask(&mut self, method: &str, cseq: u32, branch: &str, more: &str) {
        let headers = &self.ack.headers;
        let (to, from) = (headers.get("From").unwrap(), headers.get("To").unwrap());
        let call_id = headers.get("Call-ID").unwrap();
        let bytes = script::text(&format!(
            "
            {method} sip:me@p1.invalid;transport=ws SIP/2.0
            Via: SIP/2.0/WS pbx.example;branch=z9hG4bK{branch}
            From: {from}
            To: {to}
            Call-ID: {call_id}
            CSeq: {cseq} {method}
            Contact: <sip:doctor@pbx.example>
            {more}"
        ));
        self.clinic.write_bytes("pbx", "patient", bytes);
        self.clinic.run_for(20);
    }
}

#[test]
fn a_busy_pbx_is_asked_again_when_it_said() {
    let mut visit = Visit::begun("INVITE, ACK, BYE", &[]);
    visit.clinic.change("patient", visit.call, "v=0 with video");
    visit.clinic.run_for(20);
    visit.answer(500, &[("Retry-After", "3")], "");
    visit.clinic.read_request("pbx");
    visit.clinic.run_for(3_000);
    visit.answer(200, &[CONTACT], "v=0 video it is");
    insta::assert_snapshot!(visit.clinic.ladder());
}

#[test]
fn a_pbx_that_always_sees_glare_is_not_asked_for_ever() {
    let mut visit = Visit::begun("INVITE, ACK, BYE", &[]);
    visit.clinic.change("patient", visit.call, "v=0 with video");
    let mut invites = 0;
    for _ in 0..20 {
        visit.clinic.run_for(5_000);
        let Some(Message::Request(request)) = visit.clinic.read_any("pbx") else {
            break;
        };
        invites += 1;
        let message = script::reply(&request, 491, "pbx", &[], "");
        visit.clinic.write("pbx", "patient", &message);
        visit.clinic.run_for(20);
        visit.clinic.read_request("pbx");
    }
    assert_eq!(invites, 7);
    assert!(
        visit
            .clinic
            .ladder()
            .contains("patient: Changed Err(Status(491))")
    );
}

#[test]
fn a_reliable_provisional_of_a_change_carries_its_answer() {
    let mut visit = Visit::begun("INVITE, ACK, BYE, PRACK", &[]);
    visit.clinic.change("patient", visit.call, "v=0 with video");
    visit.clinic.run_for(20);
    let invite = visit.clinic.read_request("pbx");
    let reliable = [CONTACT, ("Require", "100rel"), ("RSeq", "1")];
    let message = script::reply(&invite, 183, "pbx", &reliable, "v=0 video it is");
    visit.clinic.write("pbx", "patient", &message);
    visit.clinic.run_for(20);
    let prack = visit.answer(200, &[], "");
    let cseq = invite.headers.get("CSeq").unwrap();
    assert_eq!(prack.headers.get("RAck").unwrap(), format!("1 {cseq}"));
    let message = script::reply(&invite, 200, "pbx", &[CONTACT], "");
    visit.clinic.write("pbx", "patient", &message);
    visit.clinic.run_for(20);
    insta::assert_snapshot!(visit.clinic.ladder());
}

#[test]
fn the_pbx_takes_its_change_back() {
    let mut visit = Visit::begun("INVITE, ACK, BYE", &[]);
    let offer = "Content-Type: application/sdp\n\nv=0 pbx's second offer";
    visit.ask("INVITE", 1, "again", offer);
    visit.ask("CANCEL", 1, "again", "");
    visit.ask("ACK", 1, "again", "");
    let now = visit.clinic.now;
    let late = visit
        .clinic
        .agent("patient")
        .answer_change(now, visit.call, "v=0 late".to_owned());
    assert_eq!(late, Err(clinicall_sip::agent::Refused::WrongState));
    visit.clinic.hangup("patient", visit.call);
    insta::assert_snapshot!(visit.clinic.ladder());
}

#[test]
fn the_pbx_asks_us_for_an_offer() {
    let mut visit = Visit::begun("INVITE, ACK, BYE", &[]);
    visit.ask("INVITE", 1, "offerless", "");
    visit
        .clinic
        .answer_change("patient", visit.call, "v=0 patient's offer");
    visit.clinic.run_for(20);
    visit.ask(
        "ACK",
        1,
        "ack",
        "Content-Type: application/sdp\n\nv=0 pbx's answer to it",
    );
    insta::assert_snapshot!(visit.clinic.ladder());
}

#[test]
fn without_update_the_session_is_refreshed_by_invite() {
    let session = [
        ("Session-Expires", "100;refresher=uac"),
        ("Supported", "timer"),
    ];
    let mut visit = Visit::begun("INVITE, ACK, BYE", &session);
    visit.clinic.run_for(50_000);
    let refresh = [CONTACT, ("Session-Expires", "100;refresher=uac")];
    let request = visit.answer(200, &refresh, "v=0 pbx's answer");
    assert_eq!(request.method, Method::Invite);
    assert_eq!(request.body, b"v=0 patient's offer");
    visit.clinic.run_for(20);
    insta::assert_snapshot!(visit.clinic.ladder());
}

#[test]
fn a_dialog_the_pbx_forgot_ends_at_the_next_change() {
    let mut visit = Visit::begun("INVITE, ACK, BYE", &[]);
    visit.clinic.change("patient", visit.call, "v=0 with video");
    visit.clinic.run_for(20);
    visit.answer(481, &[], "");
    visit.clinic.run_until_quiet();
    insta::assert_snapshot!(visit.clinic.ladder());
}

#[test]
fn a_tone_goes_out_and_a_transfer_comes_in() {
    let mut visit = Visit::begun("INVITE, ACK, BYE, INFO", &[]);
    let now = visit.clinic.now;
    let mut headers = Headers::new();
    headers.push("Content-Type", "application/dtmf-relay");
    let body = b"Signal=5\r\nDuration=160\r\n".to_vec();
    visit
        .clinic
        .agent("patient")
        .request_within(now, visit.call, Method::Info, headers, body)
        .unwrap();
    visit.clinic.run_for(20);
    visit.answer(200, &[], "");
    visit.ask(
        "REFER",
        1,
        "refer",
        "Refer-To: <sip:colleague@clinic.example>",
    );
    visit.clinic.respond("patient", 202);
    visit.ask(
        "NOTIFY",
        2,
        "notify",
        "Event: talk\nSubscription-State: active",
    );
    visit.clinic.respond("patient", 489);
    visit.ask("OPTIONS", 3, "options", "");
    visit.ask("SUBSCRIBE", 3, "old", "");
    insta::assert_snapshot!(visit.clinic.ladder());
}

#[test]
fn an_invite_that_expires_stops_ringing() {
    let mut clinic = Clinic::with(&["patient", "doctor"], Transport::Wss);
    clinic.replace_config("patient", Transport::Wss, |config| {
        config.ring_timeout = Millis::from_secs(20)
    });
    clinic.call("patient", "doctor");
    clinic.lose("CANCEL", 1);
    clinic.run_for(30_000);
    insta::assert_snapshot!(clinic.ladder());
}
