//! When each user was last online.

use super::{
    Changes, StoreError,
    engine::{Look, Table},
};

/// `at` in unix milliseconds. An earlier time than the one known is left out.
pub fn put(changes: &mut Changes<'_>, user: &str, at: u64) -> Result<(), StoreError> {
    if get(changes, user)?.is_none_or(|known| known < at) {
        changes.put(Table::LastSeen, user.as_bytes(), &at.to_be_bytes())?;
    }
    Ok(())
}

/// Unix milliseconds; `None`: never.
pub fn get(look: &dyn Look, user: &str) -> Result<Option<u64>, StoreError> {
    let Some(at) = look.fetch(Table::LastSeen, user.as_bytes())? else {
        return Ok(None);
    };
    let at = at.try_into();
    let at = at.map_err(|_| StoreError::record(Table::LastSeen, "not a time"))?;
    Ok(Some(u64::from_be_bytes(at)))
}

pub fn remove(changes: &mut Changes<'_>, user: &str) -> Result<bool, StoreError> {
    changes.remove(Table::LastSeen, user.as_bytes())
}
