//! Rooms of the clinic's: it rings people into them and says who may come in.
//!
//! A room begins when somebody is rung or dials in and ends when nobody is left and nobody rings.
//! Everybody who was invited may enter by dialling `sip:ROOM@conference.DOMAIN`, and come back the
//! same way, until the invitation is withdrawn.

use clinicall_sip::{Headers, Status, Uri};

use super::{
    Desk, Focus,
    call::{Incoming, offer},
    ring::Caller,
    room::{Key, Kind, MemberView, Mute, Named, Ring, Room, Seat},
    words::Why,
};
use crate::{
    auth::Rooms,
    backend::Invitation,
    config::is_user_id,
    media::Wants,
    percent,
    signal::{Answer, Settings, registrar::Binding},
};

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

impl Focus {
    /// Who may enter which room, read anew: `(room, user)`.
    pub fn set_invited(&mut self, invited: impl IntoIterator<Item = (String, String)>) {
        self.guests.set(invited);
    }

    /// Rings a user into a room on behalf of the clinic, and lets the user enter it from now on.
    pub fn ring(&mut self, desk: &mut Desk<'_>, invitation: Invitation) -> Rung {
        let (name, user) = (&invitation.room, &invitation.user);
        self.guests.invite(name, user);
        let known = self.named(name).and_then(|key| self.rooms.get(&key));
        if known.is_some_and(|room| room.has(user)) {
            return Rung::IsThere;
        }
        if self.draining || (known.is_none() && self.is_full(desk)) {
            return Rung::Full;
        }
        let bindings: Vec<Binding> = desk.registrar.bindings(desk.now, user).cloned().collect();
        let rung = match bindings.is_empty() {
            true => 0,
            false => self.ring_now(desk, &invitation, &bindings),
        };
        if rung > 0 {
            return Rung::Rings(rung);
        }
        let until = desk.now + desk.settings.invitation;
        self.guests.wait(until, invitation);
        Rung::Waits
    }

    /// A user has come online: who waited for that is rung now.
    pub fn came_online(&mut self, desk: &mut Desk<'_>, user: &str) {
        for invitation in self.guests.came(desk.now, user) {
            self.ring(desk, invitation);
        }
    }

    fn ring_now(
        &mut self,
        desk: &mut Desk<'_>,
        invitation: &Invitation,
        bindings: &[Binding],
    ) -> usize {
        let (key, media) = self.open(desk, &invitation.room);
        let wants = Wants {
            audio: true,
            video: invitation.profile != "audio",
        };
        let from = in_the_name_of(desk, invitation);
        let user = &invitation.user;
        let forks = self.ring_sockets(desk, (key, media), wants, &from, user, bindings);
        let rung = forks.len();
        if rung > 0 {
            let number = self.next_key().0;
            tracing::info!(
                call = number,
                room = invitation.room,
                to = user,
                sockets = rung,
                "rung into a room"
            );
            desk.metrics.calls_total.add(1);
            let until = desk.now + desk.settings.ring_timeout;
            self.alarms.insert((until, key));
            let (user, caller) = (user.clone(), invitation.caller.clone());
            if let Some(room) = self.rooms.get_mut(&key) {
                room.rings
                    .push(Ring::new(number, user, caller, until, forks));
            }
        }
        self.settle(desk, key);
        rung
    }

    /// An INVITE to room `name`.
    pub(super) fn enter(
        &mut self,
        desk: &mut Desk<'_>,
        incoming: Incoming<'_>,
        name: &str,
    ) -> Result<(), Answer> {
        if !is_user_id(name) {
            return Err(Answer::new(Status(404)));
        }
        if !self.may_enter(desk, &incoming, name) {
            // whether there is such a room is nobody's business who may not enter it
            return Err(Answer::new(Status(403)));
        }
        if self.named(name).is_none() && self.is_full(desk) {
            return Err(Answer::new(Status(503)).with("Retry-After", "5"));
        }
        let offer = offer(desk, incoming.invite)?;
        let (call, user) = (incoming.call, incoming.user.clone());
        let (key, _) = self.open(desk, name);
        let mut headers = Headers::new();
        headers.push("X-Clinicall-Room", name);
        let came = self.come_in(desk, key, incoming, offer.as_ref(), headers);
        if !matches!(came, Ok(true)) {
            self.settle(desk, key);
            return came.map(|_| ());
        }
        self.guests.wait_no_more(name, &user);
        // whoever is rung into the room and dials in instead has answered
        let rung = self.rooms.get_mut(&key).and_then(|room| {
            let at = room.rings.iter().position(|ring| ring.user == user)?;
            Some(room.rings.remove(at))
        });
        if let Some(ring) = rung {
            self.won(desk, key, ring, call);
        } else {
            let number = self.next_key().0;
            desk.metrics.calls_total.add(1);
            self.sit_down(desk, key, (number, call), String::new());
            self.settle(desk, key);
        }
        Ok(())
    }

