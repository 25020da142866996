//! Session-Expires (RFC 4028 section 4).

use super::{Params, seconds::seconds};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds.
    pub interval: u32,
    pub refresher: Option<Refresher>,
}

/// Who refreshes, in the roles of the transaction that carries the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    Uac,
    Uas,
}

impl SessionExpires {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (interval, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let params = Params::parse(params)?;
        let refresher = match params.get("refresher") {
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(Self {
            interval: seconds(interval)?,
            refresher,
        })
    }
}

impl std::fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.interval.fmt(f)?;
        f.write_str(match self.refresher {
            None => "",
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freeswitch_asks_us_to_refresh() {
        let text = "120;refresher=uac";
        let told = SessionExpires::parse(text).unwrap();
        assert_eq!(told.interval, 120);
        assert_eq!(told.refresher, Some(Refresher::Uac));
        assert_eq!(told.to_string(), text);
    }

    #[test]
    fn without_a_refresher() {
        let told = SessionExpires::parse("90 ; x=1").unwrap();
        assert_eq!(told.to_string(), "90");
        assert_eq!(SessionExpires::parse("soon"), None);
    }
}
