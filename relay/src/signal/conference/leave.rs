//! Somebody goes, or is sent; sockets and media paths go away and come back.

use clinicall_sip::{
    Time,
    agent::{CallId, Cause, Ending, Flow},
};

use super::{
    Conferences,
    room::{Leaving, Mute},
};
use crate::{
    media::MemberId,
    signal::{
        Closing, News,
        focus::{
            Desk,
            ending::{reason, said},
            fork::Verdict,
        },
    },
};

impl Conferences {
    /// The agent says that a leg is over.
    pub(super) fn ended(&mut self, desk: &mut Desk<'_>, call: CallId, ending: &Ending) {
        let Some(name) = self.legs.get(&call).cloned() else {
            return;
        };
        let Some(room) = self.rooms.get(&name) else {
            return;
        };
        if room.ring_of(call).is_some() {
            self.fork_failed(desk, &name, call, Verdict::of(ending));
            return;
        }
        let why = match ending.cause {
            Cause::PeerVanished | Cause::ConnectionLost | Cause::RequestTimeout => {
                Leaving::ConnectionLost
            }
            _ => Leaving::HungUp(said(ending)),
        };
        self.unseat(desk, &name, call, &why);
    }

    /// Takes one device out of the room.
    fn unseat(&mut self, desk: &mut Desk<'_>, name: &str, call: CallId, why: &Leaving) {
        self.unseat_only(desk, name, call, why);
        self.settle(desk, name);
    }

