//! What the tables stand on. [`crate::backend`] is the real one; tests have one in memory.

use std::future::Future;

use crate::backend::{BackendError, Invitation, Invited, Member};

/// A result that comes later, from any thread.
pub trait Later<T>: Future<Output = Result<T, BackendError>> + Send {}

impl<T, F: Future<Output = Result<T, BackendError>> + Send> Later<T> for F {}

/// A message that waits for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub id: String,
    pub event: String,
    pub body: String,
}

/// A message in a pipe's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub offset: u64,
    pub id: String,
    pub event: String,
    pub body: String,
    /// Who published it; `None` for the back end and for guests.
    pub user: Option<String>,
    /// Unix milliseconds.
    pub at: u64,
}

/// A socket that listens to a pipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ear {
    /// `None` for a guest.
    pub user: Option<String>,
    pub uuid: String,
    pub agent: String,
    pub ip: String,
    pub origin: String,
    pub language: String,
}

/// When a user was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Now,
    /// Unix milliseconds.
    Until(u64),
    Never,
}

/// The functions of the back end, as the tables need them.
pub trait Backing: Clone + Send + Sync + 'static {
    fn set_key(&self, user: &str, key: &str) -> impl Later<()>;
    /// Those of `users` that have a key, with it.
    fn keys(&self, users: &[String]) -> impl Later<Vec<(String, String)>>;
    /// Closes the user's live sockets too. False: there was none.
    fn remove_key(&self, user: &str) -> impl Later<bool>;

    fn set_data(&self, user: &str, data: &str) -> impl Later<()>;
    fn data(&self, users: &[String]) -> impl Later<Vec<(String, String)>>;
    fn remove_data(&self, user: &str) -> impl Later<bool>;

    /// One for each of `users`, in their order.
    fn seen(&self, users: &[String]) -> impl Later<Vec<Presence>>;
    /// How many users are online.
    fn online(&self) -> impl Later<usize>;

    fn send(&self, user: &str, event: &str, body: &str) -> impl Later<()>;
    fn waiting(&self, user: &str) -> impl Later<Vec<Waiting>>;
    /// How many waited.
    fn clear_waiting(&self, user: &str) -> impl Later<usize>;

    fn publish(&self, pipe: &str, event: &str, body: &str, from: Option<&str>) -> impl Later<()>;
    /// Oldest first.
    fn history(&self, pipe: &str) -> impl Later<Vec<Kept>>;
    fn clear_history(&self, pipe: &str) -> impl Later<usize>;
    /// Some messages of a pipe, by their numbers; how many there were.
    fn forget(&self, pipe: &str, ids: &[u64]) -> impl Later<usize>;
    /// How many messages the pipe keeps, if that was set.
    fn history_length(&self, pipe: &str) -> impl Later<Option<usize>>;
    fn set_history_length(&self, pipe: &str, length: usize) -> impl Later<()>;
    /// Drops the history too. False: nothing was set.
    fn drop_history(&self, pipe: &str) -> impl Later<bool>;
    fn listeners(&self, pipe: &str) -> impl Later<usize>;
    fn in_pipe(&self, pipe: &str) -> impl Later<Vec<Ear>>;

    fn revoke(&self, token: &str) -> impl Later<()>;
    fn revoked(&self) -> impl Later<Vec<String>>;
    fn unrevoke(&self, token: &str) -> impl Later<bool>;

    fn invite(&self, invitation: Invitation) -> impl Later<Invited>;
    /// Takes the user out of the call too. False: there was no such invitation.
    fn uninvite(&self, room: &str, user: &str) -> impl Later<bool>;
    fn invitations(&self, room: &str) -> impl Later<Vec<Invitation>>;
    /// Who is in a room, or in any.
    fn members(&self, room: Option<&str>) -> impl Later<Vec<Member>>;
}

mod real;

#[cfg(test)]
pub mod fake;
