//! Reading messages.

use super::{BadMessage, Headers, Message, Method, Request, Response, Status};
use crate::{
    header::{
        CSeq, Via,
        grammar::{is_token, is_token_byte, last_word, number},
        is_name_addr,
    },
    uri::Uri,
};

/// The largest message taken from the network. FreeSWITCH aborts above 64 KiB; so do not send more.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The longest header field taken, folds included. Room for a JWT in Authorization.
pub const MAX_LINE: usize = 16 * 1024;

/// The most header fields taken in one message.
pub const MAX_FIELDS: usize = 256;

/// What was wrong, and what a server answers if it was a request.
type Fault = (&'static str, u16);

impl Message {
    /// Parses one message that fills `bytes` (one WebSocket frame or one datagram).
    ///
    /// Line ends may be bare LFs. Bytes beyond `Content-Length` are dropped (RFC 3261 section
    /// 18.3); without the field, as WebSocket allows, the body is all the rest. A message that is
    /// returned has exactly one readable From, To, Call-ID and CSeq and at least one readable Via.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadMessage> {
        let bytes = &bytes[leading_line_ends(bytes)..];
        let too_long = bytes.len() > MAX_MESSAGE;
        let bytes = &bytes[..bytes.len().min(MAX_MESSAGE)];
        let Some(head) = head_len(bytes) else {
            return Err(drop("the headers do not end"));
        };
        let (head, body) = bytes.split_at(head);
        // SIP is UTF-8. Old gateways send other encodings in display names: better a broken
        // letter than a refused call.
        let text = String::from_utf8_lossy(head).into_owned();
        let start_line = text.find('\n').map_or(text.len(), |end| end + 1);
        if too_long {
            // answered if possible, so that the sender need not wait for its timer
            let (method, headers) = (
                method_named(&text[..start_line]),
                headers(text, start_line).0,
            );
            return Err(refuse(
                ("the message is longer than 64 KiB", 513),
                method,
                headers,
            ));
        }
        if starts_with_sip(&text) {
            response(text, start_line, body)
        } else {
            request(text, start_line, body)
        }
    }

    /// How many bytes the first message of a stream (TCP, TLS) takes, empty lines before it
    /// included; `None` when more bytes are needed to tell. Hand exactly these to
    /// [`Message::parse`].
    ///
    /// A stream whose lengths cannot be known (no or a bad `Content-Length`, headers or a body
    /// without end) is lost: close it.
    pub fn length_in_stream(bytes: &[u8]) -> Result<Option<usize>, BadMessage> {
        let leading = leading_line_ends(bytes);
        let bytes = &bytes[leading..];
        let limit = bytes.len().min(MAX_MESSAGE);
        let Some(head) = head_len(&bytes[..limit]) else {
            if bytes.len() >= MAX_MESSAGE {
                return Err(drop("the headers do not end within 64 KiB"));
            }
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let start_line = text.find('\n').map_or(text.len(), |end| end + 1);
        let (headers, _) = headers(text, start_line);
        match told_length(&headers) {
            Err((what, _)) => Err(drop(what)),
            // RFC 3261 section 20.14: required on stream transports
            Ok(None) => Err(drop("Content-Length is missing")),
            Ok(Some(body)) if body > MAX_MESSAGE - head => {
                Err(drop("the message is longer than 64 KiB"))
            }
            Ok(Some(body)) if bytes.len() < head + body => Ok(None),
            Ok(Some(body)) => Ok(Some(leading + head + body)),
        }
    }
}

fn response(text: String, start_line: usize, body: &[u8]) -> Result<Message, BadMessage> {
    let silently = |(what, _): Fault| drop(what);
    let (status, reason) = status_line(&text[..start_line]).map_err(silently)?;
    let reason = reason.to_owned();
    let (headers, fault) = headers(text, start_line);
    fault.map_or(Ok(()), Err).map_err(silently)?;
    check(&headers, None).map_err(silently)?;
    let length = body_len(&headers, body.len()).map_err(silently)?;
    Ok(Message::Response(Response {
        status,
        reason,
        headers,
        body: body[..length].to_vec(),
    }))
}

fn request(text: String, start_line: usize, body: &[u8]) -> Result<Message, BadMessage> {
    let line = &text[..start_line];
    let version = last_word(line.trim_ascii_end());
    let (Some(method), true) = (method_named(line), starts_with_sip(version)) else {
        return Err(drop("not a SIP message"));
    };
    let start = request_line(line);
    let (headers, fault) = headers(text, start_line);
    let checked = start.and_then(|(method, uri)| {
        fault.map_or(Ok(()), Err)?;
        check(&headers, Some(&method))?;
        Ok((method, uri, body_len(&headers, body.len())?))
    });
    match checked {
        Ok((method, uri, length)) => Ok(Message::Request(Request {
            method,
            uri,
            headers,
            body: body[..length].to_vec(),
        })),
        Err(fault) => Err(refuse(fault, Some(method), headers)),
    }
}

fn drop(what: &'static str) -> BadMessage {
    refuse((what, 0), None, Headers::new())
}

fn refuse((what, status): Fault, method: Option<Method>, headers: Headers) -> BadMessage {
    // nobody waits for an answer to an ACK (RFC 3261 section 17.1.1.3)
    let answered = method.as_ref().is_some_and(|method| *method != Method::Ack);
    BadMessage {
        what: what.to_owned(),
        status: answered.then_some(Status(status)),
        method,
        headers,
    }
}

/// Empty lines before the start line are to be ignored (RFC 3261 section 7.5).
fn leading_line_ends(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count()
}

fn starts_with_sip(text: &str) -> bool {
    text.get(..4)
        .is_some_and(|sip| sip.eq_ignore_ascii_case("SIP/"))
}

/// The first word, if it can be a method.
fn method_named(line: &str) -> Option<Method> {
    let word = line.split_ascii_whitespace().next()?;
    is_token(word).then(|| Method::named(word))
}

/// Up to and including the empty line.
fn head_len(bytes: &[u8]) -> Option<usize> {
    let mut line = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            if matches!(&bytes[line..at], [] | [b'\r']) {
                return Some(at + 1);
            }
            line = at + 1;
        }
    }
    None
}

