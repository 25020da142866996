//! A message's content as it is kept: bytes, and whether they are text in spite of looking like JSON.

use clinicall_comet::{Body, json};
use serde::{Deserialize, Serialize};

/// What a message says. Bytes alone are JSON where they are JSON, else text.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    pub bytes: &'a [u8],
    pub text: bool,
}

impl<'a> From<&'a Body> for Content<'a> {
    fn from(body: &'a Body) -> Self {
        Self {
            bytes: body.bytes(),
            // `good morning` needs no mark
            text: !body.is_json() && json::is_value(body.as_str()),
        }
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Content<'a>
where
    T: Plain,
{
    fn from(bytes: &'a T) -> Self {
        Self {
            bytes: bytes.as_ref(),
            text: false,
        }
    }
}

/// Bytes of which nothing more is known.
pub trait Plain {}

impl Plain for [u8] {}
impl Plain for Vec<u8> {}
impl<const N: usize> Plain for [u8; N] {}

/// A body was checked before it was kept.
#[must_use]
pub fn body(bytes: Vec<u8>, text: bool) -> Body {
    let body = match text {
        true => Body::text(bytes),
        false => Body::guess(bytes),
    };
    body.or_else(|_| Body::text(String::new()))
        .expect("an empty text is a body")
}

/// A mark that is written only where it is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Mark(pub bool);

impl Mark {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    pub const fn is_off(&self) -> bool {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_json_stays_json() {
        for given in [
            Body::text("123").unwrap(),
            Body::text("true").unwrap(),
            Body::text("good morning").unwrap(),
            Body::json("123").unwrap(),
            Body::json("[1, 2]").unwrap(),
        ] {
            let kept = Content::from(&given);
            assert_eq!(body(kept.bytes.to_vec(), kept.text), given);
        }
        // what was kept before there was a mark
        assert!(body(b"123".to_vec(), false).is_json());
    }
}
