//! The thread that writes: it takes every change that waits, makes them one after the other in one
//! transaction, and answers when that is on the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Changes, StoreError,
    engine::{End, Engine, Rows, Table},
};

/// Changes in one commit: bounds how long the first of them waits for the last.
const GROUP: usize = 1024;

/// A change whose result type is forgotten.
pub(super) trait Job: Send {
    /// `Err`: the change is to be taken back.
    fn change(&mut self, changes: &mut Changes<'_>) -> Result<(), ()>;
    /// Tells whoever waits.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

pub(super) struct Work<F, T> {
    change: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Work<F, T> {
    pub(super) const fn new(change: F, answer: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self {
            change: Some(change),
            outcome: None,
            answer,
        }
    }
}

impl<F, T> Job for Work<F, T>
where
    F: FnOnce(&mut Changes<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn change(&mut self, changes: &mut Changes<'_>) -> Result<(), ()> {
        let Some(change) = self.change.take() else {
            return Err(());
        };
        // what the change left half done is put back below, so nobody sees it
        let outcome = catch_unwind(AssertUnwindSafe(|| change(changes)));
        let outcome = outcome.unwrap_or(Err(StoreError::Panicked));
        let done = outcome.as_ref().map_or(Err(()), |_| Ok(()));
        self.outcome = Some(outcome);
        done
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = match (committed, self.outcome) {
            (_, Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error),
            (Ok(()), outcome) => outcome.unwrap_or(Err(StoreError::Closed)),
        };
        // whoever asked may have gone
        let _ = self.answer.send(outcome);
    }
}

pub(super) fn run(
    engine: &dyn Engine,
    mut waiting: mpsc::Receiver<Box<dyn Job>>,
    users: &watch::Sender<u64>,
) {
    while let Some(first) = waiting.blocking_recv() {
        let mut next = Some(first);
        let mut group: Vec<Box<dyn Job>> = Vec::new();
        let mut users_changed = false;
        let committed = engine.write(&mut |rows| {
            let mut end = End::Abandon;
            while let Some(mut job) = next.take() {
                let changed = one(&mut *job, rows, &mut users_changed);
                group.push(job);
                if changed? {
                    end = End::Commit;
                }
                if group.len() < GROUP {
                    next = waiting.try_recv().ok();
                }
            }
            Ok(end)
        });
        if let Err(error) = &committed {
            tracing::error!(%error, changes = group.len(), "the store did not commit");
        }
        if users_changed && committed.is_ok() {
            users.send_modify(|version| *version += 1);
        }
        for job in group {
            job.answer(committed.clone());
        }
        // a transaction that could not even begin has asked for no job
        if let Some(job) = next {
            job.answer(committed.and(Err(StoreError::Closed)));
        }
    }
}

/// Whether the transaction has something to commit. An error here is the engine's, and the end of
/// the whole group.
fn one(
    job: &mut dyn Job,
    rows: &mut dyn Rows,
    users_changed: &mut bool,
) -> Result<bool, StoreError> {
    let mut changes = Changes::on(rows);
    match job.change(&mut changes) {
        Ok(()) => {
            *users_changed |= changes.touched(Table::Users) || changes.touched(Table::UserKeys);
            Ok(!changes.is_empty())
        }
        Err(()) => {
            changes.undo()?;
            Ok(false)
        }
    }
}
