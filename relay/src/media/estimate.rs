//! What the link to a member carries, from its transport-wide feedback.
//!
//! In the manner of draft-ietf-rmcat-gcc-02: packets that wait longer and longer mean too much was
//! sent, and what came through then is what the link carries; many lost packets mean the same;
//! while neither is seen the estimate grows, quickly far from where it last had to shrink and
//! slowly near it. Unlike there the queue itself is looked at and not its gradient alone: at 40
//! kbit/s a picture takes 100 ms on the line, and gradients are mostly noise.
//!
//! Pure: told what is sent and what came, it knows no clock. While nothing was ever in the way
//! there is no estimate, and no limit. (The estimator of the `rtc` crates adds 12 kbit/s at a time,
//! more than speech on the links this is for, and keeps every packet of its window on the heap.)

mod delivered;
mod history;
mod loss;
pub mod probe;
mod queue;

use super::{
    rtcp::transport_cc::Feedback,
    time::{MILLISECOND, SECOND},
};
use delivered::Delivered;
use history::History;
use loss::{Loss, Verdict};
use queue::Queue;

/// A standing queue as long as this is congestion; speech waits in it too.
const LONG: u64 = 80 * MILLISECOND;
/// Longer than this there is no time to look twice.
const FLOOD: u64 = 300 * MILLISECOND;
/// Shorter than this there is room for more.
const SHORT: u64 = 40 * MILLISECOND;
/// A queue that got shorter by as much drains by itself.
const DRAINS: u64 = 5 * MILLISECOND;
/// What is kept of what came through a queue, in per cent (section 5.5 of the draft).
const KEPT: u64 = 85;
/// A cut is felt a round trip and so much later.
const FELT: u64 = 250 * MILLISECOND;
/// Growth a second in per cent: far from any trouble, near it, and back to what was good lately.
const FAR: u64 = 8;
const NEAR: u64 = 4;
const BACK: u64 = 25;
/// "Lately".
const REMEMBERED: u64 = 60 * SECOND;
/// What is not used is not known to be there: half more than comes through, and this, bit/s.
const UNUSED: u64 = 10_000;
/// Nothing useful fits into less, and a limit as high as the other is none, bit/s.
const LEAST: u64 = 12_000;
const PLENTY: u64 = 5_000_000;
/// Feedback comes four times a second at least (libwebrtc), and one message may be lost: so long
/// after a round trip nothing more is sent, and after the other the link is held for dead.
const HELD: u64 = 550 * MILLISECOND;
const DEAD: u64 = 1_050 * MILLISECOND;
/// Packets of one message that are looked at: more are never under way.
const MOST: usize = 2_048;

/// What a message of feedback changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It tells of nothing we sent.
    Nothing,
    /// The link is as it was, or better.
    Fine,
    /// Packets wait, but no less is to be sent than was said before.
    Waits,
    /// Less is to be sent.
    Less,
}

#[derive(Debug, Default)]
pub struct Estimator {
    history: History,
    queue: Queue,
    delivered: Delivered,
    /// Bit/s at IP level.
    estimate: Option<u64>,
    /// What came through when the estimate last had to shrink.
    ceiling: Option<u64>,
    /// What was good before the last cuts, and until when that counts.
    good: Option<(u64, u64)>,
    /// What came through when nothing waited, since the last cut.
    calm: Option<u64>,
    cut: Option<u64>,
    grown: u64,
    /// The standing queue of the last message.
    queued: u64,
    newest: u16,
    /// Packets that came and did not, by the last message.
    told: (u32, u32),
    /// When the first packet left of which nothing can have been told yet.
    waiting: Option<u64>,
    fed: bool,
    loss: Loss,
}

impl Estimator {
    /// What everything to the member may take, bit/s at IP level; `None`: no limit is known.
    #[must_use]
    pub fn estimate(&self) -> Option<u64> {
        self.estimate
    }

    /// The member tells what comes.
    #[must_use]
    pub fn is_fed(&self) -> bool {
        self.fed
    }

    /// Packets that came and did not, by the last message.
    #[must_use]
    pub fn told(&self) -> (u32, u32) {
        self.told
    }

    /// Packets wait on their way.
    #[must_use]
    pub fn queues(&self) -> bool {
        self.queued > LONG
    }

    /// A packet leaves under a transport-wide number; `size` at IP level.
    pub fn sent(&mut self, now: u64, number: u16, size: usize) {
        self.history.sent(now, number, size);
        self.newest = number;
        self.waiting = self.waiting.or(Some(now));
    }

    /// When to send nothing more that can wait, because nothing is heard.
    #[must_use]
    pub fn held_from(&self, rtt: u64) -> Option<u64> {
        Some(self.waiting.filter(|_| self.fed)? + rtt + HELD)
    }

    /// When to hold the link for dead.
    #[must_use]
    pub fn dead_from(&self, rtt: u64) -> Option<u64> {
        Some(self.waiting.filter(|_| self.fed)? + rtt + DEAD)
    }

