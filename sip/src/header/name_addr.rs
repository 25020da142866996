//! From, To, Route, Record-Route, Path, Refer-To, Referred-By, P-Asserted-Identity: a name, a URI
//! and parameters (RFC 3261 section 20.10 and 25.1 `name-addr` / `addr-spec`).

use super::{
    grammar::{find_bare, has_line_end, is_token_byte, push_quoted, quoted_len, unquote},
    params::{Params, is_params},
};
use crate::uri::Uri;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name without quotes and backslashes; empty when there is none.
    pub name: String,
    pub uri: Uri,
    /// Header parameters: `tag` and others.
    pub params: Params,
}

impl NameAddr {
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self {
            name: String::new(),
            uri,
            params: Params::new(),
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, uri, params) = split(text)?;
        Some(Self {
            name: unquote(name),
            uri: uri.parse().ok()?,
            params: Params::parse(params)?,
        })
    }

    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", tag);
        self
    }
}

/// Display name as written, URI, parameters.
pub(super) fn split(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim_ascii();
    // values of parsed messages are on one line; a page's input may not be
    if has_line_end(text) {
        return None;
    }
    if let Some(open) = find_bare(text, b'<', false) {
        let name = text[..open].trim_ascii();
        if name.starts_with('"') {
            if quoted_len(name) != Some(name.len()) {
                return None;
            }
        } else if !name.bytes().all(is_name_byte) {
            return None;
        }
        let rest = &text[open + 1..];
        let close = rest.find('>')?;
        // `<sip:a@b >` and `< sip:a@b>` (RFC 4475 section 3.1.2.14) do not name anyone
        return Some((name, &rest[..close], &rest[close + 1..]));
    }
    // without brackets every parameter is the header's, and the URI has neither `?` nor `,`
    // (RFC 3261 section 20)
    let end = text.find(';').unwrap_or(text.len());
    let uri = text[..end].trim_ascii_end();
    if uri.bytes().any(|byte| matches!(byte, b'?' | b',' | b'"')) {
        return None;
    }
    Some(("", uri, &text[end..]))
}

/// Is it readable? The same verdict as [`NameAddr::parse`] without copying anything.
pub(crate) fn is_name_addr(text: &str) -> bool {
    split(text)
        .is_some_and(|(_, uri, params)| crate::uri::is_uri(uri) && is_params(params.trim_ascii()))
}

/// Unquoted names are tokens and spaces by the grammar. Dots, slashes, non-ASCII letters and the
/// like are taken as well (RFC 4475 section 3.1.2.15 leaves it open), what delimits is not.
const fn is_name_byte(byte: u8) -> bool {
    is_token_byte(byte)
        || !byte.is_ascii()
        || matches!(
            byte,
            b' ' | b'\t' | b'/' | b'(' | b')' | b'#' | b'&' | b'$' | b'^' | b'|'
        )
}

impl std::fmt::Display for NameAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.name.is_empty() {
            let mut name = String::with_capacity(self.name.len() + 3);
            push_quoted(&mut name, &self.name);
            name.push(' ');
            f.write_str(&name)?;
        }
        f.write_str("<")?;
        self.uri.fmt(f)?;
        f.write_str(">")?;
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doctor_with_a_comma_in_her_name() {
        let text = r#""Petrova, \"Anna\"" <sip:2@clinic.example;transport=ws>;tag=9x"#;
        let from = NameAddr::parse(text).unwrap();
        assert_eq!(from.name, "Petrova, \"Anna\"");
        assert_eq!(from.uri.param("transport"), Some("ws"));
        assert_eq!(from.tag(), Some("9x"));
        assert_eq!(from.to_string(), text);
    }

    #[test]
    fn without_brackets_the_parameters_are_the_headers() {
        let to = NameAddr::parse("sip:3@clinic.example;tag=abc").unwrap();
        assert_eq!(to.tag(), Some("abc"));
        assert_eq!(to.to_string(), "<sip:3@clinic.example>;tag=abc");
    }

    #[test]
    fn names_may_be_bare_and_empty() {
        for (text, name) in [
            ("Anna Petrova<sip:a@b>", "Anna Petrova"),
            ("<sip:a@b>", ""),
            ("\"\" <sip:a@b>", ""),
            ("Dr. Анна <sip:a@b>", "Dr. Анна"),
        ] {
            assert_eq!(NameAddr::parse(text).unwrap().name, name, "{text}");
        }
    }

    #[test]
    fn the_quick_verdict_is_the_slow_one() {
        for (text, good) in [
            ("<sip:a@b>;tag=1", true),
            ("sip:a@b?x=y", false),
            ("\"open <sip:a@b>", false),
            ("a\"b <sip:a@b>", false),
            ("<sip:a@b", false),
            ("<sip:a@b>tag=1", false),
            ("a, b <sip:a@b>", false),
            ("", false),
            ("*", false),
        ] {
            assert_eq!(NameAddr::parse(text).is_some(), good, "{text}");
            assert_eq!(is_name_addr(text), good, "{text}");
        }
    }

    #[test]
    fn a_tag_is_set_once() {
        let to = NameAddr::new(Uri::sip("2", "clinic.example"))
            .with_tag("a")
            .with_tag("b");
        assert_eq!(to.to_string(), "<sip:2@clinic.example>;tag=b");
    }
}
