//! The time of day, for what is kept or sent; whatever is measured has clocks of its own.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in unix milliseconds.
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Now, in unix seconds.
#[must_use]
pub fn unix_seconds() -> u64 {
    unix_ms() / 1_000
}
