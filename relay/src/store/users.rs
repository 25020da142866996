//! The people who may log in, and the keys the clinic gave them through `users_auth`.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{
    Changes, StoreError,
    changes::{load, parse},
    engine::{Look, Table},
};
use crate::{
    config::Secret,
    signal::users::{Keys, User},
};

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    name: String,
    ha1_sha256: Option<String>,
    ha1_md5: Option<String>,
}

/// Adds a user or replaces the one with that id.
pub fn put(changes: &mut Changes<'_>, user: &User) -> Result<(), StoreError> {
    let record = Record {
        name: user.name.clone(),
        ha1_sha256: user.keys.sha256.clone(),
        ha1_md5: user.keys.md5.clone(),
    };
    changes.save(Table::Users, user.id.as_bytes(), &record)?;
    Ok(())
}

/// `false`: there was none.
pub fn remove(changes: &mut Changes<'_>, id: &str) -> Result<bool, StoreError> {
    changes.remove(Table::Users, id.as_bytes())
}

pub fn get(look: &dyn Look, id: &str) -> Result<Option<User>, StoreError> {
    let record: Option<Record> = load(look, Table::Users, id.as_bytes())?;
    Ok(record.map(|record| user(id.to_owned(), record)))
}

/// Everybody, by id.
pub fn all(look: &dyn Look) -> Result<Vec<User>, StoreError> {
    let mut users = Vec::new();
    look.scan(Table::Users, &[], None, &mut |id, record| {
        let id = String::from_utf8_lossy(id).into_owned();
        users.push(user(id, parse(Table::Users, record)?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(users)
}

fn user(id: String, record: Record) -> User {
    let keys = Keys {
        sha256: record.ha1_sha256,
        md5: record.ha1_md5,
    };
    User {
        id,
        name: record.name,
        keys,
    }
}

/// The key of `users_auth`, in clear: CometQL shows it, and a digest for any realm is made of it.
pub fn key(look: &dyn Look, user: &str) -> Result<Option<Secret>, StoreError> {
    let key = look.fetch(Table::UserKeys, user.as_bytes())?;
    Ok(key.map(|key| Secret(String::from_utf8_lossy(&key).into_owned())))
}

/// Users with a key and the keys, by id, after that user; all of them are never wanted at once.
pub fn keys(
    look: &dyn Look,
    after: &str,
    limit: usize,
) -> Result<Vec<(String, Secret)>, StoreError> {
    let mut found = Vec::new();
    look.scan(Table::UserKeys, after.as_bytes(), None, &mut |id, key| {
        if found.len() == limit {
            return Ok(ControlFlow::Break(()));
        }
        if id != after.as_bytes() {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            found.push((text(id), Secret(text(key))));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

pub fn put_key(changes: &mut Changes<'_>, user: &str, key: &Secret) -> Result<(), StoreError> {
    changes.put(Table::UserKeys, user.as_bytes(), key.0.as_bytes())?;
    Ok(())
}

/// `false`: there was none.
pub fn remove_key(changes: &mut Changes<'_>, user: &str) -> Result<bool, StoreError> {
    changes.remove(Table::UserKeys, user.as_bytes())
}
