//! The data of a room, and where the two kinds of rooms differ.

use clinicall_sip::{Time, agent::CallId};

use super::{resume::Role, verdict::Verdict};
use crate::media::RoomId;

/// A room's name here and in the logs. Never reused; calls are numbered from the same row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub u64);

#[derive(Debug)]
pub(super) struct Room {
    pub media: RoomId,
    pub kind: Kind,
    /// Users who are rung.
    pub rings: Vec<Ring>,
    /// Devices that are in, in the order of their coming.
    pub seats: Vec<Seat>,
}

/// What makes rooms differ.
#[derive(Debug)]
pub(super) enum Kind {
    /// One user rings another: the caller comes in with the one who answers, nobody else may, and
    /// all of it ends with the first who leaves.
    Call(Call),
    /// A room of the clinic's: it says who may come in, and the room is there as long as somebody
    /// is in or rung into it.
    Named(Named),
}

#[derive(Debug)]
pub(super) struct Call {
    pub from: String,
    pub to: String,
    pub caller: CallId,
    /// Our offer to a caller who made none, until it is sent.
    pub unsent: Option<String>,
    /// When the callee accepted.
    pub answered: Option<Time>,
    /// A call of before the start, and what the one who asked for it first was in it.
    pub resumed: Option<Role>,
}

impl Call {
    /// One of before the start, of which only one side has come back so far.
    pub const fn is_missed(&self) -> bool {
        self.resumed.is_some() && self.answered.is_none()
    }
}

#[derive(Debug, Default)]
pub(super) struct Named {
    pub name: String,
    /// There have been two at a time.
    pub company: bool,
    /// Who is left alone is not kept waiting longer.
    pub alone_until: Option<Time>,
    /// Why the last who was rung did not come.
    pub refused: Option<Verdict>,
}

/// A user who is rung, on every socket.
#[derive(Debug)]
pub(super) struct Ring {
    /// The call's.
    pub number: u64,
    pub user: String,
    /// In whose name; empty: the clinic's.
    pub caller: String,
    pub until: Time,
    pub forks: Vec<CallId>,
    /// The best of the refusals so far.
    pub best: Option<Verdict>,
    /// Others were told that it rings.
    pub told: bool,
}

/// A device that is in.
#[derive(Debug)]
pub(super) struct Seat {
    /// The call's.
    pub number: u64,
    pub leg: CallId,
    pub user: String,
    pub caller: String,
    pub since: Time,
    pub muted: Mute,
}

/// What of a member the others do not get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mute {
    pub audio: bool,
    pub video: bool,
}

/// A member as others may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    pub room: String,
    pub user: String,
    pub name: String,
    pub call: u64,
    pub since: Time,
    /// How long ago the member last spoke; `None`: has said nothing yet.
    pub talked: Option<std::time::Duration>,
    pub muted: Mute,
}

impl Ring {
    pub const fn new(
        number: u64,
        user: String,
        caller: String,
        until: Time,
        forks: Vec<CallId>,
    ) -> Self {
        Self {
            number,
            user,
            caller,
            until,
            forks,
            best: None,
            told: false,
        }
    }
}

impl Room {
    pub const fn new(media: RoomId, kind: Kind) -> Self {
        Self {
            media,
            kind,
            rings: Vec::new(),
            seats: Vec::new(),
        }
    }

    /// A call of one user to another has none.
    pub fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Call(_) => None,
            Kind::Named(named) => Some(&named.name),
        }
    }

    /// Where in `rings` this leg rings.
    pub fn ring_of(&self, leg: CallId) -> Option<usize> {
        let its = |ring: &Ring| ring.forks.contains(&leg);
        self.rings.iter().position(its)
    }

    pub fn has(&self, user: &str) -> bool {
        self.seats.iter().any(|seat| seat.user == user)
            || self.rings.iter().any(|ring| ring.user == user)
    }

    /// Everybody who is in but this one.
    pub fn others(&self, leg: CallId) -> impl Iterator<Item = CallId> {
        let seats = self.seats.iter().map(|seat| seat.leg);
        seats.filter(move |other| *other != leg)
    }
}
