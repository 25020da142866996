//! The few header values that are read for every message, taken apart where they stand.
//!
//! The typed views of [`crate::header`] build a URI to tell a tag; finding a transaction or a dialog
//! needs neither the URI nor a copy.

use crate::{
    header::grammar,
    message::{Headers, Method},
    uri::Uri,
};

/// Where a value's `;name=value` parameters begin: after `>`, or at the first `;` outside quotes.
fn split(value: &str) -> (&str, &str) {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !angle => quoted = !quoted,
            _ if quoted => {}
            b'<' => angle = true,
            b'>' => angle = false,
            b';' if !angle => return value.split_at(at),
            _ => {}
        }
    }
    (value, "")
}

/// One parameter of a header value; `Some("")` for one without a value. Quotes are taken off.
pub(super) fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = split(value).1;
    while let Some(stripped) = rest.strip_prefix(';') {
        let (field, after) = match split_quoted(stripped) {
            Some(at) => stripped.split_at(at),
            None => (stripped, ""),
        };
        rest = after;
        let (key, text) = field.split_once('=').unwrap_or((field, ""));
        if key.trim_ascii().eq_ignore_ascii_case(name) {
            return Some(grammar::bare(text.trim_ascii(), '"', '"'));
        }
    }
    None
}

/// The next `;` outside quotes.
fn split_quoted(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.bytes().position(|byte| {
        if byte == b'"' {
            quoted = !quoted;
        }
        byte == b';' && !quoted
    })
}

/// The URI of a name-addr or addr-spec (From, To, Contact, Route).
pub(super) fn uri(value: &str) -> Option<Uri> {
    let head = split(value).0;
    let last = |wanted: u8| head.bytes().rposition(|byte| byte == wanted);
    let text = match (last(b'<'), last(b'>')) {
        (Some(open), Some(close)) if open < close => &head[open + 1..close],
        (None, None) => head.trim_ascii(),
        _ => return None,
    };
    text.parse().ok()
}

/// The tag of a From or To; `None` when it has none.
pub(super) fn tag<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    param(headers.get(name)?, "tag").filter(|tag| !tag.is_empty())
}

/// The number of CSeq.
pub(super) fn seq(headers: &Headers) -> Option<u32> {
    headers.cseq().map(|cseq| cseq.number)
}

/// Via: its sent-by and branch.
pub(super) fn via(value: &str) -> Option<(&str, &str)> {
    let (head, _) = split(value);
    let sent_by = grammar::last_word(head);
    let branch = param(value, "branch").unwrap_or("");
    (!sent_by.is_empty()).then_some((sent_by, branch))
}

/// The number at the start of a value: `Retry-After: 5 (busy)`, `Session-Expires: 90;refresher=uac`.
pub(super) fn number(headers: &Headers, name: &str) -> Option<u64> {
    let value = headers.get(name)?;
    let end = value
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(value.len());
    grammar::number(&value[..end])
}

/// The session description a message carries, if it carries one.
pub(super) fn description(headers: &Headers, body: &[u8]) -> Option<String> {
    if body.is_empty() || !is_description(headers) {
        return None;
    }
    std::str::from_utf8(body).ok().map(str::to_owned)
}

/// Whether the body, if any, is one we read: `application/sdp`, unencoded.
pub(super) fn is_description(headers: &Headers) -> bool {
    let plain = headers
        .get("Content-Encoding")
        .is_none_or(|coding| coding.eq_ignore_ascii_case("identity"));
    plain && headers.content_type().is_none_or(|kind| kind.is_sdp())
}

/// Reason (RFC 3326): the SIP status and the text of the first value.
pub(super) fn reason(headers: &Headers) -> Option<(Option<u16>, String)> {
    let reason = headers.reasons().into_iter().next()?;
    let is_sip = reason.protocol.eq_ignore_ascii_case("SIP");
    Some((reason.cause.filter(|_| is_sip), reason.text))
}

/// Whether the method of a request is one that the agent knows (and lists in Allow).
pub(super) fn is_known(method: &Method) -> bool {
    !matches!(method, Method::Other(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_behind_quoted_names_and_uris() {
        let value = r#""Dr; \"Who\";tag=no" <sip:who@a.example;tag=no>;x="a;tag=no";tag=yes"#;
        assert_eq!(param(value, "tag"), Some("yes"));
        assert_eq!(param("<sip:a@b;lr>;ob", "ob"), Some(""));
        assert_eq!(param("<sip:a@b;lr>;ob", "lr"), None);
        assert_eq!(param("sip:a@b;tag=1", "TAG"), Some("1"));
    }

    #[test]
    fn a_via_gives_its_sender_and_branch() {
        let value = "SIP/2.0/WS x.invalid;branch=z9hG4bKa;rport";
        assert_eq!(via(value), Some(("x.invalid", "z9hG4bKa")));
        assert_eq!(via("SIP / 2.0 / UDP [::1]:5060"), Some(("[::1]:5060", "")));
    }

    #[test]
    fn hostile_values_give_nothing() {
        assert_eq!(param("\"", "tag"), None);
        assert_eq!(uri(">a<"), None);
        let mut headers = Headers::new();
        headers.push("CSeq", "4294967297 INVITE");
        assert_eq!(seq(&headers), None);
    }
}
