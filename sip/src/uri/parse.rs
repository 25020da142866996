//! Reading URIs, and the escapes of the user part.

use std::borrow::Cow;

use super::{BadUri, Uri};

/// The parts of a URI as written.
struct Parts<'a> {
    scheme: &'a str,
    user: &'a str,
    password: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    /// Without the first semicolon; `None` when there is none.
    params: Option<&'a str>,
    headers: Option<&'a str>,
}

impl std::str::FromStr for Uri {
    type Err = BadUri;

    fn from_str(text: &str) -> Result<Self, BadUri> {
        let bad = || BadUri(text.to_owned());
        let parts = split(text).ok_or_else(bad)?;
        let user = unescape(parts.user).ok_or_else(bad)?.into_owned();
        let scheme = parts.scheme.to_ascii_lowercase();
        let host = if is_sip(&scheme) {
            parts.host.to_ascii_lowercase()
        } else {
            parts.host.to_owned()
        };
        let params = parts.params.map_or_else(Vec::new, |params| {
            each_param(params)
                .map(|(name, value)| (name.to_ascii_lowercase(), value.map(str::to_owned)))
                .collect()
        });
        Ok(Self {
            scheme,
            user,
            password: parts.password.map(str::to_owned),
            host,
            port: parts.port,
            params,
            headers: parts.headers.map(str::to_owned),
        })
    }
}

/// The same verdict as parsing, without copying.
pub(crate) fn is_uri(text: &str) -> bool {
    split(text).is_some_and(|parts| unescape(parts.user).is_some())
}

fn is_sip(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips")
}

fn split(text: &str) -> Option<Parts<'_>> {
    // no URI has white space, controls, quotes or angle brackets anywhere
    if text
        .bytes()
        .any(|b| b <= b' ' || matches!(b, b'<' | b'>' | b'"' | 0x7f))
    {
        return None;
    }
    let (scheme, rest) = text.split_once(':')?;
    let scheme_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(scheme_byte) {
        return None;
    }
    let mut parts = Parts {
        scheme,
        user: "",
        password: None,
        host: rest,
        port: None,
        params: None,
        headers: None,
    };
    if !is_sip(scheme) {
        return (!rest.is_empty()).then_some(parts);
    }
    // neither host, parameters nor headers may hold an unescaped `@`, so the first one ends the
    // user part (which may hold `;` and `?`, RFC 4475 section 3.1.1.8), and a second is an error
    let mut rest = rest;
    if let Some((userinfo, after)) = rest.split_once('@') {
        if after.contains('@') {
            return None;
        }
        let (user, password) = match userinfo.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (userinfo, None),
        };
        if user.is_empty() || !user.bytes().all(is_user_byte) {
            return None;
        }
        parts.user = user;
        parts.password = password;
        rest = after;
    }
    if let Some((before, headers)) = rest.split_once('?') {
        parts.headers = Some(headers);
        rest = before;
    }
    if let Some((before, params)) = rest.split_once(';') {
        if !are_params(params) {
            return None;
        }
        parts.params = Some(params);
        rest = before;
    }
    let host_end = if rest.starts_with('[') {
        rest.find(']')? + 1
    } else {
        rest.find(':').unwrap_or(rest.len())
    };
    let (host, port) = rest.split_at(host_end);
    parts.port = match port.strip_prefix(':') {
        Some(port) => Some(crate::header::grammar::number(port)?),
        None if port.is_empty() => None,
        None => return None,
    };
    parts.host = host;
    is_host(host).then_some(parts)
}

/// More parameters than anybody writes; it keeps the search for doubles short.
const MAX_PARAMS: usize = 64;

/// No empty names or values, and no name twice (RFC 3261 section 19.1.1): two readers would pick
/// different ones.
fn are_params(params: &str) -> bool {
    each_param(params).enumerate().all(|(at, (name, value))| {
        let mut before = each_param(params).take(at);
        at < MAX_PARAMS
            && !name.is_empty()
            && value != Some("")
            && !before.any(|(other, _)| other.eq_ignore_ascii_case(name))
    })
}

fn each_param(params: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    params.split(';').map(|param| match param.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (param, None),
    })
}

/// A host name, an IPv4 address, or an IPv6 address in brackets. Underscores, which names must not
/// have, are common in container networks and taken.
pub(crate) fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']').is_some_and(|v6| {
            !v6.is_empty()
                && v6
                    .bytes()
                    .all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.')
        }),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
    }
}

