//! What outlives the process: users, so far.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};

use crate::signal::users::{Keys, User};

/// Users kept somewhere.
pub trait Store {
    /// Adds a user or replaces the one with that id.
    fn put(&self, user: &User) -> Result<(), StoreError>;
    /// `false`: there was none.
    fn remove(&self, id: &str) -> Result<bool, StoreError>;
    /// Everybody, by id.
    fn all(&self) -> Result<Vec<User>, StoreError>;
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store {0} cannot be used: {1}")]
    Redb(PathBuf, #[source] Box<redb::Error>),
    #[error("the store {0} holds a user that cannot be read: {1}")]
    Record(PathBuf, #[source] serde_json::Error),
}

/// Id to [`Record`] as JSON.
const USERS: TableDefinition<'_, &str, &str> = TableDefinition::new("users");

/// One file. It is open only while it is read or written, so that `clinicall user add` works while
/// the relay runs.
#[derive(Clone, Debug)]
pub struct RedbStore {
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    name: String,
    ha1_sha256: Option<String>,
    ha1_md5: Option<String>,
}

impl RedbStore {
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, &str, &str>) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let work = || -> Result<T, redb::Error> {
            let database = Database::create(&self.path)?;
            let transaction = database.begin_write()?;
            let changed = change(&mut transaction.open_table(USERS)?)?;
            transaction.commit()?;
            Ok(changed)
        };
        work().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: redb::Error) -> StoreError {
        StoreError::Redb(self.path.clone(), Box::new(error))
    }
}

impl Store for RedbStore {
    fn put(&self, user: &User) -> Result<(), StoreError> {
        let record = Record {
            name: user.name.clone(),
            ha1_sha256: user.keys.sha256.clone(),
            ha1_md5: user.keys.md5.clone(),
        };
        let text = serde_json::to_string(&record)
            .map_err(|error| StoreError::Record(self.path.clone(), error))?;
        self.write(|users| {
            users.insert(user.id.as_str(), text.as_str())?;
            Ok(())
        })
    }

    fn remove(&self, id: &str) -> Result<bool, StoreError> {
        self.write(|users| Ok(users.remove(id)?.is_some()))
    }

    fn all(&self) -> Result<Vec<User>, StoreError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let read = || -> Result<Vec<(String, String)>, redb::Error> {
            let database = Database::open(&self.path)?;
            let users = match database.begin_read()?.open_table(USERS) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                users => users?,
            };
            let mut records = Vec::new();
            for entry in users.iter()? {
                let (id, record) = entry?;
                records.push((id.value().to_owned(), record.value().to_owned()));
            }
            Ok(records)
        };
        let records = read().map_err(|error| self.failed(error))?;
        records
            .into_iter()
            .map(|(id, text)| {
                let record: Record = serde_json::from_str(&text)
                    .map_err(|error| StoreError::Record(self.path.clone(), error))?;
                let keys = Keys {
                    sha256: record.ha1_sha256,
                    md5: record.ha1_md5,
                };
                Ok(User {
                    id,
                    name: record.name,
                    keys,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_kept_without_the_password() {
        let path = std::env::temp_dir().join(format!("clinicall-store-{}", std::process::id()));
        let store = RedbStore::at(&path);
        assert_eq!(store.all().unwrap(), []);
        let keys = Keys::derive("2", "visits.example", "spring in Vologda");
        let doctor = User {
            id: "2".to_owned(),
            name: "Doctor Ivanova".to_owned(),
            keys,
        };
        store.put(&doctor).unwrap();
        assert_eq!(store.all().unwrap(), [doctor]);
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"Vologda"));
        assert!(store.remove("2").unwrap());
        assert!(!store.remove("2").unwrap());
        assert_eq!(store.all().unwrap(), []);
        std::fs::remove_file(path).unwrap();
    }
}
