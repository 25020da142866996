//! What goes over the WebSockets byte by byte: rule breakers, goodbyes, compression.

use clinicall_relay::{
    server::Server,
    ws::deflate::{Deflate, Inflate, negotiate},
};

use super::{
    line::{Line, WAYS, masked},
    phone::{relay, relay_with},
};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_breaks_the_rules_is_told_which_and_no_one_else_notices() {
    let server = relay_with(|config| config.comet.guests = true).await;
    let mut giant = vec![0x82, 0xff];
    giant.extend((1_u64 << 40).to_be_bytes());
    giant.extend([0; 4_000]);
    let tiny = [masked(0x01, b""), masked(0x00, b"").repeat(5_000)].concat();
    for (what, frames, code) in [
        ("an unmasked frame", b"\x81\x01x".to_vec(), 1002),
        ("reserved bits", masked(0xb1, b"x"), 1002),
        (
            "a compressed frame nobody agreed to",
            masked(0xc1, b"x"),
            1002,
        ),
        (
            "a control frame of 126 bytes",
            masked(0x89, &[0; 126]),
            1002,
        ),
        ("a text that is none", masked(0x81, b"\xc3\x28"), 1007),
        ("a frame of a terabyte", giant, 1009),
        ("a message of 5,000 pieces", tiny, 1009),
        ("a message of 200 kB", masked(0x81, &[b'x'; 200_000]), 1009),
    ] {
        for way in WAYS {
            let mut line = Line::opened(&server, way).await;
            line.say(&frames).await;
            assert_eq!(line.close_code().await, code, "{what} at {}", way.0);
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_says_goodbye_hears_it_back() {
    let server = relay_with(|config| config.comet.guests = true).await;
    for way in WAYS {
        let mut line = Line::opened(&server, way).await;
        if way.0 == "/comet" {
            line.say(&masked(0x81, br#"{"do":"hello","page":"p"}"#))
                .await;
            let welcome = line.frame().await.unwrap().1;
            assert!(welcome.starts_with(b"{"), "{welcome:?}");
        }
        line.say(&masked(0x88, &1000_u16.to_be_bytes())).await;
        assert_eq!(line.close_code().await, 1000, "{}", way.0);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered_with_its_own_words() {
    let server = relay_with(|config| config.comet.guests = true).await;
    for way in WAYS {
        let mut line = Line::opened(&server, way).await;
        line.say(&masked(0x89, b"still there?")).await;
        let pong = loop {
            let (first, payload) = line.frame().await.unwrap();
            if first == 0x8a {
                break payload;
            }
        };
        assert_eq!(pong, b"still there?", "{}", way.0);
    }
    server.stop().await;
}

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_phones_socket_is_compressed_and_an_idle_listeners_is_not() {
    let server = relay().await;
    let extension = |line: &Line| {
        let mut lines = line.head.lines();
        let found = lines.find_map(|line| line.strip_prefix("sec-websocket-extensions: "));
        found.map(str::to_owned)
    };
    for way in WAYS {
        let line = Line::open(&server, way, OFFER).await;
        let expected =
            (way.0 == "/sip").then(|| "permessage-deflate; client_max_window_bits=13".to_owned());
        assert_eq!(extension(&line), expected, "{}", way.0);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_their_answers_pass_compressed() {
    let server = relay().await;
    let mut line = Line::open(&server, WAYS[0], OFFER).await;
    // both windows are of the same length, so each end may play the other
    let agreed = negotiate(["permessage-deflate; client_max_window_bits"]).unwrap();
    let (mut speak, mut hear) = (Deflate::new(agreed), Inflate::new(agreed));
    let mut sent = Vec::new();
    for number in 1..=3 {
        let request = format!(
            "REGISTER sip:localhost SIP/2.0\r\nVia: SIP/2.0/WS page.invalid;branch=z9hG4bK{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:2@localhost>;tag=page\r\nTo: <sip:2@localhost>\r\n\
             Call-ID: the-page-of-doctor-ivanova\r\nCSeq: {number} REGISTER\r\n\
             Contact: <sip:2@page.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n"
        );
        let small = speak.message(request.as_bytes()).unwrap();
        sent.push(small.len());
        line.say(&masked(0xc1, &small)).await;
        let (first, answer) = line.frame().await.unwrap();
        assert_eq!(first, 0xc1);
        let answer = String::from_utf8(hear.message(&answer, 65_536).unwrap()).unwrap();
        assert!(answer.starts_with("SIP/2.0 401 "), "{answer}");
        assert!(
            answer.contains(&format!("branch=z9hG4bK{number}")),
            "{answer}"
        );
    }
    assert!(sent[2] * 4 < sent[0], "{sent:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused_before_it_is_unpacked() {
    let server = relay().await;
    let agreed = negotiate(["permessage-deflate"]).unwrap();
    let bomb = Deflate::new(agreed)
        .message(&vec![b' '; 8_000_000])
        .unwrap();
    assert!(bomb.len() < 10_000);
    let broken = &b"\x07 is no deflate"[..];
    for (what, payload, code) in [("a bomb", &bomb[..], 1009), ("noise", broken, 1007)] {
        let mut line = Line::open(&server, WAYS[0], OFFER).await;
        line.say(&masked(0xc1, payload)).await;
        assert_eq!(line.close_code().await, code, "{what}");
    }
    server.stop().await;
}

/// A listener of `web_news`.
async fn listener(server: &Server) -> Line {
    let mut line = Line::opened(server, WAYS[1]).await;
    line.text(r#"{"do":"hello","page":""}"#).await;
    line.text(r#"{"do":"listen","id":1,"pipes":{"web_news":null}}"#)
        .await;
    assert!(line.hears(r#""re":1"#).await);
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_never_reads_loses_its_place_and_holds_up_nobody() {
    let server = relay_with(|config| {
        config.comet.guests = true;
        config.comet.queue = 50;
        config.comet.publishes_per_second = 1_000_000;
        config.limits.messages_per_second = 1_000_000;
    })
    .await;
    let asleep = listener(&server).await;
    let mut awake = listener(&server).await;
    let mut clinic = Line::opened(&server, WAYS[1]).await;
    clinic.text(r#"{"do":"hello","page":""}"#).await;
    let pages = "x".repeat(30_000);
    let mut number = 2;
    loop {
        clinic
            .text(&format!(
                r#"{{"do":"publish","id":{number},"pipe":"web_news","event":"n","data":"{number} {pages}"}}"#
            ))
            .await;
        let of_this = format!("\"re\":{number},");
        let answer = loop {
            let (_, answer) = clinic.frame().await.unwrap();
            let answer = String::from_utf8(answer).unwrap();
            if answer.contains(&of_this) {
                break answer;
            }
        };
        assert!(
            awake.hears(&format!("\"{number} x")).await,
            "each comes at once"
        );
        if answer.contains(r#""listeners":1"#) {
            break;
        }
        assert!(answer.contains(r#""listeners":2"#), "{answer}");
        number += 1;
        assert!(number < 10_000, "300 MB wait for a reader that reads none");
    }
    drop(asleep);
    server.stop().await;
}
