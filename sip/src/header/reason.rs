//! Reason (RFC 3326): why a request was sent.

use super::{
    Params,
    grammar::{is_token, number, push_quoted},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850`, ... as written.
    pub protocol: String,
    pub cause: Option<u16>,
    /// Without quotes; empty when there is none.
    pub text: String,
}

impl Reason {
    /// A SIP status as a reason.
    #[must_use]
    pub fn sip(cause: u16, text: &str) -> Self {
        Self {
            protocol: "SIP".to_owned(),
            cause: Some(cause),
            text: text.to_owned(),
        }
    }

    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (protocol, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let protocol = protocol.trim_ascii();
        let params = Params::parse(params)?;
        is_token(protocol).then(|| Self {
            protocol: protocol.to_owned(),
            cause: params.get("cause").and_then(number),

            text: params.text("text").unwrap_or_default(),
        })
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            f.write_str(";cause=")?;
            cause.fmt(f)?;
        }
        if !self.text.is_empty() {
            let mut text = String::from(";text=");
            push_quoted(&mut text, &self.text);
            f.write_str(&text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answered_in_the_other_tab() {
        let reason = Reason::parse("SIP ;cause=200 ;text=\"Call completed elsewhere\"").unwrap();
        assert_eq!(reason, Reason::sip(200, "Call completed elsewhere"));
        assert_eq!(
            reason.to_string(),
            "SIP;cause=200;text=\"Call completed elsewhere\""
        );
    }

    #[test]
    fn the_telephone_network_has_its_own_causes() {
        let reason = Reason::parse("Q.850;cause=16").unwrap();
        assert_eq!(
            (reason.protocol.as_str(), reason.cause),
            ("Q.850", Some(16))
        );
        assert_eq!(reason.to_string(), "Q.850;cause=16");
        assert_eq!(Reason::parse(";cause=1"), None);
    }
}
