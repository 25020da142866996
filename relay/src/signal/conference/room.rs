//! The data of a room.

use clinicall_sip::Time;

use crate::{
    media::RoomId,
    signal::focus::{
        fork::Verdict,
        room::{Fork, Leg},
    },
};

#[derive(Debug)]
pub(super) struct Room {
    pub media: RoomId,
    pub rings: Vec<Ring>,
    pub seats: Vec<Seat>,
    /// There have been two at a time.
    pub company: bool,
    /// Who is left alone is not kept waiting longer.
    pub alone_until: Option<Time>,
    /// Why the last who was rung did not come.
    pub refused: Option<Verdict>,
}

/// A user who is rung.
#[derive(Debug)]
pub(super) struct Ring {
    pub number: u64,
    pub user: String,
    pub caller: String,
    pub until: Time,
    pub forks: Vec<Fork>,
    pub best: Option<Verdict>,
    pub told: bool,
}

/// A device in the room.
#[derive(Debug)]
pub(super) struct Seat {
    pub number: u64,
    pub leg: Leg,
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
    pub muted: Mute,
}

/// Why somebody goes, and what the phone is told (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Hung up, in the own words of the client if it had any.
    HungUp(Option<String>),
    PageClosed,
    ConnectionLost,
    MediaLost,
    /// The clinic took the user out.
    Removed,
    /// The clinic closed the room.
    Closed,
    /// The others did not come.
    NobodyCame(Verdict),
    /// The others have left.
    Alone,
    Stopping,
}

impl Room {
    pub const fn new(media: RoomId) -> Self {
        Self {
            media,
            rings: Vec::new(),
            seats: Vec::new(),
            company: false,
            alone_until: None,
            refused: None,
        }
    }

    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        let rung = self.rings.iter().flat_map(|ring| &ring.forks);
        let seated = self.seats.iter().map(|seat| &seat.leg);
        seated.chain(rung.map(|fork| &fork.leg))
    }

    pub fn ring_of(&self, call: clinicall_sip::agent::CallId) -> Option<usize> {
        let has = |ring: &Ring| ring.forks.iter().any(|fork| fork.leg.call == call);
        self.rings.iter().position(has)
    }

    pub fn has(&self, user: &str) -> bool {
        self.seats.iter().any(|seat| seat.leg.user == user)
            || self.rings.iter().any(|ring| ring.user == user)
    }
}
