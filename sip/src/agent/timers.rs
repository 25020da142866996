//! Every deadline of the agent in one ordered queue, so that a tick costs what is due and no more.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::{Millis, Time};

/// RFC 3261 section 17.1.1.1: the round trip estimate, and the first retransmission interval.
pub(super) const T1: Millis = Millis(500);
/// The longest interval between retransmissions of non-INVITE requests and of INVITE responses.
pub(super) const T2: Millis = Millis(4_000);
/// How long a message may stay in the network.
pub(super) const T4: Millis = Millis(5_000);
/// 64 * T1: when timers B, F, H, L and M fire.
pub(super) const T64: Millis = Millis(32_000);

/// What is due. One owner has at most one deadline of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// Timers A, E and G: send again.
    Resend,
    /// Timers B, F, H and the end of a CANCELled INVITE.
    GiveUp,
    /// Timers D, I, J, K, L, M: forget the transaction.
    Linger,
    /// Our call rang too long, or the peer's INVITE expired.
    Ring,
    /// Our 200 waits for its ACK: send it again.
    Resend200,
    /// Our 200 never got its ACK.
    NoAck,
    /// A reliable provisional waits for its PRACK: send it again.
    Resend18x,
    NoPrack,
    /// Half of the session interval went by and we refresh (RFC 4028).
    Refresh,
    /// The session interval ends.
    Expire,
    /// A change of ours met one of theirs: try again (RFC 3261 section 14.1).
    Glare,
    /// The application did not answer a change of the peer's in time.
    Unanswered,
    /// A registration's next REGISTER.
    Register,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Time, u64, Alarm)>,
    of: BTreeMap<(u64, Alarm), Time>,
}

impl Timers {
    /// Sets the owner's deadline of that kind, replacing an earlier one.
    pub(super) fn set(&mut self, owner: u64, alarm: Alarm, at: Time) {
        if let Some(old) = self.of.insert((owner, alarm), at) {
            self.due.remove(&(old, owner, alarm));
        }
        self.due.insert((at, owner, alarm));
    }

    pub(super) fn cancel(&mut self, owner: u64, alarm: Alarm) {
        if let Some(old) = self.of.remove(&(owner, alarm)) {
            self.due.remove(&(old, owner, alarm));
        }
    }

    pub(super) fn cancel_all(&mut self, owner: u64) {
        let range = (owner, Alarm::Resend)..=(owner, Alarm::Register);
        while let Some((&(_, alarm), _)) = self.of.range(range.clone()).next() {
            self.cancel(owner, alarm);
        }
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.due.first().map(|&(at, ..)| at)
    }

    /// Takes the earliest deadline that is not after `now`.
    pub(super) fn pop(&mut self, now: Time) -> Option<(u64, Alarm)> {
        let &(at, owner, alarm) = self.due.first()?;
        if at > now {
            return None;
        }
        self.cancel(owner, alarm);
        Some((owner, alarm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_set_again_moves() {
        let mut timers = Timers::default();
        timers.set(1, Alarm::Resend, Time(10));
        timers.set(1, Alarm::Resend, Time(30));
        timers.set(2, Alarm::GiveUp, Time(20));
        assert_eq!(timers.pop(Time(9)), None);
        assert_eq!(timers.pop(Time(25)), Some((2, Alarm::GiveUp)));
        assert_eq!(timers.pop(Time(25)), None);
        assert_eq!(timers.next(), Some(Time(30)));
    }

    #[test]
    fn one_owner_leaves_and_the_others_stay() {
        let mut timers = Timers::default();
        timers.set(1, Alarm::Resend, Time(10));
        timers.set(1, Alarm::Register, Time(11));
        timers.set(2, Alarm::Resend, Time(12));
        timers.cancel_all(1);
        assert_eq!(timers.pop(Time(99)), Some((2, Alarm::Resend)));
        assert_eq!(timers.pop(Time(99)), None);
    }
}
