//! The tables. Each has a file, with what its verbs do; this one knows them all.

use super::{
    Code, Error,
    backing::Backing,
    error::refuse,
    is_database,
    sql::Condition,
    value::{Column, Kind, Value},
};
use crate::config::is_user_id;

mod conference;
mod conference_members;
mod pipes;
mod pipes_messages;
mod pipes_settings;
mod revoked_tokens;
mod users_auth;
mod users_data;
mod users_in_pipes;
mod users_messages;
mod users_time;

/// A table by its name, its columns and what can be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Conference,
    ConferenceMembers,
    Pipes,
    PipesMessages,
    PipesSettings,
    RevokedTokens,
    UsersAuth,
    UsersData,
    UsersInPipes,
    UsersMessages,
    UsersTime,
}

/// What a table is, apart from what it does.
#[derive(Debug)]
pub struct Spec {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Kind)],
    /// The columns a row is known by.
    pub key: &'static [&'static str],
    /// Without INSERT, DELETE and UPDATE.
    pub read_only: bool,
}

/// One row of VALUES.
#[derive(Debug)]
pub struct Row<'a> {
    pub columns: &'a [String],
    pub values: Vec<&'a Value>,
}

/// What a row's INSERT counts for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// The user's id where it is a number, as CppComet tells it.
    pub id: u64,
}

impl Table {
    pub const ALL: [Self; 11] = [
        Self::Conference,
        Self::ConferenceMembers,
        Self::Pipes,
        Self::PipesMessages,
        Self::PipesSettings,
        Self::RevokedTokens,
        Self::UsersAuth,
        Self::UsersData,
        Self::UsersInPipes,
        Self::UsersMessages,
        Self::UsersTime,
    ];

    pub fn named(name: &str) -> Result<Self, Error> {
        let found = Self::ALL
            .into_iter()
            .find(|table| table.spec().name == name);
        found.ok_or_else(|| {
            Error::new(
                Code::Missing,
                format!("there is no table `{name}`: see SHOW TABLES"),
            )
        })
    }

    #[must_use]
    pub const fn spec(self) -> &'static Spec {
        match self {
            Self::Conference => &conference::SPEC,
            Self::ConferenceMembers => &conference_members::SPEC,
            Self::Pipes => &pipes::SPEC,
            Self::PipesMessages => &pipes_messages::SPEC,
            Self::PipesSettings => &pipes_settings::SPEC,
            Self::RevokedTokens => &revoked_tokens::SPEC,
            Self::UsersAuth => &users_auth::SPEC,
            Self::UsersData => &users_data::SPEC,
            Self::UsersInPipes => &users_in_pipes::SPEC,
            Self::UsersMessages => &users_messages::SPEC,
            Self::UsersTime => &users_time::SPEC,
        }
    }

    pub fn columns(self) -> impl Iterator<Item = Column> {
        let spec = self.spec();
        let columns = spec.columns.iter();
        columns.map(|(name, kind)| Column::new(spec.name, *name, *kind))
    }

    /// Where a column stands.
    pub fn position(self, column: &str) -> Result<usize, Error> {
        let spec = self.spec();
        let found = spec.columns.iter().position(|(name, _)| *name == column);
        found.ok_or_else(|| {
            let names: Vec<&str> = spec.columns.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            Error::new(
                Code::Columns,
                format!(
                    "`{}` has no column `{column}`: there are {names}",
                    spec.name
                ),
            )
        })
    }

    /// The rows the condition may mean, and perhaps more: those that share its keys.
    pub async fn rows<B: Backing>(
        self,
        backing: &B,
        condition: Option<&Condition>,
        now: u64,
    ) -> Result<Vec<Vec<Value>>, Error> {
        let keys = |column| condition.and_then(|condition| condition.keys(column));
        match self {
            Self::Conference => conference::rows(backing, keys("name")).await,
            Self::ConferenceMembers => conference_members::rows(backing, keys("name"), now).await,
            Self::Pipes => pipes::rows(backing, keys("name")).await,
            Self::PipesMessages => pipes_messages::rows(backing, keys("name")).await,
            Self::PipesSettings => pipes_settings::rows(backing, keys("name")).await,
            Self::RevokedTokens => revoked_tokens::rows(backing).await,
            Self::UsersAuth => users_auth::rows(backing, keys("id")).await,
            Self::UsersData => users_data::rows(backing, keys("id")).await,
            Self::UsersInPipes => users_in_pipes::rows(backing, keys("name")).await,
            Self::UsersMessages => users_messages::rows(backing, keys("id")).await,
            Self::UsersTime => users_time::rows(backing, keys("id")).await,
        }
    }

    /// All rows are checked before the first is written.
    pub async fn insert<B: Backing>(
        self,
        backing: &B,
        rows: &[Row<'_>],
    ) -> Result<Inserted, Error> {
        match self {
            Self::Conference => conference::insert(backing, rows).await,
            Self::PipesMessages => pipes_messages::insert(backing, rows).await,
            Self::PipesSettings => pipes_settings::insert(backing, rows).await,
            Self::RevokedTokens => revoked_tokens::insert(backing, rows).await,
            Self::UsersAuth => users_auth::insert(backing, rows).await,
            Self::UsersData => users_data::insert(backing, rows).await,
            Self::UsersMessages => users_messages::insert(backing, rows).await,
            Self::ConferenceMembers | Self::Pipes | Self::UsersInPipes | Self::UsersTime => {
                self.read_only("INSERT")
            }
        }
    }

    /// Deletes these rows, which are whole ones as [`Self::rows`] gave them; returns how many were
    /// there.
    pub async fn delete<B: Backing>(
        self,
        backing: &B,
        condition: &Condition,
        rows: &[Vec<Value>],
    ) -> Result<u64, Error> {
        match self {
            Self::Conference => conference::delete(backing, rows).await,
            Self::PipesMessages => pipes_messages::delete(backing, condition).await,
            Self::PipesSettings => pipes_settings::delete(backing, rows).await,
            Self::RevokedTokens => revoked_tokens::delete(backing, rows).await,
            Self::UsersAuth => users_auth::delete(backing, rows).await,
            Self::UsersData => users_data::delete(backing, rows).await,
            Self::UsersMessages => users_messages::delete(backing, condition).await,
            Self::ConferenceMembers | Self::Pipes | Self::UsersInPipes | Self::UsersTime => {
                self.read_only("DELETE")
            }
        }
    }

    /// True where a row may be written anew by INSERT: where UPDATE makes sense.
    #[must_use]
    pub const fn is_updatable(self) -> bool {
        matches!(
            self,
            Self::UsersAuth | Self::UsersData | Self::PipesSettings
        )
    }

    pub fn read_only<T>(self, verb: &str) -> Result<T, Error> {
        let name = self.spec().name;
        refuse(
            Code::ReadOnly,
            format!("`{name}` is read only: it takes no {verb}"),
        )
    }
}

