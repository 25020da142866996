//! One direction of a link as a state machine. Time is in microseconds from any beginning.
//!
//! A packet [enters](Pipe::enter) the queue (or finds it full), waits for the line, is on the line for as
//! long as its bits take, is then lost or not, travels for the delay, and [comes out](Pipe::poll).

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use super::{Loss, Way, dice::Dice};

/// What became of a packet that entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Taken,
    /// The queue was full.
    Dropped,
}

/// What happens to packets next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Arrives now.
    Arrived(Vec<u8>),
    /// Was on the line and got lost in the air.
    Lost(Vec<u8>),
}

/// A million microseconds times a thousand bits: bits times this, by kbit/s, gives time.
const MICROS_PER_MILLI: u64 = 1_000;

#[derive(Debug)]
pub struct Pipe {
    way: Way,
    dice: Dice,
    /// Of Gilbert and Elliott.
    bad: bool,
    queue: VecDeque<Vec<u8>>,
    queued: usize,
    /// Millibits (thousandths of a bit) of the first packet that are still to be sent: at 1 kbit/s one goes in a microsecond
    /// what is one here, so that no rounding adds up.
    left: u64,
    /// Up to when the line was worked out.
    at: u64,
    travelling: BinaryHeap<Reverse<Travelling>>,
    /// Arrival of the last packet that was not held back: those behind it do not overtake.
    last: u64,
    count: u64,
    lost: VecDeque<Vec<u8>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Travelling {
    arrives: u64,
    number: u64,
    packet: Vec<u8>,
}

impl Pipe {
    #[must_use]
    pub fn new(way: Way, seed: u64) -> Self {
        Self {
            way,
            dice: Dice::new(seed),
            bad: false,
            queue: VecDeque::new(),
            queued: 0,
            left: 0,
            at: 0,
            travelling: BinaryHeap::new(),
            last: 0,
            count: 0,
            lost: VecDeque::new(),
        }
    }

    /// From now on the link is like this. What waits keeps waiting, what travels keeps its arrival.
    pub fn change(&mut self, now: u64, way: Way) {
        self.advance(now);
        self.way = way;
    }

    /// Begins the randomness anew.
    pub fn reseed(&mut self, seed: u64) {
        (self.dice, self.bad) = (Dice::new(seed), false);
    }

    pub fn enter(&mut self, now: u64, packet: Vec<u8>) -> Fate {
        self.advance(now);
        if !self.queue.is_empty() && self.queued + packet.len() > self.way.queue {
            return Fate::Dropped;
        }
        if self.queue.is_empty() {
            self.left = millibits(&packet);
        }
        self.queued += packet.len();
        self.queue.push_back(packet);
        self.advance(now);
        Fate::Taken
    }

    /// What has happened by `now`, one thing at a time.
    pub fn poll(&mut self, now: u64) -> Option<Out> {
        self.advance(now);
        if let Some(packet) = self.lost.pop_front() {
            return Some(Out::Lost(packet));
        }
        if self.travelling.peek()?.0.arrives > now {
            return None;
        }
        let Reverse(arrived) = self.travelling.pop()?;
        Some(Out::Arrived(arrived.packet))
    }

    /// When something happens next, if nothing enters before. With a backlog that is at times only the end of a
    /// packet on the line.
    #[must_use]
    pub fn wakes(&self) -> Option<u64> {
        let line = match self.way.kbps {
            Some(kbps) if kbps > 0 && !self.queue.is_empty() => {
                Some(self.at + self.left.div_ceil(u64::from(kbps)))
            }
            _ => None,
        };
        let arrival = self.travelling.peek().map(|Reverse(first)| first.arrives);
        let lost = (!self.lost.is_empty()).then_some(self.at);
        [line, arrival, lost].into_iter().flatten().min()
    }

    /// Bytes that wait, the packet on the line included.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queued
    }

    /// Works the line out up to `now`.
    fn advance(&mut self, now: u64) {
        let from = self.at.min(now);
        self.at = self.at.max(now);
        let Some(kbps) = self.way.kbps else {
            while let Some(packet) = self.queue.pop_front() {
                self.leave_line(now, packet);
            }
            self.queued = 0;
            return;
        };
        let kbps = u64::from(kbps);
        let mut budget = (now - from) * kbps;
        while !self.queue.is_empty() {
            if budget < self.left {
                self.left -= budget;
                return;
            }
            budget -= self.left;
            let Some(packet) = self.queue.pop_front() else {
                return;
            };
            self.queued -= packet.len();
            self.left = self.queue.front().map_or(0, |next| millibits(next));
            // how long ago the last bit went
            let ago = budget.checked_div(kbps).unwrap_or(0);
            self.leave_line(now - ago, packet);
        }
    }

    /// The last bit has gone at `then`.
    fn leave_line(&mut self, then: u64, packet: Vec<u8>) {
        if self.loses() {
            self.lost.push_back(packet);
            return;
        }
        let jitter = self.dice.up_to(micros(self.way.jitter));
        let usual = then + micros(self.way.delay) + jitter;
        let arrives = if self.dice.says(self.way.reordering.share) {
            usual + micros(self.way.reordering.by)
        } else {
            self.last = self.last.max(usual);
            self.last
        };
        self.count += 1;
        self.travelling.push(Reverse(Travelling {
            arrives,
            number: self.count,
            packet,
        }));
    }

    fn loses(&mut self) -> bool {
        match self.way.loss {
            Loss::None => false,
            Loss::Random(share) => self.dice.says(share),
            Loss::Bursts {
                enter,
                leave,
                good,
                bad,
            } => {
                let moves = if self.bad { leave } else { enter };
                self.bad ^= self.dice.says(moves);
                self.dice.says(if self.bad { bad } else { good })
            }
        }
    }
}

fn millibits(packet: &[u8]) -> u64 {
    packet.len() as u64 * 8 * MICROS_PER_MILLI
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
