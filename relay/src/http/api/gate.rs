//! How often a back end may ask.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::config::Config;

/// Token buckets by caller.
#[derive(Debug)]
pub(super) struct Gate {
    per_second: f64,
    callers: Mutex<HashMap<String, (Instant, f64)>>,
}

/// A burst is this many seconds' worth.
const BURST: f64 = 2.0;

impl Gate {
    pub fn new(config: &Config) -> Self {
        Self {
            per_second: f64::from(config.limits.api_requests_per_second.max(1)),
            callers: Mutex::default(),
        }
    }

    /// `Err`: after how many seconds the next request is taken. Callers are as many as there are
    /// keys, so nothing grows.
    pub fn take(&self, caller: &str, now: Instant) -> Result<(), u64> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let full = self.per_second * BURST;
        let bucket = callers.entry(caller.to_owned()).or_insert((now, full));
        let gained = now.saturating_duration_since(bucket.0).as_secs_f64() * self.per_second;
        let tokens = (bucket.1 + gained).min(full);
        let taken = tokens >= 1.0;
        *bucket = (now, tokens - f64::from(u8::from(taken)));
        // less than a second, always
        taken.then_some(()).ok_or(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_back_end_gone_wild_waits_and_another_does_not() {
        let mut config = Config::dev();
        config.limits.api_requests_per_second = 10;
        let gate = Gate::new(&config);
        let start = Instant::now();
        let taken = (0..100).filter(|_| gate.take("site", start).is_ok());
        assert_eq!(taken.count(), 20);
        assert!(gate.take("lab", start).is_ok());
        assert!(
            gate.take("site", start + Duration::from_millis(101))
                .is_ok()
        );
    }
}
