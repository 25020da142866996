//! Who speaks with whom. Every call is a room with members; `sip:USER@domain` makes a room of two.
//!
//! A call's way: the caller's offer is answered at once in a 183, every socket of the callee is rung
//! by an INVITE with an offer of its own, and ICE and DTLS finish on both sides while it rings. The
//! first to accept wins; only then does the media plane admit anybody, so nothing is heard before
//! the 200. What ends a call, and with which words, is in `ending`.

pub(super) mod change;
mod crossed;
pub(super) mod ending;
pub(super) mod fork;
mod lost;
pub(super) mod place;
pub(super) mod ring;
pub(super) mod room;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use clinicall_sip::{
    Agent, Time,
    agent::{CallId, Event, Pending, Sent},
};
use ending::Why;
use room::{Key, Leg, Phase, Room};

use super::{CallView, MediaPlane, News, Settings, registrar::Registrar};
use crate::{media::MemberId, metrics::Metrics};

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

/// Every room there is.
#[derive(Debug, Default)]
pub struct Focus {
    rooms: BTreeMap<Key, Room>,
    /// Which room a leg belongs to. A leg that is not here is none of ours any more.
    legs: HashMap<CallId, Key>,
    members: HashMap<MemberId, Key>,
    /// Members whose media path has been up.
    connected: HashSet<MemberId>,
    /// Requests passed on to the other leg, and who waits for their answers.
    passed: HashMap<Sent, (Key, Pending)>,
    /// When to look at which room. Entries of rooms that need no look any more are ignored.
    alarms: BTreeSet<(Time, Key)>,
    last: Key,
    draining: bool,
}

impl Focus {
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

    /// Deadlines: calls that rang too long, sockets and media paths that did not return.
    pub fn tick(&mut self, desk: &mut Desk<'_>) {
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

    /// Every call of one user to another.
    #[must_use]
    pub fn calls(&self) -> Vec<CallView> {
        let view = |(key, room): (&Key, &Room)| CallView {
            number: key.0,
            room: None,
            from: room.caller.user.clone(),
            to: room.callee.clone(),
            answered: room.answered.is_some(),
        };
        self.rooms.iter().map(view).collect()
    }

    /// The clinic ends a call. `false`: there is none of that number.
    pub fn hang_up(&mut self, desk: &mut Desk<'_>, number: u64) -> bool {
        let key = Key(number);
        let known = self.rooms.contains_key(&key);
        if known {
            self.end(desk, key, Why::Cleared);
        }
        known
    }

    /// A leg is none of ours any more.
    fn forget(&mut self, leg: &Leg) {
        self.legs.remove(&leg.call);
        self.members.remove(&leg.member);
        self.connected.remove(&leg.member);
    }

    /// No new calls from now on.
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    #[must_use]
    pub fn ringing(&self) -> usize {
        self.rooms.len() - self.talking()
    }

    #[must_use]
    pub fn talking(&self) -> usize {
        self.rooms
            .values()
            .filter(|room| matches!(room.phase, Phase::Talking(_)))
            .count()
    }
}