/// For a table that is read by its key alone.
fn wanted(keys: Option<Vec<String>>, spec: &Spec) -> Result<Vec<String>, Error> {
    keys.ok_or_else(|| {
        let key = spec.key[0];
        Error::new(
            Code::Key,
            format!(
                "Selection without transferring the requested values of the primary key is not \
                 supported: name them, as in WHERE {key} = ... or {key} IN (...)"
            ),
        )
    })
}

impl Row<'_> {
    /// A column's value, if it was given and is not NULL.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<String> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.values.get(index)?.text()
    }

    /// A column that must be given.
    pub fn need(&self, column: &'static str) -> Result<String, Error> {
        self.get(column).ok_or_else(|| {
            Error::new(
                Code::Columns,
                format!("`{column}` is missing: the row needs a value for it"),
            )
        })
    }

    /// The id of a user.
    pub fn user(&self, column: &'static str) -> Result<String, Error> {
        let id = self.need(column)?;
        bounded(column, &id, 1, 64)?;
        // 0 is nobody: a guest, or the back end itself
        if !is_user_id(&id) || id == "0" {
            return refuse(
                Code::InvalidData,
                format!(
                    "`{column}` is no user's id: take letters, digits, `.`, `-` and `_`, not 0"
                ),
            );
        }
        Ok(id)
    }

    /// The name of a pipe.
    pub fn pipe(&self) -> Result<String, Error> {
        let name = self.need("name")?;
        bounded("name", &name, 3, 64)?;
        plain("name", &name)?;
        Ok(name)
    }

    /// The name of an event, which may be empty.
    pub fn event(&self) -> Result<String, Error> {
        let event = self.get("event").unwrap_or_default();
        bounded("event", &event, 0, 64)?;
        plain("event", &event)?;
        Ok(event)
    }
}

fn bounded(column: &str, text: &str, least: usize, most: usize) -> Result<(), Error> {
    if text.len() < least {
        return refuse(
            Code::TooShort,
            format!("`{column}` is too short: at least {least} characters"),
        );
    }
    if text.len() > most {
        return refuse(
            Code::TooLong,
            format!("`{column}` is too long: at most {most} characters"),
        );
    }
    Ok(())
}

fn plain(column: &str, text: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match text.bytes().all(fits) {
        true => Ok(()),
        false => refuse(
            Code::InvalidData,
            format!("`{column}` may have letters, digits, `_` and `-` only"),
        ),
    }
}

/// The first number among the ids, as the id an INSERT is told to have made.
fn inserted<'a>(ids: impl IntoIterator<Item = &'a String>) -> Inserted {
    let id = ids.into_iter().next().and_then(|id| id.parse().ok());
    Inserted {
        id: id.unwrap_or_default(),
    }
}

/// The text of a cell that a table made itself.
fn cell(row: &[Value], index: usize) -> String {
    row.get(index).and_then(Value::text).unwrap_or_default()
}

/// Databases a statement may name.
pub fn database(name: &str) -> Result<(), Error> {
    match is_database(name) {
        true => Ok(()),
        false => refuse(
            Code::Missing,
            format!(
                "there is no database `{name}`: it is called {}",
                super::DATABASE
            ),
        ),
    }
}
