//! Just enough JSON (RFC 8259): one object's members, strings both ways, and a check of what is
//! passed on unread.
//!
//! A body is never turned into values: a number that JavaScript could not hold survives, the
//! order of members survives, and the browser loads no second JSON library beside its own.

/// How deep arrays and objects may lie in each other; deeper is refused, not followed.
const MAX_DEPTH: usize = 64;

/// Not JSON, or not the JSON that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON")]
pub struct BadJson;

/// The members of an object, name and raw value, each value checked.
pub fn members(text: &str) -> Result<Vec<(String, &str)>, BadJson> {
    let mut scan = Scan { text, at: 0 };
    let mut members = Vec::new();
    scan.expect(b'{')?;
    if !scan.takes(b'}') {
        loop {
            scan.space();
            let name = scan.raw_string()?;
            scan.expect(b':')?;
            members.push((string(name)?, scan.value()?));
            if !scan.takes(b',') {
                break;
            }
        }
        scan.expect(b'}')?;
    }
    scan.end()?;
    Ok(members)
}

/// The elements of an array, raw.
pub fn elements(text: &str) -> Result<Vec<&str>, BadJson> {
    let mut scan = Scan { text, at: 0 };
    let mut elements = Vec::new();
    scan.expect(b'[')?;
    if !scan.takes(b']') {
        loop {
            elements.push(scan.value()?);
            if !scan.takes(b',') {
                break;
            }
        }
        scan.expect(b']')?;
    }
    scan.end()?;
    Ok(elements)
}

/// One value and nothing else, space around it aside.
#[must_use]
pub fn is_value(text: &str) -> bool {
    let mut scan = Scan { text, at: 0 };
    scan.value().is_ok() && scan.end().is_ok()
}

/// The text that a raw JSON string stands for.
pub fn string(raw: &str) -> Result<String, BadJson> {
    let inner = raw
        .strip_prefix('"')
        .and_then(|raw| raw.strip_suffix('"'))
        .ok_or(BadJson)?;
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).ok_or(BadJson)?;
        rest = &rest[at + 2..];
        out.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => unescape(&mut rest)?,
            escape => char::from(*escape),
        });
    }
    out.push_str(rest);
    Ok(out)
}

