//! A slow link is tried with UDP first.
//!
//! Browsers begin with every candidate at once, and what ICE over TCP costs beside UDP is a fifth of a second of
//! 16 kbit/s each way, just when the handshakes want it. Where UDP does not get through TCP follows.

use clinicall_sip::{
    Millis, Time,
    sdp::{Sdp, Section},
};

use crate::bandwidth::Bandwidth;

/// ICE and DTLS need five round trips of 600 ms, and something for 16 kbit/s.
const PATIENCE: Millis = Millis(3_500);

/// The peer's candidates that the browser does not know yet.
#[derive(Debug, Default)]
pub(super) struct Held {
    candidates: Vec<String>,
    until: Option<Time>,
}

impl Held {
    /// Takes the candidates over TCP out of a description when those over UDP remain.
    pub fn back(&mut self, now: Time, limits: Bandwidth, sdp: &mut Sdp) {
        let all = |section: &Section| section.attributes("candidate").all(is_tcp);
        if !limits.is_narrow() || sdp.media.iter().all(all) {
            return;
        }
        self.candidates.clear();
        for section in &mut sdp.media {
            let all = section.attributes("candidate");
            let tcp = all.filter(|candidate| is_tcp(candidate));
            let tcp: Vec<String> = tcp.map(|it| ["candidate:", it].concat()).collect();
            self.candidates.extend(tcp);
            section.keep_lines(&|line| {
                let candidate = line.strip_prefix("a=candidate:");
                line != "a=end-of-candidates" && !candidate.is_some_and(is_tcp)
            });
        }
        self.until = (!self.candidates.is_empty()).then(|| now + PATIENCE);
    }

    /// When there is something to let go.
    pub fn until(&self) -> Option<Time> {
        self.until
    }

    /// What UDP did not make needless.
    pub fn due(&mut self, now: Time, path_is_up: bool) -> Vec<String> {
        if self.until.is_none_or(|until| now < until) {
            return Vec::new();
        }
        self.until = None;
        let candidates = std::mem::take(&mut self.candidates);
        if path_is_up { Vec::new() } else { candidates }
    }
}

/// RFC 8839 section 5.1: foundation, component, transport.
fn is_tcp(candidate: &str) -> bool {
    let transport = candidate.split(' ').nth(2);
    transport.is_some_and(|transport| transport.eq_ignore_ascii_case("tcp"))
}
