//! What is written down of those who knock: never what they log in with, wherever they put it
//! (attack row 17 of this project's list).
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "log_support/kept.rs"]
mod kept;
#[path = "server/line.rs"]
#[allow(dead_code, reason = "the server's own tests use the rest")]
mod line;
#[path = "server/phone.rs"]
#[allow(dead_code, reason = "the server's own tests use the rest")]
mod phone;

use std::time::Duration;

use clinicall_relay::server::Server;
use kept::Log;
use line::{Line, ask};
use phone::relay;
use tokio::time::timeout;

const EVIL: &str = "origin: https://evil.example\r\n";
const EVENTS: &str = "accept: text/event-stream\r\n";
const PIPES: &str = "/comet?pipes=web_news";

/// Knocks everywhere with `secret` where a login may stand, or where somebody may think that it does.
async fn knock(server: &Server, secret: &str, origin: &str) {
    let bearer = format!("{origin}authorization: Bearer {secret}\r\n");
    let path = format!("{PIPES}&token={secret}&wait=0");
    ask(server, "GET", &path, &format!("{bearer}{EVENTS}"), "").await;
    ask(server, "GET", &path, &bearer, "").await;
    ask(server, "POST", &path, &bearer, "{}").await;
    let query = format!("?token={secret}");
    let cppcomet = format!("/ws/sesion={secret}&myid=2&devid=15&v=4.08&uuid=page&api=js");
    for way in [
        (&*format!("/sip{query}"), "sip"),
        (&*format!("/sip{query}"), "none of ours"),
        (&*format!("/comet{query}"), "clinicall.comet.v1"),
        (&*cppcomet, "chat"),
    ] {
        let mut line = Line::open(server, way, origin).await;
        if line.head.starts_with("HTTP/1.1 101 ") {
            let login = format!(r#"{{"do":"hello","page":"p","token":"{secret}"}}"#);
            line.text(&login).await;
            line.text(&format!(
                "REGISTER sip:localhost SIP/2.0\r\nAuthorization: Bearer {secret}\r\n\r\n"
            ))
            .await;
            // time to answer, for those that want to
            let _ = timeout(Duration::from_millis(100), line.frame()).await;
        }
    }
}

#[tokio::test]
async fn no_log_shows_what_somebody_logged_in_with() {
    let log = Log::keep(tracing::Level::TRACE);
    let server = relay().await;
    knock(&server, "eyJhbGciOi.a-token-of-the-doctor.c2ln", "").await;
    knock(&server, "eyJhbGciOi.a-token-of-the-doctor.c2ln", EVIL).await;
    server.stop().await;
    let log = log.text();
    assert!(log.contains("refused"), "it was listened to: {log}");
    assert!(!log.contains("of-the-doctor"), "{log}");
}
