//! What a client answers: Authorization and Proxy-Authorization.

use super::{Algorithm, Secret, hash, parameters};
use crate::{header::grammar::unquote, uri::Uri};

/// Credentials as they came. Nothing is known of their truth.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who it claims to be, backslashes resolved.
    pub user: String,
    pub realm: String,
    pub nonce: String,
    pub uri: String,
    pub algorithm: Algorithm,
    response: String,
    /// `nc` and `cnonce` of `qop=auth`.
    counted: Option<(String, String)>,
}

impl Answer {
    /// `None` for another scheme, an unknown algorithm, `auth-int`, or missing parts.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (mut user, mut realm, mut nonce, mut uri, mut response) =
            (None, None, None, None, None);
        let (mut qop, mut nc, mut cnonce) = (None, None, None);
        let mut algorithm = Algorithm::Md5;
        for (name, value) in parameters(value)? {
            let text = || Some(value.to_owned());
            match name.to_ascii_lowercase().as_str() {
                "username" => user = Some(unescape(value)),
                "realm" => realm = text(),
                "nonce" => nonce = text(),
                "uri" => uri = text(),
                "response" => response = text(),
                "algorithm" => algorithm = Algorithm::named(value)?,
                "qop" => qop = Some(value),
                "nc" => nc = text(),
                "cnonce" => cnonce = text(),
                _ => {}
            }
        }
        let counted = match qop {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => Some((nc?, cnonce?)),
            Some(_) => return None,
        };
        Some(Self {
            user: user?,
            realm: realm?,
            nonce: nonce?,
            uri: uri?,
            algorithm,
            response: response?,
            counted,
        })
    }

    /// Was the answer made with this secret for this method? Says nothing about the nonce.
    #[must_use]
    pub fn is_made_with(&self, secret: &Secret, method: &str) -> bool {
        let Some(ha1) = secret.ha1(self.algorithm, &self.user, &self.realm) else {
            return false;
        };
        let counted = self
            .counted
            .as_ref()
            .map(|(nc, cnonce)| (nc.as_str(), cnonce.as_str()));
        let right = hash::response(
            self.algorithm,
            &ha1,
            &self.nonce,
            counted,
            method,
            &self.uri,
        );
        hash::same_hex(&right, &self.response)
    }

    /// Was it made for this Request-URI? Proxies on the way may have rewritten that one (RFC 3261
    /// section 22.4 point 5), so only a server that is asked directly should insist.
    #[must_use]
    pub fn is_for(&self, uri: &Uri) -> bool {
        self.uri
            .parse::<Uri>()
            .is_ok_and(|written| written.same_as(uri))
    }

    /// How often the client says it used the nonce; `None` without qop or when it is unreadable.
    pub(super) fn count(&self) -> Option<u32> {
        let (nc, _) = self.counted.as_ref()?;
        let hex = nc.len() == 8 && nc.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(nc, 16).ok().filter(|_| hex)
    }

    pub(super) const fn is_counted(&self) -> bool {
        self.counted.is_some()
    }
}

/// Resolves the backslashes of text from between quotes.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    quoted.push_str(text);
    quoted.push('"');
    unquote(&quoted)
}

/// Only who and where: a response can be guessed against offline.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("user", &self.user)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3665_section_2_1_registration() {
        let value = "Digest username=\"bob\", realm=\"atlanta.example.com\",\
                     nonce=\"ea9c8e88df84f1cec4341ae6cbe5a359\", opaque=\"\",\
                     uri=\"sips:ss2.biloxi.example.com\",\
                     response=\"dfe56131d1958046689d83306477ecc\"";
        let answer = Answer::parse(value).unwrap();
        assert_eq!(
            (answer.user.as_str(), answer.algorithm),
            ("bob", Algorithm::Md5)
        );
        assert!(!answer.is_counted());
        // the RFC's response is a digit short: never right
        assert!(!answer.is_made_with(&Secret::Password("zanzibar".to_owned()), "REGISTER"));
        assert!(!format!("{answer:?}").contains("dfe56131"));
    }

    #[test]
    fn half_an_answer_is_none() {
        let whole = "Digest username=\"2\", realm=\"r\", nonce=\"n\", uri=\"sip:c\", response=\"0\", \
                     qop=auth, nc=00000001, cnonce=\"c\"";
        assert_eq!(Answer::parse(whole).unwrap().count(), Some(1));
        for part in [
            "username=\"2\", ",
            "nonce=\"n\", ",
            ", nc=00000001",
            ", cnonce=\"c\"",
        ] {
            assert_eq!(Answer::parse(&whole.replace(part, "")), None, "{part}");
        }
        assert_eq!(
            Answer::parse(&whole.replace("qop=auth", "qop=auth-int")),
            None
        );
    }

    #[test]
    fn the_uri_may_be_spelt_otherwise() {
        let value = "Digest username=\"2\", realm=\"r\", nonce=\"n\", uri=\"sip:Clinic.example\", \
                     response=\"0\"";
        let answer = Answer::parse(value).unwrap();
        assert!(answer.is_for(&"sip:clinic.example".parse().unwrap()));
        assert!(!answer.is_for(&"sip:3@clinic.example".parse().unwrap()));
    }
}
