//! Via (RFC 3261 section 20.42; `rport` of RFC 3581).

use super::{
    Params,
    grammar::{is_token, number, split_word},
};

/// One hop. The protocol is always SIP/2.0: a message is refused otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `WS`, `WSS`, `UDP`, `TCP`, `TLS`, ... as written; compare without case.
    pub transport: String,
    /// sent-by's host, as written; IPv6 with its brackets.
    pub host: String,
    pub port: Option<u16>,
    pub params: Params,
}

/// What every branch of RFC 3261 begins with.
const MAGIC_COOKIE: &str = "z9hG4bK";

impl Via {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // white space is allowed around the slashes and the colon (RFC 4475 section 3.1.1.1)
        let (protocol, rest) = text.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        if !protocol.trim_ascii().eq_ignore_ascii_case("SIP") || version.trim_ascii() != "2.0" {
            return None;
        }
        let rest = rest.trim_ascii_start();
        let (transport, rest) = split_word(rest)?;
        let end = rest.find(';').unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at(end);
        let sent_by = sent_by.trim_ascii();
        let host_end = if sent_by.starts_with('[') {
            sent_by.find(']')? + 1
        } else {
            sent_by.find(':').unwrap_or(sent_by.len())
        };
        let (host, after) = sent_by.split_at(host_end);
        let host = host.trim_ascii_end();
        let port = match after.trim_ascii_start().strip_prefix(':') {
            Some(port) => Some(number(port.trim_ascii())?),
            None if after.trim_ascii().is_empty() => None,
            None => return None,
        };
        if !is_token(transport) || !crate::uri::is_host(host) {
            return None;
        }
        Some(Self {
            transport: transport.to_owned(),
            host: host.to_owned(),
            port,
            params: Params::parse(params)?,
        })
    }

    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// Does the branch identify the transaction alone (RFC 3261 section 17.2.3)?
    #[must_use]
    pub fn has_magic_cookie(&self) -> bool {
        // the cookie compares without case: branches are tokens. Alone it identifies nothing (RFC
        // 4475 section 3.2.1)
        self.branch()
            .filter(|branch| branch.len() > MAGIC_COOKIE.len())
            .and_then(|branch| branch.get(..MAGIC_COOKIE.len()))
            .is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE))
    }

    #[must_use]
    pub fn received(&self) -> Option<&str> {
        self.params.get("received")
    }

    /// Was `rport` there, with or without a value: does the sender want symmetric responses?
    #[must_use]
    pub fn wants_rport(&self) -> bool {
        self.params.contains("rport")
    }

    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        number(self.params.get("rport")?)
    }
}

impl std::fmt::Display for Via {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in ["SIP/2.0/", &self.transport, " ", &self.host] {
            f.write_str(part)?;
        }
        if let Some(port) = self.port {
            f.write_str(":")?;
            port.fmt(f)?;
        }
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browsers_via() {
        let text = "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks";
        let via = Via::parse(text).unwrap();
        assert_eq!(via.transport, "WSS");
        assert_eq!(via.host, "df7jal23ls0d.invalid");
        assert_eq!(via.branch(), Some("z9hG4bK56sdasks"));
        assert!(via.has_magic_cookie() && !via.wants_rport());
        assert_eq!(via.to_string(), text);
    }

    #[test]
    fn a_phone_behind_nat() {
        let via =
            Via::parse("SIP/2.0/UDP [2001:db8::9:1]:5060;rport=49;received=192.0.2.7;branch=1");
        let via = via.unwrap();
        assert_eq!(
            (via.host.as_str(), via.port),
            ("[2001:db8::9:1]", Some(5060))
        );
        assert_eq!((via.rport(), via.received()), (Some(49), Some("192.0.2.7")));
        assert!(!via.has_magic_cookie());
    }

    #[test]
    fn white_space_of_the_torture_test() {
        let via =
            Via::parse("SIP  / 2.0  / TCP     spindle.example.com  : 5080 ; branch  =   z9hG4bK9");
        let via = via.unwrap();
        assert_eq!(
            via.to_string(),
            "SIP/2.0/TCP spindle.example.com:5080; branch  =   z9hG4bK9"
        );
    }

    #[test]
    fn malformed_ones_are_refused() {
        for bad in [
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/3.0/UDP a",
            "HTTP/2.0/UDP a",
            "SIP/2.0/UDP a:b",
            "SIP/2.0/UDP a:70000",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP [::1",
        ] {
            assert_eq!(Via::parse(bad), None, "{bad}");
        }
    }
}
