//! What goes out when. Pure: time comes in as unix milliseconds, and nothing here waits.
//!
//! Deliveries of one lane (a room, mostly) go one after the other, the next only when the one before
//! is settled; lanes go side by side. A receiver that fails again and again is asked one thing at a
//! time until it answers.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// Failures in a row, over all lanes, after which a receiver is only probed.
const STRUGGLING: u32 = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub number: u64,
    pub lane: String,
    pub kind: String,
    pub event: u64,
    /// When it was queued.
    pub since: u64,
    /// Times it was sent in vain.
    pub attempts: u32,
    pub not_before: u64,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    Retry { at: u64 },
    Bury,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Lanes that may be under way at a time.
    pub concurrent: usize,
    /// The wait after the first failure; it doubles with each.
    pub first_wait_ms: u64,
    pub longest_wait_ms: u64,
    /// How long a receiver's own Retry-After is believed.
    pub longest_retry_after_ms: u64,
    /// The age at which a delivery is given up.
    pub give_up_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            concurrent: 8,
            first_wait_ms: 1000,
            longest_wait_ms: 600_000,
            longest_retry_after_ms: 3_600_000,
            give_up_ms: 86_400_000,
        }
    }
}

impl Policy {
    /// After a failure. `roll` is random: the wait is between half and all of what the attempts
    /// make it, so that a hundred relays do not come back as one.
    #[must_use]
    pub fn verdict(
        &self,
        now: u64,
        item: &Item,
        retry_after_ms: Option<u64>,
        roll: u32,
    ) -> Verdict {
        if self.is_too_old(now, item) {
            return Verdict::Bury;
        }
        let doubled = self
            .first_wait_ms
            .saturating_mul(1 << item.attempts.min(32));
        let longest = doubled.min(self.longest_wait_ms);
        let half = longest / 2;
        let wait = half + u64::from(roll) * (longest - half) / u64::from(u32::MAX);
        let asked = retry_after_ms.unwrap_or(0).min(self.longest_retry_after_ms);
        // the last try falls on the end of its time, not far beyond it
        let end = item.since.saturating_add(self.give_up_ms).max(now);
        let at = now.saturating_add(wait.max(asked)).min(end);
        Verdict::Retry { at }
    }

    #[must_use]
    pub const fn is_too_old(&self, now: u64, item: &Item) -> bool {
        now >= item.since.saturating_add(self.give_up_ms)
    }
}

#[derive(Debug, Default)]
struct Lane {
    /// Oldest first.
    queue: VecDeque<Item>,
    /// The one that is under way; it is no longer in `queue`.
    under_way: Option<Item>,
}

#[derive(Debug)]
pub struct Schedule {
    policy: Policy,
    lanes: HashMap<String, Lane>,
    /// The first of each lane that is not under way: when it may go, its number, its lane.
    due: BTreeSet<(u64, u64, String)>,
    /// Number to lane.
    under_way: HashMap<u64, String>,
    failures: u32,
    len: usize,
}

impl Schedule {
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            lanes: HashMap::new(),
            due: BTreeSet::new(),
            under_way: HashMap::new(),
            failures: 0,
            len: 0,
        }
    }

    /// Numbers must rise within a lane.
    pub fn add(&mut self, item: Item) {
        self.len += 1;
        let lane = self.lanes.entry(item.lane.clone()).or_default();
        if lane.queue.is_empty() && lane.under_way.is_none() {
            self.due
                .insert((item.not_before, item.number, item.lane.clone()));
        }
        lane.queue.push_back(item);
    }

    /// One that is to be sent now; call until there is none.
    pub fn next(&mut self, now: u64) -> Option<Item> {
        if self.under_way.len() >= self.room() {
            return None;
        }
        let first = self.due.first().filter(|(at, ..)| *at <= now)?.clone();
        self.due.remove(&first);
        let (_, number, name) = first;
        let lane = self.lanes.get_mut(&name)?;
        let item = lane.queue.pop_front()?;
        lane.under_way = Some(item.clone());
        self.under_way.insert(number, name);
        Some(item)
    }

    /// What became of one that [`Schedule::next`] gave.
    pub fn settle(&mut self, number: u64, verdict: Verdict) {
        let Some(name) = self.under_way.remove(&number) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(&name) else {
            return;
        };
        let item = lane.under_way.take();
        match verdict {
            Verdict::Done => self.failures = 0,
            Verdict::Retry { .. } => self.failures = self.failures.saturating_add(1),
            Verdict::Bury => {}
        }
        match (verdict, item) {
            (Verdict::Retry { at }, Some(item)) => lane.queue.push_front(Item {
                attempts: item.attempts.saturating_add(1),
                not_before: at,
                ..item
            }),
            _ => self.len -= 1,
        }
        match lane.queue.front() {
            Some(next) => {
                self.due.insert((next.not_before, next.number, name));
            }
            None => {
                self.lanes.remove(&name);
            }
        }
    }

    /// When [`Schedule::next`] has something to give; `None`: not before the next `add` or `settle`.
    #[must_use]
    pub fn wake_at(&self) -> Option<u64> {
        if self.under_way.len() >= self.room() {
            return None;
        }
        self.due.first().map(|(at, ..)| *at)
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    const fn room(&self) -> usize {
        if self.failures >= STRUGGLING {
            1
        } else {
            self.policy.concurrent
        }
    }
}
