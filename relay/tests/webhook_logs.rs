//! What a receiver that fails may cost the log: a few lines, and no secret in them.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "log_support/kept.rs"]
mod kept;
#[path = "webhooks/receiver.rs"]
#[allow(dead_code, reason = "the webhooks' own tests use the rest")]
mod receiver;

use std::{sync::Arc, time::Duration};

use clinicall_relay::{
    config::{Secret, Webhook},
    events::{Event, Events},
    metrics::Metrics,
    store::Store,
    webhook::{self, Filter},
};
use kept::Log;
use receiver::{Answer, Receiver};

#[tokio::test]
async fn three_hundred_refusals_write_a_few_lines_without_a_secret() {
    let log = Log::keep(tracing::Level::INFO);
    let clinic = Receiver::start(|_, _| Answer::Status(500)).await;
    let hook = Webhook {
        url: clinic.url().replace("http://", "http://clinic:pass-word@"),
        secret: Some(Secret("a-secret-of-the-clinic".to_owned())),
        concurrent: 64,
        ..Webhook::default()
    };
    let (store, metrics) = (Store::open(None).unwrap(), Arc::<Metrics>::default());
    let filters = vec![Filter::of(&hook)];
    let events = Events::start(store.clone(), 1000, filters, metrics.clone());
    webhook::start(std::slice::from_ref(&hook), &store, &events, &metrics).unwrap();
    for room in 0..300 {
        events.emit(Event::MemberJoined {
            room: room.to_string(),
            user: "patient-petrov".to_owned(),
        });
    }
    while metrics.webhook_failed_total.get() < 300 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let log = log.text();
    let lines = log
        .lines()
        .filter(|line| line.contains("a webhook was not delivered"));
    let lines = lines.count();
    assert!((1..=10).contains(&lines), "{lines} lines:\n{log}");
    assert!(log.len() < 16 << 10, "{} bytes", log.len());
    for secret in [
        "not-for-logs",
        "pass-word",
        "a-secret-of-the-clinic",
        "v1=",
        "patient-petrov",
    ] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
}
