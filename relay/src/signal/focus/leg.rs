//! Legs: each a dialog with a device that is, or may soon be, a member of a room.
//!
//! Here is everything that happens to a leg whatever room it is in: its socket is lost and comes
//! back, its media path comes up, is lost, or never comes.

use std::collections::{BTreeMap, HashMap};

use clinicall_sip::{
    Millis, Time,
    agent::{CallId, Flow},
};

use super::{Desk, room::Key};
use crate::{
    media::{Limits, MemberId},
    signal::Closing,
};

/// A path that never was gets so many times the patience of one that was lost: a browser tries UDP
/// for seconds before TCP.
const NEVER: u64 = 3;

/// Whatever there is.
pub(super) const NONE: Limits = Limits {
    audio: None,
    video: None,
};

/// One device's signalling.
#[derive(Debug)]
pub(super) struct Leg {
    pub room: Key,
    pub user: String,
    pub flow: Flow,
    /// The device, when it has told (RFC 5626): by it a lost leg is found again.
    pub instance: Option<String>,
    pub member: MemberId,
    pub stage: Stage,
    /// Its answer to our offer has reached the media plane.
    pub described: bool,
    /// What it can take, as it has said.
    pub takes: Limits,
    /// It has said so by INFO, and not by a description.
    pub informed: bool,
    /// What of that its last description said.
    pub described_limits: Limits,
    /// What its link carries, when that is less.
    pub carries: Limits,
    /// What it was told the others can take.
    pub told: Limits,
    /// The media path has been up.
    connected: bool,
    /// The socket is lost; the call waits until then.
    absent: Option<Time>,
    /// The media path is lost, or not there yet; the call waits until then.
    silent: Option<Time>,
}

/// How far a leg has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has called, and waits for our answer.
    Calling,
    /// We ring it.
    Rung,
    /// The INVITE was answered, one way or the other.
    Talking,
}

/// What a leg was without for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Socket,
    Media,
}

impl Leg {
    pub const fn new(
        room: Key,
        user: String,
        flow: Flow,
        instance: Option<String>,
        member: MemberId,
        stage: Stage,
    ) -> Self {
        Self {
            room,
            user,
            flow,
            instance,
            member,
            stage,
            described: false,
            takes: NONE,
            informed: false,
            described_limits: NONE,
            carries: NONE,
            told: NONE,
            connected: false,
            absent: None,
            silent: None,
        }
    }

    /// What it has been without for too long.
    pub fn missing(&self, now: Time) -> Option<Missing> {
        let over = |deadline: Option<Time>| deadline.is_some_and(|deadline| deadline <= now);
        match (over(self.absent), over(self.silent)) {
            (true, _) => Some(Missing::Socket),
            (_, true) => Some(Missing::Media),
            _ => None,
        }
    }
}

/// Every leg of every room. A leg that is not here is none of ours any more.
#[derive(Debug, Default)]
pub(super) struct Legs {
    legs: BTreeMap<CallId, Leg>,
    members: HashMap<MemberId, CallId>,
}

impl Legs {
    pub fn insert(&mut self, call: CallId, leg: Leg) {
        self.members.insert(leg.member, call);
        self.legs.insert(call, leg);
    }

    pub fn remove(&mut self, call: CallId) -> Option<Leg> {
        let leg = self.legs.remove(&call)?;
        self.members.remove(&leg.member);
        Some(leg)
    }

    pub fn get(&self, call: CallId) -> Option<&Leg> {
        self.legs.get(&call)
    }

    pub fn get_mut(&mut self, call: CallId) -> Option<&mut Leg> {
        self.legs.get_mut(&call)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Leg> {
        self.legs.values()
    }

    /// A socket is gone: the legs that go with it, and the rooms that wait until `until` for others.
    /// A leg whose INVITE is not answered goes at once; a member is waited for, unless its page said
    /// goodbye or it could not be known again.
    pub fn closed(&mut self, flow: Flow, how: Closing, until: Time) -> (Vec<CallId>, Vec<Key>) {
        let (mut gone, mut waiting) = (Vec::new(), Vec::new());
        for (call, leg) in self.legs.iter_mut().filter(|(_, leg)| leg.flow == flow) {
            let returns = how != Closing::Gone && leg.instance.is_some();
            if leg.stage == Stage::Talking && returns {
                leg.absent = Some(until);
                waiting.push(leg.room);
                tracing::info!(leg = call.0, user = leg.user, "socket lost, waiting");
            } else {
                gone.push(*call);
            }
        }
        (gone, waiting)
    }

    /// A device has registered over `flow`: its calls go on there. The rooms it is in.
    pub fn returned(
        &mut self,
        desk: &mut Desk<'_>,
        user: &str,
        instance: &str,
        flow: Flow,
    ) -> Vec<Key> {
        let mut rooms = Vec::new();
        for (call, leg) in &mut self.legs {
            let its_own = leg.user == user && leg.instance.as_deref() == Some(instance);
            if its_own && leg.flow != flow && desk.agent.move_call(desk.now, *call, flow).is_ok() {
                leg.flow = flow;
                leg.absent = None;
                rooms.push(leg.room);
                tracing::info!(leg = call.0, user, "socket returned");
            }
        }
        rooms
    }

    pub fn media_connected(&mut self, member: MemberId) {
        if let Some(leg) = self.of_member(member) {
            leg.connected = true;
            leg.silent = None;
        }
    }

    /// Notes what a member's link carries: its room, its call, and whether a picture was taken from
    /// it or given back.
    pub fn link_carries(
        &mut self,
        member: MemberId,
        limits: Limits,
    ) -> Option<(Key, CallId, bool)> {
        let call = *self.members.get(&member)?;
        let leg = self.legs.get_mut(&call)?;
        let cut_off = |limits: Limits| limits.video == Some(0);
        let before = std::mem::replace(&mut leg.carries, limits);
        Some((leg.room, call, cut_off(before) != cut_off(limits)))
    }

    /// The room that waits for the path to return.
    pub fn media_lost(&mut self, member: MemberId, why: &str, until: Time) -> Option<Key> {
        let leg = self.of_member(member)?;
        tracing::info!(user = leg.user, why, "media lost, waiting");
        leg.silent = Some(until);
        Some(leg.room)
    }

    /// The INVITE is answered. A media path that is not there yet has until then to come.
    pub fn answered(&mut self, call: CallId, now: Time, grace: Millis) -> Option<Time> {
        let leg = self.legs.get_mut(&call)?;
        leg.stage = Stage::Talking;
        if !leg.connected {
            leg.silent = Some(now + Millis(grace.0 * NEVER));
        }
        leg.silent
    }

    fn of_member(&mut self, member: MemberId) -> Option<&mut Leg> {
        self.legs.get_mut(self.members.get(&member)?)
    }
}
