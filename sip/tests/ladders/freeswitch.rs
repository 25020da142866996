//! A peer that behaves as FreeSWITCH was seen to on the wire.

use clinicall_sip::{Message, Request, agent::Transport};

use super::{
    clinic::{Clinic, password},
    script,
};

const CHALLENGE: &str = "Digest realm=\"pbx.example\", nonce=\"b1c5\", algorithm=MD5, qop=\"auth\"";
const CONTACT: (&str, &str) = ("Contact", "<sip:1000@192.0.2.5:5066;transport=udp>");
const ALLOW: (&str, &str) = (
    "Allow",
    "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY",
);

fn answer(clinic: &mut Clinic, request: &Request, status: u16, more: &[(&str, &str)], sdp: &str) {
    let message = script::reply(request, status, "fs", more, sdp);
    clinic.write("freeswitch", "patient", &message);
    clinic.run_for(20);
}

#[test]
fn patient_calls_through_freeswitch() {
    let mut clinic = Clinic::scripted("patient", &["freeswitch"], Transport::Ws);
    clinic.replace_config("patient", Transport::Ws, |config| {
        // JsSIP's default, which makes FreeSWITCH answer 422 and JsSIP give up
        config.session_expires = clinicall_sip::Millis::from_secs(90);
    });
    let call = clinic.invite("patient", "freeswitch", |invite| {
        invite.credentials = Some(password("1000"));
    });
    clinic.run_for(20);
    let invite = clinic.read_request("freeswitch");
    assert!(
        invite
            .headers
            .get("Via")
            .unwrap()
            .starts_with("SIP/2.0/WS ")
    );
    answer(
        &mut clinic,
        &invite,
        407,
        &[("Proxy-Authenticate", CHALLENGE)],
        "",
    );
    clinic.read_request("freeswitch");
    let invite = clinic.read_request("freeswitch");
    answer(&mut clinic, &invite, 422, &[("Min-SE", "120")], "");
    clinic.read_request("freeswitch");
    let invite = clinic.read_request("freeswitch");
    assert_eq!(invite.headers.get("Session-Expires"), Some("120"));
    answer(&mut clinic, &invite, 100, &[], "");
    let session = [
        CONTACT,
        ALLOW,
        ("Supported", "timer, path, replaces"),
        ("Require", "timer"),
        ("Session-Expires", "120;refresher=uac"),
    ];
    answer(
        &mut clinic,
        &invite,
        200,
        &session,
        "v=0 freeswitch's answer",
    );
    let ack = clinic.read_request("freeswitch");
    // its Contact says udp; the request goes there by name, and by the WebSocket in fact
    assert_eq!(ack.uri.to_string(), "sip:1000@192.0.2.5:5066;transport=udp");
    assert_eq!(ack.headers.get("Route"), None);

    clinic.run_for(60_000);
    let update = clinic.read_request("freeswitch");
    answer(&mut clinic, &update, 200, &session, "");

    clinic.hangup("patient", call);
    clinic.run_for(20);
    let bye = clinic.read_request("freeswitch");
    assert_eq!(bye.uri.to_string(), "sip:1000@192.0.2.5:5066;transport=udp");
    answer(&mut clinic, &bye, 200, &[], "");
    insta::assert_snapshot!(clinic.ladder());
}

/// Its INVITE names the client's own address in a Route, has no Record-Route, and a Contact without
/// transport; Content-Length is not the last header.
fn its_invite() -> Vec<u8> {
    script::text(
        "
        INVITE sip:me@p1.invalid;transport=ws SIP/2.0
        Via: SIP/2.0/WS 192.0.2.5:5066;branch=z9hG4bKN2Hv4jX6Nm2mB;rport
        Route: <sip:198.51.100.7:40712>;transport=ws
        Max-Forwards: 69
        From: \"Doctor\" <sip:1001@pbx.example>;tag=vBpQ8pSc3Ztpm
        To: <sip:me@p1.invalid;transport=ws>
        Call-ID: 0e6d0b4c-1c36-123f-8ea2-02420a000005
        CSeq: 130104201 INVITE
        Contact: <sip:mod_sofia@192.0.2.5:5066>
        User-Agent: FreeSWITCH
        Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY
        Supported: timer, path, replaces
        Allow-Events: talk, hold, conference, refer
        Session-Expires: 120;refresher=uac
        Min-SE: 120
        Content-Type: application/sdp
        Content-Disposition: session
        X-FS-Support: update_display,send_info
        Remote-Party-ID: \"Doctor\" <sip:1001@pbx.example>;party=calling;screen=yes;privacy=off

        v=0 freeswitch's offer",
    )
}

