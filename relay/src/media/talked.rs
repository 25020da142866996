//! When members last spoke: written by the workers, ten times a second at most, and read by
//! signalling.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::MemberId;

/// Members who have spoken and are still there.
#[derive(Debug, Default)]
pub struct Talked(Mutex<HashMap<MemberId, Instant>>);

impl Talked {
    pub fn spoke(&self, members: impl Iterator<Item = MemberId>, at: Instant) {
        self.lock().extend(members.map(|member| (member, at)));
    }

    /// By the thread that tells of the member, so that no word of it comes later.
    pub fn left(&self, member: MemberId) {
        self.lock().remove(&member);
    }

    /// How long ago; `None`: has said nothing yet.
    #[must_use]
    pub fn since(&self, member: MemberId) -> Option<Duration> {
        self.lock().get(&member).map(Instant::elapsed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MemberId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
