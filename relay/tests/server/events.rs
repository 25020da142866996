//! A call as the clinic's own server hears of it.

use clinicall_relay::{
    config::{Secret, Webhook},
    server::Server,
};
use clinicall_sip::agent::Event;
use serde_json::{Value, json};

use super::{
    api::{get, site},
    phone::{Phone, relay_with},
    receiver::{Answer, Receiver},
    renewal::page,
};

/// A clinic, and its relay that tells it these events; all of them, unless named.
async fn heard(events: &[&str]) -> (Receiver, Server) {
    let clinic = Receiver::start(|_, _| Answer::Status(204)).await;
    let mut webhook = Webhook {
        url: clinic.url(),
        secret: Some(Secret("a secret of sixteen and more".to_owned())),
        ..Webhook::default()
    };
    if !events.is_empty() {
        webhook.events = events.iter().map(|&event| event.to_owned()).collect();
    }
    let server = relay_with(|config| config.webhook = vec![webhook]).await;
    (clinic, server)
}

/// The next event's type and user.
async fn told(clinic: &mut Receiver) -> [Value; 2] {
    let request = clinic.next().await;
    let event: Value = serde_json::from_slice(&request.body).unwrap();
    [event["type"].clone(), event["user"].clone()]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clinic_hears_of_a_call_from_its_ringing_to_its_end() {
    let (mut clinic, server) = heard(&[]).await;
    let mut doctor = Phone::registered(&server, "2").await;
    let mut patient = Phone::registered(&server, "3").await;
    patient.call("2");
    patient.flush().await;
    let (call, invite) = doctor.incoming().await;
    doctor.ring(call);
    doctor.accept(call, &invite);
    doctor.flush().await;
    patient
        .until(|event| matches!(event, Event::Established { .. }))
        .await;
    doctor
        .until(|event| matches!(event, Event::Established { .. }))
        .await;
    doctor.hangup(call);
    doctor.flush().await;
    patient.ended().await;

    let mut calls: Vec<Value> = Vec::new();
    let mut online = Vec::new();
    while calls.len() < 3 {
        let request = clinic.next().await;
        let event: Value = serde_json::from_slice(&request.body).unwrap();
        match event["type"].as_str() {
            Some("user.online") => online.push(event["user"].clone()),
            Some("user.offline") => {}
            _ => calls.push(event),
        }
    }
    online.sort_by_key(Value::to_string);
    assert_eq!(online, [json!("2"), json!("3")]);
    let kinds: Vec<&Value> = calls.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["call.ringing", "call.answered", "call.ended"]);
    for event in &calls {
        assert_eq!((&event["from"], &event["to"]), (&json!("3"), &json!("2")));
        assert_eq!(event["call"], calls[0]["call"]);
    }
    assert_eq!(calls[2]["cause"], "hangup");
    assert!(calls[2]["duration_ms"].is_u64(), "{}", calls[2]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clinic_hears_once_of_a_doctor_with_pages_and_no_phone() {
    let (mut clinic, server) = heard(&[]).await;
    let made = site(&server, "POST", "/tokens", json!({ "user": "2" })).await;
    let token = made.body["token"].as_str().unwrap();
    let _desk = page(&server, "desk", token).await;
    let _ward = page(&server, "ward", token).await;
    assert_eq!(told(&mut clinic).await, ["user.online", "2"]);
    assert_eq!(get(&server, "/users/2").await.body["online"], true);
    // whose login is taken back is gone at once, and nobody waits for a comeback
    let revoked = site(
        &server,
        "POST",
        "/tokens/revocations",
        json!({ "token": token }),
    )
    .await;
    assert_eq!(revoked.status, 204);
    assert_eq!(told(&mut clinic).await, ["user.offline", "2"]);
    let seen = get(&server, "/users/2").await.body;
    assert_eq!(seen["online"], false);
    assert!(seen["last_seen"].is_u64(), "{seen}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_whose_phone_is_shown_out_is_told_of_at_once() {
    let (mut clinic, server) = heard(&["user.*"]).await;
    let _doctor = Phone::registered(&server, "2").await;
    assert_eq!(told(&mut clinic).await, ["user.online", "2"]);
    let gone = site(&server, "DELETE", "/users/2/key", Value::Null).await;
    assert!(matches!(gone.status, 204 | 404), "{}", gone.body);
    assert_eq!(told(&mut clinic).await, ["user.offline", "2"]);
    let seen = get(&server, "/users/2").await.body;
    assert!(seen["last_seen"].is_u64(), "{seen}");
    server.stop().await;
}
