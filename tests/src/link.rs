//! A bad Internet link to put people on.
//!
//! The kernel's own emulator (netem) is missing in many a container, and its randomness cannot be
//! repeated, so this one is ours. A [`Link`] says what a link is like: for each direction a rate, a
//! queue, a delay, jitter, loss and reordering. [`pipe::Pipe`] is one direction as a state machine:
//! packet and time in, packets and times out, no clock of its own and every die thrown from a seed. [`wire::Wire`] is
//! the thin shell: two networks with nothing but a TUN device in each, a thread that carries
//! packets between them through two pipes, and a [`capture::Capture`] of everything that went over.
//! What is in front of a TUN device is IP, so rates and sizes are those of IP packets, headers and all.
//!
//! A [`village::Village`] puts a relay and whole browsers at the two ends.
//!
//! How wrong it is itself, [`probe`] measures; `cargo xtask bench lowband` prints that first.

pub mod capture;
mod dice;
pub mod pipe;
pub mod probe;
pub mod speech;
mod sys;
pub mod village;
pub mod wire;

use std::time::Duration;

/// What a link is like, as seen by the person at its far end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// From the person to the world.
    pub up: Way,
    /// From the world to the person.
    pub down: Way,
    /// Two runs with the same seed and the same packets lose the same packets.
    pub seed: u64,
}

/// One direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// Thousands of bits of IP packets per second; `None`: no limit, `Some(0)`: nothing moves.
    pub kbps: Option<u32>,
    /// What waits for the line at most, in bytes, the packet on the line included; what comes then is dropped. A
    /// packet that finds nothing waiting is always taken.
    pub queue: usize,
    /// From the last bit on the line to the arrival.
    pub delay: Duration,
    /// At most so much on top, evenly spread; order is kept.
    pub jitter: Duration,
    /// What happens in the air: the line's time is spent on lost packets too.
    pub loss: Loss,
    pub reordering: Reordering,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    None,
    /// Each packet for itself, with this probability.
    Random(f64),
    /// The model of Gilbert and Elliott: a good and a bad state, moved between before each packet.
    Bursts {
        /// From good to bad.
        enter: f64,
        /// From bad to good: bad times last 1 / `leave` packets.
        leave: f64,
        /// Loss in the good state.
        good: f64,
        /// Loss in the bad state.
        bad: f64,
    },
}

/// Some packets are held back so that those behind them overtake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reordering {
    /// Share of packets held back.
    pub share: f64,
    pub by: Duration,
}

impl Reordering {
    pub const NONE: Self = Self {
        share: 0.0,
        by: Duration::ZERO,
    };
}

impl Loss {
    /// The bursts of the low-bandwidth table: five packets at a time, of which nine tenths are lost, 4.8 % in the
    /// long run. At 17 packets of speech a second such a time lasts 0.3 s.
    pub const BURSTS: Self = Self::Bursts {
        enter: 0.01,
        leave: 0.2,
        good: 0.005,
        bad: 0.9,
    };

    /// The share lost in the long run.
    #[must_use]
    pub fn mean(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Random(share) => share,
            Self::Bursts {
                enter,
                leave,
                good,
                bad,
            } => (bad * enter + good * leave) / (enter + leave),
        }
    }
}

impl Way {
    /// No limits: what a local network is like.
    #[must_use]
    pub const fn good() -> Self {
        Self {
            kbps: None,
            queue: 1 << 20,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: Loss::None,
            reordering: Reordering::NONE,
        }
    }

    /// A line of this rate whose queue holds `waiting` milliseconds of it.
    #[must_use]
    pub const fn line(kbps: u32, waiting: u32) -> Self {
        Self {
            kbps: Some(kbps),
            queue: (kbps as usize * waiting as usize) / 8,
            ..Self::good()
        }
    }

    #[must_use]
    pub const fn delay(mut self, milliseconds: u64) -> Self {
        self.delay = Duration::from_millis(milliseconds);
        self
    }

    #[must_use]
    pub const fn jitter(mut self, milliseconds: u64) -> Self {
        self.jitter = Duration::from_millis(milliseconds);
        self
    }

    #[must_use]
    pub const fn loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    #[must_use]
    pub const fn reordering(mut self, share: f64, milliseconds: u64) -> Self {
        let by = Duration::from_millis(milliseconds);
        self.reordering = Reordering { share, by };
        self
    }
}

impl Link {
    /// The same both ways.
    #[must_use]
    pub const fn both(way: Way) -> Self {
        Self {
            up: way,
            down: way,
            seed: 1,
        }
    }

    /// The cells of the low-bandwidth table: so many kbit/s each way, a queue of 400 ms (but of two
    /// full packets at least: less would be no line for TCP), half the round trip each way, random loss each way in per cent.
    #[must_use]
    pub fn cell(kbps: u32, loss_percent: f64, rtt: u64) -> Self {
        let mut way = Way::line(kbps, 400).delay(rtt / 2);
        way.queue = way.queue.max(3_000);
        Self::both(way.loss(Loss::Random(loss_percent / 100.0)))
    }

    /// The same with this loss each way.
    #[must_use]
    pub const fn losing(mut self, loss: Loss) -> Self {
        self.up.loss = loss;
        self.down.loss = loss;
        self
    }

    /// A local network: no limits.
    #[must_use]
    pub const fn good() -> Self {
        Self::both(Way::good())
    }

    /// EDGE at the edge of its cell.
    #[must_use]
    pub const fn edge_16k() -> Self {
        Self::both(
            Way::line(16, 1_000)
                .delay(300)
                .jitter(60)
                .loss(Loss::Random(0.01)),
        )
    }

    /// A village's 3G in the evening: 150 kbit/s down and 64 up, bursts of loss about twice a minute.
    #[must_use]
    pub const fn village_3g() -> Self {
        let bursts = Loss::Bursts {
            enter: 0.002,
            leave: 0.1,
            good: 0.01,
            bad: 0.6,
        };
        let up = Way::line(64, 600).delay(80).jitter(30).loss(bursts);
        let down = Way::line(150, 600).delay(80).jitter(30).loss(bursts);
        Self { up, down, seed: 1 }
    }

    /// Nothing moves either way; what was on its way arrives.
    #[must_use]
    pub const fn dead(mut self) -> Self {
        self.up.kbps = Some(0);
        self.down.kbps = Some(0);
        self
    }

    /// The same at another rate, with queues as long in time (and of two full packets at least).
    #[must_use]
    pub fn at(mut self, kbps: u32) -> Self {
        for way in [&mut self.up, &mut self.down] {
            if let Some(before) = way.kbps.replace(kbps).filter(|before| *before > 0) {
                way.queue = way.queue * kbps as usize / before as usize;
            }
            way.queue = way.queue.max(3_000);
        }
        self
    }

    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}
