//! What outlives the process: users and their keys, invitations, queued messages, the history of
//! pipes, revoked tokens, events on their way to webhooks. One file, always open.
//!
//! One thread writes. Changes that come while it waits for the disk go into one durable commit
//! together; each is answered after that commit, and one that fails leaves no trace and harms none of
//! the others. Looks go beside it, each at a snapshot of its own.
//!
//! A table is a module of functions: those that change take [`Changes`], those that read take
//! `&dyn Look`, which is a [`View`] or the change itself.
//!
//! ```
//! # use clinicall_relay::store::{Store, StoreError, user_data};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), StoreError> {
//! let store = Store::open(None)?;
//! store
//!     .write(|changes| user_data::put(changes, "2", r#"{"room":"12"}"#))
//!     .await?; // on the disk now, had there been a path
//! let data = store.read(|view| user_data::get(view, "2"))?;
//! assert_eq!(data.as_deref(), Some(r#"{"room":"12"}"#));
//! # Ok(())
//! # }
//! ```

mod backup;
mod changes;
pub mod content;
pub mod engine;
mod file;
pub mod keeper;
pub mod key;
mod thread;

pub mod api_keys;
pub mod conference;
pub mod idempotency;
pub mod last_seen;
pub mod messages;
pub mod outbox;
pub mod pipes;
pub mod revoked;
pub mod user_data;
pub mod users;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot, watch};

pub use changes::{Changes, View};
pub use engine::Look;
use engine::{Engine, Table};
use thread::{Job, Work};

/// Changes that wait for the store thread; more wait for room.
const WAITING: usize = 4096;

#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store {0} cannot be used: {1}")]
    Engine(Arc<str>, #[source] Arc<redb::Error>),
    #[error("the store holds a row in `{table}` that cannot be read: {why}")]
    Record { table: &'static str, why: String },
    /// So many are kept already that no more is taken.
    #[error("{0} are waiting already")]
    Full(usize),
    /// A change that thought better of it.
    #[error("{0}")]
    Refused(String),
    #[error("a change to the store panicked")]
    Panicked,
    #[error("the store is closed")]
    Closed,
    #[error("the system gives no random bytes")]
    Random,
}

impl StoreError {
    fn record(table: Table, why: impl std::fmt::Display) -> Self {
        Self::Record {
            table: table.name(),
            why: why.to_string(),
        }
    }
}

/// Cheap to clone. The file is closed when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: Arc<dyn Engine>,
    path: Option<PathBuf>,
    epoch: u64,
    users: watch::Receiver<u64>,
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Store {
    /// Opens the file or makes it; without a path everything is forgotten with the process, and is
    /// the same otherwise. Fails when another process has the file open.
    pub fn open(path: Option<&Path>) -> Result<Self, StoreError> {
        let engine: Arc<dyn Engine> = match path {
            Some(path) => Arc::new(file::File::open(path)?),
            None => Arc::new(file::File::in_memory()?),
        };
        let epoch = epoch(&*engine)?;
        let (jobs, waiting) = mpsc::channel(WAITING);
        let (changed, users) = watch::channel(0);
        let writer = engine.clone();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || thread::run(&*writer, waiting, &changed))
            .map_err(|error| StoreError::Refused(format!("no thread for the store: {error}")))?;
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                path: path.map(Path::to_owned),
                epoch,
                users,
                jobs: Some(jobs),
                thread: Some(thread),
            }),
        })
    }

    /// Makes a change; it is durable when this returns. The change is made even when nobody waits
    /// for it any more. A change must be quick: all others wait for it.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Changes<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, waiting) = oneshot::channel();
        self.jobs()?
            .send(Box::new(Work::new(change, answer)))
            .await
            .map_err(|_| StoreError::Closed)?;
        waiting.await.map_err(|_| StoreError::Closed)?
    }

    /// [`Store::write`] for threads; panics within the runtime's.
    pub fn write_blocking<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Changes<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, waiting) = oneshot::channel();
        self.jobs()?
            .blocking_send(Box::new(Work::new(change, answer)))
            .map_err(|_| StoreError::Closed)?;
        waiting.blocking_recv().map_err(|_| StoreError::Closed)?
    }

    /// Looks at what is committed. Nobody waits for it, and it waits for nobody but the disk.
    pub fn read<T>(
        &self,
        look: impl FnOnce(&View<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut look = Some(look);
        let mut seen = None;
        self.inner.engine.read(&mut |rows| {
            if let Some(look) = look.take() {
                seen = Some(look(&View(rows))?);
            }
            Ok(())
        })?;
        seen.ok_or(StoreError::Closed)
    }

    /// Writes what is committed now into a new file, while changes go on. Blocks for as long as it
    /// takes. Returns how many rows there were.
    pub fn backup(&self, to: &Path) -> Result<u64, StoreError> {
        backup::copy(&*self.inner.engine, to)
    }

    /// A random number made with the file, below 2^53 so that JavaScript can hold it: offsets of
    /// messages mean something within one epoch alone.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.inner.epoch
    }

    /// Changes whenever a user or a key was written.
    #[must_use]
    pub fn users_changed(&self) -> watch::Receiver<u64> {
        self.inner.users.clone()
    }

    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    fn jobs(&self) -> Result<&mpsc::Sender<Box<dyn Job>>, StoreError> {
        self.inner.jobs.as_ref().ok_or(StoreError::Closed)
    }
}

impl Drop for Inner {
    /// Waits for what is under way, so that the file can be opened again at once.
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        // a change may hold the last clone; then it is this thread that would wait for itself
        if thread.thread().id() != std::thread::current().id() {
            let _ = thread.join();
        }
    }
}

fn epoch(engine: &dyn Engine) -> Result<u64, StoreError> {
    const KEY: &[u8] = b"epoch";
    let mut epoch = None;
    engine.write(&mut |rows| {
        if let Some(kept) = rows.fetch(Table::Meta, KEY)? {
            let kept = kept.try_into();
            epoch = Some(u64::from_be_bytes(kept.map_err(|_| {
                StoreError::record(Table::Meta, "the epoch is not a number")
            })?));
            return Ok(engine::End::Abandon);
        }
        let made = (u64::from_be_bytes(random()?) >> 11).max(1);
        rows.put(Table::Meta, KEY, &made.to_be_bytes())?;
        epoch = Some(made);
        Ok(engine::End::Commit)
    })?;
    epoch.ok_or(StoreError::Closed)
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
