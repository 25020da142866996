//! Expires, Min-Expires (RFC 3261 sections 20.19 and 20.23) and Min-SE (RFC 4028 section 5): a
//! number of seconds.

use super::grammar::number;
use crate::message::Headers;

impl Headers {
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        seconds(self.get("Expires")?)
    }

    #[must_use]
    pub fn min_expires(&self) -> Option<u32> {
        seconds(self.get("Min-Expires")?)
    }

    /// Parameters, which RFC 4028 allows without naming any, are ignored.
    #[must_use]
    pub fn min_se(&self) -> Option<u32> {
        seconds(self.get("Min-SE")?)
    }
}

/// Up to 2^32-1; a larger number is that (RFC 4475 section 3.1.2.4 has 10^20 in Expires).
pub(super) fn seconds(text: &str) -> Option<u32> {
    let digits = text.split(';').next().unwrap_or("").trim_ascii();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(number(digits).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_and_capped() {
        let mut headers = Headers::new();
        headers.push("Expires", "0600");
        headers.push("Min-Expires", "10000000000000000000");
        headers.push("min-se", "120 ;x=y");
        assert_eq!(headers.expires(), Some(600));
        assert_eq!(headers.min_expires(), Some(u32::MAX));
        assert_eq!(headers.min_se(), Some(120));
        assert_eq!(seconds("-1"), None);
        assert_eq!(seconds("Thu, 01 Jan"), None);
    }
}
