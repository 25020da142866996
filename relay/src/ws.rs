//! WebSockets: the codec, and the phone's own socket on it.
//!
//! A page's WebSocket passes three rooms: [`handshake`] answers its request, [`socket`] carries frames
//! between the connection and the pure [`frame`] and [`deflate`], and whoever asked for it talks.
//!
//! The codec is ours, of all things, for two reasons that no crate had both answers to in November 2026.
//! `tungstenite` (which axum uses) has no permessage-deflate, without which a call's signalling does not
//! fit through a slow link; and an idle listener held twelve kilobytes in it, where there is nothing to
//! hold: BENCHMARKS.md has the figures, and what the others would have cost.

pub mod deflate;
pub mod frame;
pub(crate) mod handshake;
pub(crate) mod phone;
pub(crate) mod socket;

use std::time::{Duration, Instant};

pub(crate) use handshake::{Handshake, NoWebSocket, Terms};
pub use phone::QUEUE;
pub(crate) use socket::{Frame, Heard, Socket};

/// Often enough to keep a mobile carrier's NAT open (30 s is the shortest seen in practice for TCP).
pub(crate) const PING_EVERY: Duration = Duration::from_secs(25);
/// Pings in a row without any sign of life after which a socket is dead.
pub(crate) const MISSED_PINGS: u32 = 2;

/// A token bucket that says how long to wait rather than no.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

/// A burst this many seconds' worth of messages long is taken at once.
const BURST_SECONDS: f64 = 5.0;

impl Bucket {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self {
            per_second,
            tokens: per_second * BURST_SECONDS,
            filled: now,
        }
    }

    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        let gained = now.duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.per_second * BURST_SECONDS) - 1.0;
        self.filled = now;
        Duration::from_secs_f64((-self.tokens / self.per_second).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_waits() {
        let start = Instant::now();
        let mut bucket = Bucket::new(20, start);
        assert!((0..100).all(|_| bucket.take(start).is_zero()));
        assert_eq!(bucket.take(start), Duration::from_millis(50));
        let later = start + Duration::from_secs(60);
        assert!(bucket.take(later).is_zero());
    }
}
