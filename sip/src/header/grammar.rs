//! The pieces of RFC 3261 section 25 that most headers share.

/// A character of `token`.
#[must_use]
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Would this text break out of its line?
#[must_use]
pub fn has_line_end(text: &str) -> bool {
    text.bytes().any(|byte| byte == b'\r' || byte == b'\n')
}

/// The whole text as a decimal number: digits only, no sign. `None` when `T` cannot hold it.
#[must_use]
pub fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    decimal(text)?.try_into().ok()
}

// One reader for numbers of all widths.
fn decimal(text: &str) -> Option<u64> {
    const ROOM_FOR_A_DIGIT: u64 = (u64::MAX - 9) / 10;
    let add = |sum: u64, byte: u8| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9 && sum <= ROOM_FOR_A_DIGIT).then(|| sum * 10 + u64::from(digit))
    };
    text.bytes().try_fold(0, add).filter(|_| !text.is_empty())
}

/// The first word, and what follows the white space behind it.
#[must_use]
pub fn split_word(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| matches!(byte, b' ' | b'\t'))?;
    Some((&text[..at], &text[at + 1..]))
}

/// What follows the last white space.
#[must_use]
pub fn last_word(text: &str) -> &str {
    let space = text.bytes().rposition(|byte| matches!(byte, b' ' | b'\t'));
    &text[space.map_or(0, |at| at + 1)..]
}

/// The text without these two around it, each taken off where it stands.
#[must_use]
pub fn bare(text: &str, open: char, close: char) -> &str {
    let text = text.strip_prefix(open).unwrap_or(text);
    text.strip_suffix(close).unwrap_or(text)
}

/// Where `wanted` first stands outside of quoted strings and, when `angles`, outside of `<...>`.
#[must_use]
pub fn find_bare(text: &str, wanted: u8, angles: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut in_angles = false;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == wanted && !in_angles {
            return Some(at);
        }
        match byte {
            b'"' if !in_angles => at += quoted_len(&text[at..])?.saturating_sub(1),
            b'<' if angles => in_angles = true,
            b'>' if angles => in_angles = false,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The length of the quoted string at the start of `text`, quotes included; `None` when it never
/// closes.
#[must_use]
pub fn quoted_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// The elements of a comma-separated list, trimmed, empty ones left out. Commas within quoted
/// strings and angle brackets belong to their element.
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        loop {
            let now = rest?;
            let element = match find_bare(now, b',', true) {
                Some(comma) => {
                    rest = Some(&now[comma + 1..]);
                    &now[..comma]
                }
                None => {
                    rest = None;
                    now
                }
            }
            .trim_ascii();
            if !element.is_empty() {
                return Some(element);
            }
        }
    })
}

/// The text of a quoted string: without its quotes and backslashes. Anything else is returned as
/// it is.
#[must_use]
pub fn unquote(text: &str) -> String {
    if quoted_len(text) != Some(text.len()) {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text[1..text.len() - 1].chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' {
            chars.next().unwrap_or(c)
        } else {
            c
        });
    }
    plain
}

/// Appends `text` as a quoted string.
pub fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\r' | '\n' => out.push(' '),
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        let list = r#""Petrova, Anna \"dr\"" <sip:a@clinic.example;x="1,2">;q=1 , ,<sip:b,c@d>"#;
        let elements: Vec<_> = split_list(list).collect();
        assert_eq!(
            elements,
            [
                r#""Petrova, Anna \"dr\"" <sip:a@clinic.example;x="1,2">;q=1"#,
                "<sip:b,c@d>"
            ]
        );
    }

    #[test]
    fn an_open_quote_takes_the_rest() {
        assert_eq!(split_list("\"open, <sip:a@b>").count(), 1);
        assert_eq!(quoted_len("\"a\\"), None);
    }

    #[test]
    fn quoting_there_and_back() {
        let mut out = String::new();
        push_quoted(&mut out, "a \"b\" \\ c");
        assert_eq!(out, r#""a \"b\" \\ c""#);
        assert_eq!(unquote(&out), "a \"b\" \\ c");
        assert_eq!(unquote("token"), "token");
    }

    #[test]
    fn numbers_have_no_sign() {
        assert_eq!(number("007"), Some(7_u8));
        assert_eq!(number::<u32>("+7"), None);
        assert_eq!(number::<u32>(""), None);
        assert_eq!(number::<u32>("4294967296"), None);
        assert_eq!(number("18446744073709551599"), Some(u64::MAX - 16));
        assert_eq!(number::<u64>("99999999999999999999"), None);
    }
}
