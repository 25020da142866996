//! The focus (RFC 4353): who speaks with whom. Every call is a room with members.
//!
//! What happens to a member's dialog whatever the room is in `leg`; how users are rung in `ring`; who
//! goes, and who is left, in `leave`. A room is one of two kinds: `sip:USER@domain` makes a `call` of
//! two, and the clinic has rooms of its own (`named`). Where they differ, they say so by `room::Kind`.

mod call;
mod guests;
mod leave;
mod leg;
mod limits;
mod named;
pub mod resume;
mod ring;
mod room;
mod verdict;
mod within;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use call::Incoming;
use clinicall_sip::{
    Agent, Time,
    agent::{CallId, Event, Flow},
};
use guests::Guests;
use leg::{Leg, Legs};
pub use named::{Rung, room_of};
pub use resume::Role;
use room::{Key, Kind, Room};
pub use room::{MemberView, Mute};

use super::{CallView, MediaPlane, News, Settings, copies::Copies, registrar::Registrar};
use crate::{media, metrics::Metrics};

/// What the focus works with while it handles one input.
#[derive(Debug)]
pub struct Desk<'a> {
    pub now: Time,
    pub agent: &'a mut Agent,
    pub registrar: &'a Registrar,
    pub media: &'a dyn MediaPlane,
    pub settings: &'a Settings,
    pub metrics: &'a Metrics,
    pub news: &'a mut VecDeque<News>,
}

/// Every room that somebody is in or rung into.
#[derive(Debug, Default)]
pub struct Focus {
    rooms: BTreeMap<Key, Room>,
    /// The clinic's, by name.
    names: BTreeMap<String, Key>,
    legs: Legs,
    guests: Guests,
    /// Requests passed on within rooms, by the leg they came from.
    passed: Copies<CallId>,
    /// When to look at which room. Entries of rooms that need no look any more are ignored.
    alarms: BTreeSet<(Time, Key)>,
    last: u64,
    draining: bool,
}

impl Focus {
    /// An INVITE by a user who is who it says.
    pub fn incoming(&mut self, desk: &mut Desk<'_>, incoming: Incoming<'_>) {
        let call = incoming.call;
        let done = match room_of(desk.settings, &incoming.invite.uri) {
            Some(name) => self.enter(desk, incoming, &name),
            None => self.place(desk, incoming),
        };
        if let Err(answer) = done {
            tracing::debug!(status = answer.status.0, "call refused");
            let _ = desk
                .agent
                .reject(desk.now, call, answer.status, answer.headers);
        }
    }

    /// News from the agent about calls.
    pub fn hear(&mut self, desk: &mut Desk<'_>, event: Event) {
        match event {
            Event::Progress {
                call,
                status,
                answer,
                ..
            } => {
                self.progress(desk, call, status, answer.as_deref());
            }
            Event::Established { call, answer } => {
                self.established(desk, call, answer.as_deref());
            }
            Event::EarlyAnswer { call, answer } => {
                self.answer_of_caller(desk, call, &answer);
            }
            Event::Ended { call, ending } => self.ended(desk, call, &ending),
            Event::Change { call, offer } => self.change(desk, call, offer.as_deref()),
            Event::Within {
                call,
                pending,
                request,
            } => {
                self.within(desk, call, pending, &request);
            }
            Event::Replied { sent, status, .. } => self.replied(desk, sent, status),
            Event::Changed {
                call,
                result: Ok(Some(answer)),
            } => self.answer_of_change(desk, call, &answer),
            // we place no changes of our own and keep no registrations of our own
            _ => {}
        }
    }

    /// News from the media plane.
    pub fn media(&mut self, desk: &mut Desk<'_>, event: &media::Event) {
        match event {
            media::Event::Connected { member } => self.legs.media_connected(*member),
            media::Event::Lost { member, why } => {
                let until = desk.now + desk.settings.grace;
                let waits = self.legs.media_lost(*member, why, until);
                self.alarms.extend(waits.map(|key| (until, key)));
            }
            media::Event::Carries { member, limits } => self.link_carries(desk, *member, *limits),
        }
    }

    /// A device has registered over `flow`: its calls go on there.
    pub fn returned(&mut self, desk: &mut Desk<'_>, user: &str, instance: &str, flow: Flow) {
        for key in self.legs.returned(desk, user, instance, flow) {
            self.tell_limits(desk, key);
        }
    }

    /// Deadlines: calls that rang too long, sockets and media paths that did not return.
    pub fn tick(&mut self, desk: &mut Desk<'_>) {
        self.guests.expire(desk.now);
        while let Some(&(at, key)) = self.alarms.first() {
            if at > desk.now {
                return;
            }
            self.alarms.pop_first();
            self.look_at(desk, key);
        }
    }

    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// Every call: of one user to another, and of everybody who is rung into a room or in one.
    #[must_use]
    pub fn calls(&self) -> Vec<CallView> {
        let mut calls = Vec::new();
        for (key, room) in &self.rooms {
            let view = |number, from: &str, to: &str, answered| CallView {
                number,
                room: room.name().map(str::to_owned),
                from: from.to_owned(),
                to: to.to_owned(),
                answered,
            };
            if let Kind::Call(call) = &room.kind {
                if call.is_missed() {
                    continue;
                }
                calls.push(view(key.0, &call.from, &call.to, call.answered.is_some()));
                continue;
            }
            let rung = room.rings.iter();
            calls.extend(rung.map(|ring| view(ring.number, &ring.caller, &ring.user, false)));
            let seated = room.seats.iter();
            calls.extend(seated.map(|seat| view(seat.number, &seat.caller, &seat.user, true)));
        }
        calls
    }

    /// No new calls from now on.
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// Users that are rung.
    #[must_use]
    pub fn ringing(&self) -> usize {
        let rings = self.rooms.values().flat_map(|room| &room.rings);
        rings.filter(|ring| !ring.forks.is_empty()).count()
    }

    /// Rooms with somebody in them.
    #[must_use]
    pub fn talking(&self) -> usize {
        let peopled = |room: &&Room| !room.seats.is_empty();
        self.rooms.values().filter(peopled).count()
    }

    fn is_full(&self, desk: &Desk<'_>) -> bool {
        self.draining || self.rooms.len() >= desk.settings.calls
    }

    fn next_key(&mut self) -> Key {
        self.last += 1;
        Key(self.last)
    }

    /// A leg is none of ours any more.
    fn forget(&mut self, call: CallId) -> Option<Leg> {
        self.passed.forget(&call);
        self.legs.remove(call)
    }

    /// ... and its member leaves a room that goes on.
    fn drop_leg(&mut self, desk: &Desk<'_>, call: CallId) {
        if let Some(leg) = self.forget(call) {
            desk.media.leave(leg.member);
        }
    }
}
