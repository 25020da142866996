//! A replay window (RFC 3711 section 3.3.2).

/// Which of the last 128 indices were received. 64 is the least the RFC allows; a burst of video
/// reordered by Wi-Fi may span more.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    highest: u64,
    /// Bit `n`: `highest - n` was received.
    seen: u128,
}

impl Window {
    pub const fn starting_at(index: u64) -> Self {
        Self {
            highest: index,
            seen: 1,
        }
    }
    pub const fn highest(&self) -> u64 {
        self.highest
    }
    /// Not seen before, and not too old to know.
    pub const fn fresh(&self, index: u64) -> bool {
        if index > self.highest {
            return true;
        }
        let age = self.highest - index;
        age < 128 && self.seen & (1 << age) == 0
    }
    pub const fn accept(&mut self, index: u64) {
        if index > self.highest {
            let ahead = index - self.highest;
            self.seen = if ahead < 128 { self.seen << ahead } else { 0 } | 1;
            self.highest = index;
        } else if self.highest - index < 128 {
            self.seen |= 1 << (self.highest - index);
        }
    }
}
