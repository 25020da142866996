//! The `;name=value` parameters that follow many header values.

use super::grammar::{find_bare, has_line_end, is_token_byte, quoted_len, unquote};

/// Parameters in order, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params {
    /// Empty, or `;name=value;name...`.
    raw: String,
}

impl Params {
    #[must_use]
    pub const fn new() -> Self {
        Self { raw: String::new() }
    }

    /// Parses what follows the main value: nothing, or semicolon-separated parameters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        is_params(text).then(|| Self {
            raw: text.to_owned(),
        })
    }

    /// Names and raw values (quotes kept) in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        each(&self.raw)
    }

    /// The value without quotes around it; `Some("")` for a parameter without a value. Names
    /// compare without case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        let value = value.unwrap_or("");
        let bare = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        Some(bare.unwrap_or(value))
    }

    /// The value of a quoted string with its backslashes resolved.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(unquote(value.unwrap_or("")))
    }

    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Replaces the parameter's value in its place, or appends it. `value` is written as it is:
    /// quote it where it must be quoted. An empty one leaves only the name.
    pub fn set(&mut self, name: &str, value: &str) {
        let mut raw = String::with_capacity(self.raw.len() + name.len() + value.len() + 2);
        let mut done = false;
        for (n, v) in self.iter() {
            if n.eq_ignore_ascii_case(name) {
                if !done {
                    write(&mut raw, n, Some(value).filter(|value| !value.is_empty()));
                }
                done = true;
            } else {
                write(&mut raw, n, v);
            }
        }
        if !done {
            write(
                &mut raw,
                name,
                Some(value).filter(|value| !value.is_empty()),
            );
        }
        self.raw = raw;
    }

    pub fn remove(&mut self, name: &str) {
        if self.contains(name) {
            let mut raw = String::with_capacity(self.raw.len());
            for (n, v) in self.iter() {
                if !n.eq_ignore_ascii_case(name) {
                    write(&mut raw, n, v);
                }
            }
            self.raw = raw;
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

impl std::fmt::Display for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.raw)
    }
}

fn write(raw: &mut String, name: &str, value: Option<&str>) {
    raw.push(';');
    raw.push_str(name);
    if let Some(value) = value {
        raw.push('=');
        raw.push_str(value);
    }
}

fn each(raw: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = raw.strip_prefix(';');
    std::iter::from_fn(move || {
        let now = rest?;
        let param = match find_bare(now, b';', false) {
            Some(end) => {
                rest = Some(&now[end + 1..]);
                &now[..end]
            }
            None => {
                rest = None;
                now
            }
        };
        Some(match param.split_once('=') {
            Some((name, value)) => (name.trim_ascii(), Some(value.trim_ascii())),
            None => (param.trim_ascii(), None),
        })
    })
}

/// Is this well-formed (RFC 3261 `generic-param`, values taken generously)?
pub(super) fn is_params(text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    text.starts_with(';')
        && !has_line_end(text)
        && each(text).all(|(name, value)| {
            !name.is_empty()
                && name.bytes().all(is_token_byte)
                && value.is_none_or(|value| {
                    if value.starts_with('"') {
                        quoted_len(value) == Some(value.len())
                    } else {
                        !value.is_empty()
                            && !value.bytes().any(|byte| {
                                matches!(byte, b'"' | b',' | b'<' | b'>' | b' ' | b'\t')
                            })
                    }
                })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_whatever_the_spelling() {
        let params = Params::parse(";Tag = a1 ;+sip.instance=\"<urn:uuid:1;2>\";ob").unwrap();
        assert_eq!(params.get("tag"), Some("a1"));
        assert_eq!(params.get("+sip.instance"), Some("<urn:uuid:1;2>"));
        assert_eq!(params.get("ob"), Some(""));
        assert_eq!(params.get("q"), None);
    }

    #[test]
    fn setting_keeps_the_place_and_the_others() {
        let mut params = Params::parse(";branch=z9hG4bK1;rport;alias").unwrap();
        params.set("rport", "5070");
        params.set("received", "192.0.2.1");
        assert_eq!(
            params.to_string(),
            ";branch=z9hG4bK1;rport=5070;alias;received=192.0.2.1"
        );
        params.remove("ALIAS");
        assert!(!params.contains("alias"));
    }

    #[test]
    fn malformed_ones_are_refused() {
        for bad in [
            "tag=1",
            ";",
            ";tag=",
            ";=1",
            ";a=\"open",
            ";a=b c",
            ";a b=c",
        ] {
            assert_eq!(Params::parse(bad), None, "{bad}");
        }
    }
}
