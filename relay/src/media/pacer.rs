//! When the next packet of a picture may go to a member whose link is narrow.
//!
//! Speech never waits: it adds to the debt that pictures wait for. A keyframe into a link of 64
//! kbit/s would otherwise hold it up for a second.

use super::time::{MILLISECOND, SECOND};

/// No picture waits longer for speech that is more than the link should get.
const LONGEST: u64 = SECOND;
/// A timer is no more exact.
const EARLY: u64 = MILLISECOND;

#[derive(Clone, Copy, Debug, Default)]
pub struct Pacer {
    /// Bit/s; `None`: nothing waits. 0: everything does.
    rate: Option<u64>,
    /// When what was sent will have gone out at that rate.
    free: u64,
}

impl Pacer {
    pub fn set(&mut self, now: u64, rate: Option<u64>) {
        if self.rate != rate {
            let owed = self.free.saturating_sub(now);
            let owed = match (self.rate, rate) {
                (Some(before), Some(rate)) if rate > 0 => owed * before / rate,
                _ => 0,
            };
            *self = Self {
                rate,
                free: now + owed.min(LONGEST),
            };
        }
    }

    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// A packet was sent; `size` at IP level.
    pub fn sent(&mut self, now: u64, size: usize) {
        self.free = (self.free.max(now) + self.takes(size)).min(now + LONGEST);
    }

    /// How long a packet takes to go out by itself.
    #[must_use]
    pub fn takes(&self, size: usize) -> u64 {
        let rate = self.rate.unwrap_or(0);
        (size as u64 * 8 * SECOND).checked_div(rate).unwrap_or(0)
    }

    /// How long it takes what was sent to go out; `None`: not before the rate is set anew.
    #[must_use]
    pub fn owes(&self, now: u64) -> Option<u64> {
        Some(self.free()?.saturating_sub(now))
    }

    /// When the next packet of a picture may go; `None`: not before the rate is set anew.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        match self.rate {
            Some(0) => None,
            Some(_) => Some(self.free),
            None => Some(0),
        }
    }

    #[must_use]
    pub fn is_free(&self, now: u64) -> bool {
        self.free().is_some_and(|free| free <= now + EARLY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyframe_goes_out_at_the_links_pace_and_speech_in_between() {
        let mut pacer = Pacer::default();
        assert!(pacer.is_free(0));
        pacer.set(0, Some(80_000));
        let (mut pictures, mut now) = (0, 0);
        while now < SECOND {
            if now % (60 * MILLISECOND) == 0 {
                pacer.sent(now, 120);
            }
            if pacer.is_free(now) {
                pacer.sent(now, 1_000);
                pictures += 1;
            }
            now += MILLISECOND;
        }
        // 10,000 bytes a second, of which speech takes 2,040
        assert!((8..=9).contains(&pictures), "{pictures}");
    }

    #[test]
    fn a_link_that_is_held_sends_no_picture_until_it_is_not() {
        let mut pacer = Pacer::default();
        pacer.set(0, Some(0));
        pacer.sent(0, 1_000);
        assert_eq!((pacer.free(), pacer.is_free(SECOND)), (None, false));
        pacer.set(SECOND, Some(64_000));
        assert!(pacer.is_free(SECOND));
        pacer.set(SECOND, None);
        pacer.sent(SECOND, 100_000);
        assert!(pacer.is_free(SECOND));
    }

    #[test]
    fn what_was_sent_at_another_rate_is_still_on_the_line() {
        let mut pacer = Pacer::default();
        pacer.set(0, Some(80_000));
        pacer.sent(0, 1_000);
        assert_eq!(pacer.free(), Some(100 * MILLISECOND));
        pacer.set(0, Some(40_000));
        assert_eq!(pacer.free(), Some(200 * MILLISECOND));
        pacer.set(0, Some(1));
        assert_eq!(pacer.free(), Some(SECOND));
    }
}
