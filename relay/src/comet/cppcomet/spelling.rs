//! How a message has to be spelled so that the page is given what was said.
//!
//! CppComet's JavaScript library does more to a frame than to parse it. It cuts the frame at every
//! line feed, turns each `\'` into `'`, and then takes a `data` that is a string for JSON once more,
//! or else takes the backslashes out of it; a string that begins with `A::` loses its beginning.
//! What is left untouched by all that is said in the ordinary way, the rest in a way that comes out
//! the same there.

use std::borrow::Cow;

use clinicall_comet::{
    Body,
    json::{is_value, string, write_string},
};

/// A message's `data`.
#[must_use]
pub fn data(body: &Body) -> String {
    let text = body.as_str();
    if !body.is_json() {
        return exact(text);
    }
    match string(text.trim()) {
        Ok(text) => exact(&text),
        Err(_) => on_one_line(text).into_owned(),
    }
}

/// A body that the library does not look at again, as within other data.
#[must_use]
pub fn value(body: &Body) -> String {
    match body.is_json() {
        true => on_one_line(body.as_str()).into_owned(),
        false => quoted(body.as_str()),
    }
}

/// The same JSON without `\'`, which ends in no valid escape: the quote is written as its number.
#[must_use]
pub fn shielded(json: String) -> String {
    match json.contains("\\'") {
        true => json.replace("\\'", "\\\\u0027"),
        false => json,
    }
}

/// Text is a string, and where the library would read it otherwise, the string of a string: so
/// whatever a page publishes looks in CppComet.
fn exact(text: &str) -> String {
    // (an array too deep for us is none too deep for it)
    let misread = text.contains('\\')
        || text.starts_with("A::")
        || text.trim_start().starts_with(['[', '{'])
        || is_value(text);
    match misread {
        true => quoted(&shielded(quoted(text))),
        false => quoted(text),
    }
}

/// Line feeds in JSON lie between its parts, where a space does as well.
fn on_one_line(json: &str) -> Cow<'_, str> {
    match json.contains(['\n', '\r']) {
        true => json.replace(['\n', '\r'], " ").into(),
        false => json.into(),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What the library makes of a frame's line.
    fn read(frame: &str) -> Value {
        assert!(!frame.contains('\n'), "cut in pieces: {frame}");
        let lax = |text: &str| serde_json::from_str(&text.replace("\\'", "'"));
        let frame: Value = lax(frame).unwrap_or_else(|_| panic!("lost: {frame}"));
        let Some(text) = frame.as_str() else {
            return frame;
        };
        assert!(!text.starts_with("A::"), "cut off: {text}");
        lax(text).unwrap_or_else(|_| text.replace('\\', "").into())
    }

    #[test]
    fn a_page_is_given_the_text_that_was_said() {
        for text in [
            "good morning",
            "",
            "it's 8 o'clock",
            r"C:\scans\'new'",
            r"a\nb \\ \",
            "two\nlines",
            "42",
            " true ",
            "null",
            "\"quoted\"",
            "{\"a\":1}",
            "A::7;x",
            "<img src=x onerror=alert(1)>",
            "\\'",
            "\\\\'\\'",
        ] {
            let body = Body::text(text.to_owned()).unwrap();
            assert_eq!(read(&shielded(data(&body))), text);
            let body = Body::json(json!(text).to_string()).unwrap();
            assert_eq!(read(&shielded(data(&body))), text);
        }
        let plain = Body::text("it's plain").unwrap();
        assert_eq!(data(&plain), r#""it's plain""#);
    }

    #[test]
    fn a_page_is_given_the_value_that_was_said() {
        for value in [
            json!({ "path": r"it\'s", "deep": ["\\'", { "'": "\n" }] }),
            json!(["A::1", "42", 42, null, false]),
            json!(-1.5e-3),
        ] {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let body = Body::json(pretty.replace('\n', "\r\n")).unwrap();
            assert_eq!(read(&shielded(data(&body))), value);
            assert_eq!(read(&shielded(super::value(&body))), value);
        }
    }
}
