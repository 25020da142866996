//! Session timers (RFC 4028): a call whose peer vanished ends by itself.

use super::{Call, Phase};
use crate::{
    agent::{Agent, By, Cause, Config, Ending, read, timers::Alarm},
    message::Headers,
    time::Millis,
};

/// RFC 4028 section 5: the smallest Min-SE there is.
const FLOOR: u64 = 90;

#[derive(Debug, Default)]
pub(super) struct SessionTimer {
    /// Seconds; 0 while no timer runs.
    pub(super) interval: u64,
    /// We send the refreshes.
    ours: bool,
    /// What we ask for, in seconds.
    wish: u64,
    min: u64,
}

impl SessionTimer {
    pub(super) fn start(&mut self, config: &Config) {
        self.min = (config.min_se.0 / 1000).max(FLOOR);
        self.wish = (config.session_expires.0 / 1000).max(self.min);
    }

    /// Writes our wish into a request; one that refreshes keeps what was agreed, and who refreshes
    /// (section 7.4).
    pub(super) fn ask(&self, headers: &mut Headers, refresh: bool) {
        let mut value = if refresh {
            self.interval.max(self.min)
        } else {
            self.wish
        }
        .to_string();
        if refresh {
            let who = if self.ours {
                ";refresher=uac"
            } else {
                ";refresher=uas"
            };
            value.push_str(who);
        }
        headers.set("Session-Expires", value);
        if self.min > FLOOR {
            headers.set("Min-SE", self.min.to_string());
        }
    }

    /// A 422 came: takes its Min-SE; `false` when it asks for nothing new.
    pub(super) fn too_small(&mut self, headers: &Headers) -> bool {
        // A day is more than anyone needs, and keeps arithmetic sane.
        let min = read::number(headers, "Min-SE").unwrap_or(0).min(86_400);
        if min <= self.wish && min <= self.min {
            return false;
        }
        self.min = self.min.max(min);
        self.wish = self.wish.max(min);
        if self.interval > 0 {
            self.interval = self.interval.max(min);
        }
        true
    }

    /// A request of the peer's sets the timer; gives the `Session-Expires` of our 2xx, or the Min-SE of
    /// a 422.
    pub(super) fn asked(
        &mut self,
        headers: &Headers,
        peer_knows: bool,
        first: bool,
    ) -> Result<Option<String>, u64> {
        let wish = read::number(headers, "Session-Expires").or_else(|| read::number(headers, "x"));
        let floor = read::number(headers, "Min-SE")
            .unwrap_or(0)
            .clamp(FLOOR, 86_400);
        let seconds = match wish {
            Some(seconds) if seconds < self.min && peer_knows => return Err(self.min),
            Some(seconds) => seconds.clamp(self.min, self.wish.max(floor).max(self.min)),
            None if first => self.wish.max(floor),
            // A refresh without the header switches the timer off (section 9).
            None => {
                self.interval = 0;
                return Ok(None);
            }
        };
        let field = headers.get("Session-Expires").unwrap_or_default();
        let by_us = match read::param(field, "refresher") {
            Some(who) if peer_knows => who.eq_ignore_ascii_case("uas"),
            // Section 9, table 2: a peer without the extension cannot refresh.
            _ => !peer_knows,
        };
        self.interval = seconds;
        self.ours = by_us;
        let who = if by_us {
            ";refresher=uas"
        } else {
            ";refresher=uac"
        };
        Ok(Some([&seconds.to_string(), who].concat()))
    }

    /// A 2xx to a request of ours sets the timer.
    pub(super) fn answered(&mut self, headers: &Headers) {
        let field = headers.get("Session-Expires").unwrap_or_default();
        self.interval = read::number(headers, "Session-Expires")
            .unwrap_or(0)
            .min(86_400);
        self.ours =
            !read::param(field, "refresher").is_some_and(|who| who.eq_ignore_ascii_case("uas"));
    }
}

impl Agent {
    /// Starts the interval anew.
    pub(super) fn arm_session(&mut self, call: &Call) {
        let seconds = call.timer.interval;
        self.wire.timers.cancel(call.id, Alarm::Refresh);
        self.wire.timers.cancel(call.id, Alarm::Expire);
        if seconds == 0 || !matches!(call.phase, Phase::Talking) {
            return;
        }
        // RFC 4028 section 10: BYE comes a third of the interval, at most 32 s, before the end.
        let end = seconds - (seconds / 3).min(32);
        self.wire.timers.set(
            call.id,
            Alarm::Expire,
            self.wire.now + Millis::from_secs(end),
        );
        if call.timer.ours {
            let half = Millis(seconds * 500);
            self.wire
                .timers
                .set(call.id, Alarm::Refresh, self.wire.now + half);
        }
    }

    pub(super) fn session_expired(&mut self, call: &mut Call) {
        let reason = "SIP;cause=408;text=\"Session expired\"".to_owned();
        self.leave(
            call,
            Ending::new(Cause::PeerVanished, By::System),
            Some(reason),
        );
    }
}
