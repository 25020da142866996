//! RSeq and RAck (RFC 3262 section 7).

use super::{
    CSeq,
    grammar::{number, split_word},
};

/// Which reliable provisional response a PRACK acknowledges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    pub rseq: u32,
    pub cseq: CSeq,
}

/// An RSeq's number.
#[must_use]
pub fn parse_rseq(text: &str) -> Option<u32> {
    number(text)
}

impl RAck {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rseq, cseq) = split_word(text.trim_ascii())?;
        Some(Self {
            rseq: number(rseq)?,
            cseq: CSeq::parse(cseq)?,
        })
    }
}

impl std::fmt::Display for RAck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.rseq.fmt(f)?;
        f.write_str(" ")?;
        self.cseq.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    #[test]
    fn there_and_back() {
        let rack = RAck::parse("776656  1 INVITE").unwrap();
        assert_eq!(rack.rseq, 776_656);
        assert_eq!(rack.cseq.method, Method::Invite);
        assert_eq!(rack.to_string(), "776656 1 INVITE");
        assert_eq!(RAck::parse("776656 INVITE"), None);
        assert_eq!(parse_rseq("988789"), Some(988_789));
        assert_eq!(parse_rseq("-1"), None);
    }
}
