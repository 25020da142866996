//! Randomness that can be repeated.

/// `SplitMix64` (Steele, Lea and Flood 2014): one multiplication chain, no state but a counter, good
/// far beyond what dropping packets needs.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to but not 1.
    pub fn share(&mut self) -> f64 {
        // 53 bits are what a double holds
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub fn says(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// From 0 to `most`.
    pub fn up_to(&mut self, most: u64) -> u64 {
        (self.share() * (most as f64 + 1.0)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same() {
        let throw = |seed| {
            let mut dice = Dice::new(seed);
            (0..9).map(|_| dice.up_to(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(throw(7), throw(7));
        assert_ne!(throw(7), throw(8));
    }

    #[test]
    fn shares_are_even() {
        let mut dice = Dice::new(3);
        let low = (0..100_000).filter(|_| dice.says(0.2)).count();
        // 4 standard deviations of 126
        assert!(low.abs_diff(20_000) < 506, "{low}");
        assert!((0..1_000).all(|_| dice.up_to(5) <= 5));
    }
}
