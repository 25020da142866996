//! What was sent to a member under transport-wide numbers, until it tells what came.

use crate::media::time::SECOND;

const FIRST: usize = 64;
/// A second of 8 Mbit/s.
const MOST: usize = 1_024;
/// Feedback that comes later is of no use; entries younger than this make the ring grow.
const YOUNG: u32 = SECOND as u32;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Microseconds; wraps after 71 minutes, and only differences are looked at.
    at: u32,
    number: u16,
    /// At IP level; 0: nothing, or it was told of already.
    size: u16,
}

#[derive(Debug, Default)]
pub struct History {
    /// At the number modulo its length. Empty until something is sent.
    ring: Vec<Entry>,
}

impl History {
    pub fn sent(&mut self, now: u64, number: u16, size: usize) {
        if self.ring.is_empty() {
            self.ring.resize(FIRST, Entry::default());
        }
        let now = now as u32;
        let old = self.ring[self.slot(number)];
        if old.size > 0 && now.wrapping_sub(old.at) < YOUNG && self.ring.len() < MOST {
            self.lengthen();
        }
        let slot = self.slot(number);
        self.ring[slot] = Entry {
            at: now,
            number,
            size: u16::try_from(size).unwrap_or(u16::MAX),
        };
    }

    /// When a packet was sent, and its size. Asked twice, it is not known any more: what is told
    /// again is no news.
    pub fn take(&mut self, now: u64, number: u16) -> Option<(u64, u64)> {
        let (at, size) = self.find(now, number)?;
        let slot = self.slot(number);
        self.ring[slot].size = 0;
        Some((at, size))
    }

    /// When a packet that was not told of yet was sent, and its size.
    #[must_use]
    pub fn find(&self, now: u64, number: u16) -> Option<(u64, u64)> {
        let entry = self.ring.get(self.slot(number))?;
        let age = (now as u32).wrapping_sub(entry.at);
        let known = entry.size > 0 && entry.number == number;
        (known && age < 60 * YOUNG).then(|| (now - u64::from(age), entry.size.into()))
    }

    fn lengthen(&mut self) {
        let half = self.ring.len();
        self.ring.resize(2 * half, Entry::default());
        for low in 0..half {
            let slot = self.slot(self.ring[low].number);
            self.ring.swap(low, slot);
        }
    }

    fn slot(&self, number: u16) -> usize {
        usize::from(number) & self.ring.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::time::MILLISECOND;

    #[test]
    fn a_packet_is_told_of_once() {
        let mut history = History::default();
        assert_eq!(history.take(SECOND, 7), None);
        history.sent(SECOND, 7, 1_200);
        assert_eq!(history.take(2 * SECOND, 7 + 64), None);
        assert_eq!(history.find(2 * SECOND, 7), Some((SECOND, 1_200)));
        assert_eq!(history.take(2 * SECOND, 7), Some((SECOND, 1_200)));
        assert_eq!(history.take(2 * SECOND, 7), None);
    }

    #[test]
    fn it_grows_with_what_is_under_way_and_not_further() {
        let mut history = History::default();
        // half a second under way, 600 packets a second, across the end of the numbers and of the
        // 32 bits of time
        let (start, step) = (1 << 32, SECOND / 600);
        for packet in 0..5_000_u64 {
            let now = start + packet * step - SECOND;
            history.sent(now, (packet + 64_000) as u16, 100);
            if let Some(told) = packet.checked_sub(300) {
                let at = start + told * step - SECOND;
                let number = (told + 64_000) as u16;
                assert_eq!(history.take(now, number), Some((at, 100)), "{told}");
            }
        }
        assert_eq!(history.ring.len(), 512);
        for packet in 0..60_000_u64 {
            history.sent(start + packet * MILLISECOND / 10, packet as u16, 100);
        }
        assert_eq!(history.ring.len(), MOST);
    }
}
