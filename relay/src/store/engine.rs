//! What the store asks of whatever keeps its bytes: sorted tables, snapshots, and transactions that
//! are durable when they end. [`super::file`] has the one there is.

use std::{fmt::Debug, ops::ControlFlow};

use super::StoreError;

macro_rules! tables {
    ($($(#[doc = $doc:literal])* $Table:ident = $name:literal,)*) => {
        /// Every table there is. Keys and values are bytes; each table's own file says which.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Table {
            $($(#[doc = $doc])* $Table,)*
        }

        impl Table {
            pub const ALL: &[Self] = &[$(Self::$Table),*];

            /// Its name in the file.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Table => $name,)*
                }
            }
        }
    };
}

tables! {
    /// Single values: the epoch, counters.
    Meta = "meta",
    Users = "accounts",
    UserKeys = "user_keys",
    UserData = "user_data",
    LastSeen = "last_seen",
    Invitations = "invitations",
    InvitationsByUser = "invitations_by_user",
    Queues = "queues",
    Messages = "messages",
    MessagesByAge = "messages_by_age",
    Pipes = "pipes",
    PipeMessages = "pipe_messages",
    Revoked = "revoked",
    RevokedByEnd = "revoked_by_end",
    ApiKeys = "api_keys",
    Idempotency = "idempotency",
    IdempotencyByAge = "idempotency_by_age",
    Events = "events",
    Deliveries = "deliveries",
    DeadLetters = "dead_letters",
}

/// Called with each key and value in turn, until it breaks.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'v;

/// Reading. A snapshot does not change while it is looked at; a transaction shows its own changes.
pub trait Look {
    fn fetch(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Rows from `from` (included) to `to` (left out; `None` is the table's end), in the order of
    /// their keys.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError>;

    /// [`Look::scan`] from the end backwards.
    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError>;
}

/// A transaction under way. `put` and `remove` give back what was there.
pub trait Rows: Look {
    fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError>;
    fn remove(&mut self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
}

/// What a transaction ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Durable when [`Engine::write`] returns.
    Commit,
    /// As if it had not been; an error does the same.
    Abandon,
}

pub trait Engine: Debug + Send + Sync {
    fn write(
        &self,
        work: &mut dyn FnMut(&mut dyn Rows) -> Result<End, StoreError>,
    ) -> Result<(), StoreError>;

    fn read(
        &self,
        work: &mut dyn FnMut(&dyn Look) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}
