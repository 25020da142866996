//! How much of what was said before each packet of speech to a listener carries along.
//!
//! Pure: the listener's loss reports in, a distance out, and what speech may then take, so that both together keep to
//! its budget.

use super::{
    red::MOST,
    time::{MILLISECOND, SECOND},
};

/// Loss (of 256) from which on each packet carries the one before: 3 %; and the two before: 12 %, when one in seventy
/// words would still be missing.
pub const LOSSY: u32 = 8;
const VERY_LOSSY: u32 = 31;
/// Below this (1 %) it is left out again.
const CLEAN: u32 = 3;
/// More loss than that is a link that is sent too much; what helps is less.
const FLOODED: u32 = 90;
/// A link is not clean because of one good report.
const HOLD: u64 = 20 * SECOND;

/// Bytes around the payload of a packet of speech: IPv4 20, UDP 8, RTP 12, header extensions 8, SRTP tag 10.
pub const AROUND: u64 = 58;
/// What carrying along one packet costs beside its payload (RFC 2198 section 3), and all of them together.
const BLOCK: u64 = 4;
const LAST: u64 = 1;
/// Speech of less than this is not worth twice its place, bit/s of Opus, unless much is lost; Opus speaks no less than
/// the other.
const WORTH: u64 = 7_000;
const LEAST: u64 = 6_000;

#[derive(Clone, Copy, Debug, Default)]
pub struct Redundancy {
    distance: usize,
    /// Of 256, smoothed.
    loss: u32,
    /// When it was last that lossy.
    lossy_at: u64,
    /// The listener has said something about it.
    told: bool,
}

impl Redundancy {
    /// The listener reports its loss of speech; `true`: the distance is another one now.
    pub fn reported(&mut self, now: u64, fraction_lost: u8) -> bool {
        self.told = true;
        self.weigh(now, fraction_lost)
    }

    /// What is lost of the listener's own speech, and of a picture that is sent to it, while it has said nothing about what
    /// it hears: browsers report about speech once in five seconds. A radio link mostly loses both ways; `true`: the
    /// distance is another one now.
    pub fn guess(&mut self, now: u64, fraction_lost: u8) -> bool {
        !self.told && self.weigh(now, fraction_lost)
    }

    fn weigh(&mut self, now: u64, fraction_lost: u8) -> bool {
        let lost = u32::from(fraction_lost);
        // a report is of some dozens of packets: half of it is news
        self.loss = (self.loss + lost).div_ceil(2);
        let wanted = match self.loss {
            FLOODED.. => 0,
            VERY_LOSSY.. => MOST,
            LOSSY.. => 1,
            CLEAN.. => self.distance.min(1),
            _ => 0,
        };
        if wanted >= self.distance {
            self.lossy_at = now;
        } else if self.loss < FLOODED && now < self.lossy_at + HOLD {
            return false;
        }
        wanted != std::mem::replace(&mut self.distance, wanted)
    }

    /// Packets before it that each packet carries along.
    #[must_use]
    pub fn distance(&self) -> usize {
        self.distance
    }

    /// Of a budget for speech (bit/s at IP level) what the speaker may take, so that there is room to carry it along;
    /// `None`: there is no such room, or nothing is carried along.
    #[must_use]
    pub fn share(&self, budget: u64) -> Option<u64> {
        (1..=self.distance).rev().find_map(|distance| {
            let share = share(budget, distance as u64);
            let least = if self.loss < VERY_LOSSY { WORTH } else { LEAST };
            (share >= least + around(frame(share))).then_some(share)
        })
    }
}

/// Bit/s around packets of so many milliseconds.
const fn around(frame: u64) -> u64 {
    AROUND * 8 * 1_000 / frame
}

/// The milliseconds of speech in a packet that a client of ours takes for a budget: the shortest of which half is speech.
fn frame(budget: u64) -> u64 {
    let half = |frame: &u64| around(*frame) * 2 <= budget;
    [20, 40, 60].into_iter().find(half).unwrap_or(120)
}

