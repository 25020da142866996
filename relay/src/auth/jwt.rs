//! JSON Web Tokens (RFC 7515, RFC 7519), verified offline.
//!
//! On `ring`, which DTLS and TLS bring anyway: the usual crate would add a second set of ciphers
//! (aws-lc, or `rsa` with its open advisory) for the four algorithms below. What makes that safe to
//! write is what is left out: a key knows the one algorithm it is for, so that `alg` can only agree or
//! be refused; keys come from files, so that no `jku`, `x5u` or `jwk` is ever read; and an issuer's
//! tokens are tried with that issuer's keys alone, whatever `kid` they name.

mod claims;
mod der;
mod key;
mod sign;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

pub use claims::{Claims, is_name};
pub use key::{Algorithm, Key, KeyError, Keyed, keys_of_jwks, keys_of_pem};
pub use sign::sign;

use super::Refused;

/// Ten times what a clinic's token needs.
pub const MAX_TOKEN: usize = 8 * 1024;

/// Somebody whose tokens are believed.
#[derive(Debug)]
pub struct Issuer {
    /// What their tokens say in `iss`; `None`: nothing.
    pub name: Option<String>,
    /// Whom their tokens must be for.
    pub audience: Audience,
    pub keys: Vec<Keyed>,
}

/// What a token's `aud` must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// This.
    Named(String),
    /// One of these, unless it says nothing (RFC 7519 section 4.1.3 forbids taking what is for others).
    AnyOf(Vec<String>),
}

impl Audience {
    fn includes(&self, audience: &[String]) -> bool {
        match self {
            Self::Named(name) => audience.contains(name),
            Self::AnyOf(names) => {
                audience.is_empty() || audience.iter().any(|one| names.contains(one))
            }
        }
    }
}

/// All issuers, and how wrong their clocks may be.
#[derive(Debug, Default)]
pub struct Verifier {
    pub issuers: Vec<Issuer>,
    /// Seconds.
    pub skew: u64,
}

/// Whatever else a header holds is not read.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

impl Verifier {
    /// What a token says, once its signature, its times and its audience are right. `now` in unix
    /// seconds.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, Refused> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refused::Malformed)?;
        let header: Header =
            serde_json::from_slice(&decode(header)?).map_err(|_| Refused::Malformed)?;
        // RFC 7515 section 4.1.11: we understand no extension
        if header.crit.is_some() {
            return Err(Refused::Malformed);
        }
        let signature = decode(signature)?;
        // "none" is no algorithm here
        let algorithm = Algorithm::named(&header.alg).ok_or(Refused::Forged)?;
        let claims = Claims::parse(&decode(payload)?)?;
        // an unverified name may choose the keys, because only theirs are then tried
        let issuer = self
            .issuers
            .iter()
            .find(|issuer| issuer.name == claims.issuer)
            .ok_or(Refused::Foreign)?;
        let genuine = issuer.keys.iter().any(|keyed| {
            keyed.may_be(header.kid.as_deref())
                && keyed.key.verifies(algorithm, signed.as_bytes(), &signature)
        });
        if !genuine {
            return Err(Refused::Forged);
        }
        if claims.expires.saturating_add(self.skew) <= now {
            return Err(Refused::Expired);
        }
        if claims.not_before.is_some_and(|at| at > now + self.skew) {
            return Err(Refused::TooEarly);
        }
        if !issuer.audience.includes(&claims.audience) {
            return Err(Refused::Foreign);
        }
        Ok(claims)
    }
}

/// No padding, no line ends, no spare bits: one spelling for each token.
fn decode(part: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Malformed)
}

#[cfg(test)]
mod tests;
