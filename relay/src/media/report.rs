//! What reports are made of: reception statistics of a source (RFC 3550 appendix A), its clocks,
//! and what receivers say about us.

use super::{
    rtcp::Block,
    time::{self, SECOND, from_middle, middle, ntp, ntp_difference, to_middle},
};

/// Counts what came of one SSRC.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    /// The first number of all.
    first: u64,
    newest: u64,
    received: u64,
    /// At the last report.
    expected_before: u64,
    received_before: u64,
    /// RFC 3550 appendix A.8: arrival minus timestamp, in ticks, and the jitter times 16.
    transit: Option<u32>,
    jitter: u32,
}

impl Reception {
    #[must_use]
    pub fn starting(number: u64) -> Self {
        Self {
            first: number,
            newest: number,
            ..Self::default()
        }
    }

    /// The next is the first packet after a pause. What was lost when that began is no news of the link as it is now:
    /// it counts as lost, but not since the last report.
    pub fn woke(&mut self, number: u64) {
        if self.received > 0 {
            self.expected_before += number.saturating_sub(self.newest + 1);
        }
    }

    /// A packet that was not sent again.
    pub fn came(&mut self, now: u64, number: u64, timestamp: u32, clock_rate: u32) {
        self.received += 1;
        self.newest = self.newest.max(number);
        // a late packet from before the first
        self.first = self.first.min(number);
        let transit = time::ticks(now, clock_rate).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            // a source that paused or changed its timestamps is no jitter
            if difference < clock_rate * 10 {
                self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
            }
        }
    }

    /// Packets lost so far; never negative here.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// The share lost so far, of 256; `None`: too few came to tell.
    #[must_use]
    pub fn share_lost(&self) -> Option<u8> {
        const ENOUGH: u64 = 10;
        let expected = self.expected();
        (expected >= ENOUGH).then(|| (self.lost() * 256 / expected).min(255) as u8)
    }

    /// Packets lost and expected since the last block.
    #[must_use]
    pub fn lost_since(&self) -> (u64, u64) {
        let expected = self.expected() - self.expected_before;
        let received = self.received - self.received_before;
        (expected.saturating_sub(received), expected)
    }

    /// A block about everything since the last one.
    pub fn block(&mut self, now: u64, ssrc: u32, clock: Option<&Clock>) -> Block {
        let expected = self.expected();
        let expected_now = expected - self.expected_before;
        let received_now = self.received - self.received_before;
        (self.expected_before, self.received_before) = (expected, self.received);
        let lost_now = expected_now.saturating_sub(received_now);
        Block {
            ssrc,
            fraction_lost: (lost_now * 256)
                .checked_div(expected_now)
                .unwrap_or(0)
                .min(255) as u8,
            lost: i32::try_from(expected as i64 - self.received as i64).unwrap_or(i32::MAX),
            highest: self.newest as u32,
            jitter: self.jitter >> 4,
            last_report: clock.map_or(0, |clock| middle(clock.ntp)),
            delay: clock.map_or(0, |clock| to_middle(now.saturating_sub(clock.at))),
        }
    }

    fn expected(&self) -> u64 {
        if self.received == 0 {
            0
        } else {
            self.newest - self.first + 1
        }
    }
}

/// A source's last sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub ntp: u64,
    pub rtp: u32,
    /// When it came.
    pub at: u64,
}

/// Moves a member's NTP clock onto ours, the same way for its audio and its video, so that a
/// receiver plays them together and no clock jumps when a slot changes its source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timebase {
    /// Ours minus theirs in NTP units, modulo 2^64.
    offset: Option<u64>,
}

impl Timebase {
    /// Follows a report; its way to us is part of the offset and the same for all its sources.
    pub fn reported(&mut self, now: u64, theirs: u64) {
        let offset = ntp(now).wrapping_sub(theirs);
        let known = self.offset.get_or_insert(offset);
        // their clock was set, or a slow report was the first
        if ntp_difference(offset, *known).unsigned_abs() > SECOND {
            *known = offset;
        }
    }

