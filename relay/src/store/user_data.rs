//! What the clinic lets pages know of a user: its own text or JSON (CppComet's `users_data`).

use super::{
    Changes, StoreError,
    engine::{Look, Table},
};

pub fn put(changes: &mut Changes<'_>, user: &str, data: &str) -> Result<(), StoreError> {
    changes.put(Table::UserData, user.as_bytes(), data.as_bytes())?;
    Ok(())
}

pub fn get(look: &dyn Look, user: &str) -> Result<Option<String>, StoreError> {
    let data = look.fetch(Table::UserData, user.as_bytes())?;
    Ok(data.map(|data| String::from_utf8_lossy(&data).into_owned()))
}

/// `false`: there was none.
pub fn remove(changes: &mut Changes<'_>, user: &str) -> Result<bool, StoreError> {
    changes.remove(Table::UserData, user.as_bytes())
}
