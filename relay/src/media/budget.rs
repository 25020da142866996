//! How much a publisher is to send at most, because its receivers cannot take more.
//!
//! RTCP ends at the relay, so a browser learns of its own uplink only. What is beyond us it hears as
//! REMB (draft-alvestrand-rmcat-remb-03), which browsers obey beside transport-wide feedback: what a
//! receiver asked for in its description or says by REMB, and less while it reports heavy loss.

use super::{
    downlink::Limits,
    time::{MILLISECOND, SECOND},
};

/// More loss than this (of 256: 10 %) is congestion, less than the other (2 %) is not: the bounds of
/// draft-ietf-rmcat-gcc-02 section 6.
pub const HEAVY: u8 = 26;
const LIGHT: u8 = 5;
/// Below this a picture is worth nothing; the page decides whether there is to be one.
const LEAST: u64 = 50_000;
/// A limit as high as this is none.
const PLENTY: u64 = 5_000_000;

/// What a receiver's loss says about its link.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limiter {
    limit: Option<u64>,
    changed: u64,
}

impl Limiter {
    /// Bit/s at IP level.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// A report that `fraction` of 256 was lost while `sent` bit/s went out; `true`: less is to be
    /// sent from now on.
    pub fn reported(&mut self, now: u64, rtt: u64, fraction: u8, sent: u64) -> bool {
        if sent == 0 || now.saturating_sub(self.changed) < 300 * MILLISECOND + rtt {
            return false;
        }
        let before = self.limit.unwrap_or(sent).min(sent.max(LEAST));
        match fraction {
            lost if lost > HEAVY => {
                let kept = 512 - u64::from(lost);
                self.limit = Some((before * kept / 512).max(LEAST));
                self.changed = now;
                true
            }
            lost if lost < LIGHT => {
                self.limit = self
                    .limit
                    .map(|limit| limit + limit / 12)
                    .filter(|l| *l < PLENTY);
                self.changed = now;
                false
            }
            _ => false,
        }
    }
}

/// What a publisher was told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    bitrate: Option<u64>,
    at: u64,
}

/// An RTCP packet may be lost.
const REPEAT: u64 = 5 * SECOND;
/// The answer of one who takes everything.
const UNLIMITED: u64 = 1 << 30;

impl Told {
    /// The bitrate to tell now, if it is time; `None` as `bitrate`: no receiver has a limit.
    pub fn tell(&mut self, now: u64, bitrate: Option<u64>) -> Option<u64> {
        if bitrate.is_none() && self.bitrate.is_none() {
            return None;
        }
        let bitrate = bitrate.unwrap_or(UNLIMITED);
        let news = self
            .bitrate
            .is_none_or(|told| bitrate < told || bitrate > told + told / 20);
        if !news && now.saturating_sub(self.at) < REPEAT {
            return None;
        }
        *self = Self {
            bitrate: Some(bitrate),
            at: now,
        };
        Some(bitrate)
    }
}

/// What was told about what a member's link carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carries {
    told: Limits,
    at: u64,
}

/// Signalling is no place for every wave of an estimate.
const CALM: u64 = 4 * SECOND;

impl Carries {
    /// What others were told last.
    #[must_use]
    pub fn told(&self) -> Limits {
        self.told
    }

    /// Whether to tell this now, which is then noted: that a picture is taken away or comes back at
    /// once, that there is much less or more room for it now and then.
    pub fn tell(&mut self, now: u64, carried: Limits) -> bool {
        let shown = |limits: Limits| limits.video != Some(0);
        let much = |before: Option<u64>, after: Option<u64>| match (before, after) {
            (Some(before), Some(after)) => after < before * 3 / 4 || after > before * 3 / 2,
            (before, after) => before != after,
        };
        let news = much(self.told.video, carried.video) || much(self.told.audio, carried.audio);
        let turned = shown(self.told) != shown(carried)
            || self.told.audio.is_none() && carried.audio.is_some();
        let due = turned || news && now >= self.at + CALM;
        if due {
            (self.told, self.at) = (carried, now);
        }
        due
    }
}

/// How a publisher understands what it is told: encoders count other headers than the wire has, and
/// pictures of few packets a second have many of them.
///
/// At first, and as long as it sends no more than is meant all the same, it is told a quarter more: Chromium's pacer sends
/// no faster than it is told, and a keyframe that had to wait there made the picture late for the rest of the call.
#[derive(Clone, Copy, Debug)]
pub struct Obeys {
    /// Of 256: what is told of what is meant.
    share: u64,
    /// What was meant, and since when.
    meant: Option<(u64, u64)>,
}

impl Default for Obeys {
    fn default() -> Self {
        Self {
            share: MOST,
            meant: None,
        }
    }
}

/// So long after less was asked for, less comes.
const OBEYED: u64 = 3 * SECOND / 2;
/// One that sends twice as much as it is told does not listen.
const DEAF: u64 = 128;
/// And one that sends less than it is told is told a quarter more at most. (Half more put twice as many seconds above
/// the budget at 64 kbit/s and 5 % of loss, for no more frames.)
const MOST: u64 = 320;

