//! Structured logs on standard error, and warnings that cannot flood them.

use std::{
    fmt::{self, Write as _},
    sync::Mutex,
    time::{Duration, Instant},
};

use tracing::field::Field;
use tracing_subscriber::{
    Layer as _,
    field::MakeExt as _,
    filter::Targets,
    fmt::{FormatFields, format},
    layer::SubscriberExt as _,
};

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
        Format::Text => layer.with_ansi(false).fmt_fields(fields()).boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    };
    tracing::subscriber::set_global_default(
        tracing_subscriber::registry().with(layer.with_filter(filter)),
    )?;
    Ok(())
}

/// `name=value`, everything on the line where it belongs: words of strangers (an error that quotes
/// an answer, say) neither begin a line of their own nor speak to the terminal.
fn fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    let field = |writer: &mut format::Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        if field.name() != "message" {
            write!(writer, "{}=", field.name())?;
        }
        write!(OneLine(writer), "{value:?}")
    };
    format::debug_fn(field).delimited(" ")
}

/// Writes control characters as escapes.
struct OneLine<W>(W);

impl<W: fmt::Write> fmt::Write for OneLine<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let unsafe_to_show = |char: char| {
            // a terminal shows the second kind, but in an order of the writer's own
            char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let mut rest = text;
        while let Some(at) = rest.find(unsafe_to_show) {
            let (before, from) = rest.split_at(at);
            self.0.write_str(before)?;
            let mut chars = from.chars();
            if let Some(char) = chars.next() {
                write!(self.0, "{}", char.escape_debug())?;
            }
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
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
    use std::{
        io::{self, Write},
        sync::{Arc, PoisonError},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Attack 18: what a stranger says is on one line, whatever it says.
    #[test]
    fn words_of_strangers_stay_on_their_line() {
        let paper = Paper::default();
        let pen = paper.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || pen.clone())
            .with_ansi(false)
            .fmt_fields(fields());
        let hostile = "x\r\n2026-11-22T00:00:00Z  INFO forged\u{1b}[2J\u{7}\u{9b}\u{202e}\u{2028}";
        let words = hostile.to_owned();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(user = words, why = %words, debug = ?words, "said {words}");
            tracing::info!(count = 3, user = "dr.who", "a plain line");
        });
        let written = paper.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = String::from_utf8(written.clone()).unwrap();
        let lines: Vec<&str> = written.split('\n').collect();
        assert_eq!(lines.len(), 3, "{written:?}");
        assert_eq!(written.matches("forged").count(), 4);
        assert!(!written.contains(['\r', '\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{2028}']));
        assert!(lines[0].contains(r#"why=x\r\n2026-11-22"#), "{written}");
        assert!(
            lines[1].ends_with(r#"a plain line count=3 user="dr.who""#),
            "{written}"
        );
    }

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
