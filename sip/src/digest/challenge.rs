//! What a server asks: WWW-Authenticate and Proxy-Authenticate.

use super::{Algorithm, Credentials, hash, parameters};

/// One challenge we can read. Texts are as they stood between the quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    /// `None`: none was named, which means MD5 and is not repeated in the answer.
    pub algorithm: Option<Algorithm>,
    /// Was `auth` among the qop-options? When no qop was offered, the answer is RFC 2069's.
    pub qop_auth: bool,
    /// The credentials were right, the nonce too old: try again with this one.
    pub stale: bool,
}

impl Challenge {
    /// `None` for another scheme, an unknown algorithm, only `auth-int`, or missing parts.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (mut realm, mut nonce, mut opaque, mut algorithm) = (None, None, None, None);
        let (mut qop, mut stale) = (None, false);
        for (name, value) in parameters(value)? {
            let text = || Some(value.to_owned());
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = text(),
                "nonce" => nonce = text(),
                "opaque" => opaque = text(),
                "algorithm" => algorithm = Some(Algorithm::named(value)?),
                "qop" => qop = text(),
                "stale" => stale = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        let qop_auth = match qop {
            None => false,
            Some(options) => {
                let mut options = options.split(',').map(str::trim_ascii);
                if !options.any(|option| option.eq_ignore_ascii_case("auth")) {
                    return None;
                }
                true
            }
        };
        Some(Self {
            realm: realm?,
            nonce: nonce?,
            opaque,
            algorithm,
            qop_auth,
            stale,
        })
    }

    #[must_use]
    pub fn hash(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Md5)
    }

    /// The value of Authorization or Proxy-Authorization. `uri` is the Request-URI as it is
    /// printed, `count` how often this nonce has been used, this time included, `cnonce` random.
    /// `None` when the secret is for another realm or algorithm.
    #[must_use]
    pub fn answer(
        &self,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        count: u32,
        cnonce: &str,
    ) -> Option<String> {
        let algorithm = self.hash();
        let ha1 = credentials
            .secret
            .ha1(algorithm, &credentials.user, &self.realm)?;
        let nc = hash::hex(&count.to_be_bytes());
        let counted = self.qop_auth.then_some((nc.as_str(), cnonce));
        let response = hash::response(algorithm, &ha1, &self.nonce, counted, method, uri);

        let mut value = String::with_capacity(320);
        value.push_str("Digest username=");
        crate::header::grammar::push_quoted(&mut value, &credentials.user);
        let mut quoted = |name: &str, text: &str| {
            for part in [", ", name, "=\"", text, "\""] {
                value.push_str(part);
            }
        };
        quoted("realm", &self.realm);
        quoted("nonce", &self.nonce);
        quoted("uri", uri);
        quoted("response", &response);
        if let Some(opaque) = &self.opaque {
            quoted("opaque", opaque);
        }
        if self.qop_auth {
            quoted("cnonce", cnonce);
        }
        if let Some(algorithm) = self.algorithm {
            value.push_str(", algorithm=");
            value.push_str(algorithm.name());
        }
        if self.qop_auth {
            value.push_str(", qop=auth, nc=");
            value.push_str(&nc);
        }
        Some(value)
    }
}

impl std::fmt::Display for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in [
            "Digest realm=\"",
            &self.realm,
            "\", nonce=\"",
            &self.nonce,
            "\"",
        ] {
            f.write_str(part)?;
        }
        if let Some(opaque) = &self.opaque {
            for part in [", opaque=\"", opaque, "\""] {
                f.write_str(part)?;
            }
        }
        if let Some(algorithm) = self.algorithm {
            f.write_str(", algorithm=")?;
            f.write_str(algorithm.name())?;
        }
        if self.qop_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        f.write_str(if self.stale { ", stale=true" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freeswitch_challenges() {
        let text = "Digest realm=\"pbx.example\", nonce=\"b1c5\", algorithm=MD5, qop=\"auth\"";
        let challenge = Challenge::parse(text).unwrap();
        assert_eq!(challenge.realm, "pbx.example");
        assert!(challenge.qop_auth && !challenge.stale);
        assert_eq!(challenge.to_string(), text);
    }

    #[test]
    fn spelling_does_not_matter() {
        let text = "DIGEST\tREALM = \"a, b\" ,qop=\"auth-int , AUTH\",NONCE=\"n\",STALE=TRUE,x=y";
        let challenge = Challenge::parse(text).unwrap();
        assert_eq!(challenge.realm, "a, b");
        assert!(challenge.stale && challenge.qop_auth);
        assert_eq!(challenge.hash(), Algorithm::Md5);
    }

    #[test]
    fn what_we_cannot_answer_is_no_challenge() {
        for text in [
            "Basic realm=\"a\"",
            "Digest realm=\"a\"",
            "Digest realm=\"a\", nonce=\"n\", algorithm=SHA3-256",
            "Digest realm=\"a\", nonce=\"n\", algorithm=MD5-sess",
            "Digest realm=\"a\", nonce=\"n\", qop=\"auth-int\"",
            "Digestrealm=\"a\", nonce=\"n\"",
            "Digest",
        ] {
            assert_eq!(Challenge::parse(text), None, "{text}");
        }
    }
}