    fn unseat_only(&mut self, desk: &mut Desk<'_>, name: &str, call: CallId, why: &Leaving) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let Some(at) = room.seats.iter().position(|seat| seat.leg.call == call) else {
            return;
        };
        let seat = room.seats.remove(at);
        self.forget(call, seat.leg.member);
        desk.media.leave(seat.leg.member);
        // the agent does not know a leg that ended by itself, and says so; that is well
        let _ = desk.agent.hangup(desk.now, call, why.reason());
        let cause = why.label();
        desk.metrics.ended(cause);
        tracing::info!(
            call = seat.number,
            room = name,
            user = seat.leg.user,
            cause,
            "left"
        );
        desk.news.push_back(News::Left {
            room: name.to_owned(),
            user: seat.leg.user.clone(),
            cause,
        });
        desk.news.push_back(News::Ended {
            call: seat.number,
            room: Some(name.to_owned()),
            from: seat.caller,
            to: seat.leg.user,
            cause,
            talked: Some((desk.now - seat.since).0),
        });
    }

    /// Withdraws an invitation: the user is rung no more, leaves the room and may not come back.
    /// `false`: there was nothing to withdraw.
    pub fn uninvite(&mut self, desk: &mut Desk<'_>, name: &str, user: &str) -> bool {
        let mut known = false;
        if let Some(users) = self.invited.get_mut(name) {
            known = users.remove(user);
            if users.is_empty() {
                self.invited.remove(name);
            }
        }
        known |= self.rooms.get(name).is_some_and(|room| room.has(user));
        self.call_off(desk, name, user);
        self.unseat_all(desk, name, &Leaving::Removed, |of| of == user);
        self.settle(desk, name);
        known
    }

    /// Everybody leaves and is rung no more; invitations stay. `false`: nobody was there.
    pub fn close(&mut self, desk: &mut Desk<'_>, name: &str) -> bool {
        self.end_room(desk, name, &Leaving::Closed)
    }

    /// Ends one call, by its number: the user rings no more, or leaves.
    pub fn hang_up(&mut self, desk: &mut Desk<'_>, number: u64) -> bool {
        let found = self.rooms.iter().find_map(|(name, room)| {
            let rung = room.rings.iter().find(|ring| ring.number == number);
            let seat = room.seats.iter().find(|seat| seat.number == number);
            let user = rung.map(|ring| ring.user.clone());
            (user.is_some() || seat.is_some())
                .then(|| (name.clone(), user, seat.map(|seat| seat.leg.call)))
        });
        let Some((name, rung, seat)) = found else {
            return false;
        };
        if let Some(user) = rung {
            self.call_off(desk, &name, &user);
        }
        if let Some(call) = seat {
            self.unseat_only(desk, &name, call, &Leaving::Removed);
        }
        self.settle(desk, &name);
        true
    }

    /// Mutes or unmutes every device of the user in that room. `false`: the user is not there.
    pub fn mute(&mut self, desk: &Desk<'_>, name: &str, user: &str, muted: Mute) -> bool {
        let Some(room) = self.rooms.get_mut(name) else {
            return false;
        };
        let mut found = false;
        for seat in room.seats.iter_mut().filter(|seat| seat.leg.user == user) {
            seat.muted = muted;
            desk.media.mute(seat.leg.member, muted.audio, muted.video);
            found = true;
        }
        found
    }

    /// Ends every room because the relay stops.
    pub fn end_all(&mut self, desk: &mut Desk<'_>) {
        let names: Vec<String> = self.rooms.keys().cloned().collect();
        for name in names {
            self.end_room(desk, &name, &Leaving::Stopping);
        }
    }

    fn end_room(&mut self, desk: &mut Desk<'_>, name: &str, why: &Leaving) -> bool {
        let Some(room) = self.rooms.get(name) else {
            return false;
        };
        let rung: Vec<String> = room.rings.iter().map(|ring| ring.user.clone()).collect();
        for user in rung {
            self.call_off(desk, name, &user);
        }
        self.unseat_all(desk, name, why, |_| true);
        self.settle(desk, name);
        true
    }

    fn unseat_all(
        &mut self,
        desk: &mut Desk<'_>,
        name: &str,
        why: &Leaving,
        whom: impl Fn(&str) -> bool,
    ) {
        let seats = self.rooms.get(name).map(|room| room.seats.as_slice());
        let calls: Vec<CallId> = seats
            .unwrap_or_default()
            .iter()
            .filter(|seat| whom(&seat.leg.user))
            .map(|seat| seat.leg.call)
            .collect();
        for call in calls {
            self.unseat_only(desk, name, call, why);
        }
    }

    /// Looks at a room after something has changed in it: an empty one is closed, and nobody is
    /// left alone with a picture of nothing.
    pub(super) fn settle(&mut self, desk: &mut Desk<'_>, name: &str) {
        let expected = self.waiting.iter().any(|(_, other)| other.room == name);
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        if room.seats.is_empty() && room.rings.is_empty() {
            desk.media.close_room(room.media);
            self.rooms.remove(name);
            return;
        }
        match room.seats.as_slice() {
            [_, _, ..] => {
                room.company = true;
                room.alone_until = None;
                room.refused = None;
            }
            [alone] if room.rings.is_empty() && !expected => {
                let call = alone.leg.call;
                match room.refused.take() {
                    // the one who was to come does not
                    Some(verdict) if !room.company => {
                        self.unseat(desk, name, call, &Leaving::NobodyCame(verdict));
                    }
                    _ if room.company && room.alone_until.is_none() => {
                        let until = desk.now + desk.settings.alone;
                        room.alone_until = Some(until);
                        self.alarms.insert((until, name.to_owned()));
                    }
                    // whoever dials in first waits for the others, a doctor for half an hour
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// A socket is gone. Who rings there rings no more; who is in a room is waited for, unless the
    /// page said goodbye.
    pub fn flow_closed(&mut self, desk: &mut Desk<'_>, flow: Flow, how: Closing) {
        let until = desk.now + desk.settings.grace;
        let mut rung = Vec::new();
        let mut gone = Vec::new();
        for (name, room) in &mut self.rooms {
            let forks = room.rings.iter().flat_map(|ring| &ring.forks);
            let lost = forks.filter(|fork| fork.leg.flow == flow);
            rung.extend(lost.map(|fork| (name.clone(), fork.leg.call)));
            for seat in &mut room.seats {
                let leg = &mut seat.leg;
                if leg.flow != flow {
                    continue;
                }
                if how == Closing::Gone || leg.instance.is_none() {
                    gone.push((name.clone(), leg.call));
                } else {
                    leg.absent = Some(until);
                    self.alarms.insert((until, name.clone()));
                    tracing::info!(room = name, user = leg.user, "socket lost, waiting");
                }
            }
        }
        for (name, call) in rung {
            let _ = desk.agent.hangup(desk.now, call, None);
            self.fork_failed(desk, &name, call, Verdict::new(480));
        }
        let why = match how {
            Closing::Gone => Leaving::PageClosed,
            _ => Leaving::ConnectionLost,
        };
        for (name, call) in gone {
            self.unseat(desk, &name, call, &why);
        }
    }

    /// A device has registered over `flow`: its calls go on there.
    pub fn returned(&mut self, desk: &mut Desk<'_>, user: &str, instance: &str, flow: Flow) {
        for room in self.rooms.values_mut() {
            for seat in &mut room.seats {
                let leg = &mut seat.leg;
                let its_own = leg.user == user && leg.instance.as_deref() == Some(instance);
                if its_own && leg.flow != flow && desk.agent.move_call(leg.call, flow).is_ok() {
                    leg.flow = flow;
                    leg.absent = None;
                }
            }
        }
    }

    pub fn media_lost(&mut self, desk: &Desk<'_>, member: MemberId) {
        let until = desk.now + desk.settings.grace;
        let Some(name) = self.members.get(&member) else {
            return;
        };
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        for seat in &mut room.seats {
            if seat.leg.member == member {
                seat.leg.silent = Some(until);
                self.alarms.insert((until, name.clone()));
            }
        }
    }

    pub fn media_connected(&mut self, member: MemberId) {
        let room = self.members.get(&member);
        let room = room.and_then(|name| self.rooms.get_mut(name));
        for seat in room.into_iter().flat_map(|room| &mut room.seats) {
            if seat.leg.member == member {
                seat.leg.silent = None;
            }
        }
    }

    /// Is a deadline of this room over?
    pub(super) fn look_at(&mut self, desk: &mut Desk<'_>, name: &str) {
        let now = desk.now;
        let over = |deadline: Option<Time>| deadline.is_some_and(|deadline| deadline <= now);
        while let Some(room) = self.rooms.get(name) {
            let unanswered = room.rings.iter().position(|ring| ring.until <= now);
            if let Some(at) = unanswered {
                self.ring_over(desk, name, at, Verdict::new(408));
                continue;
            }
            let lost = room.seats.iter().find_map(|seat| {
                match (over(seat.leg.absent), over(seat.leg.silent)) {
                    (true, _) => Some((seat.leg.call, Leaving::ConnectionLost)),
                    (_, true) => Some((seat.leg.call, Leaving::MediaLost)),
                    _ => None,
                }
            });
            if let Some((call, why)) = lost {
                self.unseat(desk, name, call, &why);
                continue;
            }
            if over(room.alone_until)
                && let [alone] = room.seats.as_slice()
            {
                let call = alone.leg.call;
                self.unseat(desk, name, call, &Leaving::Alone);
            }
            return;
        }
    }
}

impl Leaving {
    /// The Reason header for the one who goes (RFC 3326).
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::HungUp(_) => None,
            Self::PageClosed => Some(reason(410, "Page closed")),
            Self::ConnectionLost => Some(reason(408, "Connection lost")),
            Self::MediaLost => Some(reason(408, "Media connection lost")),
            Self::Removed => Some(reason(200, "Ended by the clinic")),
            Self::Closed => Some(reason(200, "The room is closed")),
            Self::NobodyCame(verdict) => {
                let text = match verdict.label() {
                    "busy" => "Busy",
                    "rejected" => "Declined",
                    "no_answer" => "No answer",
                    _ => "Not available",
                };
                Some(reason(verdict.status.0, text))
            }
            Self::Alone => Some(reason(200, "Everybody else has left")),
            Self::Stopping => Some(reason(503, "The relay is stopping")),
        }
    }

    /// As [`crate::metrics::CAUSES`] has it.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::HungUp(_) | Self::Removed | Self::Closed | Self::Alone => "hangup",
            Self::PageClosed => "page_closed",
            Self::ConnectionLost | Self::MediaLost => "connection_lost",
            Self::NobodyCame(verdict) => verdict.label(),
            Self::Stopping => "shutdown",
        }
    }
}
