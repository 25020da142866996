//! Numbers of a rising row that were left out, so that the others close up.
//!
//! A bit for each of the last numbers: leaving out every other picture costs no more memory, and no
//! more time, than leaving out one.

/// Remembers 64 numbers a word, back from the newest that was left out.
#[derive(Clone, Copy, Debug)]
pub struct Omitted<const WORDS: usize> {
    count: u64,
    newest: u64,
    bits: [u64; WORDS],
}

impl<const WORDS: usize> Default for Omitted<WORDS> {
    fn default() -> Self {
        Self {
            count: 0,
            newest: 0,
            bits: [0; WORDS],
        }
    }
}

impl<const WORDS: usize> Omitted<WORDS> {
    const WINDOW: u64 = 64 * WORDS as u64;

    /// Leaves out a number beyond all that were left out before, and beyond all whose place was
    /// asked for: those keep theirs.
    pub fn add(&mut self, number: u64) {
        debug_assert!(number > self.newest, "{number} after {}", self.newest);
        for between in (self.newest + 1).max(number.saturating_sub(Self::WINDOW))..number {
            self.bits[word::<WORDS>(between)] &= !bit(between);
        }
        self.bits[word::<WORDS>(number)] |= bit(number);
        self.newest = number;
        self.count += 1;
    }

    /// Where a number is when the others have closed up; `None`: it was left out, or is so old that
    /// nobody remembers.
    #[must_use]
    pub fn place(&self, number: u64) -> Option<u64> {
        if number > self.newest {
            return Some(number - self.count);
        }
        let known = self.remembers(number) && !self.has(number);
        known.then(|| number - self.before(number))
    }

    /// The number that is at a place.
    #[must_use]
    pub fn number(&self, place: u64) -> Option<u64> {
        let (mut low, mut high) = (
            (self.newest + 1).saturating_sub(Self::WINDOW),
            place + self.count,
        );
        if high > self.newest {
            return Some(high);
        }
        // the last number before which there are not too many is one that was not left out
        let fits = |number: u64| number - self.before(number) <= place;
        if !fits(low) {
            return None;
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Some(low)
    }

    fn remembers(&self, number: u64) -> bool {
        self.newest.saturating_sub(number) < Self::WINDOW
    }

    fn has(&self, number: u64) -> bool {
        self.bits[word::<WORDS>(number)] & bit(number) != 0
    }

    /// How many were left out before a number that is remembered.
    fn before(&self, number: u64) -> u64 {
        let (mut from, mut since) = (number, 0);
        while from <= self.newest {
            let length = (64 - from % 64).min(self.newest - from + 1);
            let mask = (u64::MAX >> (64 - length)) << (from % 64);
            since += u64::from((self.bits[word::<WORDS>(from)] & mask).count_ones());
            from += length;
        }
        self.count - since
    }
}

const fn word<const WORDS: usize>(number: u64) -> usize {
    (number / 64) as usize % WORDS
}

const fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn while_none_is_left_out_all_are_where_they_were() {
        let omitted = Omitted::<2>::default();
        assert_eq!(omitted.place(1), Some(1));
        assert_eq!(omitted.place(70_000), Some(70_000));
        assert_eq!(omitted.number(70_000), Some(70_000));
    }

    #[test]
    fn every_other_is_left_out_and_what_is_long_ago_forgotten() {
        let mut omitted = Omitted::<2>::default();
        (1_000..2_000).step_by(2).for_each(|at| omitted.add(at));
        // 1,998 was the last
        assert_eq!(omitted.place(2_000), Some(1_500));
        assert_eq!(omitted.place(1_999), Some(1_499));
        assert_eq!(omitted.place(1_998), None);
        assert_eq!(omitted.number(1_499), Some(1_999));
        assert_eq!(omitted.place(1_901), Some(1_450));
        assert_eq!(omitted.number(1_450), Some(1_901));
        assert_eq!((omitted.place(1_801), omitted.number(1_400)), (None, None));
    }

    proptest! {
        #[test]
        fn places_follow_each_other_and_lead_back(
            stretches in proptest::collection::vec((1_u64..100, 0_u64..4), 1..60),
        ) {
            let (mut omitted, mut number, mut next) = (Omitted::<4>::default(), 70_000, 70_000);
            let mut kept = Vec::new();
            for (length, sent) in stretches {
                // of every four so many are sent
                for _ in 0..length {
                    if number % 4 < sent {
                        prop_assert_eq!(omitted.place(number), Some(next));
                        kept.push((number, next));
                        next += 1;
                    } else {
                        omitted.add(number);
                        prop_assert_eq!(omitted.place(number), None);
                    }
                    number += 1;
                }
                for &(number, place) in kept.iter().rev().take(300) {
                    if let Some(found) = omitted.place(number) {
                        prop_assert_eq!(found, place);
                    }
                    if let Some(found) = omitted.number(place) {
                        prop_assert_eq!(found, number);
                    }
                }
            }
        }
    }
}
