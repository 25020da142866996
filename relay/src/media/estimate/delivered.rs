//! How fast packets came through.

/// Of time on the receiver's clock, in microseconds.
const STEP: i64 = 100_000;
/// The window: half a second, and what has passed of the newest step.
const STEPS: usize = 6;
/// In less time nothing is known.
const LEAST: i64 = 200_000;

#[derive(Clone, Copy, Debug, Default)]
pub struct Delivered {
    bytes: [u64; STEPS],
    newest: Option<i64>,
    /// When the first of an unbroken stream came.
    first: i64,
}

impl Delivered {
    /// A packet of so many bytes came at a time on the receiver's clock.
    pub fn came(&mut self, at: i64, size: u64) {
        let newest = self.newest.unwrap_or(at);
        let steps = at.div_euclid(STEP) - newest.div_euclid(STEP);
        if self.newest.is_none() || !(-(STEPS as i64)..=2 * STEPS as i64).contains(&steps) {
            // after a pause, or their clock was set
            *self = Self {
                first: at,
                ..Self::default()
            };
        } else if steps > 0 {
            let steps = (steps as usize).min(STEPS);
            self.bytes.rotate_right(steps);
            self.bytes[..steps].fill(0);
        }
        let back = if self.newest.is_some() { -steps } else { 0 };
        self.bytes[back.clamp(0, STEPS as i64 - 1) as usize] += size;
        self.newest = self.newest.max(Some(at));
    }

    /// Bit/s; `None`: too little came lately.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        let newest = self.newest?;
        let window = (STEPS as i64 - 1) * STEP + newest.rem_euclid(STEP);
        let passed = window.min(newest - self.first);
        let bits = self.bytes.iter().sum::<u64>() * 8;
        (passed >= LEAST).then(|| bits * 1_000_000 / passed as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_rate_of_the_last_half_second() {
        let mut delivered = Delivered::default();
        assert_eq!(delivered.rate(), None);
        let mut at = -7_777_777;
        for packet in 0..200 {
            // 20 packets of 500 bytes a second, then as many of 250
            delivered.came(at, if packet < 100 { 500 } else { 250 });
            match packet {
                0..4 => assert_eq!(delivered.rate(), None),
                99 => assert!(delivered.rate().unwrap().abs_diff(80_000) < 8_500),
                114.. => assert!(delivered.rate().unwrap().abs_diff(40_000) < 4_500),
                _ => {}
            }
            at += 50_000;
        }
        delivered.came(at - 60_000, 250);
        delivered.came(at + 60_000_000, 250);
        assert_eq!(delivered.rate(), None, "after a pause");
    }
}