    /// Invited, or holding a token that names this very room, which is the clinic's word as well.
    fn may_enter(&self, desk: &Desk<'_>, incoming: &Incoming<'_>, name: &str) -> bool {
        let rooms = desk
            .registrar
            .grant(incoming.flow)
            .map(|grant| &grant.rooms);
        let linked = matches!(rooms, Some(rooms @ Rooms::Only(_)) if rooms.admit(name));
        let invited = self.guests.are_invited(name, &incoming.user);
        desk.settings.open_rooms || linked || invited
    }

    /// The clinic has invited the user by name.
    #[must_use]
    pub fn is_invited(&self, room: &str, user: &str) -> bool {
        self.guests.are_invited(room, user)
    }

    /// Withdraws an invitation: the user is rung no more, leaves the room and may not come back.
    /// `false`: there was nothing to withdraw.
    pub fn uninvite(&mut self, desk: &mut Desk<'_>, name: &str, user: &str) -> bool {
        let invited = self.guests.withdraw(name, user);
        self.guests.wait_no_more(name, user);
        let Some(key) = self.named(name) else {
            return invited;
        };
        let known = self.rooms.get(&key).is_some_and(|room| room.has(user));
        self.end(desk, key, &Why::Removed, |of, _| of == user);
        known || invited
    }

    /// Everybody leaves and is rung no more; invitations stay. `false`: nobody was there.
    pub fn close(&mut self, desk: &mut Desk<'_>, name: &str) -> bool {
        let key = self.named(name);
        if let Some(key) = key {
            self.end(desk, key, &Why::Closed, |_, _| true);
        }
        key.is_some()
    }

    /// Mutes or unmutes every device of the user in that room. `false`: the user is not there.
    pub fn mute(&mut self, desk: &Desk<'_>, name: &str, user: &str, muted: Mute) -> bool {
        let room = self.named(name).and_then(|key| self.rooms.get_mut(&key));
        let mut found = false;
        for seat in room.into_iter().flat_map(|room| &mut room.seats) {
            if seat.user == user
                && let Some(leg) = self.legs.get(seat.leg)
            {
                seat.muted = muted;
                desk.media.mute(leg.member, muted.audio, muted.video);
                found = true;
            }
        }
        found
    }

    /// Everybody who is in a room, by room and in the order of their coming.
    #[must_use]
    pub fn members(&self, desk: &Desk<'_>) -> Vec<MemberView> {
        let view = |name: &str, seat: &Seat| MemberView {
            room: name.to_owned(),
            user: seat.user.clone(),
            name: desk
                .registrar
                .user(&seat.user)
                .map_or_else(String::new, |user| user.name),
            call: seat.number,
            since: seat.since,
            talked: self
                .legs
                .get(seat.leg)
                .and_then(|leg| desk.media.talked(leg.member)),
            muted: seat.muted,
        };
        let mut members = Vec::new();
        for (name, key) in &self.names {
            let seats = self.rooms.get(key).map(|room| room.seats.iter());
            members.extend(seats.into_iter().flatten().map(|seat| view(name, seat)));
        }
        members
    }

    fn named(&self, name: &str) -> Option<Key> {
        self.names.get(name).copied()
    }

    /// The room of that name; it begins if need be.
    fn open(&mut self, desk: &Desk<'_>, name: &str) -> (Key, crate::media::RoomId) {
        let known = self.named(name);
        if let Some((key, room)) = known.and_then(|key| Some((key, self.rooms.get(&key)?))) {
            return (key, room.media);
        }
        let (key, media) = (self.next_key(), desk.media.open_room());
        let kind = Kind::Named(Named {
            name: name.to_owned(),
            ..Named::default()
        });
        self.rooms.insert(key, Room::new(media, kind));
        self.names.insert(name.to_owned(), key);
        (key, media)
    }
}

/// From, and what the page is told of the room.
fn in_the_name_of(desk: &Desk<'_>, invitation: &Invitation) -> Caller {
    let host = desk.settings.host();
    let caller = desk.registrar.user(&invitation.caller);
    let uri = match invitation.caller.as_str() {
        "" | "0" => Uri::sip(&invitation.room, &format!("conference.{host}")),
        caller => Uri::sip(caller, host),
    };
    let mut headers = Headers::new();
    headers.push("X-Clinicall-Room", invitation.room.as_str());
    if !invitation.message.is_empty() {
        headers.push("X-Clinicall-Message", percent::encode(&invitation.message));
    }
    Caller {
        uri,
        name: caller.map(|user| user.name),
        headers,
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