    /// The link was held for dead: what was on it tells nothing any more.
    pub fn died(&mut self, now: u64) {
        self.waiting = None;
        self.remember(now);
        self.loss.forget(now);
    }

    /// A message came. `beside` is what goes to the member without these numbers, bit/s.
    pub fn feedback(&mut self, now: u64, rtt: u64, beside: u64, feedback: &Feedback<'_>) -> Change {
        let mut told = None;
        self.told = (0, 0);
        for (number, came) in feedback.arrivals().take(MOST) {
            match came {
                Some(came) => {
                    let Some((sent, size)) = self.history.take(now, number) else {
                        continue;
                    };
                    self.queue.came(now, sent, came);
                    self.delivered.came(came, size);
                    self.told.0 += 1;
                }
                None if self.history.find(now, number).is_some() => self.told.1 += 1,
                None => continue,
            }
            told = Some(number);
        }
        let Some(told) = told else {
            return Change::Nothing;
        };
        self.fed = true;
        let first_untold = told.wrapping_add(1);
        self.waiting = (told != self.newest).then(|| {
            self.history
                .find(now, first_untold)
                .map_or(now, |(at, _)| at)
        });
        let before = self.estimate;
        let delivered = self.delivered.rate().map(|rate| rate + beside);
        if let Some(queued) = self.queue.look() {
            self.waited(now, rtt, queued, delivered);
        }
        self.judge_loss(now, delivered);
        match (before, self.estimate) {
            (None, Some(_)) => Change::Less,
            (Some(before), Some(after)) if after < before => Change::Less,
            _ if self.queued > SHORT => Change::Waits,
            _ => Change::Fine,
        }
    }

    /// So much came through although it is more than was thought to.
    pub fn proved(&mut self, now: u64, rate: u64) {
        if let Some(estimate) = &mut self.estimate {
            *estimate = rate.max(*estimate);
            self.grown = now;
        }
        self.ceiling = self.ceiling.filter(|ceiling| *ceiling > rate);
    }

    fn waited(&mut self, now: u64, rtt: u64, queued: u64, delivered: Option<u64>) {
        let before = std::mem::replace(&mut self.queued, queued);
        let since = now.saturating_sub(std::mem::replace(&mut self.grown, now));
        if queued < SHORT {
            self.calm = delivered.or(self.calm);
            self.grow(now, since.min(SECOND), delivered);
            return;
        }
        let lasts = queued > LONG && before > LONG || queued > FLOOD;
        let drains = queued + DRAINS < before;
        let felt = self.cut.is_none_or(|cut| now >= cut + rtt + FELT);
        if let Some(delivered) = delivered
            && lasts
            && !drains
            && felt
        {
            self.remember(now);
            self.shrink(now, delivered * KEPT / 100);
            self.ceiling = Some(delivered);
        }
    }

    fn shrink(&mut self, now: u64, to: u64) {
        let to = self.estimate.map_or(to, |estimate| to.min(estimate));
        self.estimate = Some(to.max(LEAST));
        self.cut = Some(now);
    }

    /// What was good before cuts that follow each other without a calm moment.
    fn remember(&mut self, now: u64) {
        if let Some(calm) = self.calm.take() {
            let good = self.estimate.unwrap_or(calm);
            self.good = Some((good, now + REMEMBERED));
        }
    }

    fn grow(&mut self, now: u64, since: u64, delivered: Option<u64>) {
        // whether less loss comes when less is sent is seen only while no more is sent
        let Some(estimate) = self.estimate.filter(|_| !self.loss.on_trial()) else {
            return;
        };
        let near = |ceiling: u64| estimate > ceiling * 85 / 100;
        self.ceiling = self
            .ceiling
            .filter(|ceiling| estimate < ceiling * 115 / 100);
        let good = self.good.filter(|(_, until)| now < *until);
        let percent = match (good, self.ceiling) {
            (Some((good, _)), _) if !near(good) => BACK,
            (_, Some(ceiling)) if near(ceiling) => NEAR,
            _ => FAR,
        };
        let most = delivered.map_or(0, |delivered| delivered * 3 / 2 + UNUSED);
        let grown = estimate + (estimate * percent / 100).max(2_000) * since / SECOND;
        self.estimate = Some(grown.min(most.max(estimate))).filter(|grown| *grown < PLENTY);
    }

    fn judge_loss(&mut self, now: u64, delivered: Option<u64>) {
        match self.loss.told(now, self.told) {
            Verdict::None => {}
            Verdict::Incurable(before) => {
                if !self.queues() {
                    self.estimate = before;
                }
            }
            Verdict::Congestion(share) => {
                let Some(delivered) = delivered else { return };
                self.loss.blame(now, share, self.estimate);
                self.remember(now);
                // the draft leaves out half of what was lost; all of it shows at once whether that helps
                self.shrink(now, delivered);
                self.ceiling = Some(delivered);
            }
        }
    }
}

#[cfg(test)]
mod tests;
