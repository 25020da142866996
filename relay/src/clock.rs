//! The time of day, for what is kept or sent, and the one clock by which tries to log in are counted
//! at every door; whatever else is measured has clocks of its own.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use clinicall_sip::Time;

/// When this process first asked for the time.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where [`uptime`] begins.
#[must_use]
pub fn origin() -> Instant {
    *ORIGIN
}

/// Since [`origin`]; it never runs back.
#[must_use]
pub fn uptime() -> Time {
    let elapsed = ORIGIN.elapsed().as_millis();
    Time(u64::try_from(elapsed).unwrap_or(u64::MAX))
}

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
