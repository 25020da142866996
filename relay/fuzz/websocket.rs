// What must hold for any bytes on a WebSocket, and in the request for one. The fuzz targets and
// `tests/websocket_corpus.rs` share this file.

use clinicall_relay::ws::{
    deflate::{Deflate, Inflate, negotiate},
    frame::{Decoder, Message},
};

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 3] = [
    ("ws_frames", ws_frames),
    ("ws_deflate", ws_deflate),
    ("ws_offer", ws_offer),
];

const LIMIT: usize = 4_096;

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) => bytes.len(),
        Message::Pong | Message::Close(_) => 0,
    }
}

pub fn ws_frames(bytes: &[u8]) {
    let inflate = negotiate(["permessage-deflate"]).map(|agreed| Box::new(Inflate::new(agreed)));
    let mut decoder = Decoder::new(LIMIT, inflate);
    let mut rest = bytes;
    let mut messages = 0;
    loop {
        let before = rest.len();
        match decoder.read(&mut rest) {
            Ok(Some(message)) => {
                assert!(length(&message) <= LIMIT);
                // no frame is shorter than its head
                assert!(rest.len() + 6 <= before || messages == 0);
                messages += 1;
            }
            Ok(None) => return assert!(rest.is_empty()),
            Err(violation) => return assert!(matches!(violation.code(), 1002 | 1007 | 1009)),
        }
    }
}

pub fn ws_deflate(bytes: &[u8]) {
    let Some(agreed) = negotiate(["permessage-deflate; client_max_window_bits"]) else {
        panic!("this offer can be kept");
    };
    let mut inflate = Inflate::new(agreed);
    for _ in 0..2 {
        if let Ok(message) = inflate.message(bytes, LIMIT) {
            assert!(message.len() <= LIMIT);
        }
    }
    // both windows are of the same length, so our own words come back
    let (mut deflate, mut inflate) = (Deflate::new(agreed), Inflate::new(agreed));
    for _ in 0..2 {
        if let Some(compressed) = deflate.message(bytes) {
            assert!(compressed.len() < bytes.len());
            assert_eq!(
                inflate.message(&compressed, bytes.len()).as_deref(),
                Ok(bytes)
            );
        }
    }
}

pub fn ws_offer(bytes: &[u8]) {
    let Ok(offer) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(agreed) = negotiate([offer]) else {
        return;
    };
    assert!((9..=15).contains(&agreed.server_bits) && (8..=15).contains(&agreed.client_bits));
    let answer = agreed.header();
    assert!(
        answer
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    );
    // we would keep what we say
    let Some(again) = negotiate([&*answer]) else {
        panic!("{offer} -> {answer}");
    };
    assert!(again.server_bits == agreed.server_bits || !answer.contains("server_max"));
}
