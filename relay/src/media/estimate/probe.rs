//! Whether a paused picture would fit: padding in its place, first a packet now and then, then more
//! and more of it.
//!
//! It stops at the first packet that waits, so that speech is not delayed to find out what a
//! picture would cost.

use crate::media::time::{MILLISECOND, SECOND};

/// A padding packet, about, at IP level: padding is 255 bytes at most (RFC 3550 section 5.1).
const SIZE: u64 = 310;
/// Bit/s, one after the other; before them single packets.
const STEPS: [u64; 3] = [12_000, 25_000, ENOUGH];
/// The last of them is worth a picture.
pub const ENOUGH: u64 = 40_000;
const LASTING: u64 = 700 * MILLISECOND;
/// Between two single packets, at first and at most.
const SOON: u64 = 400 * MILLISECOND;
const LATE: u64 = 3 * SECOND;
/// To a link that died: what is back is back at once.
const LATE_AFTER_DEATH: u64 = 800 * MILLISECOND;
const CROWDED: u8 = 2;
/// What waits for the link because of the picture that was taken away is gone so long after.
const DRAINED: u64 = 3 * SECOND / 2;
/// One lost packet of so many that came is a queue that is full.
const LOST_OF: u32 = 3;
/// Single packets that must come through after it.
const ALIVE: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// There is room for so much more, bit/s.
    Room(u64),
    /// The link is alive again.
    Alive,
}

#[derive(Clone, Copy, Debug)]
pub struct Probe {
    died: bool,
    began: u64,
    step: usize,
    /// When the step began.
    since: u64,
    /// When the next packet is due.
    next: u64,
    wait: u64,
    came: u8,
    /// Packets one after the other that waited, or were never told of.
    waited: u8,
}

impl Probe {
    /// `died`: nothing came through; else too little.
    #[must_use]
    pub fn begin(now: u64, died: bool) -> Self {
        Self {
            died,
            began: now,
            step: 0,
            since: now,
            next: now + SOON,
            wait: SOON,
            came: 0,
            waited: 0,
        }
    }

    #[must_use]
    pub fn wake(&self) -> u64 {
        self.next
    }

    /// Not even single packets get through without waiting: the speech beside them is too much.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.waited >= CROWDED
    }

    /// Whether a packet of padding is to be sent now.
    pub fn due(&mut self, now: u64) -> bool {
        if now < self.next {
            return false;
        }
        self.next = match self.step.checked_sub(1) {
            Some(step) => now + SIZE * 8 * SECOND / STEPS[step],
            None => {
                let most = if self.died { LATE_AFTER_DEATH } else { LATE };
                let next = now + self.wait;
                self.wait = (self.wait * 2).min(most);
                next
            }
        };
        true
    }

    /// A message tells that padding came through without waiting, and how many packets of it.
    pub fn came(&mut self, now: u64, (came, lost): (u32, u32)) -> Found {
        // where a queue is always full, packets do not wait longer, they are lost
        if lost * LOST_OF > came {
            self.waited(now);
            return Found::Nothing;
        }
        self.came = self.came.saturating_add(1);
        self.waited = 0;
        if self.died {
            if self.came >= ALIVE {
                return Found::Alive;
            }
            self.next = self.next.min(now + SOON / 4);
        } else if self.step == 0 || now >= self.since + LASTING {
            if self.step == STEPS.len() {
                return Found::Room(ENOUGH);
            }
            self.step += 1;
            (self.since, self.next) = (now, now);
        }
        Found::Nothing
    }

    /// The receiver reports that speech waits and is lost.
    pub fn drowns(&mut self, now: u64) {
        if now > self.began + DRAINED {
            self.waited = self.waited.max(CROWDED);
        }
    }

    /// It waited.
    pub fn waited(&mut self, now: u64) {
        if self.step > 0 {
            (self.step, self.wait) = (0, (self.wait * 2).min(LATE));
        }
        (self.came, self.since) = (0, now);
        self.waited = self.waited.saturating_add(1);
        self.next = now + self.wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks until something is found, and how much padding that took, in packets and milliseconds.
    fn probe(mut probe: Probe, mut answer: impl FnMut(u64) -> Option<bool>) -> (Found, u64, u64) {
        let mut packets = 0;
        for now in (0..60_000).map(|ms| ms * MILLISECOND) {
            if !probe.due(now) {
                continue;
            }
            packets += 1;
            match answer(now / MILLISECOND) {
                Some(true) => match probe.came(now, (1, 0)) {
                    Found::Nothing => {}
                    found => return (found, packets, now / MILLISECOND),
                },
                Some(false) => probe.waited(now),
                None => {}
            }
        }
        (Found::Nothing, packets, 60_000)
    }

    #[test]
    fn room_for_a_picture_is_found_in_three_seconds() {
        let (found, packets, passed) = probe(Probe::begin(0, false), |_| Some(true));
        assert_eq!(found, Found::Room(ENOUGH));
        assert!((2_000..3_200).contains(&passed), "{passed}");
        assert!(packets < 30, "{packets}");
    }

    #[test]
    fn a_link_that_has_no_room_is_asked_seldom() {
        let (found, packets, _) = probe(Probe::begin(0, false), |_| Some(false));
        assert_eq!(found, Found::Nothing);
        assert!(packets < 26, "{packets}");
        let (found, packets, _) = probe(Probe::begin(0, false), |_| None);
        assert_eq!(found, Found::Nothing);
        assert!(packets < 26, "{packets}");
    }

    #[test]
    fn a_link_too_narrow_for_speech_is_known_by_padding_that_waits() {
        let mut probe = Probe::begin(0, false);
        probe.waited(0);
        assert!(!probe.is_crowded());
        probe.waited(SECOND);
        assert!(probe.is_crowded());
        probe.came(2 * SECOND, (1, 0));
        assert!(!probe.is_crowded());
    }

    #[test]
    fn a_link_that_is_back_is_noticed_within_a_second() {
        let back = |ms| (ms > 2_000).then_some(true);
        let (found, _, passed) = probe(Probe::begin(0, true), back);
        assert_eq!(found, Found::Alive);
        assert!(passed < 3_000, "{passed}");
    }
}
