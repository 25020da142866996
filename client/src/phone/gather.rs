//! How long a foreign server's INVITE waits for ICE candidates.
//!
//! Browsers gather for 10 to 40 s when a STUN server does not answer, and SIP servers without
//! trickle ICE need the candidates in the INVITE: FreeSWITCH wants a UDP one in every section.
//! So the description leaves once each section has had a usable candidate for half a second
//! (enough for a STUN server that does answer), or after two seconds whatever came.

use clinicall_sip::{Millis, Time, sdp::Sdp};

const GRACE: Millis = Millis(500);
const LIMIT: Millis = Millis(2_000);

#[derive(Debug)]
pub(crate) struct Gather {
    /// Whether section `n` of the description has a usable candidate.
    served: Vec<bool>,
    until: Time,
    /// The description with the candidates found so far.
    local: String,
}

impl Gather {
    pub fn new(now: Time, local: String) -> Self {
        let sections = Sdp::parse(&local).map_or(0, |sdp| sdp.media.len());
        Self {
            served: vec![false; sections],
            until: now + LIMIT,
            local,
        }
    }

    /// A candidate for section `section`; `local` is the description that contains it.
    pub fn found(&mut self, now: Time, section: usize, candidate: &str, local: String) {
        self.local = local;
        if !is_usable(candidate) || self.served.iter().all(|served| *served) {
            return;
        }
        if let Some(served) = self.served.get_mut(section) {
            *served = true;
        }
        if self.served.iter().all(|served| *served) {
            self.until = self.until.min(now + GRACE);
        }
    }

    pub fn until(&self) -> Time {
        self.until
    }

    pub fn into_local(self) -> String {
        self.local
    }
}

/// `candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE` (RFC 8839 section 5.1):
/// UDP, and not an mDNS name, which no SIP server resolves.
fn is_usable(candidate: &str) -> bool {
    let mut words = candidate.split(' ').skip(2);
    let transport = words.next().unwrap_or("");
    let address = words.nth(1).unwrap_or("");
    transport.eq_ignore_ascii_case("udp") && !address.ends_with(".local")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
    const HOST: &str = "candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host";

    #[test]
    fn the_wait_ends_half_a_second_after_the_last_section_was_served() {
        let mut gather = Gather::new(Time(0), OFFER.into());
        gather.found(Time(20), 0, HOST, "one".into());
        assert_eq!(gather.until(), Time(2_000));
        gather.found(Time(60), 1, HOST, "two".into());
        assert_eq!(gather.until(), Time(560));
        gather.found(Time(300), 0, HOST, "three".into());
        assert_eq!(gather.until(), Time(560), "later ones do not prolong it");
        assert_eq!(gather.into_local(), "three");
    }

    #[test]
    fn what_no_server_can_use_does_not_count() {
        let mut gather = Gather::new(Time(0), OFFER.into());
        for useless in [
            "candidate:1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
            "candidate:1 1 udp 2122260223 4f2c-a1.local 50000 typ host",
            "candidate",
            "",
        ] {
            gather.found(Time(10), 0, useless, "x".into());
            gather.found(Time(10), 1, useless, "x".into());
        }
        gather.found(Time(10), 9, HOST, "x".into());
        assert_eq!(gather.until(), Time(2_000));
    }
}
