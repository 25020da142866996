//! What is left of bytes that are not a message.

use super::{Headers, Method, Response, Status};

/// Why bytes are not a SIP message, and what of them was readable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct BadMessage {
    pub what: String,
    /// 400, 505, 513, ...: what a server answers. `None`: drop it silently (a response, an ACK, or
    /// nothing that could be answered).
    pub status: Option<Status>,
    /// The request's method, when the start line was readable.
    pub method: Option<Method>,
    /// The header fields that were readable.
    pub headers: Headers,
}

impl BadMessage {
    /// The answer to send back on the connection the bytes came from. The To tag is the caller's
    /// to add. `None` when there is nobody or nothing to answer.
    #[must_use]
    pub fn response(&self) -> Option<Response> {
        let mut response = Response::to_headers(&self.headers, self.status?);
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            response.headers.get(name)?;
        }
        // say what was wrong: the other side's developer is the one who reads it
        if response.status == Status(400) {
            response.reason.push_str(": ");
            response.reason.push_str(&self.what);
        }
        Some(response)
    }
}
