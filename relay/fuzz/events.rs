// What must hold for any line on the admin socket and any answer of a webhook. The fuzz targets and
// `tests/events_corpus.rs` share this file.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use clinicall_relay::{
    admin,
    webhook::{
        client,
        schedule::{Item, Policy, Verdict},
    },
};

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 2] = [
    ("admin_line", admin_line),
    ("webhook_answer", webhook_answer),
];

/// A command says the same when it is written and read again.
pub fn admin_line(bytes: &[u8]) {
    let Ok(command) = admin::parse(bytes) else {
        return;
    };
    let Ok(text) = serde_json::to_vec(&command) else {
        panic!("{command:?} cannot be written");
    };
    assert_eq!(admin::parse(&text).as_ref(), Ok(&command));
}

/// Two bytes of status, then a Retry-After: whatever they are, an event is taken, given up at its
/// time, or asked for again before that and within the hour.
pub fn webhook_answer(bytes: &[u8]) {
    let Some((status, retry_after)) = bytes.split_first_chunk() else {
        return;
    };
    let Ok(status) = StatusCode::from_u16(u16::from_be_bytes(*status)) else {
        return;
    };
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(retry_after) {
        headers.insert("retry-after", value);
    }
    let Err(failed) = client::judge(status, &headers) else {
        assert!(status.is_success());
        return;
    };
    let policy = Policy::default();
    for (now, since, attempts) in [(0, 0, 0), (86_300_000, 0, 40), (u64::MAX, 7, u32::MAX)] {
        let item = Item {
            number: 1,
            lane: String::new(),
            kind: String::new(),
            event: 1,
            since,
            attempts,
            not_before: 0,
        };
        match policy.verdict(now, &item, failed.retry_after_ms(), u32::MAX) {
            Verdict::Retry { at } => {
                assert!(at >= now && at - now <= policy.longest_retry_after_ms);
                assert!(at <= since + policy.give_up_ms);
            }
            verdict => assert_eq!(verdict, Verdict::Bury),
        }
    }
    // an address out of the same bytes shows neither path nor query
    let address = String::from_utf8_lossy(bytes);
    let shown = client::shown(&address);
    assert!(!shown.contains(['?', '#', '@']), "{shown}");
}
