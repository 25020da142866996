//! What a page tells us once, checked and put into the forms the phone needs.

use clinicall_sip::{
    Uri,
    agent::Transport,
    digest::{Credentials, Secret},
};

use crate::{bandwidth::Bandwidth, reason::Error};

/// How to connect. Either `user` (a Clinicall relay) or `uri` (any SIP server) names who we are.
#[derive(Clone, Default)]
pub struct Options {
    /// `wss://visits.example/sip`.
    pub server: String,
    /// The clinic's own id of the person; the relay's host name completes the address.
    pub user: Option<String>,
    /// `sip:1000@pbx.example` for FreeSWITCH, Asterisk, Kamailio.
    pub uri: Option<String>,
    pub password: String,
    /// A token of the clinic's instead of a password (RFC 8898).
    pub token: Option<String>,
    /// The name the other side sees.
    pub name: Option<String>,
    pub bandwidth: Bandwidth,
    /// What the Via header says, when a proxy takes TLS off on the way: `ws` although the page
    /// connects by `wss` (FreeSWITCH answers nothing otherwise).
    pub via: Option<Transport>,
    /// `RTCIceServer` objects. A relay of ours needs none.
    #[cfg(target_arch = "wasm32")]
    pub ice_servers: wasm_bindgen::JsValue,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Options")
    }
}

/// Options that were found usable.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub server: String,
    pub transport: Transport,
    /// Our address of record.
    pub aor: Uri,
    /// Offer the relay's own subprotocol. Never to a foreign server: FreeSWITCH echoes the whole
    /// list, and the browser then gives the socket up.
    pub ours: bool,
    /// Nobody's, with a token: it is shown once, at the login, and opens the connection.
    pub credentials: Option<Credentials>,
    pub token: Option<String>,
    pub name: Option<String>,
    pub bandwidth: Bandwidth,
}

impl Account {
    pub fn check(options: &Options) -> Result<Self, Error> {
        let server = options.server.trim_ascii();
        let (transport, rest) = if let Some(rest) = server.strip_prefix("wss://") {
            (Transport::Wss, rest)
        } else if let Some(rest) = server.strip_prefix("ws://") {
            (Transport::Ws, rest)
        } else {
            return Err(Error::bad_option(
                "`server` must begin with wss:// or ws://.",
            ));
        };
        let host = host_of(rest);
        if host.is_empty() {
            return Err(Error::bad_option("`server` names no host."));
        }
        let (aor, ours) = match (given(&options.user), given(&options.uri)) {
            (Some(user), None) => (Uri::sip(user, host), true),
            (None, Some(uri)) => (parse(uri)?, false),
            _ => return Err(Error::bad_option("Give either `user` or `uri`.")),
        };
        let token = given(&options.token);
        if token.is_some_and(|token| !is_token(token)) {
            return Err(Error::bad_option("`token` is no token."));
        }
        Ok(Self {
            server: server.to_owned(),
            transport: options.via.unwrap_or(transport),
            credentials: token.is_none().then(|| Credentials {
                user: aor.user.clone(),
                secret: Secret::Password(options.password.clone()),
            }),
            token: token.map(str::to_owned),
            aor,
            ours,
            name: given(&options.name).map(str::to_owned),
            bandwidth: options.bandwidth,
        })
    }

    /// `3`, `3@clinic.example` or a whole URI, as a page writes whom to call.
    pub fn target(&self, written: &str) -> Result<Uri, Error> {
        let written = written.trim_ascii();
        if written.is_empty() {
            return Err(Error::bad_option("Whom to call is empty."));
        }
        if written.starts_with("sip:") || written.starts_with("sips:") {
            return parse(written);
        }
        if let Some(room) = written.strip_prefix("room:") {
            let mut host = String::from("conference.");
            host.push_str(&self.aor.host);
            let mut uri = Uri::sip(room, &host);
            uri.port = self.aor.port;
            return Ok(uri);
        }
        match written.split_once('@') {
            Some((user, host)) if !host.is_empty() => Ok(Uri::sip(user, host)),
            Some(_) => Err(Error::bad_option("Whom to call has no host after `@`.")),
            None => {
                let mut uri = Uri::sip(written, &self.aor.host);
                uri.port = self.aor.port;
                Ok(uri)
            }
        }
    }

    /// Where REGISTER and OPTIONS go: our own domain, without a user.
    pub fn domain(&self) -> Uri {
        let mut uri = Uri::sip("", &self.aor.host);
        uri.port = self.aor.port;
        uri
    }
}

/// What goes into a header ends nowhere but at its end.
pub(crate) fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref()
        .map(str::trim_ascii)
        .filter(|text| !text.is_empty())
}

fn parse(uri: &str) -> Result<Uri, Error> {
    match uri.parse::<Uri>() {
        Ok(uri) if uri.scheme == "sip" || uri.scheme == "sips" => Ok(uri),
        _ => Err(Error::bad_option(
            "A SIP address looks like sip:1000@pbx.example.",
        )),
    }
}

/// The host of `host:port/path`; an IPv6 address keeps its brackets.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    authority.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Cause;

    fn account(server: &str, user: Option<&str>, uri: Option<&str>) -> Result<Account, Error> {
        Account::check(&Options {
            server: server.into(),
            user: user.map(Into::into),
            uri: uri.map(Into::into),
            ..Options::default()
        })
    }

    #[test]
    fn a_user_of_the_relay_gets_the_relays_host() {
        let patient = account("wss://visits.example:8443/sip", Some("2"), None).unwrap();
        assert_eq!(patient.aor.to_string(), "sip:2@visits.example");
        assert!(patient.ours);
        assert_eq!(
            patient.target("3").unwrap().to_string(),
            "sip:3@visits.example"
        );
        assert_eq!(
            patient.target("room:1").unwrap().to_string(),
            "sip:1@conference.visits.example"
        );
        assert_eq!(
            patient.target("3@else.example").unwrap().to_string(),
            "sip:3@else.example"
        );
        let local = account("ws://[::1]:8080", Some("2"), None).unwrap();
        assert_eq!(local.aor.host, "[::1]");
        assert_eq!(local.transport, Transport::Ws);
    }

    #[test]
    fn a_foreign_server_is_named_by_a_uri() {
        let clerk = account("wss://pbx.example", None, Some("sip:1000@pbx.example")).unwrap();
        assert!(!clerk.ours);
        assert_eq!(clerk.domain().to_string(), "sip:pbx.example");
    }

    #[test]
    fn what_cannot_be_used_is_told_in_a_sentence() {
        for (server, user, uri) in [
            ("https://visits.example", Some("2"), None),
            ("wss:///sip", Some("2"), None),
            ("wss://visits.example", None, None),
            ("wss://visits.example", Some("2"), Some("sip:2@x")),
            ("wss://visits.example", None, Some("tel:+123")),
        ] {
            let error = account(server, user, uri).unwrap_err();
            assert_eq!(error.cause, Cause::BadOption, "{server}");
            assert!(error.message.ends_with('.'), "{}", error.message);
        }
        let patient = account("wss://visits.example", Some("2"), None).unwrap();
        assert!(patient.target(" ").is_err());
        assert!(patient.target("3@").is_err());
    }
}
