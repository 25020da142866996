//! Whether sound and picture get through, and when to try another way.

use clinicall_sip::{Millis, Time};

use super::PathState;

/// ICE often recovers by itself: browsers report `disconnected` after 2.5 to 5 s of silence already.
const PATIENCE: Millis = Millis(2_000);
const BETWEEN_TRIES: Millis = Millis(8_000);
const GIVE_UP: Millis = Millis(40_000);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Path {
    #[default]
    New,
    Up,
    Down {
        since: Time,
        next_try: Time,
    },
}

impl Path {
    pub fn news(&mut self, now: Time, state: PathState) {
        *self = match (state, *self) {
            (PathState::Connected, _) => Self::Up,
            (PathState::Disconnected | PathState::Failed, down @ Self::Down { .. }) => down,
            (PathState::Disconnected | PathState::Failed, _) => Self::Down {
                since: now,
                next_try: now + PATIENCE,
            },
        };
    }

    pub fn is_up(self) -> bool {
        matches!(self, Self::Up)
    }
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Down { .. })
    }
    pub fn wake(self) -> Option<Time> {
        match self {
            Self::Down { since, next_try } => Some(next_try.min(since + GIVE_UP)),
            Self::New | Self::Up => None,
        }
    }
    pub fn is_due(self, now: Time) -> bool {
        matches!(self, Self::Down { next_try, .. } if now >= next_try)
    }
    pub fn is_given_up(self, now: Time) -> bool {
        matches!(self, Self::Down { since, .. } if now >= since + GIVE_UP)
    }
    pub fn tried(&mut self, now: Time) {
        if let Self::Down { next_try, .. } = self {
            *next_try = now + BETWEEN_TRIES;
        }
    }
}
