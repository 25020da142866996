//! Counters, and their page in Prometheus' text format.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// A number that others read while it changes.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }
    pub fn set(&self, n: usize) {
        self.0.store(n as u64, Relaxed);
    }
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! metrics {
    ($(#[doc = $help:literal] $kind:ident $field:ident,)*) => {
        /// Everything the relay counts outside the media workers.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: Number,)*
            /// Calls ended, by cause, as [`CAUSES`] names them.
            ended: [Number; CAUSES.len()],
        }

        impl Metrics {
            fn list(&self) -> Vec<(&'static str, &'static str, &'static str, u64)> {
                vec![$((stringify!($field), stringify!($kind), $help.trim_ascii(), self.$field.get())),*]
            }
        }
    };
}

metrics! {
    /// Open WebSockets
    gauge sockets,
    /// WebSockets opened since the start
    counter sockets_total,
    /// WebSockets dropped because their outgoing queue was full or they answered no ping
    counter sockets_dropped_total,
    /// Connections refused by a limit, an origin or a missing subprotocol
    counter sockets_refused_total,
    /// Bindings in the registrar
    gauge registrations,
    /// Logins refused
    counter logins_failed_total,
    /// Requests refused because their From was not the user who had logged in
    counter spoofed_total,
    /// Calls that ring
    gauge calls_ringing,
    /// Calls that were answered and go on
    gauge calls_talking,
    /// Calls that were placed
    counter calls_total,
    /// SIP messages received
    counter sip_received_total,
    /// SIP messages sent
    counter sip_sent_total,
    /// SIP messages that nobody was there to receive
    counter sip_undelivered_total,
    /// Comet connections
    gauge comet_sessions,
    /// Messages published to pipes
    counter comet_published_total,
    /// Private messages taken
    counter comet_sent_total,
    /// Messages handed to connections
    counter comet_delivered_total,
    /// TCP connections handed to the media workers
    counter ice_tcp_total,
    /// Connections to the CometQL port
    counter cometql_connections_total,
    /// Statements executed on the CometQL port
    counter cometql_statements_total,
    /// Events kept for streams and webhooks
    counter events_total,
    /// Events that could not be written to the store
    counter events_lost_total,
    /// Events that webhooks took
    counter webhook_delivered_total,
    /// Deliveries to webhooks that failed and are tried again
    counter webhook_failed_total,
    /// Deliveries to webhooks that were given up
    counter webhook_dead_total,
}

/// How calls end, as `/metrics` labels them.
pub const CAUSES: [&str; 12] = [
    "hangup",
    "canceled",
    "busy",
    "rejected",
    "not_found",
    "unavailable",
    "no_answer",
    "incompatible_media",
    "page_closed",
    "connection_lost",
    "shutdown",
    "other",
];

impl Metrics {
    /// Counts a call that ended; an unknown cause counts as `other`.
    pub fn ended(&self, cause: &str) {
        let index = CAUSES.iter().position(|name| *name == cause);
        self.ended[index.unwrap_or(CAUSES.len() - 1)].add(1);
    }

    /// The page, with the media workers' own counters after ours.
    #[must_use]
    pub fn render(&self, media: &[(&'static str, &'static str, u64)]) -> String {
        let mut page = String::new();
        for (name, kind, help, value) in self.list() {
            row(&mut page, name, kind, help);
            line(&mut page, format_args!("clinicall_{name} {value}"));
        }
        row(
            &mut page,
            "calls_ended_total",
            "counter",
            "Calls that ended, by cause",
        );
        for (cause, number) in CAUSES.iter().zip(&self.ended) {
            let value = number.get();
            line(
                &mut page,
                format_args!("clinicall_calls_ended_total{{cause=\"{cause}\"}} {value}"),
            );
        }
        for (name, help, value) in media {
            let name = name.strip_prefix("clinicall_").unwrap_or(name);
            let kind = if name.ends_with("_total") {
                "counter"
            } else {
                "gauge"
            };
            row(&mut page, name, kind, help);
            line(&mut page, format_args!("clinicall_{name} {value}"));
        }
        page
    }
}

fn row(page: &mut String, name: &str, kind: &str, help: &str) {
    line(page, format_args!("# HELP clinicall_{name} {help}"));
    line(page, format_args!("# TYPE clinicall_{name} {kind}"));
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(page, "{text}").expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_line_for_each_number() {
        let metrics = Metrics::default();
        metrics.sockets.set(2);
        metrics.ended("busy");
        metrics.ended("unheard of");
        let page = metrics.render(&[("clinicall_media_packets_total", "Packets received", 7)]);
        for line in [
            "# TYPE clinicall_sockets gauge",
            "clinicall_sockets 2",
            "clinicall_calls_ended_total{cause=\"busy\"} 1",
            "clinicall_calls_ended_total{cause=\"other\"} 1",
            "# TYPE clinicall_media_packets_total counter",
            "clinicall_media_packets_total 7",
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
    }
}
