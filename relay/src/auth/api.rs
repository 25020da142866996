//! The clinic's back end: API keys, and what each may do.

mod manage;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    config::{API_RIGHTS, Config},
    store::{self, Store, StoreError},
};

pub use manage::{KeyError, Last, Listed};

/// The right to make keys and to take them back.
pub const MANAGE: &str = "keys";

/// A back end that has shown its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What logs call it.
    pub name: String,
    rights: Vec<String>,
}

impl Caller {
    /// One of `users`, `tokens`, `rooms`, `messages`, `calls`, `events`, `keys`.
    #[must_use]
    pub fn may(&self, right: &str) -> bool {
        self.rights.iter().any(|own| own == "*" || own == right)
    }

    /// A back end that may do these things, for tests.
    #[must_use]
    pub fn with_rights(name: &str, rights: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            rights: rights.iter().map(|&right| right.to_owned()).collect(),
        }
    }
}

/// What is kept of a key in the store, under its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub name: String,
    pub rights: Vec<String>,
    /// When it was made, unix milliseconds.
    #[serde(default)]
    pub made: u64,
}

/// Who has which key. Only hashes are kept; a key is looked up by its hash, so that how long that
/// takes tells nothing about the keys there are.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    configured: Vec<([u8; 32], Caller)>,
    store: Store,
}

impl ApiKeys {
    #[must_use]
    pub fn new(config: &Config, store: &Store) -> Self {
        let configured = config.api_key.iter().filter_map(|key| {
            let hash = unhex(&key.sha256.as_ref()?.0)?;
            let (name, rights) = (key.name.clone(), key.rights.clone());
            Some((hash, Caller { name, rights }))
        });
        Self {
            configured: configured.collect(),
            store: store.clone(),
        }
    }

    /// Whose key this is.
    pub fn find(&self, key: &str) -> Result<Option<Caller>, StoreError> {
        let hash = hash(key);
        if let Some((_, caller)) = self.configured.iter().find(|(known, _)| *known == hash) {
            return Ok(Some(caller.clone()));
        }
        let kept: Option<Kept> = self.store.read(|view| store::api_keys::get(view, &hash))?;
        Ok(kept.map(|Kept { name, rights, .. }| Caller { name, rights }))
    }
}

/// What is kept of a key.
#[must_use]
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// A new key: 256 random bits after a prefix by which scanners of source code know it.
pub fn new_key() -> anyhow::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    Ok(format!("ck_{}", hex(&random)))
}

/// A right that there is.
#[must_use]
pub fn is_right(right: &str) -> bool {
    right == "*" || API_RIGHTS.contains(&right)
}

#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// 32 bytes out of 64 hexadecimal digits.
#[must_use]
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
