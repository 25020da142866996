//! Every deadline of the agent in one ordered queue, so that a tick costs what is due and no more.

use super::store::Index;
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

const ALARMS: [Alarm; 13] = [
    Alarm::Resend,
    Alarm::GiveUp,
    Alarm::Linger,
    Alarm::Ring,
    Alarm::Resend200,
    Alarm::NoAck,
    Alarm::Resend18x,
    Alarm::NoPrack,
    Alarm::Refresh,
    Alarm::Expire,
    Alarm::Glare,
    Alarm::Unanswered,
    Alarm::Register,
];

#[derive(Debug, Default)]
pub(super) struct Timers {
    /// By time and what is due.
    due: Index,
    /// By what is due: its time.
    of: Index,
}

/// An owner's number has room for its alarms.
const fn what(owner: u64, alarm: Alarm) -> u64 {
    owner << 4 | alarm as u64
}

impl Timers {
    /// Sets the owner's deadline of that kind, replacing an earlier one.
    pub(super) fn set(&mut self, owner: u64, alarm: Alarm, at: Time) {
        let what = what(owner, alarm);
        if let Some(old) = self.of.set((what, 0), at.0) {
            self.due.take((old, what));
        }
        self.due.set((at.0, what), 0);
    }

    pub(super) fn cancel(&mut self, owner: u64, alarm: Alarm) {
        self.forget(what(owner, alarm));
    }

    fn forget(&mut self, what: u64) {
        if let Some(old) = self.of.take((what, 0)) {
            self.due.take((old, what));
        }
    }

    pub(super) fn cancel_all(&mut self, owner: u64) {
        while let Some((what, _)) = self.of.at_or_after((owner << 4, 0)) {
            if what >> 4 != owner {
                break;
            }
            self.forget(what);
        }
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.due.at_or_after((0, 0)).map(|(at, _)| Time(at))
    }

    /// Takes the earliest deadline that is not after `now`.
    pub(super) fn pop(&mut self, now: Time) -> Option<(u64, Alarm)> {
        let (_, what) = self
            .due
            .at_or_after((0, 0))
            .filter(|(at, _)| *at <= now.0)?;
        self.forget(what);
        let alarm = ALARMS.get(usize::try_from(what & 15).ok()?)?;
        Some((what >> 4, *alarm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_listed_in_their_order() {
        for (at, alarm) in ALARMS.iter().enumerate() {
            assert_eq!(*alarm as usize, at);
        }
    }

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
