//! Rooms of the clinic's: it says who is rung into which, and who may enter.
//!
//! A room begins when somebody is rung or dials in and ends when nobody is left and nobody rings.
//! Everybody who was invited may enter by dialling `sip:ROOM@conference.DOMAIN`, and come back the
//! same way, until the invitation is withdrawn. What happens when somebody goes is in `leave`.

mod enter;
mod leave;
mod ring;
mod room;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use clinicall_sip::{
    Headers, Method, Status, Time, Uri,
    agent::{CallId, Event},
    sdp::Sdp,
};
use room::Room;
pub use room::{MemberView, Mute};

use super::{
    ALLOW, CallView, Settings,
    focus::{
        Desk,
        change::{Control, media_control},
    },
};
use crate::{backend::Invitation, media::MemberId};

/// Every room of the clinic's that somebody is in or rung into.
#[derive(Debug, Default)]
pub struct Conferences {
    rooms: BTreeMap<String, Room>,
    legs: HashMap<CallId, String>,
    members: HashMap<MemberId, String>,
    /// Users by the rooms they may enter.
    invited: BTreeMap<String, BTreeSet<String>>,
    /// Invitations to users who were not there, until then.
    waiting: Vec<(Time, Invitation)>,
    alarms: BTreeSet<(Time, String)>,
    last: u64,
    draining: bool,
}

/// What came of ringing a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// So many sockets ring.
    Rings(usize),
    /// Nobody is there; the user is rung when coming online in time.
    Waits,
    /// The user is in the room already, or rung into it.
    IsThere,
    /// The relay is full.
    Full,
}

impl Conferences {
    /// Who may enter which room, read anew: `(room, user)`.
    pub fn set_invited(&mut self, invited: impl IntoIterator<Item = (String, String)>) {
        self.invited.clear();
        for (room, user) in invited {
            self.invited.entry(room).or_default().insert(user);
        }
    }

    /// Nobody is rung and no room begins from now on.
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    /// Is this call one of a room's?
    #[must_use]
    pub fn has(&self, call: CallId) -> bool {
        self.legs.contains_key(&call)
    }

    #[must_use]
    pub fn has_member(&self, member: MemberId) -> bool {
        self.members.contains_key(&member)
    }

    /// News from the agent about a call of a room's.
    pub fn hear(&mut self, desk: &mut Desk<'_>, event: Event) {
        match event {
            Event::Progress {
                call,
                status,
                answer,
                ..
            } => self.progress(desk, call, status, answer.as_deref()),
            Event::Established { call, answer } => {
                self.established(desk, call, answer.as_deref());
            }
            Event::Ended { call, ending } => self.ended(desk, call, &ending),
            Event::Change { call, offer } => self.change(desk, call, offer.as_deref()),
            Event::Within {
                call,
                pending,
                request,
            } => {
                let leg = self
                    .room_of(call)
                    .and_then(|room| room.legs().find(|leg| leg.call == call));
                if let (Some(Control::KeyFrame), Some(leg)) = (media_control(&request), leg) {
                    desk.media.request_key_frame(leg.member);
                }
                // what members say to each other goes over comet
                let (status, allow) = match request.method {
                    Method::Info => (Status(200), false),
                    _ => (Status(405), true),
                };
                let mut headers = Headers::new();
                if allow {
                    headers.push("Allow", ALLOW);
                }
                let _ = desk
                    .agent
                    .respond(desk.now, pending, status, headers, Vec::new());
            }
            _ => {}
        }
    }

    fn change(&mut self, desk: &mut Desk<'_>, call: CallId, offer: Option<&str>) {
        let member = self
            .room_of(call)
            .and_then(|room| room.legs().find(|leg| leg.call == call))
            .map(|leg| leg.member);
        let answer = member
            .zip(offer.and_then(|offer| Sdp::parse(offer).ok()))
            .and_then(|(member, offer)| desk.media.renegotiate(member, &offer).ok());
        let _ = match answer {
            Some(answer) => desk.agent.answer_change(desk.now, call, answer.to_string()),
            None => desk.agent.refuse_change(desk.now, call, Status(488)),
        };
    }

    pub fn tick(&mut self, desk: &mut Desk<'_>) {
        self.waiting.retain(|(until, _)| *until > desk.now);
        while let Some((at, _)) = self.alarms.first() {
            if *at > desk.now {
                return;
            }
            if let Some((_, room)) = self.alarms.pop_first() {
                self.look_at(desk, &room);
            }
        }
    }

    /// Invitations that run out are not worth an alarm.
    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        self.alarms.first().map(|(at, _)| *at)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// Users that are rung.
    #[must_use]
    pub fn ringing(&self) -> usize {
        self.rooms.values().map(|room| room.rings.len()).sum()
    }

    /// Rooms with somebody in them.
    #[must_use]
    pub fn talking(&self) -> usize {
        let peopled = |room: &&Room| !room.seats.is_empty();
        self.rooms.values().filter(peopled).count()
    }

    /// Everybody who is rung or in a room.
    #[must_use]
    pub fn calls(&self) -> Vec<CallView> {
        let mut calls = Vec::new();
        for (name, room) in &self.rooms {
            let view = |number, from: &str, to: &str, answered| CallView {
                number,
                room: Some(name.clone()),
                from: from.to_owned(),
                to: to.to_owned(),
                answered,
            };
            let rung = room.rings.iter();
            calls.extend(rung.map(|ring| view(ring.number, &ring.caller, &ring.user, false)));
            let seated = room.seats.iter();
            calls.extend(seated.map(|seat| view(seat.number, &seat.caller, &seat.leg.user, true)));
        }
        calls
    }

    /// Everybody who is in a room, by room and in the order of their coming.
    #[must_use]
    pub fn members(&self, desk: &Desk<'_>) -> Vec<MemberView> {
        let views = |(name, room): (&String, &Room)| -> Vec<MemberView> {
            let view = |seat: &room::Seat| MemberView {
                room: name.clone(),
                user: seat.leg.user.clone(),
                name: desk
                    .registrar
                    .user(&seat.leg.user)
                    .map_or_else(String::new, |user| user.name),
                call: seat.number,
                since: seat.since,
                muted: seat.muted,
            };
            room.seats.iter().map(view).collect()
        };
        self.rooms.iter().flat_map(views).collect()
    }

    fn room_of(&self, call: CallId) -> Option<&Room> {
        self.rooms.get(self.legs.get(&call)?)
    }

    /// The name of the next call, from above: the focus counts from below.
    fn next_number(&mut self) -> u64 {
        self.last += 1;
        (1 << 52) | self.last
    }
}

/// The room that a Request-URI names: `sip:ROOM@conference.DOMAIN`, or CppComet's
/// `sip:TENANT*ROOM*PROFILE@DOMAIN`.
#[must_use]
pub fn room_of(settings: &Settings, uri: &Uri) -> Option<String> {
    if !matches!(uri.scheme.as_str(), "sip" | "sips") {
        return None;
    }
    let (label, domain) = uri.host.split_once('.').unwrap_or(("", ""));
    if label.eq_ignore_ascii_case("conference") && settings.serves(domain) {
        return Some(uri.user.clone());
    }
    if !settings.serves(&uri.host) {
        return None;
    }
    let mut parts = uri.user.split('*');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(tenant), Some(room), Some(_profile), None)
            if !tenant.is_empty() && tenant.bytes().all(|digit| digit.is_ascii_digit()) =>
        {
            Some(room.to_owned())
        }
        _ => None,
    }
}
