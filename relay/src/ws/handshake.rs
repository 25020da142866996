//! The opening handshake (RFC 6455 section 4.2): from an HTTP request to a [`Socket`].

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::upgrade::OnUpgrade;
use ring::digest;

use super::{deflate, socket::Socket};

/// Section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// A request that asks for a WebSocket, and may be given one.
#[derive(Debug)]
pub(crate) struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
    protocols: Vec<String>,
    extensions: Vec<String>,
}

/// What is missing for a WebSocket. The answer says which version is spoken here (section 4.4).
#[derive(Debug)]
pub(crate) struct NoWebSocket;

impl NoWebSocket {
    /// With a sentence that says what this address is for.
    pub fn answer(self, why: &'static str) -> Response {
        let headers = [(header::SEC_WEBSOCKET_VERSION, VERSION)];
        (StatusCode::UPGRADE_REQUIRED, headers, why).into_response()
    }
}

impl IntoResponse for NoWebSocket {
    fn into_response(self) -> Response {
        self.answer("This address speaks WebSocket, version 13.\n")
    }
}

impl<S: Sync> FromRequestParts<S> for Handshake {
    type Rejection = NoWebSocket;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoWebSocket> {
        let key = (parts.method == Method::GET)
            .then(|| key(&parts.headers))
            .flatten()
            .ok_or(NoWebSocket)?;
        let upgrade = parts.extensions.remove().ok_or(NoWebSocket)?;
        Ok(Self {
            accept: accept(key),
            upgrade,
            protocols: list(&parts.headers, header::SEC_WEBSOCKET_PROTOCOL),
            extensions: list(&parts.headers, header::SEC_WEBSOCKET_EXTENSIONS),
        })
    }
}

/// How a socket is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The subprotocol, which must be one of those offered (section 4.2.2).
    pub protocol: Option<&'static str>,
    /// May messages be compressed, if the peer offers it?
    pub compress: bool,
    /// The longest message, in bytes.
    pub limit: usize,
}

impl Handshake {
    pub fn offers(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|offered| offered == protocol)
    }

    /// Answers with 101, and carries the socket in a task of its own.
    pub fn accept<F>(
        self,
        terms: Terms,
        carry: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let agreed = match terms.compress {
            true => deflate::negotiate(self.extensions.iter().map(String::as_str)),
            false => None,
        };
        let upgrade = self.upgrade;
        tokio::spawn(async move {
            // the peer is gone before the answer is out
            let Ok(io) = upgrade.await else { return };
            let socket = Socket::new(io, terms.limit, agreed);
            // boxed when it begins, so that the task holds no more than a socket in use needs
            Box::pin(carry(socket)).await;
        });
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = terms.protocol {
            let protocol = HeaderValue::from_static(protocol);
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        // made of letters and digits
        if let Some(agreed) = agreed
            && let Ok(agreed) = HeaderValue::try_from(agreed.header())
        {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, agreed);
        }
        response
    }
}

/// The key of a handshake that says all it must (section 4.2.1).
fn key(headers: &HeaderMap) -> Option<&HeaderValue> {
    let has = |name, wanted: &str| {
        list(headers, name)
            .iter()
            .any(|word| word.eq_ignore_ascii_case(wanted))
    };
    let version = headers.get(header::SEC_WEBSOCKET_VERSION) == Some(&VERSION);
    if !version || !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return None;
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    let bytes = BASE64_STANDARD.decode(key).ok()?;
    (bytes.len() == 16).then_some(key)
}

fn accept(key: &HeaderValue) -> HeaderValue {
    let mut sha1 = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    sha1.update(key.as_bytes());
    sha1.update(GUID);
    let accept = BASE64_STANDARD.encode(sha1.finish());
    HeaderValue::try_from(accept).expect("base64 is printable ASCII")
}

/// The words of a header that is a list, in all the lines it comes in.
fn list(headers: &HeaderMap, name: header::HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter();
    let words = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handshake of RFC 6455 section 1.3, with some lines changed.
    fn request(changes: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let lines = [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ];
        for (name, value) in lines.iter().chain(changes) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_key_of_the_rfc_is_accepted_as_there() {
        let headers = request(&[]);
        let accepted = accept(key(&headers).unwrap());
        assert_eq!(accepted, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn firefox_and_proxies_write_the_same_in_other_words() {
        let firefox = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
        ];
        assert!(key(&request(&firefox)).is_some());
    }

    #[test]
    fn what_is_no_handshake_is_none() {
        for change in [
            ("upgrade", "h2c"),
            ("connection", "keep-alive"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "short"),
            (
                "sec-websocket-key",
                "dGhlIHNhbXBsZSBub25jZSBpcyB0b28gbG9uZw==",
            ),
        ] {
            assert!(key(&request(&[change])).is_none(), "{change:?}");
        }
    }

    #[test]
    fn lists_are_read_over_several_lines() {
        let mut headers = request(&[("sec-websocket-protocol", "mqtt,  sip")]);
        let more = HeaderValue::from_static("clinicall.v1");
        headers.append("sec-websocket-protocol", more);
        assert_eq!(
            list(&headers, header::SEC_WEBSOCKET_PROTOCOL),
            ["mqtt", "sip", "clinicall.v1"]
        );
    }
}
