//! Retry-After (RFC 3261 section 20.33).

use super::grammar::{find_bare, number};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// Seconds.
    pub seconds: u32,
}

impl RetryAfter {
    /// The comment and the `duration` parameter, which nobody acts upon, are dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let end = find_bare(text, b';', false).unwrap_or(text.len());
        let digits = text[..end].split('(').next()?.trim_ascii();
        Some(Self {
            seconds: number(digits)?,
        })
    }
}

impl std::fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.seconds.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doctor_is_in_a_meeting() {
        for text in [
            "120",
            "120;duration=60",
            "120 (I'm in a meeting)",
            "120(now);duration=9",
        ] {
            assert_eq!(
                RetryAfter::parse(text).unwrap().to_string(),
                "120",
                "{text}"
            );
        }
        assert_eq!(RetryAfter::parse("tomorrow"), None);
    }
}
