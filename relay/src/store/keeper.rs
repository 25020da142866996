//! What has had its time is forgotten by and by, a few rows at a time.

use std::time::Duration;

use super::{Store, StoreError, idempotency, revoked};
use crate::clock::unix_ms;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(60);

/// Rows that go in one change.
const BATCH: usize = 500;

/// How long an answer is kept for a request that comes twice, milliseconds.
const ANSWERS: u64 = 24 * 3600 * 1000;

/// Goes round until the store is closed.
pub async fn run(store: Store) {
    loop {
        tokio::time::sleep(ROUND).await;
        match round(&store).await {
            Ok(()) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::error!(%error, "the store is not tidied"),
        }
    }
}

async fn round(store: &Store) -> Result<(), StoreError> {
    let now = unix_ms();
    while store
        .write(move |changes| {
            let tokens = revoked::expire(changes, now, BATCH)?;
            let answers = idempotency::expire(changes, now.saturating_sub(ANSWERS), BATCH)?;
            Ok(tokens == BATCH || answers == BATCH)
        })
        .await?
    {}
    Ok(())
}
