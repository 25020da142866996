//! What signalling takes from the configuration.

use clinicall_sip::{Millis, agent};

use crate::config::Config;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Served domains in lower case; the first is our own name.
    pub domains: Vec<String>,
    pub realm: String,
    pub ring_timeout: Millis,
    /// How long a call waits for a lost socket or media path.
    pub grace: Millis,
    /// How long an invitation waits for a user who is not there.
    pub invitation: Millis,
    /// How long one stays alone in a room that the others have left.
    pub alone: Millis,
    /// Everybody may enter every room.
    pub open_rooms: bool,
    pub calls: usize,
    pub calls_per_user: usize,
    pub pass_headers: Vec<String>,
    pub sockets_per_user: usize,
    pub login_deadline: Millis,
    pub failed_logins_per_minute: u32,
    pub min_expires: Millis,
    pub max_expires: Millis,
}

impl Settings {
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let (calls, limits) = (&config.calls, &config.limits);
        Self {
            domains: config
                .domains
                .iter()
                .map(|domain| domain.to_ascii_lowercase())
                .collect(),
            realm: config.realm().to_owned(),
            ring_timeout: Millis::from_secs(calls.ring_timeout_seconds),
            grace: Millis::from_secs(calls.reconnect_grace_seconds),
            invitation: Millis::from_secs(calls.invitation_seconds),
            alone: Millis::from_secs(calls.alone_seconds),
            open_rooms: calls.open_rooms,
            calls: calls.max,
            calls_per_user: calls.per_user,
            pass_headers: calls.pass_headers.clone(),
            sockets_per_user: limits.sockets_per_user,
            login_deadline: Millis::from_secs(limits.login_seconds),
            failed_logins_per_minute: limits.failed_logins_per_minute,
            min_expires: Millis::from_secs(limits.min_expires_seconds),
            max_expires: Millis::from_secs(limits.max_expires_seconds),
        }
    }

    /// The name we give ourselves.
    #[must_use]
    pub fn host(&self) -> &str {
        self.domains.first().map_or("", String::as_str)
    }

    #[must_use]
    pub fn serves(&self, host: &str) -> bool {
        self.domains
            .iter()
            .any(|domain| domain.eq_ignore_ascii_case(host))
    }

    /// The user agent core's part.
    #[must_use]
    pub fn agent(&self, seed: [u8; 32]) -> agent::Config {
        agent::Config {
            product: concat!("clinicall/", env!("CARGO_PKG_VERSION")).to_owned(),
            host: self.host().to_owned(),
            contact_user: String::new(),
            seed,
            // a call has a leg for its caller and one for each socket of the callee
            max_calls: self.calls.saturating_mul(1 + self.sockets_per_user),
            session_expires: Millis::from_secs(1_800),
            min_se: Millis::from_secs(90),
            // the focus gives up first, with its own Reason; this is for what it might forget
            ring_timeout: Millis(self.ring_timeout.0 + 10_000),
        }
    }
}
