//! Messages written by hand, as other implementations would write them.

use clinicall_sip::{Headers, Message, Request, Response, Status};

/// A response to a request; `tag` is put on its To when it has none.
pub fn reply(
    request: &Request,
    status: u16,
    tag: &str,
    more: &[(&str, &str)],
    sdp: &str,
) -> Message {
    let mut headers = Headers::new();
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let mut value = request.headers.get(name).unwrap().to_owned();
        if name == "To" && status > 100 && !tag.is_empty() && !value.contains(";tag=") {
            value += &format!(";tag={tag}");
        }
        headers.push(name, value);
    }
    for (name, value) in more {
        headers.push(name, *value);
    }
    if !sdp.is_empty() {
        headers.push("Content-Type", "application/sdp");
    }
    let reason = Status(status).phrase().to_owned();
    Message::Response(Response {
        status: Status(status),
        reason,
        headers,
        body: sdp.into(),
    })
}

/// A message from its text: lines as they stand, the body after an empty one.
pub fn text(lines: &str) -> Vec<u8> {
    let (head, body) = lines
        .trim_start()
        .split_once("\n\n")
        .unwrap_or((lines.trim(), ""));
    let mut out = String::new();
    for line in head.lines() {
        out += line.trim();
        out += "\r\n";
    }
    let body = body.trim();
    out += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    out.into_bytes()
}
