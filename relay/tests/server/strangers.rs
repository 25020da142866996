//! Pages of other sites, and people without a login, at every way in (attack row 17 of this project's
//! list: cross-site WebSocket hijacking).

use super::{
    line::{Line, WAYS, ask},
    phone::{relay, relay_with},
};

const EVENTS: &str = "accept: text/event-stream\r\n";
const PIPES: &str = "/comet?pipes=web_news";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_is_let_in_nowhere() {
    // guests may come, so it is the origin that keeps it out
    let server = relay_with(|config| config.comet.guests = true).await;
    for origin in [
        "https://evil.example",
        "null",
        "https://127.0.0.1.evil.example",
    ] {
        let header = format!("origin: {origin}\r\n");
        for way in &WAYS[..2] {
            let head = Line::open(&server, *way, &header).await.head;
            assert!(
                head.starts_with("HTTP/1.1 403 "),
                "{origin} at {}: {head}",
                way.0
            );
        }
        // a page of CppComet's reads why from a frame, and gets nothing else
        let mut line = Line::open(&server, WAYS[2], &header).await;
        let (_, refusal) = line.frame().await.unwrap();
        let refusal = String::from_utf8(refusal).unwrap();
        assert!(refusal.contains(r#""error":423"#), "{refusal}");
        assert_eq!(line.close_code().await, 1000);
        for answer in [
            ask(&server, "GET", PIPES, &format!("{header}{EVENTS}"), "").await,
            ask(&server, "GET", PIPES, &header, "").await,
            ask(
                &server,
                "POST",
                "/comet",
                &header,
                r#"{"do":"history","id":1,"pipe":"web_news"}"#,
            )
            .await,
        ] {
            assert!(answer.starts_with("HTTP/1.1 403 "), "{origin}: {answer}");
        }
    }
    server.stop().await;
}

/// A cookie is no login, which is what makes hijacking worthwhile elsewhere, and neither is a token in
/// an address.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_nobody_hears_anything() {
    let server = relay().await;
    let cookie = "cookie: token=of-the-doctor\r\n";
    for headers in ["", cookie] {
        for answer in [
            ask(&server, "GET", PIPES, &format!("{headers}{EVENTS}"), "").await,
            ask(&server, "GET", PIPES, headers, "").await,
            ask(
                &server,
                "GET",
                &format!("{PIPES}&token=of-the-doctor"),
                headers,
                "",
            )
            .await,
            ask(
                &server,
                "POST",
                "/comet",
                headers,
                r#"{"do":"history","id":1,"pipe":"web_news"}"#,
            )
            .await,
        ] {
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        }
        let mut line = Line::open(&server, WAYS[1], headers).await;
        line.text(r#"{"do":"hello","page":"p"}"#).await;
        let (_, refusal) = line.frame().await.unwrap();
        let refusal = String::from_utf8(refusal).unwrap();
        assert!(refusal.contains("LoginFirst"), "{refusal}");
        assert_eq!(line.close_code().await, 1008);
        let mut line = Line::open(&server, WAYS[2], headers).await;
        let _hello = line.frame().await.unwrap();
        line.text("pipe_log\nweb_news\nm1\n").await;
        assert!(line.hears("LoginFirst").await);
        let mut line = Line::open(&server, WAYS[0], headers).await;
        line.text(r#"{"do":"history","id":1,"pipe":"web_news"}"#)
            .await;
        line.text(&options()).await;
        assert!(line.hears("SIP/2.0 ").await, "only the telephone answers");
    }
    server.stop().await;
}

fn options() -> String {
    "OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/WS page.invalid;branch=z9hG4bK1\r\n\
     Max-Forwards: 70\r\nFrom: <sip:2@localhost>;tag=f\r\nTo: <sip:localhost>\r\nCall-ID: 1\r\n\
     CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        .to_owned()
}
