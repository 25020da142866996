//! Calls over real sockets.

use clinicall_relay::signal::Closing;
use clinicall_sip::agent::{By, Cause, Event};

use super::{
    phone::{Phone, relay},
    web::get,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_calls_the_doctor_who_answers_and_hangs_up() {
    let server = relay().await;
    let mut doctor = Phone::registered(&server, "2").await;
    let mut patient = Phone::registered(&server, "3").await;
    patient.call("2");
    let early = |event: &Event| {
        matches!(
            event,
            Event::Progress {
                answer: Some(_),
                ..
            }
        )
    };
    patient.until(early).await;
    let (call, invite) = doctor.incoming().await;
    doctor.accept(call, &invite);
    doctor.flush().await;
    patient
        .until(|event| matches!(event, Event::Established { .. }))
        .await;
    doctor
        .until(|event| matches!(event, Event::Established { .. }))
        .await;
    let page = get(&server, "/metrics").await;
    assert!(page.contains("\nclinicall_calls_talking 1\n"), "{page}");
    doctor.hangup(call);
    doctor.flush().await;
    let ending = patient.ended().await;
    assert_eq!((ending.cause, ending.by), (Cause::Hangup, By::Remote));
    let page = get(&server, "/metrics").await;
    assert!(
        page.contains("clinicall_calls_ended_total{cause=\"hangup\"} 1"),
        "{page}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_closed_during_the_call_ends_it_at_once() {
    let server = relay().await;
    let mut doctor = Phone::registered(&server, "2").await;
    let mut patient = Phone::registered(&server, "3").await;
    patient.call("2");
    patient.flush().await;
    let (call, invite) = doctor.incoming().await;
    doctor.accept(call, &invite);
    doctor.flush().await;
    patient
        .until(|event| matches!(event, Event::Established { .. }))
        .await;
    patient.close().await;
    let ending = doctor.ended().await;
    assert_eq!(ending.text, "Page closed");
    assert_eq!(Closing::by_peer(Some(1006)), Closing::Lost);
    // what our client closes a socket with that it has replaced
    assert_eq!(Closing::by_peer(Some(4000)), Closing::Lost);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_told_to_stop_ends_calls_with_a_reason_and_closes_sockets_with_1001() {
    let server = relay().await;
    let mut doctor = Phone::registered(&server, "2").await;
    let mut patient = Phone::registered(&server, "3").await;
    patient.call("2");
    patient.flush().await;
    let (call, invite) = doctor.incoming().await;
    doctor.accept(call, &invite);
    doctor.flush().await;
    patient
        .until(|event| matches!(event, Event::Established { .. }))
        .await;
    let stopping = tokio::spawn(async move {
        server.drain().await;
        server.stop().await;
    });
    let ending = patient.ended().await;
    assert_eq!(ending.text, "The relay is stopping");
    let code = super::doors::close_code(patient.into_socket()).await;
    assert_eq!(code, Some(1001));
    stopping.await.unwrap();
}