    /// The source's RTP timestamp that belongs to [`ntp`] of `now`. Reports carry exactly that NTP
    /// time, because round trips are measured by it.
    #[must_use]
    pub fn rtp_at(&self, now: u64, clock: &Clock, clock_rate: u32) -> Option<u32> {
        let reported = clock.ntp.wrapping_add(self.offset?);
        let since = ntp_difference(ntp(now), reported);
        let ticks = time::ticks(since.unsigned_abs(), clock_rate);
        Some(if since < 0 {
            clock.rtp.wrapping_sub(ticks)
        } else {
            clock.rtp.wrapping_add(ticks)
        })
    }
}

/// Up to where a slot has numbered packets, and the holes among them: what never came to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbered {
    pub newest: u64,
    pub holes: u64,
}

/// The share of 256 that is lost for sure where so many of all packets were: so many standard deviations of a count less. Of
/// the fifteen that a report on a small picture is of, a link that loses a twentieth loses a quarter now and then.
#[must_use]
pub fn surely(lost: u64, all: u64, deviations: u64) -> u64 {
    let certain = lost.saturating_sub((deviations * deviations * lost).isqrt());
    (certain * 256).checked_div(all).unwrap_or(0)
}

/// What a receiver reports about a slot. It counts what never came to us as well; here is what got lost on the way
/// from us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Of 256.
    pub fraction_lost: u8,
    /// Of so many packets.
    of: u64,
    pub lost: u32,
    /// Microseconds.
    pub rtt: Option<u64>,
    /// The newest it had got of them.
    pub highest: Option<u16>,
    /// When it reported before.
    before: Numbered,
}

impl Reported {
    /// Of a slot whose first number is the next.
    #[must_use]
    pub fn since(newest: u64) -> Self {
        Self {
            before: Numbered { newest, holes: 0 },
            ..Self::default()
        }
    }

    /// Of 256, by the last report.
    #[must_use]
    pub fn surely_lost(&self) -> u64 {
        let lost = (u64::from(self.fraction_lost) * self.of).div_ceil(256);
        surely(lost, self.of, 1)
    }

