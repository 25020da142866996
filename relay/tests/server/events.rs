//! A call as the clinic's own server hears of it.

use clinicall_relay::config::{Secret, Webhook};
use clinicall_sip::agent::Event;
use serde_json::{Value, json};

use super::{
    phone::{Phone, relay_with},
    receiver::{Answer, Receiver},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_clinic_hears_of_a_call_from_its_ringing_to_its_end() {
    let mut clinic = Receiver::start(|_, _| Answer::Status(204)).await;
    let url = clinic.url();
    let server = relay_with(|config| {
        config.webhook = vec![Webhook {
            url,
            secret: Some(Secret("a secret of sixteen and more".to_owned())),
            ..Webhook::default()
        }];
    })
    .await;
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
