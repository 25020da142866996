//! How often a back end may ask, and how often anybody may guess a key.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{config::Config, http::peers::household};

/// Token buckets by caller, and wrong keys by address.
#[derive(Debug)]
pub(super) struct Gate {
    per_second: f64,
    guesses_per_minute: u32,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    callers: HashMap<String, (Instant, f64)>,
    guesses: HashMap<IpAddr, (Instant, u32)>,
}

/// A burst is this many seconds' worth.
const BURST: f64 = 2.0;
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses remembered; whoever has more is not stopped by counting them.
const MAX_GUESSERS: usize = 10_000;

impl Gate {
    pub fn new(config: &Config) -> Self {
        Self {
            per_second: f64::from(config.limits.api_requests_per_second.max(1)),
            guesses_per_minute: config.limits.failed_logins_per_minute,
            inner: Mutex::default(),
        }
    }

    /// `Err`: after how many seconds the next request is taken. Callers are as many as there are
    /// keys, so nothing grows.
    pub fn take(&self, caller: &str, now: Instant) -> Result<(), u64> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let full = self.per_second * BURST;
        let bucket = inner
            .callers
            .entry(caller.to_owned())
            .or_insert((now, full));
        let gained = now.saturating_duration_since(bucket.0).as_secs_f64() * self.per_second;
        let tokens = (bucket.1 + gained).min(full);
        let taken = tokens >= 1.0;
        *bucket = (now, tokens - f64::from(u8::from(taken)));
        // less than a second, always
        taken.then_some(()).ok_or(1)
    }

    /// `Err`: after how many seconds this address may try another key.
    pub fn may_guess(&self, address: IpAddr, now: Instant) -> Result<(), u64> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.guesses.get(&household(address)) {
            Some((began, wrong)) if *wrong >= self.guesses_per_minute => {
                let left = MINUTE.saturating_sub(now.saturating_duration_since(*began));
                match left.is_zero() {
                    true => Ok(()),
                    false => Err(left.as_secs() + 1),
                }
            }
            _ => Ok(()),
        }
    }

    pub fn guessed_wrong(&self, address: IpAddr, now: Instant) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.guesses.len() >= MAX_GUESSERS {
            inner
                .guesses
                .retain(|_, (began, _)| now.saturating_duration_since(*began) < MINUTE);
            if inner.guesses.len() >= MAX_GUESSERS {
                inner.guesses.clear();
            }
        }
        let guesses = inner.guesses.entry(household(address)).or_insert((now, 0));
        if now.saturating_duration_since(guesses.0) >= MINUTE {
            *guesses = (now, 0);
        }
        guesses.1 += 1;
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn guessing_keys_ends_soon_and_stays_within_the_memory() {
        let gate = Gate::new(&Config::dev());
        let start = Instant::now();
        let thief = IpAddr::from([192, 0, 2, 66]);
        for _ in 0..20 {
            assert!(gate.may_guess(thief, start).is_ok());
            gate.guessed_wrong(thief, start);
        }
        assert!(gate.may_guess(thief, start).is_err());
        assert!(gate.may_guess(thief, start + MINUTE).is_ok());
        for n in 0..30_000_u32 {
            gate.guessed_wrong(IpAddr::from(n.to_be_bytes()), start);
        }
        assert!(gate.inner.lock().unwrap().guesses.len() <= MAX_GUESSERS);
    }
}
