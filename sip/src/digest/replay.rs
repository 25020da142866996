//! Which uses of which nonces have been seen.

use std::collections::BTreeMap;

/// When a nonce was made (milliseconds) and its serial number.
pub(super) type NonceId = (u64, u64);

/// The nonces in use, oldest first, and what was counted on each. Only correct credentials get in
/// here, so a flood of wrong ones cannot push anybody out.
#[derive(Debug)]
pub(super) struct Replays {
    seen: BTreeMap<NonceId, Counts>,
    limit: usize,
    /// Nonces up to this one have been forgotten and are good for nothing any more.
    forgotten: Option<NonceId>,
}

/// The highest count and, as bits, which of the 64 before it have been seen: requests of one
/// client may overtake each other.
#[derive(Debug)]
struct Counts {
    highest: u32,
    before: u64,
}

impl Replays {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            seen: BTreeMap::new(),
            limit,
            forgotten: None,
        }
    }

    /// Notes a use. `false`: that very use, or so old a one that nobody knows, was seen before.
    pub(super) fn first_use(&mut self, nonce: NonceId, count: u32) -> bool {
        if let Some(counts) = self.seen.get_mut(&nonce) {
            return counts.note(count);
        }
        if count == 0 || self.forgotten.is_some_and(|forgotten| nonce <= forgotten) {
            return false;
        }
        if self.seen.len() >= self.limit {
            self.forgotten = self.seen.pop_first().map(|(oldest, _)| oldest);
            if self.forgotten >= Some(nonce) {
                return false;
            }
        }
        let counts = Counts {
            highest: count,
            before: 0,
        };
        self.seen.insert(nonce, counts);
        true
    }

    /// Forgets the nonces made before this moment: they have expired.
    pub(super) fn forget_before(&mut self, made: u64) {
        while let Some(oldest) = self.seen.first_entry()
            && oldest.key().0 < made
        {
            oldest.remove();
        }
    }
}

impl Counts {
    fn note(&mut self, count: u32) -> bool {
        if count > self.highest {
            let step = count - self.highest;
            // the old highest becomes bit `step - 1`
            self.before = self.before.checked_shl(step).unwrap_or(0)
                | 1_u64.checked_shl(step - 1).unwrap_or(0);
            self.highest = count;
            return true;
        }
        let back = self.highest - count;
        if back == 0 || back > 64 || count == 0 {
            return false;
        }
        let bit = 1 << (back - 1);
        let fresh = self.before & bit == 0;
        self.before |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_good_once_in_any_near_order() {
        let mut replays = Replays::new(8);
        let uses = [
            (1, true),
            (3, true),
            (2, true),
            (2, false),
            (3, false),
            (1, false),
        ];
        for (count, fresh) in uses {
            assert_eq!(replays.first_use((0, 0), count), fresh, "{count}");
        }
        assert!(replays.first_use((0, 0), 67));
        assert!(!replays.first_use((0, 0), 3), "just seen, 64 back");
        assert!(replays.first_use((0, 0), 4), "not seen, 63 back");
        assert!(replays.first_use((0, 0), 68));
        assert!(!replays.first_use((0, 0), 3), "too old to know");
        assert!(replays.first_use((0, 0), u32::MAX));
        assert!(!replays.first_use((0, 0), 68));
        assert!(!replays.first_use((0, 0), 0));
    }

    #[test]
    fn what_was_forgotten_for_want_of_room_is_not_fresh_again() {
        let mut replays = Replays::new(2);
        for made in [10, 20, 30] {
            assert!(replays.first_use((made, 0), 1));
        }
        assert_eq!(replays.seen.len(), 2);
        assert!(!replays.first_use((10, 0), 1));
        assert!(
            !replays.first_use((5, 0), 1),
            "older ones may have been forgotten too"
        );
        assert!(
            !replays.first_use((15, 0), 1),
            "there is no room for anything older"
        );
        assert!(replays.first_use((30, 0), 2));
    }

    #[test]
    fn expired_nonces_leave() {
        let mut replays = Replays::new(8);
        for made in [10, 20, 30] {
            assert!(replays.first_use((made, 0), 1));
        }
        replays.forget_before(25);
        assert_eq!(replays.seen.len(), 1);
    }
}
