//! Digest authentication: RFC 3261 section 22, RFC 7616, RFC 8760.
//!
//! A client keeps [`Logins`]: they pick the strongest challenge that can be answered and write the
//! credentials. A server keeps a [`Guard`]: it makes challenges and checks what comes back.
//!
//! MD5, SHA-256 and (with the feature `server`) SHA-512-256, `qop=auth` and the RFC 2069 form without qop. Not here, on
//! purpose: `auth-int` (TLS and DTLS protect the bodies), the `-sess` algorithms (no server was
//! seen that needs them) and `userhash`.

mod answer;
mod challenge;
mod guard;
mod hash;
mod logins;
mod md5;
mod replay;

pub use answer::Answer;
pub use challenge::Challenge;
pub use guard::{Guard, Verdict};
pub use hash::ha1;
pub use logins::Logins;

use crate::header::grammar::{quoted_len, split_list};

/// Who we are towards a server that asks. Never printed.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub secret: Secret,
}

#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "never printed")]
pub enum Secret {
    Password(String),
    /// `H(user:realm:password)` for one algorithm and realm, in lower-case hex.
    Ha1 {
        algorithm: Algorithm,
        realm: String,
        ha1: String,
    },
}

impl Secret {
    /// `H(user:realm:password)`, or `None` when only that of another realm or algorithm is known.
    fn ha1(&self, algorithm: Algorithm, user: &str, realm: &str) -> Option<String> {
        match self {
            Self::Password(password) => Some(ha1(algorithm, user, realm, password)),
            Self::Ha1 {
                algorithm: a,
                realm: r,
                ha1,
            } => (*a == algorithm && r == realm).then(|| ha1.clone()),
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(")?;
        f.write_str(&self.user)?;
        f.write_str(")")
    }
}

/// In order of preference, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    Md5,
    Sha256,
    #[cfg(feature = "server")]
    Sha512_256,
}

impl Algorithm {
    /// The name in the IANA registry of RFC 7616.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            #[cfg(feature = "server")]
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        const ALL: &[Algorithm] = &[
            Algorithm::Md5,
            Algorithm::Sha256,
            #[cfg(feature = "server")]
            Algorithm::Sha512_256,
        ];
        ALL.iter()
            .copied()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }
}

/// The parameters of `Digest name=value, name="value"`: values without quotes, backslashes kept.
/// `None` for another scheme.
fn parameters(value: &str) -> Option<impl Iterator<Item = (&str, &str)>> {
    let value = value.trim_ascii_start();
    let scheme = value.get(..6)?;
    let rest = &value[6..];
    if !scheme.eq_ignore_ascii_case("Digest") || !rest.starts_with([' ', '\t', '\r', '\n']) {
        return None;
    }
    let parameters = split_list(rest).filter_map(|element| {
        let (name, value) = element.split_once('=')?;
        let value = value.trim_ascii();
        let bare = match quoted_len(value) {
            Some(length) if length == value.len() => &value[1..length - 1],
            // a backslash means something within quotes alone, and we print with quotes
            None if !value.contains(['"', '\\']) => value,
            // two strings, or half a one
            _ => return None,
        };
        Some((name.trim_ascii(), bare))
    });
    Some(parameters)
}
