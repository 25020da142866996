// What must hold for whatever a page of CppComet's says, and for whatever it is told. The fuzz targets
// and `tests/dialect_corpus.rs` share this file.

use clinicall_comet::{
    Body, Message, Position,
    hub::Out,
    wire::{Answer, Request},
};
use clinicall_relay::comet::cppcomet::{Dialect, Knock, Step};
use serde_json::{Map, Value};

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 2] = [("cppcomet_address", address), ("cppcomet_frames", frames)];

/// Whoever knocks is a possible user with a harmless page, or nobody.
pub fn address(bytes: &[u8]) {
    let Ok(path) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(knock) = Knock::parse(path) else {
        return;
    };
    let word = |text: &str| {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        text.len() <= 64 && text.bytes().all(harmless)
    };
    assert!(knock.user.as_deref().is_none_or(word), "{knock:?}");
    assert!(word(&knock.uuid) && word(&knock.tenant), "{knock:?}");
}

/// Frames one after the other, NUL between them. Each is answered with frames that the library reads
/// whole, and what is published arrives as what was said.
pub fn frames(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut page = Dialect::new(0);
    for frame in text.split('\0') {
        for step in page.hear(frame) {
            match step {
                Step::Say(said) => drop(read(&said)),
                Step::Ask(Request::Publish {
                    id,
                    pipe,
                    event,
                    body,
                    ..
                }) => {
                    let position = Position::default();
                    let listeners = 1;
                    for told in
                        page.tell(&Out::Answer(published(id, position, listeners).into()), 0)
                    {
                        read(&told);
                    }
                    arrives(&mut page, &pipe, &event, body);
                }
                Step::Ask(_) | Step::UserData { .. } => {}
            }
        }
    }
    // the same as a body of the site's
    let bodies = [Body::guess(text.to_owned()), Body::text(text.to_owned())];
    for body in bodies.into_iter().flatten() {
        arrives(&mut page, "web_a", "said", body);
    }
}

const fn published(id: u32, position: Position, listeners: usize) -> Answer {
    Answer::Published {
        id,
        position,
        listeners,
    }
}

fn arrives(page: &mut Dialect, pipe: &str, event: &str, body: Body) {
    let said = match body.is_json() {
        // beyond what our reader takes: numbers out of range, half surrogates
        true => serde_json::from_str(body.as_str()).ok(),
        false => Some(Value::from(body.as_str())),
    };
    let message = Message::new(pipe, Position::default(), event, body, 1_000);
    for frame in page.tell(&Out::Message(message.into()), 0) {
        let told = read(&frame);
        assert!(
            told.is_none() || told == said,
            "{told:?} for {said:?}: {frame}"
        );
    }
}

/// What the library makes of the frame's `data`; `None` where our reader is stricter than a browser.
fn read(frame: &str) -> Option<Value> {
    assert!(!frame.contains('\n'), "cut in pieces: {frame}");
    assert!(!frame.contains("\\'"), "lost: {frame}");
    let members: Map<String, Value> = match serde_json::from_str(frame) {
        Ok(members) => members,
        Err(error) => {
            let why = error.to_string();
            let strict = why.contains("out of range") || why.contains("surrogate");
            assert!(
                strict || why.contains("end of hex escape"),
                "{frame}: {why}"
            );
            return None;
        }
    };
    for name in members.keys() {
        let known = "data error event fromQueue history marker message_send_time pipe user_id";
        assert!(
            known.split(' ').any(|known| known == name),
            "smuggled: {frame}"
        );
    }
    let Value::String(text) = &members["data"] else {
        return Some(members["data"].clone());
    };
    assert!(!text.starts_with("A::"), "cut off: {frame}");
    let again = serde_json::from_str(&text.replace("\\'", "'"));
    Some(again.unwrap_or_else(|_| text.replace('\\', "").into()))
}
