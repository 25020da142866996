//! A message on its way to those who listen.

use std::{fmt, sync::OnceLock};

use bytes::Bytes;

use crate::{Body, Position, json};

/// Names a private message for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MessageId(pub [u8; 16]);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Shared by all who get it; printed once for all of them.
#[derive(Debug)]
pub struct Message {
    /// [`PRIVATE`](crate::PRIVATE) for a private one.
    pub pipe: Box<str>,
    pub event: Box<str>,
    pub body: Body,
    /// The user whose page published it; nobody: the clinic's back end, or somebody unnamed.
    pub from: Option<Box<str>>,
    /// Unix milliseconds.
    pub at: u64,
    pub position: Position,
    /// The page that published it and must not get it back.
    pub(crate) by: Option<Box<str>>,
    frame: OnceLock<Bytes>,
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.frame() == other.frame()
    }
}

impl Message {
    #[must_use]
    pub fn new(pipe: &str, position: Position, event: &str, body: Body, at: u64) -> Self {
        Self {
            pipe: pipe.into(),
            event: event.into(),
            body,
            from: None,
            at,
            position,
            by: None,
            frame: OnceLock::new(),
        }
    }

    #[must_use]
    pub fn from_user(mut self, user: Option<&str>) -> Self {
        self.from = user.map(Into::into);
        self
    }

    #[must_use]
    pub(crate) fn by(mut self, page: Option<&str>) -> Self {
        self.by = page.map(Into::into);
        self
    }

    /// As it goes over our wire: `{"pipe","event","from","at","pos","data"}`. UTF-8.
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        self.frame.get_or_init(|| self.print().into())
    }

    fn print(&self) -> String {
        use fmt::Write as _;
        let mut out = String::with_capacity(self.body.bytes().len() + 160);
        // the two names consist of letters that need no escape
        for (name, text) in [("{\"pipe\":", &self.pipe), (",\"event\":", &self.event)] {
            out.push_str(name);
            json::write_string(&mut out, text);
        }
        if let Some(from) = &self.from {
            out.push_str(",\"from\":");
            json::write_string(&mut out, from);
        }
        let (at, position) = (self.at, self.position);
        // writing to a String does not fail
        let _ = write!(out, ",\"at\":{at},\"pos\":\"{position}\",\"data\":");
        self.body.write(&mut out);
        out.push('}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_on_the_wire() {
        let body = Body::json(r#"{"text":"good morning"}"#).unwrap();
        let position = Position {
            epoch: 5,
            offset: 9,
        };
        let message = Message::new("web_visit", position, "said", body, 1_795_000_000_000);
        let message = message.from_user(Some("2"));
        let expected = r#"{"pipe":"web_visit","event":"said","from":"2","at":1795000000000,"pos":"5-9","data":{"text":"good morning"}}"#;
        assert_eq!(message.frame(), expected);
    }
}
