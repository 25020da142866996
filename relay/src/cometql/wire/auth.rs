//! Proofs that a client knows the password, without sending it.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use crate::auth::is_same;

/// What the client mixes into its proof.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 20]);

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonce")
    }
}

impl Nonce {
    /// From random bytes: no zero byte, which would end it early, and none over 127, which some
    /// clients take for text.
    #[must_use]
    pub fn from_random(random: [u8; 20]) -> Self {
        Self(random.map(|byte| (byte & 0x7F).clamp(1, 0x7E)))
    }
}

/// How a client may prove that it knows the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `mysql_native_password`, SHA-1: every client there is.
    Native,
    /// `caching_sha2_password`, SHA-256: MySQL 8 and later.
    Sha256,
}

impl Method {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::Sha256 => "caching_sha2_password",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Native, Self::Sha256]
            .into_iter()
            .find(|method| method.name() == name)
    }

    /// What a client that knows the password sends.
    #[must_use]
    pub fn proof(self, password: &str, nonce: &Nonce) -> Vec<u8> {
        let hash = match self {
            Self::Native => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
        };
        let once = digest(hash, password.as_bytes());
        let twice = digest(hash, once.as_ref());
        // the two methods mix the same parts in a different order
        let mix = match self {
            Self::Native => digest(hash, &[&nonce.0, twice.as_ref()].concat()),
            Self::Sha256 => digest(hash, &[twice.as_ref(), &nonce.0].concat()),
        };
        let pairs = once.as_ref().iter().zip(mix.as_ref());
        pairs.map(|(a, b)| a ^ b).collect()
    }

    /// True if the proof is right, in a time that does not depend on where it is wrong.
    #[must_use]
    pub fn holds(self, proof: &[u8], password: &str, nonce: &Nonce) -> bool {
        is_same(proof, &self.proof(password, nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_makes_the_proof() {
        let nonce = Nonce::from_random([0xFF; 20]);
        for (method, length) in [(Method::Native, 20), (Method::Sha256, 32)] {
            let proof = method.proof("CometQLPassword", &nonce);
            assert_eq!(proof.len(), length);
            assert!(method.holds(&proof, "CometQLPassword", &nonce));
            assert!(!method.holds(&proof, "cometqlpassword", &nonce));
            assert!(!method.holds(&proof, "CometQLPassword", &Nonce::from_random([7; 20])));
            assert!(!method.holds(&[], "CometQLPassword", &nonce));
            assert!(!method.holds(&[], "", &nonce));
        }
    }

    #[test]
    fn a_nonce_has_no_byte_that_would_end_it() {
        for byte in 0..=255 {
            let nonce = Nonce::from_random([byte; 20]);
            assert!(nonce.0.iter().all(|byte| (1..0x7F).contains(byte)));
        }
    }
}
