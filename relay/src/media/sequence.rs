//! Sequence numbers that do not wrap, and which of them were seen.

/// The 64-bit number nearest to `reference` whose low 16 bits are `sequence`.
#[must_use]
pub fn unwrap(reference: u64, sequence: u16) -> u64 {
    let step = sequence.wrapping_sub(reference as u16) as i16;
    reference.saturating_add_signed(i64::from(step))
}

/// What a packet's number says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Newer than all before it by `gap` + 1.
    Next { number: u64, gap: u64 },
    /// Reordered or repaired: older than the newest, not seen before.
    Late { number: u64 },
    /// Seen, or too old to tell.
    Duplicate,
    /// Far from everything before it: the first packet of a restarted sender, or a stray. To be
    /// dropped; the sender is believed when its next packet follows (RFC 3550 appendix A.1).
    Stray,
    /// The sender did start anew: numbers before this one have no order relative to it.
    Restart { number: u64 },
}

/// Packets remembered behind the newest: three seconds of HD video, ten of speech.
const WINDOW: u64 = 512;
const WORDS: usize = (WINDOW / 64) as usize;
/// RFC 3550 appendix A.1 MAX_DROPOUT.
const MAX_DROPOUT: u64 = 3_000;
/// Added to a first number so that late packets before it stay positive.
const START: u64 = 1 << 16;

/// Follows one SSRC's sequence numbers.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    newest: Option<u64>,
    seen: [u64; WORDS],
    stray: Option<u16>,
}

impl Follower {
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }

    pub fn arrived(&mut self, sequence: u16) -> Arrival {
        let Some(newest) = self.newest else {
            return self.restart(sequence);
        };
        let number = unwrap(newest, sequence);
        if number.abs_diff(newest) > MAX_DROPOUT {
            if self.stray == Some(sequence) {
                return self.restart(sequence);
            }
            self.stray = Some(sequence.wrapping_add(1));
            return Arrival::Stray;
        }
        self.stray = None;
        if number > newest {
            self.advance(newest, number);
            return Arrival::Next {
                number,
                gap: number - newest - 1,
            };
        }
        if newest - number >= WINDOW || self.has(number) {
            return Arrival::Duplicate;
        }
        self.mark(number);
        Arrival::Late { number }
    }

    /// The number a retransmission speaks of, and whether it is still missing.
    #[must_use]
    pub fn misses(&self, sequence: u16) -> bool {
        self.newest.is_some_and(|newest| {
            let number = unwrap(newest, sequence);
            number < newest && newest - number < WINDOW && !self.has(number)
        })
    }

    /// A number that is missing, or is one of the next few to come.
    #[must_use]
    pub fn lacks(&self, sequence: u16) -> bool {
        self.newest.is_some_and(|newest| {
            let number = unwrap(newest, sequence);
            (newest + 1..newest + WINDOW).contains(&number) || self.misses(sequence)
        })
    }

    fn restart(&mut self, sequence: u16) -> Arrival {
        let number = START + u64::from(sequence);
        *self = Self {
            newest: Some(number),
            seen: [0; WORDS],
            stray: None,
        };
        self.mark(number);
        Arrival::Restart { number }
    }

    fn advance(&mut self, newest: u64, number: u64) {
        if number - newest >= WINDOW {
            self.seen = [0; WORDS];
        } else {
            for skipped in newest + 1..number {
                self.seen[word(skipped)] &= !bit(skipped);
            }
        }
        self.newest = Some(number);
        self.mark(number);
    }

    fn has(&self, number: u64) -> bool {
        self.seen[word(number)] & bit(number) != 0
    }

    fn mark(&mut self, number: u64) {
        self.seen[word(number)] |= bit(number);
    }
}

fn word(number: u64) -> usize {
    (number % WINDOW / 64) as usize
}

fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn follower(first: u16) -> Follower {
        let mut follower = Follower::default();
        assert!(matches!(follower.arrived(first), Arrival::Restart { .. }));
        follower
    }

    #[test]
    fn numbers_go_on_counting_when_they_wrap() {
        let mut follower = follower(65_534);
        let before = follower.newest().unwrap();
        assert_eq!(
            follower.arrived(65_535),
            Arrival::Next {
                number: before + 1,
                gap: 0
            }
        );
        assert_eq!(
            follower.arrived(1),
            Arrival::Next {
                number: before + 3,
                gap: 1
            }
        );
        assert!(follower.misses(0));
        assert_eq!(follower.arrived(0), Arrival::Late { number: before + 2 });
        assert!(!follower.misses(0));
        assert_eq!(follower.arrived(0), Arrival::Duplicate);
        assert_eq!(follower.arrived(65_535), Arrival::Duplicate);
    }

    #[test]
    fn packets_from_before_the_first_are_late_and_not_negative() {
        let mut follower = follower(3);
        let first = follower.newest().unwrap();
        assert_eq!(
            follower.arrived(65_535),
            Arrival::Late { number: first - 4 }
        );
    }

    #[test]
    fn a_stray_is_not_believed_and_a_restarted_sender_is() {
        let mut follower = follower(100);
        let newest = follower.newest();
        assert_eq!(follower.arrived(30_000), Arrival::Stray);
        assert!(matches!(
            follower.arrived(101),
            Arrival::Next { gap: 0, .. }
        ));
        assert_ne!(follower.newest(), newest);
        assert_eq!(follower.arrived(30_001), Arrival::Stray);
        assert!(matches!(follower.arrived(30_002), Arrival::Restart { .. }));
        assert!(matches!(
            follower.arrived(30_003),
            Arrival::Next { gap: 0, .. }
        ));
    }

    #[test]
    fn what_is_older_than_the_window_counts_as_seen() {
        let mut follower = follower(0);
        follower.arrived(2_000);
        assert_eq!(follower.arrived(2_000 - WINDOW as u16), Arrival::Duplicate);
        assert!(matches!(
            follower.arrived(2_001 - WINDOW as u16),
            Arrival::Late { .. }
        ));
    }

    proptest! {
        #[test]
        fn no_number_is_passed_twice(
            steps in proptest::collection::vec(-600_i32..600, 1..400), start: u16,
        ) {
            let (mut follower, mut passed) = (follower(start), BTreeSet::new());
            let mut position = i32::from(start);
            for step in steps {
                position += step;
                match follower.arrived(position as u16) {
                    Arrival::Next { number, .. } | Arrival::Late { number } => {
                        prop_assert_eq!(number as u16, position as u16);
                        prop_assert!(passed.insert(number));
                    }
                    Arrival::Restart { .. } => passed.clear(),
                    Arrival::Duplicate | Arrival::Stray => {}
                }
            }
        }
    }
}