    pub fn block(&mut self, now: u64, numbered: Numbered, block: &Block) {
        let before = std::mem::replace(&mut self.before, numbered);
        let all = numbered.newest.saturating_sub(before.newest);
        let holes = numbered.holes.saturating_sub(before.holes).min(all);
        // what is on its way now was on its way then: both are of about as many packets
        let lost = (u64::from(block.fraction_lost) * all).saturating_sub(holes * 256);
        self.fraction_lost = match all - holes {
            0 => block.fraction_lost,
            sent => (lost / sent).min(255) as u8,
        };
        if all > holes {
            self.of = all - holes;
        }
        self.highest = Some(block.highest as u16);
        self.lost = (block.lost.max(0) as u32).saturating_sub(numbered.holes as u32);
        if block.last_report != 0 {
            let passed = middle(ntp(now)).wrapping_sub(block.last_report);
            let rtt = passed.wrapping_sub(block.delay);
            // a report about a report we did not send, or clocks that drifted apart
            if rtt < 60 << 16 {
                self.rtt = Some(from_middle(rtt));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::time::{MILLISECOND, ntp_add};

    #[test]
    fn a_quarter_of_a_few_packets_is_lost_by_chance_and_a_third_of_many_is_not() {
        let surely = |lost, all| surely(lost, all, 1);
        assert!(surely(4, 14) < 64 && surely(25, 75) >= 64);
        assert!(surely(14, 14) > 128 && surely(0, 14) == 0 && surely(0, 0) == 0);
    }

    #[test]
    fn a_tenth_lost_is_reported_as_a_tenth() {
        let mut reception = Reception::starting(100);
        for number in 100..200 {
            if number % 10 != 5 {
                reception.came(number * 20_000, number, number as u32 * 960, 48_000);
            }
        }
        let block = reception.block(0, 9, None);
        assert_eq!((block.ssrc, block.lost, block.fraction_lost), (9, 10, 25));
        assert_eq!((block.jitter, block.highest), (0, 199));
        let quiet = reception.block(0, 9, None);
        assert_eq!((quiet.lost, quiet.fraction_lost), (10, 0));
    }

    #[test]
    fn what_was_lost_before_a_pause_is_no_news_after_it() {
        let mut reception = Reception::starting(100);
        let came = |reception: &mut Reception, number| {
            reception.came(number * 20_000, number, number as u32 * 960, 48_000);
        };
        (100..110).for_each(|number| came(&mut reception, number));
        assert_eq!(reception.block(0, 9, None).fraction_lost, 0);
        // forty more are sent and drown; then nothing is, for a while
        reception.woke(150);
        (150..160).for_each(|number| came(&mut reception, number));
        let block = reception.block(0, 9, None);
        assert_eq!((block.fraction_lost, block.lost), (0, 40));
    }

    #[test]
    fn what_never_came_to_us_is_not_lost_on_the_way_from_us() {
        let mut reported = Reported::default();
        let mut numbered = Numbered::default();
        let mut report = |all, holes, fraction_lost| {
            numbered.newest += all;
            numbered.holes += holes;
            let block = Block {
                fraction_lost,
                ..Block::default()
            };
            reported.block(0, numbered, &block);
            reported.fraction_lost
        };
        assert_eq!(report(100, 0, 0), 0);
        assert_eq!(report(100, 50, 128), 0, "all of it was lost before us");
        assert_eq!(report(100, 0, 26), 26, "a tenth after us");
        assert!(
            (50..=52).contains(&report(100, 50, 154)),
            "a half, and a fifth of the rest"
        );
        assert_eq!(report(0, 0, 26), 26, "nothing new is known");
    }

    #[test]
    fn jitter_is_in_ticks() {
        let mut reception = Reception::starting(1);
        for number in 1..500 {
            let late = number % 2 * 5 * MILLISECOND;
            reception.came(number * 20_000 + late, number, number as u32 * 960, 48_000);
        }
        let jitter = reception.block(0, 9, None).jitter;
        assert!((230..250).contains(&jitter), "5 ms are 240 ticks: {jitter}");
    }

    #[test]
    fn the_round_trip_is_what_the_receiver_did_not_wait() {
        let mut reported = Reported::default();
        let (sent, held, back) = (10 * SECOND, 300 * MILLISECOND, 10_340 * MILLISECOND);
        let block = Block {
            fraction_lost: 3,
            lost: -1,
            last_report: middle(ntp(sent)),
            delay: to_middle(held),
            ..Block::default()
        };
        reported.block(back, Numbered::default(), &block);
        assert!(reported.rtt.unwrap().abs_diff(40 * MILLISECOND) < 50);
        assert_eq!(reported.lost, 0);
        let lie = Block {
            last_report: 1,
            ..block
        };
        reported.block(back, Numbered::default(), &lie);
        assert!(
            reported.rtt.unwrap().abs_diff(40 * MILLISECOND) < 50,
            "a lie changes nothing"
        );
    }

    #[test]
    fn both_clocks_of_a_member_move_by_the_same() {
        let theirs = ntp(0).wrapping_sub(77 << 32);
        let mut timebase = Timebase::default();
        timebase.reported(SECOND, theirs);
        // the second report took 20 ms longer, which is not to part lips and voice
        let later = ntp_add(theirs, SECOND as i64);
        timebase.reported(2_020 * MILLISECOND, later);
        let clock = Clock {
            ntp: later,
            rtp: 5_000,
            at: 2_020 * MILLISECOND,
        };
        let rtp = timebase
            .rtp_at(2_500 * MILLISECOND, &clock, 90_000)
            .unwrap();
        assert!(
            rtp.abs_diff(5_000 + 45_000) < 3,
            "half a second after it was said: {rtp}"
        );
        let before = timebase
            .rtp_at(1_990 * MILLISECOND, &clock, 90_000)
            .unwrap();
        assert!(before.abs_diff(5_000 - 900) < 3, "{before}");
    }
}
