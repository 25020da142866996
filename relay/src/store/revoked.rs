//! Tokens that are refused although their signature is good, by the SHA-256 of their text. CometQL
//! shows the text too (`revoked_tokens`).

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{
    Changes, StoreError,
    changes::{load, parse},
    engine::{Look, Table},
    key::{Key, Parts},
};
use crate::config::Secret;

pub type TokenHash = [u8; 32];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    pub token: Secret,
    /// When it would have expired, unix milliseconds; it may be forgotten then.
    pub until: u64,
}

/// A second time replaces the first. A token that never expires takes `u64::MAX`.
pub fn add(
    changes: &mut Changes<'_>,
    hash: &TokenHash,
    revoked: &Revoked,
) -> Result<(), StoreError> {
    remove(changes, hash)?;
    changes.save(Table::Revoked, hash, revoked)?;
    let by_end = Key::at(revoked.until).bytes(hash);
    changes.put(Table::RevokedByEnd, &by_end, &[])?;
    Ok(())
}

pub fn contains(look: &dyn Look, hash: &TokenHash) -> Result<bool, StoreError> {
    Ok(look.fetch(Table::Revoked, hash)?.is_some())
}

pub fn all(look: &dyn Look) -> Result<Vec<Revoked>, StoreError> {
    let mut found = Vec::new();
    look.scan(Table::Revoked, &[], None, &mut |_, row| {
        found.push(parse(Table::Revoked, row)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// The token is good again. `false`: it was never revoked.
pub fn remove(changes: &mut Changes<'_>, hash: &TokenHash) -> Result<bool, StoreError> {
    if let Some(revoked) = load::<Revoked>(changes, Table::Revoked, hash)? {
        let by_end = Key::at(revoked.until).bytes(hash);
        changes.remove(Table::RevokedByEnd, &by_end)?;
    }
    changes.remove(Table::Revoked, hash)
}

/// Forgets up to `limit` tokens that have expired by themselves before then (unix milliseconds).
/// Returns how many; call again while it is that many.
pub fn expire(changes: &mut Changes<'_>, before: u64, limit: usize) -> Result<usize, StoreError> {
    let mut old: Vec<Vec<u8>> = Vec::new();
    changes.scan(
        Table::RevokedByEnd,
        &[],
        Some(&Key::at(before)),
        &mut |key, _| {
            if old.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            old.push(key.to_vec());
            Ok(ControlFlow::Continue(()))
        },
    )?;
    for key in &old {
        changes.remove(Table::RevokedByEnd, key)?;
        let mut parts = Parts(key);
        parts.number();
        changes.remove(Table::Revoked, parts.0)?;
    }
    Ok(old.len())
}