/// What `distance` more of each packet leave of a budget. How long packets are depends on it, and it on how long
/// packets are: the shortest that are no longer than thought, for headers are not sent twice. In whole kbit/s, as the
/// speaker is told: half a one less, and its packets may be longer than thought and have no room for another.
fn share(budget: u64, distance: u64) -> u64 {
    let left = |frame: u64| {
        let headers = (BLOCK * distance + LAST) * 8 * 1_000 / frame;
        let left = (budget + distance * around(frame)).saturating_sub(headers) / (distance + 1);
        left / 1_000 * 1_000
    };
    let mut frames = [20, 40, 60].into_iter().map(|frame| (frame, left(frame)));
    let fits = frames.find(|(longest, share)| frame(*share) <= *longest);
    fits.map_or_else(|| left(120), |(_, share)| share)
}

/// Bytes of RTP payload that a packet may have that comes so long after the one before, microseconds; `None` as
/// budget: as many as it likes.
#[must_use]
pub fn room(budget: Option<u64>, passed: u64) -> usize {
    let Some(budget) = budget else {
        return usize::MAX;
    };
    // after a pause there is no more room than after a packet
    let passed = passed.min(120 * MILLISECOND);
    (budget * passed / (8 * SECOND)).saturating_sub(AROUND) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(redundancy: &mut Redundancy, reports: &[(u64, u8)]) -> Vec<usize> {
        let each = reports.iter().map(|(second, lost)| {
            redundancy.reported(second * SECOND, *lost);
            redundancy.distance()
        });
        each.collect()
    }

    #[test]
    fn a_lossy_link_gets_more_and_a_clean_one_none_after_a_while() {
        let mut redundancy = Redundancy::default();
        assert_eq!(
            told(
                &mut redundancy,
                &[(0, 0), (1, 3), (2, 25), (3, 60), (4, 60)]
            ),
            [0, 0, 1, 2, 2]
        );
        assert_eq!(
            told(&mut redundancy, &[(5, 0), (6, 0), (9, 0), (12, 0)]),
            [2; 4]
        );
        assert_eq!(told(&mut redundancy, &[(30, 0)]), [0]);
    }

    #[test]
    fn a_listener_who_has_said_nothing_yet_is_taken_to_lose_what_is_lost_of_its_own() {
        let mut redundancy = Redundancy::default();
        assert!(redundancy.guess(0, 26) && redundancy.distance() == 1);
        assert!(!redundancy.reported(SECOND, 0));
        assert!(!redundancy.guess(2 * SECOND, 99) && redundancy.distance() == 1);
    }

    #[test]
    fn a_link_that_is_flooded_is_sent_less_and_not_more() {
        let mut redundancy = Redundancy::default();
        assert_eq!(
            told(&mut redundancy, &[(0, 60), (1, 60), (2, 200)]),
            [1, 2, 0]
        );
    }

    #[test]
    fn speech_and_what_it_carries_along_keep_to_the_budget() {
        for distance in 1..=MOST {
            for kbps in 12..120 {
                let budget = kbps * 1_000;
                let redundancy = Redundancy {
                    distance,
                    ..Redundancy::default()
                };
                let Some(share) = redundancy.share(budget) else {
                    continue;
                };
                let frame = frame(share);
                let payload = (share - around(frame)) * frame / 8_000;
                assert!(payload * 8_000 / frame >= LEAST * 9 / 10, "{kbps}: {share}");
                let both = LAST + 2 * payload + BLOCK;
                assert!((both + AROUND) * 8_000 / frame <= budget, "{kbps}: {share}");
                assert!(
                    both as usize <= room(Some(budget), frame * MILLISECOND) + 1,
                    "{kbps}: {share}"
                );
            }
        }
    }

    #[test]
    fn twenty_four_kbit_have_room_and_sixteen_have_none() {
        let lossy = Redundancy {
            distance: 2,
            loss: 51,
            ..Redundancy::default()
        };
        assert_eq!(lossy.share(22_000), Some(12_000));
        assert_eq!(lossy.share(13_000), None);
        let less = Redundancy {
            distance: 1,
            loss: 13,
            ..Redundancy::default()
        };
        assert_eq!(less.share(17_000), None, "more bits beat fewer twice");
        assert_eq!(less.share(24_000), Some(13_000));
        // what a client asks for on a link of 24 kbit/s
        assert_eq!(less.share(20_000), Some(11_000));
        assert_eq!(Redundancy::default().share(64_000), None);
    }
}
