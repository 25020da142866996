//! Structured logs on standard error, and warnings that cannot flood them.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use tracing_subscriber::{Layer as _, filter::Targets, layer::SubscriberExt as _};

use crate::config::{Format, Log};

/// Starts logging for the process.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let filter: Targets = log.level.parse().map_err(|error| {
        anyhow::anyhow!(
            "`log.level` is not a filter: {error}\n\
             hint: `info`, or `info,clinicall_relay::ws=debug` for one part of it"
        )
    })?;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match log.format {
        Format::Text => layer.with_ansi(false).boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    };
    tracing::subscriber::set_global_default(
        tracing_subscriber::registry().with(layer.with_filter(filter)),
    )?;
    Ok(())
}

/// Lets a few events of one kind through in each span of time: a peer that misbehaves a million
/// times writes a dozen lines.
#[derive(Debug)]
pub struct Throttle {
    per_span: u32,
    span: Duration,
    state: Mutex<Option<Window>>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    seen: u32,
}

impl Throttle {
    #[must_use]
    pub const fn new(per_span: u32, span: Duration) -> Self {
        Self {
            per_span,
            span,
            state: Mutex::new(None),
        }
    }

    /// `Some` when this event may be written, with the number left out since the last one that was.
    pub fn admit(&self, now: Instant) -> Option<u32> {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let fresh = Window {
            began: now,
            seen: 0,
        };
        let window = state.get_or_insert(fresh);
        let mut left_out = 0;
        if now.duration_since(window.began) >= self.span {
            left_out = window.seen.saturating_sub(self.per_span);
            *window = Window {
                began: now,
                seen: 0,
            };
        }
        window.seen = window.seen.saturating_add(1);
        (window.seen <= self.per_span).then_some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_bad_messages_write_a_few_lines() {
        let throttle = Throttle::new(3, Duration::from_secs(10));
        let start = Instant::now();
        let written = (0..1_000_000)
            .filter(|_| throttle.admit(start).is_some())
            .count();
        assert_eq!(written, 3);
        let later = start + Duration::from_secs(10);
        assert_eq!(throttle.admit(later), Some(999_997));
        assert_eq!(throttle.admit(later), Some(0));
    }
}
