//! Whether speech is said twice, because packets of it are lost.

use super::FLOODED;
use crate::bandwidth::Lossy;

/// Loss in tenths of a per cent, smoothed, from which on it is, and from which on it is whatever it costs.
const SOME: u32 = 30;
const MUCH: u32 = 120;
/// Below this the link is clean; believed after so many samples of it, for loss comes in waves and a report on a link
/// of few packets is of twenty.
const CLEAN: u32 = 10;
const SURE: u8 = 20;

#[derive(Debug, Default)]
pub(super) struct Twice {
    /// Both sides understand it.
    pub agreed: bool,
    loss: u32,
    clean: u8,
    lossy: Lossy,
}

impl Twice {
    /// What we sent was lost in this sample, per cent.
    pub fn measured(&mut self, lost: u8) {
        self.loss = (self.loss * 3 + u32::from(lost) * 10) / 4;
        self.clean = if self.loss < CLEAN {
            self.clean.saturating_add(1)
        } else {
            0
        };
        self.lossy = match self.loss {
            // that is a link which is sent too much
            loss if loss >= 10 * u32::from(FLOODED) => Lossy::Not,
            MUCH.. => Lossy::Much,
            SOME.. if self.lossy == Lossy::Not => Lossy::Some,
            _ if self.clean >= SURE => Lossy::Not,
            _ => self.lossy,
        };
    }

    /// Per cent, smoothed.
    pub fn lost(&self) -> u8 {
        u8::try_from(self.loss / 10).unwrap_or(u8::MAX)
    }

    pub fn lossy(&self) -> Lossy {
        if self.agreed { self.lossy } else { Lossy::Not }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: &[(u8, usize)]) -> Lossy {
        let mut twice = Twice {
            agreed: true,
            ..Twice::default()
        };
        for (lost, times) in samples {
            (0..*times).for_each(|_| twice.measured(*lost));
        }
        twice.lossy()
    }

    #[test]
    fn a_lost_packet_now_and_then_is_life() {
        assert_eq!(after(&[(0, 5), (5, 1), (0, 5), (5, 1)]), Lossy::Not);
        assert_eq!(after(&[(2, 60)]), Lossy::Not);
    }

    #[test]
    fn a_lossy_link_is_lossy_until_it_has_been_clean_for_a_while() {
        assert_eq!(after(&[(5, 5)]), Lossy::Some);
        assert_eq!(after(&[(20, 5)]), Lossy::Much);
        assert_eq!(after(&[(20, 5), (0, 15)]), Lossy::Much);
        assert_eq!(after(&[(20, 5), (0, 60)]), Lossy::Not);
    }

    #[test]
    fn a_flooded_link_is_not_flooded_more() {
        assert_eq!(after(&[(20, 5), (60, 9)]), Lossy::Not);
    }

    #[test]
    fn who_does_not_understand_it_is_spared_it() {
        let mut twice = Twice::default();
        (0..9).for_each(|_| twice.measured(20));
        assert_eq!(twice.lossy(), Lossy::Not);
    }
}