/// What a user part may hold: `unreserved`, `user-unreserved`, escapes; and non-ASCII letters and
/// `#`, `[`, `]`, `|`, `^`, which the grammar forbids and telephones send.
const fn is_user_byte(byte: u8) -> bool {
    needs_no_escape(byte)
        || !byte.is_ascii()
        || matches!(byte, b'%' | b'#' | b'[' | b']' | b'|' | b'^')
}

const fn needs_no_escape(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'_'
                | b'.'
                | b'!'
                | b'~'
                | b'*'
                | b'\''
                | b'('
                | b')'
                | b'&'
                | b'='
                | b'+'
                | b'$'
                | b','
                | b';'
                | b'?'
                | b'/'
        )
}

/// `None` when an escape is broken or the result is not UTF-8.
fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
            let (high, low) = (digit(at + 1)?, digit(at + 2)?);
            plain.push((high * 16 + low) as u8);
            at += 3;
        } else {
            plain.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(plain).ok().map(Cow::Owned)
}

pub(super) fn escape_user(user: &str) -> Cow<'_, str> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if user.bytes().all(needs_no_escape) {
        return Cow::Borrowed(user);
    }
    let mut escaped = String::with_capacity(user.len() + 8);
    for byte in user.bytes() {
        if needs_no_escape(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push(char::from(HEX[usize::from(byte >> 4)]));
            escaped.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn every_part_of_a_uri_is_found_and_printed() {
        let text = "sips:doctor%20who:pw@clinic.example:5061;transport=ws;lr?subject=visit";
        let it = uri(text);
        assert_eq!(
            (it.scheme.as_str(), it.user.as_str()),
            ("sips", "doctor who")
        );
        assert_eq!(it.password.as_deref(), Some("pw"));
        assert_eq!((it.host.as_str(), it.port), ("clinic.example", Some(5061)));
        assert_eq!(
            (it.param("TRANSPORT"), it.param("lr")),
            (Some("ws"), Some(""))
        );
        assert_eq!(it.headers.as_deref(), Some("subject=visit"));
        assert_eq!(it.to_string(), text);
    }

    #[test]
    fn users_of_any_letters_are_escaped() {
        let it = Uri::sip("Анна @ home", "Clinic.Example");
        let text = "sip:%D0%90%D0%BD%D0%BD%D0%B0%20%40%20home@clinic.example";
        assert_eq!(it.to_string(), text);
        assert_eq!(uri(text), it);
    }

    #[test]
    fn rfc_3261_section_19_1_4_examples() {
        for (one, other) in [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
            ),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:carol@chicago.com;security=on",
                "sip:carol@chicago.com;newparam=5",
            ),
        ] {
            assert!(
                uri(one).same_as(&uri(other)) && uri(other).same_as(&uri(one)),
                "{one}"
            );
        }
        for (one, other) in [
            (
                "SIP:ALICE@AtLanTa.CoM;Transport=udp",
                "sip:alice@AtLanTa.CoM;Transport=UDP",
            ),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@192.0.2.4"),
            (
                "sip:carol@chicago.com;security=on",
                "sip:carol@chicago.com;security=off",
            ),
            ("sip:alice@atlanta.com", "sips:alice@atlanta.com"),
        ] {
            assert!(
                !uri(one).same_as(&uri(other)) && !uri(other).same_as(&uri(one)),
                "{one}"
            );
        }
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        let many = format!("sip:a@b{}", ";x".repeat(65));
        for bad in [
            "",
            "sip:",
            "sip",
            ":a",
            "sip:@b",
            "sip:a@",
            "sip:a@b@c",
            "sip:a@b:",
            "sip:a@b:65536",
            "sip:a@b;",
            "sip:a@b;=1",
            "sip:a@b;x=",
            "sip:a@b;x=1;X=2",
            "sip:a@[::1",
            "sip:a@b c",
            "sip:a@b>",
            "sip:%4@b",
            "sip:%ff@b",
            "sip:a\n@b",
            "1sip:a",
            &many,
        ] {
            assert!(bad.parse::<Uri>().is_err(), "{bad}");
            assert!(!is_uri(bad), "{bad}");
        }
    }

    #[test]
    fn other_schemes_are_kept_whole() {
        let tel = uri("TEL:+7-495;phone-context=ru");
        assert_eq!(
            (tel.scheme.as_str(), tel.host.as_str()),
            ("tel", "+7-495;phone-context=ru")
        );
        assert_eq!(tel.to_string(), "tel:+7-495;phone-context=ru");
    }
}
