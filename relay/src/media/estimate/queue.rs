//! How long packets wait on their way to a member.
//!
//! The way itself takes what the quickest packet of the last seconds took; what others took longer
//! they waited in a queue. A burst may wait behind itself, so that a queue counts by the packet
//! that waited least in a while, as in CoDel (RFC 8289 section 3.1): what is left of it then does
//! not drain by itself.

use crate::media::{rtcp::transport_cc::AROUND, time::SECOND};

/// The quickest packet is one of the last one or two of these.
const EPOCH: u64 = 10 * SECOND;
/// A jump of the other clock: no queue is that long.
const ABSURD: i64 = 60 * SECOND as i64;

#[derive(Clone, Copy, Debug, Default)]
pub struct Queue {
    /// Arrival minus departure, on two clocks.
    quickest: [Option<i64>; 2],
    since: u64,
    /// Least of the packets since the last look.
    least: Option<i64>,
}

impl Queue {
    /// A packet that left at `sent` on our clock came at `came` on theirs.
    pub fn came(&mut self, now: u64, sent: u64, came: i64) {
        let mut took = came - sent as i64;
        // their clock begins anew every twelve days
        if let Some(known) = self.quickest.into_iter().flatten().next() {
            took += (known - took + AROUND / 2).div_euclid(AROUND) * AROUND;
            if took.abs_diff(known) > ABSURD as u64 {
                *self = Self::default();
            }
        }
        if now.saturating_sub(self.since) > EPOCH {
            let older = (now - self.since < 2 * EPOCH).then_some(self.quickest[0]);
            self.quickest = [None, older.flatten()];
            self.since = now;
        }
        let quickest = self.quickest[0].map_or(took, |known| known.min(took));
        self.quickest[0] = Some(quickest);
        self.least = Some(self.least.map_or(took, |least| least.min(took)));
    }

    /// The standing queue in microseconds, of what came since the last look.
    pub fn look(&mut self) -> Option<u64> {
        let least = self.least.take()?;
        let quickest = self.quickest.into_iter().flatten().min()?;
        Some((least - quickest).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::time::MILLISECOND;

    const MS: i64 = MILLISECOND as i64;

    #[test]
    fn what_the_quickest_packet_did_not_take_is_the_queue() {
        let mut queue = Queue::default();
        assert_eq!(queue.look(), None);
        queue.came(0, 1_000, -777 * MS);
        queue.came(0, 21_000, -777 * MS + 70_000);
        assert_eq!(queue.look(), Some(0), "the least counts");
        queue.came(0, 41_000, -777 * MS + 140_000);
        assert_eq!(queue.look(), Some(100_000));
        assert_eq!(queue.look(), None);
    }

    #[test]
    fn a_longer_way_is_the_way_after_a_while() {
        let mut queue = Queue::default();
        let took = |second| if second < 5 { 50 } else { 250 };
        let mut queued = Vec::new();
        for second in 0..40 {
            let sent = second * SECOND;
            queue.came(sent, sent, sent as i64 + took(second) * MS);
            queued.push(queue.look().unwrap() / MILLISECOND);
        }
        assert_eq!((queued[4], queued[10], queued[39]), (0, 200, 0));
        assert!(queued.iter().filter(|queued| **queued == 200).count() <= 20);
    }

    #[test]
    fn their_clock_may_begin_anew() {
        let mut queue = Queue::default();
        let start = AROUND - 500 * MS;
        for turn in 0..10 {
            let sent = turn * SECOND / 10;
            let came = (start + sent as i64 + turn as i64 * MS) % AROUND;
            queue.came(sent, sent, came);
            assert_eq!(queue.look(), Some(turn * MILLISECOND));
        }
        // or be set
        queue.came(SECOND, SECOND, start / 2);
        assert_eq!(queue.look(), Some(0));
    }
}
