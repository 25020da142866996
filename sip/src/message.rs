//! SIP messages (RFC 3261 section 7): lossless parse and print.
//!
//! Headers keep their order, their spelling and their raw value. Typed views (`crate::header`) are
//! computed when asked for.

use crate::uri::Uri;

/// The largest message taken from the network. FreeSWITCH aborts above 64 KiB; so do not send more.
pub const MAX_MESSAGE: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Register,
    Options,
    Prack,
    Update,
    Info,
    Message,
    Subscribe,
    Notify,
    Refer,
    Publish,
    Other(String),
}

impl Method {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Register => "REGISTER",
            Self::Options => "OPTIONS",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
            Self::Message => "MESSAGE",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Refer => "REFER",
            Self::Publish => "PUBLISH",
            Self::Other(name) => name,
        }
    }
}

/// A response's status code, 100 to 699.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

impl Status {
    #[must_use]
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 >= 200 && self.0 < 300
    }
    #[must_use]
    pub const fn is_final(self) -> bool {
        self.0 >= 200
    }
    /// The registered reason phrase, or an empty string.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        todo!()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: Status,
    pub reason: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

impl Message {
    /// Parses one message that fills `bytes` (one WebSocket frame or one datagram).
    pub fn parse(_bytes: &[u8]) -> Result<Self, BadMessage> {
        todo!()
    }
    /// Prints the message; `Content-Length` is always written anew from the body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
    #[must_use]
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }
}

/// The header fields of a message in the order they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(String, String)>,
}

impl Headers {
    #[must_use]
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }
    /// The first field of that name, unfolded and trimmed. Names compare without case, and a
    /// compact form equals its long form.
    #[must_use]
    pub fn get(&self, _name: &str) -> Option<&str> {
        todo!()
    }
    /// Every value of that name, top to bottom; a field that lists several values separated by
    /// commas (Via, Route, Contact, Supported, ...) yields each of them.
    pub fn all<'a>(&'a self, _name: &str) -> std::vec::IntoIter<&'a str> {
        todo!()
    }
    /// Appends a field at the end.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.fields.push((name.to_owned(), value.into()));
    }
    /// Inserts a field at the top.
    pub fn push_front(&mut self, name: &str, value: impl Into<String>) {
        self.fields.insert(0, (name.to_owned(), value.into()));
    }
    /// Replaces the first field of that name (removing the rest), or appends it.
    pub fn set(&mut self, _name: &str, _value: impl Into<String>) {
        todo!()
    }
    /// Removes every field of that name; tells how many there were.
    pub fn remove(&mut self, _name: &str) -> usize {
        todo!()
    }
    /// Names as written and values unfolded, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Why bytes are not a SIP message. `status` tells what a server answers when enough was readable
/// to answer at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct BadMessage {
    pub what: String,
    /// 400, 413, 416, 505, ...; `None`: drop it silently.
    pub status: Option<Status>,
}
