//! The data of a call.

use clinicall_sip::{
    Time,
    agent::{CallId, Flow},
    sdp::{Sdp, Section},
};

use super::fork::Verdict;
use crate::media::{MemberId, RoomId, Wants};

/// A room's name here and in the logs. Never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub u64);

#[derive(Debug)]
pub(super) struct Room {
    pub media: RoomId,
    pub caller: Leg,
    /// The user who is called.
    pub callee: String,
    /// The offer to a caller who made none, until it is sent.
    pub unsent: Option<String>,
    /// Requests passed on between the legs and not answered yet.
    pub passing: usize,
    /// When the callee accepted.
    pub answered: Option<Time>,
    pub phase: Phase,
}

#[derive(Debug)]
pub(super) enum Phase {
    Ringing(Ringing),
    Talking(Leg),
}

#[derive(Debug)]
pub(super) struct Ringing {
    pub forks: Vec<Fork>,
    /// The best of the refusals so far.
    pub best: Option<Verdict>,
    pub until: Time,
    /// The caller has been told that it rings.
    pub told: bool,
}

/// One socket of the callee that is rung.
#[derive(Debug)]
pub(in crate::signal) struct Fork {
    pub leg: Leg,
    /// Its answer has reached the media plane.
    pub answered: bool,
}

/// One member's signalling.
#[derive(Debug)]
pub(in crate::signal) struct Leg {
    pub call: CallId,
    pub user: String,
    pub flow: Flow,
    /// The device, when it has told (RFC 5626): by it a lost leg is found again.
    pub instance: Option<String>,
    pub member: MemberId,
    /// The socket is lost; the call waits until then.
    pub absent: Option<Time>,
    /// The media path is lost; the call waits until then.
    pub silent: Option<Time>,
}

impl Room {
    /// Every leg: the caller's, then those of the callee.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        let (forks, callee) = match &self.phase {
            Phase::Ringing(ringing) => (ringing.forks.as_slice(), None),
            Phase::Talking(callee) => (&[][..], Some(callee)),
        };
        std::iter::once(&self.caller)
            .chain(forks.iter().map(|fork| &fork.leg))
            .chain(callee)
    }

    pub fn legs_mut(&mut self) -> impl Iterator<Item = &mut Leg> {
        let (forks, callee) = match &mut self.phase {
            Phase::Ringing(ringing) => (ringing.forks.as_mut_slice(), None),
            Phase::Talking(callee) => (&mut [][..], Some(callee)),
        };
        std::iter::once(&mut self.caller)
            .chain(forks.iter_mut().map(|fork| &mut fork.leg))
            .chain(callee)
    }

    /// The other side of an answered call.
    pub fn across(&self, call: CallId) -> Option<&Leg> {
        match &self.phase {
            Phase::Talking(callee) if self.caller.call == call => Some(callee),
            Phase::Talking(callee) if callee.call == call => Some(&self.caller),
            _ => None,
        }
    }
}

/// What the caller's offer asks to send or receive; the callee is offered no more.
pub(super) fn wants(offer: &Sdp) -> Wants {
    let asks = |kind: &str| {
        // a bundled section has port 0 in its first offer (RFC 9143 section 7.2.1)
        let open =
            |section: &Section| section.port() != 0 || section.attribute("bundle-only").is_some();
        offer
            .media
            .iter()
            .any(|section| section.kind() == kind && open(section))
    };
    Wants {
        audio: asks("audio"),
        video: asks("video"),
    }
}
