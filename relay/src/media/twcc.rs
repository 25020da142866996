//! When a member's packets came, to be told back to it: its bandwidth estimate lives on this.

use super::{
    rtcp::{
        Writer,
        transport_cc::{Came, encode},
    },
    sequence::unwrap,
    time::{MILLISECOND, SECOND},
};

/// libwebrtc's own limits are 50 and 250 ms; a sender that only speaks can wait longer.
const OFTEN: u64 = 50 * MILLISECOND;
const RARELY: u64 = 250 * MILLISECOND;
const RARELY_AUDIO: u64 = 500 * MILLISECOND;
/// What one message costs on the wire, roughly, in bits: IP, UDP, SRTCP, header, ten packets.
const COST: u64 = 8 * 100;
/// The part of the sender's rate it may cost.
const SHARE: u64 = 20;
/// Packets kept between two messages: 250 ms of 16 Mbit/s.
const MOST: usize = 512;
/// A jump in the numbers larger than this is a sender that began anew.
const JUMP: u64 = 4_000;

#[derive(Debug, Default)]
pub struct Recorder {
    newest: Option<u64>,
    /// The first number not told of yet.
    base: u64,
    came: Vec<Came>,
    count: u8,
    told: u64,
}

impl Recorder {
    pub fn came(&mut self, now: u64, sequence: u16) {
        let number = match self.newest {
            Some(newest) => unwrap(newest, sequence),
            None => u64::from(sequence) + (1 << 16),
        };
        let mut newest = self.newest.unwrap_or(number);
        if self.newest.is_none() || number.abs_diff(newest) > JUMP {
            self.came.clear();
            (self.base, newest) = (number, number);
        }
        if number < self.base || self.came.len() == MOST {
            return;
        }
        self.newest = Some(newest.max(number));
        let at = match self.came.last() {
            Some(last) if last.number >= number => {
                match self.came.binary_search_by_key(&number, |came| came.number) {
                    Ok(_) => return,
                    Err(at) => at,
                }
            }
            _ => self.came.len(),
        };
        self.came.insert(at, Came { number, at: now });
    }

    /// `rate` of the sender in bit/s.
    #[must_use]
    pub fn wake(&self, rate: u64, video: bool) -> Option<u64> {
        let rarely = if video { RARELY } else { RARELY_AUDIO };
        let fair = COST * SHARE * SECOND / rate.max(1);
        // after a pause the first packet is not told of alone
        self.came
            .first()
            .map(|came| (self.told + fair.clamp(OFTEN, rarely)).max(came.at + OFTEN))
    }

    /// One message about what came since the last; more are due while something is left.
    pub fn tell(&mut self, now: u64, sender: u32, media: u32, writer: &mut Writer) {
        if self.came.is_empty() {
            return;
        }
        let mut told = 0;
        writer.transport_cc(sender, media, |bytes| {
            told = encode(bytes, self.base, self.count, &self.came);
        });
        self.count = self.count.wrapping_add(1);
        self.told = now;
        // numbers too far apart for one message: the hole between them goes untold
        let last = told.checked_sub(1).and_then(|last| self.came.get(last));
        let first_left = self.came.get(told).map(|came| came.number);
        self.base = last
            .map(|came| came.number + 1)
            .or(first_left)
            .unwrap_or(self.base);
        self.came.drain(..told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtcp::{Item, items};

    fn told(recorder: &mut Recorder, now: u64) -> Option<(u16, u32, u32)> {
        let mut writer = Writer::default();
        recorder.tell(now, 1, 2, &mut writer);
        items(writer.bytes()).next().map(|item| {
            let Item::TransportCc(feedback) = item else {
                panic!("feedback")
            };
            let (came, lost) = feedback.tally();
            (feedback.base, came, lost)
        })
    }

    #[test]
    fn each_message_goes_on_where_the_last_one_ended() {
        let mut recorder = Recorder::default();
        for (at, sequence) in [(0, 65_534), (1, 65_535), (2, 1), (2, 1), (3, 0), (9, 4)] {
            recorder.came(at * MILLISECOND, sequence);
        }
        assert_eq!(told(&mut recorder, 10), Some((65_534, 5, 2)));
        assert_eq!(told(&mut recorder, 20), None);
        recorder.came(50 * MILLISECOND, 3);
        assert_eq!(told(&mut recorder, 50), None, "it was told to be lost");
        recorder.came(51 * MILLISECOND, 6);
        assert_eq!(told(&mut recorder, 60), Some((5, 1, 1)));
    }

    #[test]
    fn a_slow_link_is_not_filled_with_feedback() {
        let mut recorder = Recorder::default();
        assert_eq!(recorder.wake(1_000_000, true), None);
        recorder.came(0, 1);
        assert_eq!(recorder.wake(2_000_000, true), Some(OFTEN));
        assert_eq!(recorder.wake(64_000, true), Some(RARELY));
        assert_eq!(recorder.wake(16_000, false), Some(RARELY_AUDIO));
        assert_eq!(recorder.wake(200_000, true), Some(80 * MILLISECOND));
    }

    #[test]
    fn a_flood_is_cut_and_a_restart_is_followed() {
        let mut recorder = Recorder::default();
        for sequence in 0..2_000 {
            recorder.came(0, sequence);
        }
        assert!(recorder.came.len() <= MOST);
        recorder.came(1, 20_000);
        assert_eq!(told(&mut recorder, 2), Some((20_000, 1, 0)));
        // and so is one that goes back
        for sequence in 10_000..10_003 {
            recorder.came(3, sequence);
        }
        assert_eq!(told(&mut recorder, 4), Some((10_000, 3, 0)));
    }
}
