//! The packets a source sent lately, once for all its receivers.
//!
//! Payloads lie one behind the other in a ring of bytes; an index of entries, one for each sequence
//! number modulo its length, says where. Both start small and grow while what they would overwrite
//! is younger than the time receivers may still ask for it; nothing is allocated after that. An entry whose bytes were overwritten is told by its position alone.

use super::time::MILLISECOND;

/// One packet of a source without its transport: what the cache keeps and slots forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel<'a> {
    /// The source's sequence number, unwrapped.
    pub number: u64,
    pub timestamp: u32,
    pub marker: bool,
    /// RFC 6464, as it came: voice flag and -dBov.
    pub level: Option<u8>,
    /// 3GPP coordination of video orientation, as it came.
    pub orientation: Option<u8>,
    pub payload: &'a [u8],
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    number: u64,
    /// Of the first byte, counted from the beginning of all time.
    position: u64,
    timestamp: u32,
    /// Milliseconds; wraps after 49 days, and only differences are looked at.
    at: u32,
    length: u16,
    marker: bool,
    level: Option<u8>,
    orientation: Option<u8>,
}

/// How far a cache may grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A power of two.
    pub packets: usize,
    pub bytes: usize,
}

pub const VIDEO: Limits = Limits {
    packets: 512,
    bytes: 512 * 1024,
};
/// Of speech nothing is asked for again; the last two packets are carried along with the next, where
/// RED has room for a kilobyte of each.
pub const AUDIO: Limits = Limits {
    packets: 8,
    bytes: 2 * 1024,
};

const FIRST_PACKETS: usize = 32;
const FIRST_BYTES: usize = 4 * 1024;
/// Longer payloads than any path carries are not kept.
const LONGEST: usize = 2_048;

#[derive(Debug)]
pub struct Cache {
    limits: Limits,
    /// How long a packet is to be kept if the limits allow, in microseconds.
    keep: u64,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    /// Where the next byte goes, counted from the beginning of all time.
    head: u64,
    /// When the ring of bytes last began anew.
    lap: u64,
}