/// Method and Request-URI of a request line with its line end.
pub(super) fn request_line(line: &str) -> Result<(Method, Uri), Fault> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut parts = line.split(' ');
    let (Some(method), Some(uri), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(("the request line is not method, URI, version", 400));
    };
    if !is_token(method) {
        return Err(("the method is not a token", 400));
    }
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(("only SIP/2.0 is spoken here", 505));
    }
    let uri: Uri = uri
        .parse()
        .map_err(|_| ("the Request-URI is unreadable", 400))?;
    // `sip:a@b?Route=...` would smuggle a header in (RFC 3261 section 19.1.1 table 1)
    if uri.is_sip() && uri.headers.is_some() {
        return Err(("the Request-URI has headers", 400));
    }
    Ok((Method::named(method), uri))
}

/// Code and phrase of a status line with its line end.
pub(super) fn status_line(line: &str) -> Result<(Status, &str), Fault> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let (version, rest) = line.split_once(' ').unwrap_or((line, ""));
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(("only SIP/2.0 is spoken here", 505));
    }
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    match number(code) {
        Some(status @ 100..=699) if code.len() == 3 => Ok((Status(status), reason)),
        _ => Err(("the status code is not within 100 to 699", 400)),
    }
}

/// The fields after the start line, as far as they are readable, and the first fault among them.
fn headers(text: String, start_line: usize) -> (Headers, Option<Fault>) {
    let mut fault = None;
    let mut at = start_line;
    let end = text.len();
    let mut headers = Headers::over(text, start_line);
    while at < end {
        let line = &headers.text()[at..end];
        let mut len = line.find('\n').map_or(line.len(), |newline| newline + 1);
        if matches!(&line[..len], "\r\n" | "\n") {
            if len == 1 {
                headers.set_bare_end();
            }
            break;
        }
        let mut folded = false;
        while line[len..].starts_with([' ', '\t']) {
            folded = true;
            len += line[len..]
                .find('\n')
                .map_or(line.len() - len, |newline| newline + 1);
        }
        let field = &line[..len];
        let name = field
            .bytes()
            .take_while(|byte| is_token_byte(*byte))
            .count();
        let after = field[name..].trim_ascii_start();
        if name == 0 || !after.starts_with(':') {
            fault = fault.or(Some(("a header line has no name and colon", 400)));
        } else if field.len() > MAX_LINE {
            fault = fault.or(Some(("a header field is longer than 16 KiB", 400)));
        } else if headers.len() == MAX_FIELDS {
            fault = fault.or(Some(("there are more than 256 header fields", 400)));
            break;
        } else {
            let raw = &after[1..];
            let value = raw.trim_ascii();
            if has_stray_cr(value) {
                fault = fault.or(Some(("a header field has a stray CR", 400)));
            } else {
                let before = raw.len() - raw.trim_ascii_start().len();
                let value_at = at + len - raw.len() + before;
                let value = value_at..value_at + value.len();
                headers.add_parsed(at..at + len, at + name, value, folded);
            }
        }
        at += len;
    }
    (headers, fault)
}