fn its_request(method: &str, cseq: u32, to_tag: &str, more: &str) -> Vec<u8> {
    script::text(&format!(
        "
        {method} sip:me@p1.invalid;transport=ws SIP/2.0
        Via: SIP/2.0/WS 192.0.2.5:5066;branch=z9hG4bK{method}{cseq};rport
        From: \"Doctor\" <sip:1001@pbx.example>;tag=vBpQ8pSc3Ztpm
        To: <sip:me@p1.invalid;transport=ws>;tag={to_tag}
        Call-ID: 0e6d0b4c-1c36-123f-8ea2-02420a000005
        CSeq: {cseq} {method}
        Contact: <sip:mod_sofia@192.0.2.5:5066>
        {more}"
    ))
}

#[test]
fn freeswitch_calls_renegotiates_asks_for_a_key_frame_and_hangs_up() {
    let mut clinic = Clinic::scripted("patient", &["freeswitch"], Transport::Ws);
    clinic.write_bytes("freeswitch", "patient", its_invite());
    clinic.run_for(20);
    clinic.progress("patient", 180, None);
    clinic.run_for(20);
    let taken = clinic.accept("patient", Some("v=0 patient's answer"));
    clinic.run_for(20);
    let Message::Response(trying) = clinic.read("freeswitch") else {
        panic!("no 100")
    };
    assert_eq!(
        trying.headers.get("Via").unwrap(),
        "SIP/2.0/WS 192.0.2.5:5066;branch=z9hG4bKN2Hv4jX6Nm2mB;rport"
    );
    clinic.read("freeswitch");
    let ok = clinic.read_response("freeswitch");
    assert_eq!(ok.headers.get("Session-Expires"), Some("120;refresher=uac"));
    assert_eq!(ok.headers.get("Require"), Some("timer"));
    let tag = ok
        .headers
        .get("To")
        .unwrap()
        .split("tag=")
        .nth(1)
        .unwrap()
        .to_owned();
    clinic.write_bytes(
        "freeswitch",
        "patient",
        its_request("ACK", 130_104_201, &tag, ""),
    );
    clinic.run_for(60_000);

    // the session refresh repeats its description: the page does not notice
    let refresh = "Session-Expires: 120;refresher=uac
        Content-Type: application/sdp

        v=0 freeswitch's offer";
    clinic.write_bytes(
        "freeswitch",
        "patient",
        its_request("INVITE", 130_104_202, &tag, refresh),
    );
    clinic.run_for(20);
    clinic.write_bytes(
        "freeswitch",
        "patient",
        its_request("ACK", 130_104_202, &tag, ""),
    );

    let info = "Content-Type: application/media_control+xml

        <media_control/>";
    clinic.write_bytes(
        "freeswitch",
        "patient",
        its_request("INFO", 130_104_203, &tag, info),
    );
    clinic.run_for(20);
    clinic.respond("patient", 200);

    let reneg = "Content-Type: application/sdp

        v=0 freeswitch's second offer";
    clinic.write_bytes(
        "freeswitch",
        "patient",
        its_request("INVITE", 130_104_204, &tag, reneg),
    );
    clinic.run_for(20);
    clinic.answer_change("patient", taken, "v=0 patient's second answer");
    clinic.run_for(20);
    clinic.write_bytes(
        "freeswitch",
        "patient",
        its_request("ACK", 130_104_204, &tag, ""),
    );

    let reason = "Reason: Q.850;cause=16;text=\"NORMAL_CLEARING\"";
    clinic.write_bytes(
        "freeswitch",
        "patient",
        its_request("BYE", 130_104_205, &tag, reason),
    );
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn freeswitch_falls_silent_and_the_session_expires() {
    let mut clinic = Clinic::scripted("patient", &["freeswitch"], Transport::Ws);
    clinic.write_bytes("freeswitch", "patient", its_invite());
    clinic.run_for(20);
    clinic.accept("patient", Some("v=0 patient's answer"));
    clinic.run_for(20);
    clinic.read("freeswitch");
    let ok = clinic.read_response("freeswitch");
    let tag = ok
        .headers
        .get("To")
        .unwrap()
        .split("tag=")
        .nth(1)
        .unwrap()
        .to_owned();
    clinic.write_bytes(
        "freeswitch",
        "patient",
        its_request("ACK", 130_104_201, &tag, ""),
    );
    clinic.silence("patient", "freeswitch");
    clinic.run_for(200_000);
    insta::assert_snapshot!(clinic.ladder());
}