impl Cache {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let keep = 200 * MILLISECOND;
        Self {
            limits,
            keep,
            entries: Vec::new(),
            bytes: Vec::new(),
            head: 0,
            lap: 0,
        }
    }

    /// A receiver this far away may ask: the time for a first NACK and two more. Fresh caches keep
    /// packets for 200 ms, none for longer than a second and a half.
    pub fn farther(&mut self, rtt: u64) {
        let keep = (3 * rtt + 100 * MILLISECOND).min(1_500 * MILLISECOND);
        self.keep = self.keep.max(keep);
    }

    /// A receiver is sent packets this long after they came.
    pub fn keep(&mut self, late: u64) {
        self.keep = self.keep.max(late);
    }

    /// How long ago a packet came, in microseconds; `None`: it is not there.
    #[must_use]
    pub fn age(&self, now: u64, number: u64) -> Option<u64> {
        let entry = self.entries.get(self.slot(number))?;
        let there = entry.number == number && self.holds(entry);
        let age = ((now / MILLISECOND) as u32).wrapping_sub(entry.at);
        there.then_some(u64::from(age) * MILLISECOND)
    }

    pub fn insert(&mut self, now: u64, parcel: &Parcel<'_>) {
        let length = parcel.payload.len();
        if length > LONGEST {
            return;
        }
        if self.entries.is_empty() {
            self.entries
                .resize(FIRST_PACKETS.min(self.limits.packets), Entry::default());
            self.bytes.resize(FIRST_BYTES.min(self.limits.bytes), 0);
            self.lap = now;
        }
        self.make_room(now, length);
        let at = self.offset(self.head);
        self.bytes[at..at + length].copy_from_slice(parcel.payload);
        let entry = Entry {
            number: parcel.number,
            position: self.head,
            timestamp: parcel.timestamp,
            at: (now / MILLISECOND) as u32,
            length: length as u16,
            marker: parcel.marker,
            level: parcel.level,
            orientation: parcel.orientation,
        };
        self.head += length as u64;
        self.make_slot(now, parcel.number);
        let slot = self.slot(parcel.number);
        self.entries[slot] = entry;
    }

    #[must_use]
    pub fn get(&self, number: u64) -> Option<Parcel<'_>> {
        let entry = self.entries.get(self.slot(number))?;
        if entry.number != number || !self.holds(entry) {
            return None;
        }
        let at = self.offset(entry.position);
        Some(Parcel {
            number,
            timestamp: entry.timestamp,
            marker: entry.marker,
            level: entry.level,
            orientation: entry.orientation,
            payload: &self.bytes[at..at + usize::from(entry.length)],
        })
    }

    /// Gives the memory back.
    pub fn clear(&mut self) {
        self.entries = Vec::new();
        self.bytes = Vec::new();
        self.head = 0;
    }

    /// Bytes of memory in use.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    fn holds(&self, entry: &Entry) -> bool {
        entry.number != 0 && entry.position + self.bytes.len() as u64 >= self.head
    }

    /// Payloads do not wrap: where one does not fit before the end, the ring begins anew.
    fn make_room(&mut self, now: u64, length: usize) {
        let capacity = self.bytes.len();
        let at = self.offset(self.head);
        if length == 0 || at + length <= capacity && (at > 0 || self.head == 0) {
            return;
        }
        if at > 0 {
            self.head += (capacity - at) as u64;
        }
        if now.saturating_sub(self.lap) < self.keep && capacity < self.limits.bytes {
            self.lengthen((capacity + (capacity / 4).max(FIRST_BYTES)).min(self.limits.bytes));
        } else {
            self.lap = now;
        }
    }

    /// Makes the ring longer when it is full to the brim: the newest bytes go on behind the others,
    /// and positions are counted so that theirs stay where they are.
    fn lengthen(&mut self, capacity: usize) {
        let (old, new) = (self.bytes.len() as u64, capacity as u64);
        let oldest = self.head.saturating_sub(old);
        let moved = oldest.next_multiple_of(new) - oldest;
        for at in 0..self.entries.len() {
            if self.holds(&self.entries[at]) && self.entries[at].position >= oldest {
                self.entries[at].position += moved;
            } else {
                self.entries[at] = Entry::default();
            }
        }
        self.head += moved;
        self.bytes.reserve_exact(capacity - self.bytes.len());
        self.bytes.resize(capacity, 0);
    }

    /// Doubles the index while it would forget a packet that is still young.
    fn make_slot(&mut self, now: u64, number: u64) {
        let now = (now / MILLISECOND) as u32;
        while self.entries.len() < self.limits.packets {
            let old = &self.entries[self.slot(number)];
            let age = u64::from(now.wrapping_sub(old.at)) * MILLISECOND;
            if old.number == number || !self.holds(old) || age >= self.keep {
                return;
            }
            let half = self.entries.len();
            self.entries.resize(2 * half, Entry::default());
            for low in 0..half {
                let number = self.entries[low].number;
                if number != 0 {
                    let slot = self.slot(number);
                    self.entries.swap(low, slot);
                }
            }
        }
    }

    fn slot(&self, number: u64) -> usize {
        number as usize & self.entries.len().wrapping_sub(1)
    }

    fn offset(&self, position: u64) -> usize {
        (position % self.bytes.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parcel(number: u64, payload: &[u8]) -> Parcel<'_> {
        Parcel {
            number,
            timestamp: number as u32 * 3_000,
            marker: number.is_multiple_of(4),
            level: None,
            orientation: Some(2),
            payload,
        }
    }

    #[test]
    fn a_fresh_cache_holds_nothing() {
        let cache = Cache::new(VIDEO);
        assert_eq!(cache.get(0), None);
        assert_eq!(cache.get(77), None);
        assert_eq!(cache.size(), 0);
    }

    #[test]
    fn a_slow_source_keeps_its_cache_small() {
        let mut cache = Cache::new(VIDEO);
        // 40 kbit/s
        for number in 1..2_000 {
            cache.insert(number * 200 * MILLISECOND, &parcel(number, &[1; 1_000]));
        }
        assert_eq!(
            cache.size(),
            FIRST_BYTES + FIRST_PACKETS * size_of::<Entry>()
        );
        assert!(cache.get(1_999).is_some());
    }

    #[test]
    fn a_fast_source_gets_room_for_as_long_as_receivers_ask() {
        let mut cache = Cache::new(VIDEO);
        cache.farther(100 * MILLISECOND);
        // 2.2 Mbit/s for ten seconds
        for number in 1..=2_500_u64 {
            let payload = [number as u8; 1_100];
            cache.insert(number * 4 * MILLISECOND, &parcel(number, &payload));
            for ago in [0, 50, 99] {
                // 400 ms back, once it has grown
                if number > 1_000 {
                    let payload = [(number - ago) as u8; 1_100];
                    assert_eq!(
                        cache.get(number - ago),
                        Some(parcel(number - ago, &payload))
                    );
                }
            }
        }
        assert!(cache.size() <= 256 * 1024, "{}", cache.size());
        cache.clear();
        assert_eq!((cache.size(), cache.get(2_500)), (0, None));
    }

    #[test]
    fn a_flood_does_not_make_it_grow_past_its_limits() {
        let mut cache = Cache::new(VIDEO);
        for number in 1..100_000 {
            cache.insert(number, &parcel(number, &[0; 2_048]));
        }
        assert!(cache.size() <= VIDEO.bytes + VIDEO.packets * size_of::<Entry>());
        cache.insert(1, &parcel(100_000, &[0; 60_000]));
        assert_eq!(cache.get(100_000), None);
    }

    proptest! {
        #[test]
        fn what_it_gives_is_what_it_was_given(
            steps in proptest::collection::vec((0_u64..3, 0_usize..1_500, 0_u64..30), 1..600),
        ) {
            let (mut cache, mut now, mut number) = (Cache::new(VIDEO), 0, 65_536);
            for (step, length, pause) in steps {
                number += 2 * step;
                // odd numbers arrive late
                let number = if step == 1 { number - 3 } else { number };
                now += pause * MILLISECOND;
                let payload = vec![(number % 251) as u8; length];
                cache.insert(now, &parcel(number, &payload));
                prop_assert_eq!(cache.get(number), Some(parcel(number, &payload)));
                for other in number - 70..number {
                    if let Some(found) = cache.get(other) {
                        prop_assert!(found.payload.iter().all(|byte| *byte == (other % 251) as u8));
                        prop_assert_eq!(found.timestamp, other as u32 * 3_000);
                    }
                }
            }
        }
    }
}
