//! Whether packets are lost because too much is sent.
//!
//! Pictures on a narrow link are 20 packets a second: of those a radio link that loses 5 % loses three or more once in
//! a quarter of a minute, which is no congestion. So loss counts for as much as is certain: less twice the root of the
//! lost (two standard deviations of a count); and where that is too little, more packets are waited for.

use crate::media::{report::surely, time::SECOND};

/// More loss (of 256: 10 %) than the link always has is congestion; draft-ietf-rmcat-gcc-02 section 6.
const HEAVY: u64 = 26;
/// Loss is judged in pieces of so much time and so many packets at least,
const JUDGED: u64 = SECOND;
const ENOUGH: u64 = 20;
/// and so many at most: what is not seen in them is not there.
const LONGEST: u64 = 5 * SECOND;
const PLENTY: u64 = 100;
/// When less was sent because of loss: that it is sent is felt after so long, and whether it has helped is seen then.
const FELT: u64 = SECOND;
const TRIAL: u64 = 3 * SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing new.
    None,
    /// Too much is sent: so much is lost, of 256.
    Congestion(u64),
    /// Less was sent and that helped nothing: that is how the link is. The estimate from before.
    Incurable(Option<u64>),
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Loss {
    came: u64,
    lost: u64,
    since: u64,
    /// What the link loses however little is sent, of 256.
    always: u64,
    /// Loss, estimate before, and when less was sent because of it.
    blamed: Option<(u64, Option<u64>, u64)>,
}

impl Loss {
    /// What was on the link when that died tells nothing.
    pub fn forget(&mut self, now: u64) {
        *self = Self {
            always: self.always,
            since: now,
            ..Self::default()
        };
    }

    /// It is being found out whether sending less helps.
    #[must_use]
    pub fn on_trial(&self) -> bool {
        self.blamed.is_some()
    }

    /// Less is sent because of so much loss; `before` was the estimate.
    pub fn blame(&mut self, now: u64, share: u64, before: Option<u64>) {
        self.blamed = Some((share, before, now));
    }

    /// A message tells of so many packets that came and did not.
    pub fn told(&mut self, now: u64, (came, lost): (u32, u32)) -> Verdict {
        self.came += u64::from(came);
        self.lost += u64::from(lost);
        let all = self.came + self.lost;
        if now < self.since + JUDGED || all < ENOUGH {
            return Verdict::None;
        }
        let share = self.lost * 256 / all;
        if let Some((blamed, before, then)) = self.blamed {
            if now < then + FELT {
                self.begin(now);
            } else if now >= then + TRIAL {
                self.begin(now);
                self.blamed = None;
                if share > self.always + HEAVY / 2 && share * 5 > blamed * 4 {
                    self.always = share;
                    return Verdict::Incurable(before);
                }
            }
            return Verdict::None;
        }
        let possible = (self.lost + (4 * (self.lost + 1)).isqrt()) * 256 / all;
        let congestion = surely(self.lost, all, 2) > self.always + HEAVY;
        if congestion || all >= PLENTY || now >= self.since + LONGEST {
            self.begin(now);
            self.always = self.always.min(possible);
        }
        if congestion {
            Verdict::Congestion(share)
        } else {
            Verdict::None
        }
    }

    fn begin(&mut self, now: u64) {
        (self.came, self.lost, self.since) = (0, 0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::time::MILLISECOND;

    /// So many seconds of 15 packets each, of which so many in a hundred are lost by chance.
    fn watch(loss: &mut Loss, from: u64, seconds: u64, percent: u64, seed: u64) -> Vec<Verdict> {
        let mut chance = seed;
        let mut lost = || {
            // Knuth's MMIX
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            u32::from((chance >> 33) % 100 < percent)
        };
        let messages = (from * 4..(from + seconds) * 4).map(|turn| {
            let lost: u32 = (0..4).map(|_| lost()).sum();
            loss.told(turn * 250 * MILLISECOND, (4 - lost, lost))
        });
        messages.filter(|it| *it != Verdict::None).collect()
    }

    #[test]
    fn a_radio_link_that_loses_some_is_not_taken_for_a_full_one() {
        // an hour of visits
        let alarms = (0..60).map(|seed| watch(&mut Loss::default(), 0, 60, 5, seed).len());
        assert!(alarms.sum::<usize>() <= 1);
    }

    #[test]
    fn a_link_that_loses_half_is_full_within_three_seconds() {
        for seed in 0..50 {
            let mut loss = Loss::default();
            watch(&mut loss, 0, 30, 2, seed);
            assert!(!watch(&mut loss, 30, 9, 50, seed).is_empty());
            let mut fresh = Loss::default();
            let seen = watch(&mut fresh, 0, 3, 50, seed);
            assert!(
                matches!(seen[..], [Verdict::Congestion(60..), ..]),
                "{seen:?}"
            );
        }
    }

    #[test]
    fn what_less_does_not_help_against_is_how_the_link_is() {
        let mut helped = 0;
        for seed in 0..50 {
            let mut loss = Loss::default();
            watch(&mut loss, 0, 9, 40, seed);
            loss.blame(10 * SECOND, 102, Some(7));
            assert!(loss.on_trial());
            let found = watch(&mut loss, 10, 5, 40, seed + 100);
            helped += usize::from(found.first() != Some(&Verdict::Incurable(Some(7))));
            assert!(!loss.on_trial());
        }
        assert!(helped < 15, "{helped} of 50");
    }
}