/// After `\u`. A surrogate without its partner is no character and becomes U+FFFD.
fn unescape(rest: &mut &str) -> Result<char, BadJson> {
    let unit = |text: &str| {
        let digits = text.get(..4).ok_or(BadJson)?;
        u32::from_str_radix(digits, 16).map_err(|_| BadJson)
    };
    let high = unit(rest)?;
    *rest = &rest[4..];
    if (0xd800..0xdc00).contains(&high)
        && let Some(next) = rest.strip_prefix("\\u")
        && let Ok(low @ 0xdc00..0xe000) = unit(next)
    {
        *rest = &next[4..];
        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// Adds `text` as a JSON string.
pub fn write_string(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // U+2028 and U+2029 end a line in scripts of before 2019
            '\0'..' ' | '\u{2028}' | '\u{2029}' => {
                out.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    out.push(char::from(HEX[(char as usize >> shift) & 15]));
                }
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Result<(), BadJson> {
        self.takes(byte).then_some(()).ok_or(BadJson)
    }

    fn end(&mut self) -> Result<(), BadJson> {
        self.space();
        (self.at == self.text.len()).then_some(()).ok_or(BadJson)
    }

    /// Passes over one value. No recursion: a peer decides how deep it goes.
    fn value(&mut self) -> Result<&'a str, BadJson> {
        self.space();
        let start = self.at;
        // true: inside an object
        let mut open = [false; MAX_DEPTH];
        let mut depth = 0;
        loop {
            self.space();
            match self.peek().ok_or(BadJson)? {
                opening @ (b'{' | b'[') => {
                    let object = opening == b'{';
                    self.at += 1;
                    if !self.takes(if object { b'}' } else { b']' }) {
                        *open.get_mut(depth).ok_or(BadJson)? = object;
                        depth += 1;
                        if object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                b'"' => drop(self.raw_string()?),
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                _ => self.number()?,
            }
            // a value is complete: what does that close?
            loop {
                if depth == 0 {
                    return Ok(&self.text[start..self.at]);
                }
                let object = open[depth - 1];
                if self.takes(b',') {
                    if object {
                        self.name()?;
                    }
                    break;
                }
                self.expect(if object { b'}' } else { b']' })?;
                depth -= 1;
            }
        }
    }

    fn name(&mut self) -> Result<(), BadJson> {
        self.space();
        self.raw_string()?;
        self.expect(b':')
    }

    fn literal(&mut self, word: &str) -> Result<(), BadJson> {
        let there = self.text[self.at..].starts_with(word);
        self.at += word.len();
        there.then_some(()).ok_or(BadJson)
    }

    fn raw_string(&mut self) -> Result<&'a str, BadJson> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(BadJson);
        }
        self.at += 1;
        loop {
            match self.peek().ok_or(BadJson)? {
                b'"' => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at]);
                }
                b'\\' => {
                    self.at += 1;
                    match self.peek().ok_or(BadJson)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
                            if !digits.ok_or(BadJson)?.iter().all(u8::is_ascii_hexdigit) {
                                return Err(BadJson);
                            }
                            self.at += 5;
                        }
                        _ => return Err(BadJson),
                    }
                }
                0..b' ' => return Err(BadJson),
                _ => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Result<(), BadJson> {
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), BadJson> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(()).ok_or(BadJson)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_object_is_read_member_by_member() {
        let text = r#" { "do" : "publish", "data":{"a":[1,{"b":null}]} ,"id":7}"#;
        let members = members(text).unwrap();
        let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["do", "data", "id"]);
        assert_eq!(members[1].1, r#"{"a":[1,{"b":null}]}"#);
        assert_eq!(elements("[1, \"a\" ,[]]").unwrap(), ["1", "\"a\"", "[]"]);
        assert_eq!(elements("[ ]").unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for bad in [
            "",
            "{",
            "{}}",
            "{]",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{,}",
            "01",
            "-",
            "1.",
            "1e",
            "tru",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "\"",
            "nul",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "'a'",
        ] {
            assert!(!is_value(bad), "{bad}");
        }
        assert!(!is_value(&"[".repeat(100_000)), "depth is bounded");
        assert!(!is_value(&("[".repeat(65) + "1" + &"]".repeat(65))));
        assert!(is_value(&("[".repeat(64) + "1" + &"]".repeat(64))));
    }

    #[test]
    fn strings_in_every_disguise() {
        assert_eq!(string(r#""\u0041\n\/\ud83d\ude00""#).unwrap(), "A\n/😀");
        assert_eq!(string(r#""\ud83d!""#).unwrap(), "\u{fffd}!");
    }

    proptest! {
        #[test]
        fn agrees_with_the_library_on_what_is_json(text in r#"[\[\]{}:,"\\ 0-9eE.+\-tfnul\x01a]{0,24}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            // the library gives up where a number is too large for a double or a surrogate is alone
            match theirs {
                Ok(_) => prop_assert!(is_value(&text), "{text}"),
                Err(error) if error.to_string().contains("out of range") => {}
                Err(error) if error.to_string().contains("surrogate") => {}
                Err(_) => prop_assert!(!is_value(&text), "{text}"),
            }
        }

        #[test]
        fn a_string_survives(text in "\\PC*|[\\x00-\\x7f]*") {
            let mut raw = String::new();
            write_string(&mut raw, &text);
            prop_assert_eq!(string(&raw).unwrap(), text.clone());
            prop_assert_eq!(serde_json::from_str::<String>(&raw).unwrap(), text);
        }
    }
}