impl Obeys {
    /// `flow` comes of the picture now while receivers can take `least`, both at IP level: what to
    /// tell.
    pub fn told(&mut self, now: u64, flow: u64, least: u64) -> u64 {
        // whether it keeps to less by itself is to be seen anew
        if flow > least && self.meant.is_some_and(|(meant, _)| least < meant) {
            self.share = self.share.min(256);
        }
        match self.meant {
            Some((meant, since)) if now >= since + OBEYED => {
                self.share = if flow > meant {
                    (self.share * meant / flow).max(DEAF)
                } else if self.share < 256 {
                    self.share + (256 - self.share).div_ceil(8)
                } else {
                    self.share + (MOST - self.share).div_ceil(32)
                };
                self.meant = Some((least, if least < meant { now } else { since }));
            }
            Some((meant, _)) if least < meant => self.meant = Some((least, now)),
            Some(_) => {}
            None => self.meant = Some((least, now)),
        }
        least * self.share / 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_goes_is_told_at_once_and_its_size_now_and_then() {
        let mut carries = Carries::default();
        let room = |video| Limits { audio: None, video };
        assert!(!carries.tell(0, Limits::default()));
        assert!(carries.tell(9 * SECOND, room(Some(80_000))));
        assert!(
            !carries.tell(19 * SECOND, room(Some(70_000))),
            "the same, near enough"
        );
        assert!(!carries.tell(10 * SECOND, room(Some(40_000))), "so soon");
        assert!(carries.tell(10 * SECOND, room(Some(0))), "it is gone");
        assert!(!carries.tell(30 * SECOND, room(Some(0))));
        assert!(carries.tell(31 * SECOND, room(Some(40_000))), "and back");
        assert!(carries.tell(40 * SECOND, Limits::default()));
    }

    #[test]
    fn a_publisher_that_counts_no_headers_is_told_of_less() {
        let (mut obeys, mut flow, mut most) = (Obeys::default(), 300_000, 0);
        for second in 0..40 {
            let told = obeys.told(second * SECOND, flow, 50_000);
            assert!(told > 35_000, "{told} at {second} s");
            // a fifth more than it is told
            flow = told + told / 5;
            if second > 20 {
                most = most.max(flow);
            }
        }
        assert!((45_000..53_000).contains(&most), "{most}");
    }

    #[test]
    fn a_publisher_that_does_not_listen_is_told_half_and_no_less() {
        let mut obeys = Obeys::default();
        let told = (0..40).map(|second| obeys.told(second * SECOND, 900_000, 50_000));
        assert_eq!(told.last(), Some(25_000));
    }

    #[test]
    fn a_publisher_that_keeps_to_it_by_itself_is_given_room_for_its_pacer() {
        let mut obeys = Obeys::default();
        for second in 0..40 {
            assert_eq!(obeys.told(second * SECOND, 48_000, 50_000), 62_500);
        }
        // less is meant: it follows by signalling, and has two seconds
        let told = (40..43).map(|second| obeys.told(second * SECOND, 48_000, 25_000));
        assert!(told.last().is_some_and(|told| told <= 25_000));
    }

    #[test]
    fn a_publisher_that_takes_all_it_is_told_takes_what_is_meant() {
        let (mut obeys, mut flow) = (Obeys::default(), 20_000);
        for second in 0..60 {
            flow = obeys.told(second * SECOND, flow, 50_000).min(flow * 2);
            assert!(flow < 53_000 || second < 3, "{flow} at {second} s");
        }
        assert!(flow > 47_000, "{flow}");
    }

    const RTT: u64 = 100 * MILLISECOND;

    #[test]
    fn heavy_loss_lowers_the_limit_and_a_clean_link_raises_it() {
        let mut limiter = Limiter::default();
        assert!(!limiter.reported(SECOND, RTT, 0, 1_000_000));
        assert_eq!(limiter.limit(), None);
        assert!(limiter.reported(2 * SECOND, RTT, 128, 1_000_000));
        assert_eq!(limiter.limit(), Some(750_000));
        assert!(
            !limiter.reported(2 * SECOND + RTT, RTT, 128, 1_000_000),
            "the same loss"
        );
        assert!(!limiter.reported(3 * SECOND, RTT, 12, 750_000));
        assert_eq!(limiter.limit(), Some(750_000), "some loss is life");
        let mut now = 4 * SECOND;
        while limiter.limit().is_some() {
            now += SECOND;
            limiter.reported(now, RTT, 0, 750_000);
        }
        assert!((20..40).contains(&(now / SECOND)), "back in half a minute");
    }

    #[test]
    fn total_loss_leaves_a_trickle() {
        let mut limiter = Limiter::default();
        for turn in 1..100 {
            limiter.reported(turn * SECOND, RTT, 255, 20_000);
        }
        assert_eq!(limiter.limit(), Some(LEAST));
    }

    #[test]
    fn a_publisher_is_told_of_changes_and_now_and_then() {
        let mut told = Told::default();
        assert_eq!(told.tell(0, None), None);
        assert_eq!(told.tell(SECOND, Some(256_000)), Some(256_000));
        assert_eq!(told.tell(2 * SECOND, Some(260_000)), None);
        assert_eq!(told.tell(3 * SECOND, Some(200_000)), Some(200_000));
        assert_eq!(told.tell(9 * SECOND, Some(200_000)), Some(200_000));
        assert_eq!(told.tell(10 * SECOND, None), Some(UNLIMITED));
        assert_eq!(told.tell(11 * SECOND, None), None);
    }
}
