//! What a message says.

use bytes::Bytes;

use crate::{MAX_BODY, json};

/// A message's content, exactly as it was given: a JSON value, or plain text. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    bytes: Bytes,
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    #[error("a message body is at most {MAX_BODY} bytes long")]
    TooLong,
    #[error("the message body is not UTF-8")]
    NotText,
    #[error("the message body is not a JSON value")]
    NotJson,
}

impl Body {
    /// One JSON value.
    pub fn json(bytes: impl Into<Bytes>) -> Result<Self, BadBody> {
        let bytes = checked(bytes.into())?;
        let text = str::from_utf8(&bytes).map_err(|_| BadBody::NotText)?;
        if !json::is_value(text) {
            return Err(BadBody::NotJson);
        }
        Ok(Self { bytes, json: true })
    }

    /// Plain text, which stays text even where it looks like a number.
    pub fn text(bytes: impl Into<Bytes>) -> Result<Self, BadBody> {
        let bytes = checked(bytes.into())?;
        str::from_utf8(&bytes).map_err(|_| BadBody::NotText)?;
        Ok(Self { bytes, json: false })
    }

    /// JSON where it is JSON, else text: for those who cannot say which, such as an SQL column.
    pub fn guess(bytes: impl Into<Bytes>) -> Result<Self, BadBody> {
        let mut body = Self::text(bytes)?;
        body.json = json::is_value(body.as_str());
        Ok(body)
    }

    /// As given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes).unwrap_or_default()
    }

    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Adds the body to a JSON text being written: a JSON value as it is, text as a string.
    pub fn write(&self, out: &mut String) {
        if self.json {
            out.push_str(self.as_str());
        } else {
            json::write_string(out, self.as_str());
        }
    }
}

fn checked(bytes: Bytes) -> Result<Bytes, BadBody> {
    match bytes.len() {
        0..=MAX_BODY => Ok(bytes),
        _ => Err(BadBody::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_passed_on_as_it_was_given() {
        let mut out = String::new();
        Body::json(r#"{ "a":1.0e1 }"#).unwrap().write(&mut out);
        assert_eq!(out, r#"{ "a":1.0e1 }"#);
        out.clear();
        Body::text("a \"b\"\n").unwrap().write(&mut out);
        assert_eq!(out, r#""a \"b\"\n""#);
        assert!(Body::guess("[1]").unwrap().is_json());
        assert!(!Body::guess("good morning").unwrap().is_json());
    }

    #[test]
    fn what_would_break_the_frame_around_it_is_refused() {
        assert_eq!(Body::json("1,\"to\":2"), Err(BadBody::NotJson));
        assert_eq!(Body::json(""), Err(BadBody::NotJson));
        assert_eq!(Body::text(&b"\xff"[..]), Err(BadBody::NotText));
        assert_eq!(Body::text(vec![b'a'; MAX_BODY + 1]), Err(BadBody::TooLong));
    }
}
