//! Digest authentication: RFC 3261 section 22, RFC 7616, RFC 8760.
//!
//! Both ends: [`Challenge`]s are parsed and answered by a client, made and checked by a server.
//! MD5, SHA-256 and SHA-512-256, `qop=auth` and the RFC 2069 form without qop.

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

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.user)
    }
}

/// In order of preference, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    Md5,
    Sha256,
    Sha512_256,
}
