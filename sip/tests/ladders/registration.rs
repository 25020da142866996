//! Registering, staying registered, and credentials.

use clinicall_sip::{Message, Millis, Request, agent::Transport};

use super::{
    clinic::{Clinic, password},
    script,
};

/// The registrar reads the next request and answers it so.
fn answer(clinic: &mut Clinic, status: u16, more: &[(&str, &str)]) -> Request {
    let request = clinic.read_request("registrar");
    let message = script::reply(&request, status, "", more, "");
    clinic.write("registrar", "patient", &message);
    clinic.run_for(50);
    request
}

fn clinic() -> Clinic {
    Clinic::scripted("patient", &["registrar"], Transport::Wss)
}

const CHALLENGE: (&str, &str) = (
    "WWW-Authenticate",
    "Digest realm=\"clinic.example\", nonce=\"one\", qop=\"auth\", algorithm=SHA-256",
);
const PROXY: (&str, &str) = (
    "Proxy-Authenticate",
    "Digest realm=\"clinic.example\", nonce=\"two\", qop=\"auth\"",
);

#[test]
fn registered_refreshed_and_gone() {
    let mut clinic = clinic();
    let registration = clinic.register("patient", "registrar", |_| {});
    clinic.run_for(50);
    answer(&mut clinic, 401, &[CHALLENGE]);
    answer(
        &mut clinic,
        200,
        &[("Contact", "<sip:me@p1.invalid;transport=ws>;expires=120")],
    );
    clinic.run_for(120_000);
    answer(
        &mut clinic,
        200,
        &[("Contact", "<sip:me@p1.invalid;transport=ws>;expires=120")],
    );
    let now = clinic.now;
    clinic.agent("patient").unregister(now, registration);
    clinic.run_for(50);
    let last = answer(&mut clinic, 200, &[]);
    assert_eq!(last.headers.get("Expires"), Some("0"));
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_wrong_password_is_tried_once_and_given_up() {
    let mut clinic = clinic();
    clinic.register("patient", "registrar", |_| {});
    clinic.run_for(50);
    answer(&mut clinic, 401, &[CHALLENGE]);
    answer(
        &mut clinic,
        401,
        &[(
            "WWW-Authenticate",
            "Digest realm=\"clinic.example\", nonce=\"three\"",
        )],
    );
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_stale_nonce_is_replaced() {
    let mut clinic = clinic();
    clinic.register("patient", "registrar", |_| {});
    clinic.run_for(50);
    answer(&mut clinic, 401, &[CHALLENGE]);
    answer(&mut clinic, 200, &[("Expires", "60")]);
    clinic.run_for(60_000);
    let stale = "Digest realm=\"clinic.example\", nonce=\"fresh\", qop=\"auth\", stale=true";
    answer(&mut clinic, 401, &[("WWW-Authenticate", stale)]);
    answer(&mut clinic, 200, &[("Expires", "3600")]);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_registrar_that_wants_longer() {
    let mut clinic = clinic();
    clinic.register("patient", "registrar", |what| {
        what.expires = Millis::from_secs(60)
    });
    clinic.run_for(50);
    answer(&mut clinic, 423, &[("Min-Expires", "1800")]);
    answer(&mut clinic, 200, &[("Expires", "1800")]);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn an_overloaded_registrar_is_given_its_time() {
    let mut clinic = clinic();
    clinic.register("patient", "registrar", |_| {});
    clinic.run_for(50);
    answer(&mut clinic, 503, &[("Retry-After", "30")]);
    clinic.run_for(30_000);
    answer(&mut clinic, 500, &[]);
    clinic.run_for(4_000);
    answer(&mut clinic, 200, &[("Expires", "600")]);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_gruu_becomes_the_contact() {
    let mut clinic = clinic();
    clinic.register("patient", "registrar", |what| {
        what.instance = Some("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".to_owned());
        what.reg_id = Some(1);
    });
    clinic.run_for(50);
    let register = answer(
        &mut clinic,
        200,
        &[
            ("Contact", "<sip:me@other.invalid>;expires=20"),
            (
                "Contact",
                "<sip:me@p1.invalid;transport=ws;ob>;reg-id=1;expires=300;pub-gruu=\"sip:patient@clinic.example;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6\";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"",
            ),
        ],
    );
    assert_eq!(
        register.headers.get("Contact"),
        Some(
            "<sip:me@p1.invalid;transport=ws;ob>;reg-id=1;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\""
        )
    );
    clinic.call("patient", "registrar");
    clinic.run_for(50);
    let invite = clinic.read_request("registrar");
    assert_eq!(
        invite.headers.get("Contact"),
        Some("<sip:patient@clinic.example;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>")
    );
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn the_socket_is_replaced_and_registers_again() {
    let mut clinic = clinic();
    let registration = clinic.register("patient", "registrar", |_| {});
    clinic.run_for(50);
    answer(&mut clinic, 200, &[("Expires", "600")]);
    let flow = clinic.reconnect("patient", "registrar");
    clinic.run_for(1_000_000);
    let now = clinic.now;
    clinic.agent("patient").reregister(now, registration, flow);
    clinic.run_for(50);
    answer(&mut clinic, 200, &[("Expires", "600")]);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn whose_socket_is_replaced_is_not_challenged_again() {
    let mut clinic = clinic();
    let registration = clinic.register("patient", "registrar", |_| {});
    clinic.run_for(50);
    answer(&mut clinic, 401, &[CHALLENGE]);
    answer(&mut clinic, 200, &[("Expires", "600")]);
    let flow = clinic.reconnect("patient", "registrar");
    let now = clinic.now;
    clinic.agent("patient").reregister(now, registration, flow);
    clinic.run_for(50);
    let again = answer(&mut clinic, 200, &[("Expires", "600")]);
    let shown = again.headers.get("Authorization").unwrap_or_default();
    assert!(shown.contains("nonce=\"one\""), "{shown}");
    assert!(shown.contains("nc=00000002"), "{shown}");
}

#[test]
fn a_call_is_challenged_by_the_proxy_and_by_the_server_behind() {
    let mut clinic = clinic();
    clinic.invite("patient", "registrar", |invite| {
        invite.credentials = Some(password("patient"))
    });
    clinic.run_for(50);
    answer(&mut clinic, 407, &[PROXY]);
    assert!(
        matches!(clinic.read("registrar"), Message::Request(ack) if ack.method.as_str() == "ACK")
    );
    answer(&mut clinic, 401, &[CHALLENGE]);
    assert!(
        matches!(clinic.read("registrar"), Message::Request(ack) if ack.method.as_str() == "ACK")
    );
    let last = answer(&mut clinic, 404, &[]);
    assert!(last.headers.get("Proxy-Authorization").is_some());
    assert!(last.headers.get("Authorization").is_some());
    // the next call knows already
    clinic.invite("patient", "registrar", |invite| {
        invite.credentials = Some(password("patient"))
    });
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_callees_challenge_is_never_answered_without_credentials() {
    let mut clinic = clinic();
    clinic.call("patient", "registrar");
    clinic.run_for(50);
    answer(&mut clinic, 401, &[CHALLENGE]);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn a_silent_registrar_is_asked_again_and_again_less_often() {
    let mut clinic = clinic();
    clinic.silence("patient", "registrar");
    clinic.register("patient", "registrar", |_| {});
    clinic.run_for(200_000);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn with_outbound_the_contact_of_calls_comes_back_by_the_same_flow() {
    let mut clinic = clinic();
    clinic.register("patient", "registrar", |what| {
        what.instance = Some("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".to_owned());
        what.reg_id = Some(1);
    });
    clinic.run_for(50);
    answer(
        &mut clinic,
        200,
        &[("Require", "outbound"), ("Expires", "600")],
    );
    clinic.call("patient", "registrar");
    clinic.run_for(50);
    let invite = clinic.read_request("registrar");
    assert_eq!(
        invite.headers.get("Contact"),
        Some("<sip:me@p1.invalid;transport=ws;ob>")
    );
}

#[test]
fn leaving_while_the_registration_is_still_under_way() {
    let mut clinic = clinic();
    let registration = clinic.register("patient", "registrar", |_| {});
    let now = clinic.now;
    clinic.agent("patient").unregister(now, registration);
    clinic.run_for(50);
    answer(&mut clinic, 200, &[("Expires", "600")]);
    answer(&mut clinic, 200, &[]);
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}
