//! Percent-encoding (RFC 3986 section 2.1).

/// Everything but unreserved characters: fit for a form, an address or a header's value, and what
/// JavaScript's `decodeURIComponent` undoes.
pub fn encode_into(out: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(byte.into());
        } else {
            let digit = |four: u8| char::from(DIGITS[usize::from(four & 15)]);
            out.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
}

#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text);
    out
}

/// What is no escape stays as it is. Empty when the result is no UTF-8.
#[must_use]
pub fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|two| str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &tail[2..];
            }
            _ => {
                out.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_comes_back() {
        let text = "{\"why\": \"кашель\"} 100% a-b_c.d~e";
        assert_eq!(decode(&encode(text)), text);
        assert_eq!(encode("a b\r\n"), "a%20b%0D%0A");
        assert_eq!(decode("100%, 5%zz"), "100%, 5%zz");
        assert_eq!(decode("%ff"), "", "no UTF-8");
    }
}
