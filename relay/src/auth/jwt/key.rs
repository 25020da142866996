//! The keys tokens are verified with, and the files they come from.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    },
};
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use serde::Deserialize;

use super::der::{self, Public};

/// RFC 7518 section 3.1, RFC 8037 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// Names are case-sensitive (RFC 7515 section 4.1.1).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key for one algorithm. Never printed.
pub enum Key {
    Hmac(hmac::Key),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

/// A key, and the `kid` that its file gives it.
#[derive(Debug)]
pub struct Keyed {
    pub id: Option<String>,
    pub key: Key,
}

impl Keyed {
    /// Whether a token that names `kid` may have been signed with this key.
    pub(super) fn may_be(&self, kid: Option<&str>) -> bool {
        match (&self.id, kid) {
            (Some(id), Some(kid)) => id == kid,
            _ => true,
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.algorithm().name())
    }
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("has a secret of fewer than 32 bytes, which can be guessed")]
    ShortSecret,
    #[error("has an RSA key of fewer than 2048 bits")]
    SmallRsa,
    #[error("has no public key (RSA, P-256 or Ed25519)")]
    NoKey,
    #[error("has a private key; the relay verifies and needs the public one alone")]
    Private,
    #[error("is no JSON Web Key Set")]
    NotJwks,
    #[error("has more than 32 keys")]
    TooMany,
}

/// Tokens of one issuer may be tried with each of its keys.
const MAX_KEYS: usize = 32;
/// RFC 7518 section 3.2: as long as the hash.
const MIN_SECRET: usize = 32;
const MIN_RSA: usize = 256;

impl Key {
    pub fn secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < MIN_SECRET {
            return Err(KeyError::ShortSecret);
        }
        Ok(Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    fn rsa(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        if n.len() < MIN_RSA {
            return Err(KeyError::SmallRsa);
        }
        let (n, e) = (n.to_vec(), e.to_vec());
        Ok(Self::Rsa { n, e })
    }

    fn p256(point: &[u8]) -> Result<Self, KeyError> {
        let point: [u8; 65] = point.try_into().map_err(|_| KeyError::NoKey)?;
        (point[0] == 4)
            .then_some(Self::P256(point))
            .ok_or(KeyError::NoKey)
    }

    fn ed25519(key: &[u8]) -> Result<Self, KeyError> {
        let key = key.try_into().map_err(|_| KeyError::NoKey)?;
        Ok(Self::Ed25519(key))
    }

    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hmac(_) => Algorithm::Hs256,
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// A token that asks for another algorithm than this key's is not this key's.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if self.algorithm() != algorithm {
            return false;
        }
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key)
                .verify(message, signature)
                .is_ok(),
        }
    }
}

/// The public keys of a PEM file.
pub fn keys_of_pem(pem: &[u8]) -> Result<Vec<Keyed>, KeyError> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(|_| KeyError::NoKey)?;
        let public = match kind {
            SectionKind::PublicKey => der::public_key(&der),
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                return Err(KeyError::Private);
            }
            _ => continue,
        };
        let key = match public.ok_or(KeyError::NoKey)? {
            Public::Rsa { n, e } => Key::rsa(n, e),
            Public::P256(point) => Key::p256(point),
            Public::Ed25519(key) => Key::ed25519(key),
        }?;
        keys.push(Keyed { id: None, key });
    }
    bounded(keys)
}

#[derive(Debug, Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: String,
    n: String,
    e: String,
    x: String,
    y: String,
    k: String,
    d: Option<serde::de::IgnoredAny>,
}

/// The keys of a JWKS (RFC 7517 section 5). Those for other algorithms or for encryption are passed
/// over, as section 5 asks.
pub fn keys_of_jwks(json: &[u8]) -> Result<Vec<Keyed>, KeyError> {
    let jwks: Jwks = serde_json::from_slice(json).map_err(|_| KeyError::NotJwks)?;
    let mut keys = Vec::new();
    for jwk in jwks.keys {
        if jwk
            .purpose
            .as_deref()
            .is_some_and(|purpose| purpose != "sig")
        {
            continue;
        }
        if jwk.d.is_some() {
            return Err(KeyError::Private);
        }
        let Some(key) = jwk.key()? else { continue };
        let other = |alg: &str| Algorithm::named(alg) != Some(key.algorithm());
        if jwk.alg.as_deref().is_some_and(other) {
            continue;
        }
        keys.push(Keyed { id: jwk.kid, key });
    }
    bounded(keys)
}

impl Jwk {
    /// `None`: a kind of key that none of our algorithms uses.
    fn key(&self) -> Result<Option<Key>, KeyError> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::NoKey);
        Ok(Some(match (self.kty.as_str(), self.crv.as_str()) {
            ("RSA", _) => Key::rsa(&bytes(&self.n)?, &bytes(&self.e)?)?,
            ("EC", "P-256") => {
                let point = [vec![4], bytes(&self.x)?, bytes(&self.y)?].concat();
                Key::p256(&point)?
            }
            ("OKP", "Ed25519") => Key::ed25519(&bytes(&self.x)?)?,
            ("oct", _) => Key::secret(&bytes(&self.k)?)?,
            _ => return Ok(None),
        }))
    }
}

fn bounded(keys: Vec<Keyed>) -> Result<Vec<Keyed>, KeyError> {
    match keys.len() {
        0 => Err(KeyError::NoKey),
        1..=MAX_KEYS => Ok(keys),
        _ => Err(KeyError::TooMany),
    }
}
