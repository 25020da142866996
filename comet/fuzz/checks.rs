// What must hold for any bytes. The fuzz targets and `tests/corpus.rs` share this file.

use clinicall_comet::{
    Body, Message, Position, json,
    session::{Event, Session},
    wire::Request,
};

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 2] = [("request", request), ("news", news)];

/// What is understood is printed and understood as the same; a body that is passed on is JSON to
/// others as well.
pub fn request(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(request) = Request::parse(text) {
        assert_eq!(
            Request::parse(&request.print()),
            Ok(request.clone()),
            "{text}"
        );
        if let Request::Publish {
            pipe, event, body, ..
        } = request
        {
            let frame = Message::new(&pipe, Position::default(), &event, body, 0);
            let frame = str::from_utf8(frame.frame()).unwrap();
            let members = json::members(frame).unwrap();
            let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(
                names,
                ["pipe", "event", "at", "pos", "data"],
                "smuggled: {frame}"
            );
        }
    }
    // our own reader never takes what the library refuses, but for numbers out of range
    if json::is_value(text)
        && let Err(error) = serde_json::from_str::<serde_json::Value>(text)
    {
        let why = error.to_string();
        assert!(
            why.contains("out of range") || why.contains("surrogate"),
            "{text}: {why}"
        );
    }
    if let Ok(body) = Body::guess(text.to_owned()) {
        let mut out = String::new();
        body.write(&mut out);
        assert!(json::is_value(&out), "{out}");
    }
}

/// A page survives any relay, and hears nothing twice.
pub fn news(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let mut session = Session::new("4f1c".to_owned(), None);
    session.listen("msg");
    session.listen("web_visit");
    session.opened();
    let _ = session.ask(r#"{"do":"publish","pipe":"web_visit","event":"said","data":1}"#);
    let mut heard = 0;
    for frame in text.lines().chain(text.lines()) {
        session.receive(frame);
        while let Some(event) = session.poll() {
            match event {
                Event::Send(frame) => assert!(Request::parse(&frame).is_ok(), "{frame}"),
                Event::Message(_) => heard += 1,
                _ => {}
            }
        }
    }
    assert!(heard <= 2 * text.lines().count());
}
