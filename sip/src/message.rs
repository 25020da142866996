//! SIP messages (RFC 3261 section 7): lossless parse and print.
//!
//! Headers keep their order, their spelling and their raw value. Typed views ([`crate::header`]) are
//! computed when asked for. A message that was parsed and not changed prints the bytes it was read
//! from, but for a missing or wrong `Content-Length`.

mod bad;
mod headers;
mod method;
mod parse;
mod print;
mod status;

pub use bad::BadMessage;
pub use headers::Headers;
pub use method::Method;
pub use parse::{MAX_FIELDS, MAX_LINE, MAX_MESSAGE};
pub use status::Status;

#[cfg(test)]
mod tests;

use crate::uri::Uri;

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
    #[must_use]
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    #[must_use]
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }
}

impl Request {
    /// A response to this request with what RFC 3261 section 8.2.6.2 copies (Via, From, To,
    /// Call-ID, CSeq, and Record-Route, which a dialog needs, section 12.1.1). The To tag is the
    /// caller's to add.
    #[must_use]
    pub fn response(&self, status: Status) -> Response {
        Response::to_headers(&self.headers, status)
    }
}

impl Response {
    pub(crate) fn to_headers(asked: &Headers, status: Status) -> Self {
        let mut headers = Headers::new();
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            // a non-dialog response needs no Record-Route, but it does no harm there
            headers.copy(asked, name);
        }
        Self {
            status,
            reason: status.phrase().to_owned(),
            headers,
            body: Vec::new(),
        }
    }
}
