//! CSeq (RFC 3261 section 20.16).

use super::grammar::{is_token, number, split_word};
use crate::message::Method;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31 (RFC 3261 section 8.1.1.5).
    pub number: u32,
    pub method: Method,
}

impl CSeq {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, method) = split_word(text.trim_ascii())?;
        let method = method.trim_ascii_start();
        let number = number(digits).filter(|number| *number < 1 << 31)?;
        is_token(method).then(|| Self {
            number,
            method: Method::named(method),
        })
    }
}

impl std::fmt::Display for CSeq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.number.fmt(f)?;
        f.write_str(" ")?;
        f.write_str(self.method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let cseq = CSeq::parse("0009 \t INVITE").unwrap();
        assert_eq!(
            cseq,
            CSeq {
                number: 9,
                method: Method::Invite
            }
        );
        assert_eq!(cseq.to_string(), "9 INVITE");
    }

    #[test]
    fn malformed_ones_are_refused() {
        for bad in [
            "INVITE",
            "1",
            "-1 INVITE",
            "2147483648 INVITE",
            "36893488147419103232 ACK",
            "1 A B",
        ] {
            assert_eq!(CSeq::parse(bad), None, "{bad}");
        }
    }
}
