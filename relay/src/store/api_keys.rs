//! Keys of the HTTP API, by the SHA-256 of their text; the text itself is nowhere. What a key may do
//! is `auth`'s to say: a row is its record as JSON.

use std::ops::ControlFlow;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Changes, StoreError,
    changes::{load, parse},
    engine::{Look, Table},
};

pub type KeyHash = [u8; 32];

pub fn put(
    changes: &mut Changes<'_>,
    hash: &KeyHash,
    record: &impl Serialize,
) -> Result<(), StoreError> {
    changes.save(Table::ApiKeys, hash, record)?;
    Ok(())
}

pub fn get<T: DeserializeOwned>(look: &dyn Look, hash: &KeyHash) -> Result<Option<T>, StoreError> {
    load(look, Table::ApiKeys, hash)
}

pub fn all<T: DeserializeOwned>(look: &dyn Look) -> Result<Vec<(KeyHash, T)>, StoreError> {
    let mut found = Vec::new();
    look.scan(Table::ApiKeys, &[], None, &mut |hash, row| {
        let hash = hash.try_into();
        let hash = hash.map_err(|_| StoreError::record(Table::ApiKeys, "the key is no hash"))?;
        found.push((hash, parse(Table::ApiKeys, row)?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// `false`: there was none.
pub fn remove(changes: &mut Changes<'_>, hash: &KeyHash) -> Result<bool, StoreError> {
    changes.remove(Table::ApiKeys, hash)
}