/// A CR that ends no line here would end one for a less careful reader behind us.
fn has_stray_cr(value: &str) -> bool {
    value.contains('\r')
        && value
            .split('\n')
            .any(|line| line.strip_suffix('\r').unwrap_or(line).contains('\r'))
}

/// What RFC 3261 section 8.1.1 demands of every message.
fn check(headers: &Headers, method: Option<&Method>) -> Result<(), Fault> {
    for name in ["From", "To", "Call-ID", "CSeq"] {
        match headers.count(name) {
            1 => {}
            0 => return Err(("From, To, Call-ID or CSeq is missing", 400)),
            _ => return Err(("From, To, Call-ID or CSeq is there twice", 400)),
        }
    }
    let call_id = headers.get("Call-ID").unwrap_or("");
    if call_id.is_empty() || call_id.bytes().any(|byte| byte <= b' ') {
        return Err(("Call-ID is empty or has spaces", 400));
    }
    let cseq = headers.get("CSeq").and_then(CSeq::parse);
    let cseq = cseq.ok_or(("CSeq is unreadable", 400))?;
    if method.is_some_and(|method| *method != cseq.method) {
        return Err(("CSeq names another method", 400));
    }
    if !headers.get("From").is_some_and(is_name_addr) {
        return Err(("From is unreadable", 400));
    }
    if !headers.get("To").is_some_and(is_name_addr) {
        return Err(("To is unreadable", 400));
    }
    headers
        .first("Via")
        .and_then(Via::parse)
        .ok_or(("Via is missing or unreadable", 400))?;
    // of a response, which cannot be answered, more is forgiven
    if method.is_some() {
        match headers.count("Max-Forwards") {
            0 => {}
            1 if headers.max_forwards().is_some() => {}
            _ => return Err(("Max-Forwards is not one number within 0 to 255", 400)),
        }
        if !headers
            .all("Contact")
            .all(|contact| contact == "*" || is_name_addr(contact))
        {
            return Err(("Contact is unreadable", 400));
        }
    }
    Ok(())
}

/// The body's length out of the `there` bytes after the headers.
fn body_len(headers: &Headers, there: usize) -> Result<usize, Fault> {
    match told_length(headers)? {
        Some(told) if told > there => Err(("the body is shorter than Content-Length", 400)),
        Some(told) => Ok(told),
        None => Ok(there),
    }
}

/// What `Content-Length` says.
fn told_length(headers: &Headers) -> Result<Option<usize>, Fault> {
    let mut length = None;
    for value in headers.all("Content-Length") {
        let told = number::<u32>(value).ok_or(("Content-Length is not a number", 400))?;
        if length.is_some_and(|before| before != told) {
            return Err(("Content-Length contradicts itself", 400));
        }
        length = Some(told);
    }
    Ok(length.map(|told| told as usize))
}
