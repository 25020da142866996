//! Writing messages.

use crate::header::grammar::number;

use super::{Headers, Message, Request, Response, parse};

impl Message {
    /// Prints the message. `Content-Length` is corrected, or added at the end, when it is not the
    /// body's.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

impl Request {
    /// As [`Message::to_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.body.len());
        // Uri's fields lose the spelling of escapes and of the host; the line remembers it
        let written = self.headers.start_line();
        if parse::request_line(written).is_ok_and(|(m, u)| m == self.method && u == self.uri) {
            out.extend_from_slice(written.as_bytes());
        } else {
            let uri = self.uri.to_string();
            for part in [self.method.as_str(), " ", &uri, " SIP/2.0\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        headers_and_body(out, &self.headers, &self.body)
    }
}

impl Response {
    /// As [`Message::to_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.body.len());
        let written = self.headers.start_line();
        if parse::status_line(written).is_ok_and(|(s, r)| s == self.status && r == self.reason) {
            out.extend_from_slice(written.as_bytes());
        } else {
            out.extend_from_slice(b"SIP/2.0 ");
            out.extend_from_slice(self.status.0.to_string().as_bytes());
            out.push(b' ');
            let one_line = |b: u8| if b == b'\r' || b == b'\n' { b' ' } else { b };
            out.extend(self.reason.bytes().map(one_line));
            out.extend_from_slice(b"\r\n");
        }
        headers_and_body(out, &self.headers, &self.body)
    }
}

fn headers_and_body(mut out: Vec<u8>, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut told = false;
    for (field, is_length) in headers.raw("Content-Length") {
        if is_length {
            if told {
                continue;
            }
            told = true;
            let value = field
                .split_once(':')
                .map_or("", |(_, value)| value.trim_ascii());
            if number(value) != Some(body.len()) {
                length(&mut out, body.len());
                continue;
            }
        }
        out.extend_from_slice(field.as_bytes());
    }
    if !told {
        length(&mut out, body.len());
    }
    out.extend_from_slice(if headers.has_bare_end() {
        b"\n"
    } else {
        b"\r\n"
    });
    out.extend_from_slice(body);
    out
}

fn length(out: &mut Vec<u8>, bytes: usize) {
    out.extend_from_slice(b"Content-Length: ");
    out.extend_from_slice(bytes.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}
