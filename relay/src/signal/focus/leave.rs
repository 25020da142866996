//! Somebody goes, or is sent; who is left, and for how long.

use clinicall_sip::agent::{CallId, Ending, Flow};

use super::{
    Desk, Focus,
    leg::{Missing, Stage},
    room::{Key, Kind, Room},
    verdict::Verdict,
    words::Why,
};
use crate::signal::{Closing, News};

impl Focus {
    /// The agent says that a leg is over.
    pub(super) fn ended(&mut self, desk: &mut Desk<'_>, call: CallId, ending: &Ending) {
        match self.legs.get(call).map(|leg| leg.stage) {
            None => {}
            Some(Stage::Rung) => self.fork_failed(desk, call, Verdict::of(ending)),
            Some(Stage::Calling) => self.leave(desk, call, Why::canceled(ending)),
            Some(Stage::Talking) => self.leave(desk, call, Why::of(ending)),
        }
    }

    /// A socket is gone.
    pub fn flow_closed(&mut self, desk: &mut Desk<'_>, flow: Flow, how: Closing) {
        let until = desk.now + desk.settings.grace;
        let (gone, waiting) = self.legs.closed(flow, how, until);
        self.alarms
            .extend(waiting.into_iter().map(|key| (until, key)));
        for call in gone {
            let why = match self.legs.get(call).map(|leg| leg.stage) {
                // with another leg of the same socket
                None => continue,
                Some(Stage::Rung) => {
                    let _ = desk.agent.hangup(desk.now, call, None);
                    self.fork_failed(desk, call, Verdict::new(480));
                    continue;
                }
                Some(Stage::Calling) => Why::Canceled(None),
                Some(Stage::Talking) if how == Closing::Gone => Why::PageClosed,
                Some(Stage::Talking) => Why::ConnectionLost,
            };
            self.leave(desk, call, why);
        }
    }

    /// A leg that is in a room, or called to be, is over: a call ends with it, a room goes on.
    pub(super) fn leave(&mut self, desk: &mut Desk<'_>, call: CallId, why: Why) {
        let Some(key) = self.legs.get(call).map(|leg| leg.room) else {
            return;
        };
        match self.rooms.get(&key).map(|room| &room.kind) {
            None => {}
            Some(Kind::Call(_)) => self.end_call(desk, key, &why, Some(call)),
            Some(Kind::Named(_)) => {
                self.unseat(desk, key, call, &why);
                self.settle(desk, key);
            }
        }
    }

    /// Ends a call of one user to another on every leg, on that of the one who left last.
    pub(super) fn end_call(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        why: &Why,
        by: Option<CallId>,
    ) {
        // whoever asks for this has seen that it is one
        let Some(Room {
            media,
            kind: Kind::Call(call),
            rings,
            seats,
        }) = self.rooms.remove(&key)
        else {
            return;
        };
        desk.media.close_room(media);
        let cause = why.label();
        tracing::info!(call = key.0, cause, "ended");
        if !call.is_missed() {
            desk.metrics.ended(cause);
            desk.news.push_back(News::Ended {
                call: key.0,
                room: None,
                from: call.from,
                to: call.to,
                cause,
                talked: call.answered.map(|since| (desk.now - since).0),
            });
        }
        let rung = rings.into_iter().flat_map(|ring| ring.forks);
        let seats = seats.iter().map(|seat| seat.leg);
        let mut legs: Vec<CallId> = rung.chain([call.caller]).chain(seats).collect();
        legs.sort_by_key(|leg| Some(*leg) == by);
        for leg in legs {
            let Some(gone) = self.forget(leg) else {
                continue;
            };
            let refusal = why.refusal(desk.settings.host());
            // the agent does not know a leg that ended by itself, and says so; that is well
            let _ = match refusal.filter(|_| gone.stage == Stage::Calling) {
                Some((status, headers)) => desk.agent.reject(desk.now, leg, status, headers),
                None => desk.agent.hangup(desk.now, leg, why.reason()),
            };
        }
    }

    /// Takes one device out of a room of the clinic's.
    fn unseat(&mut self, desk: &mut Desk<'_>, key: Key, call: CallId, why: &Why) {
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        let (Some(at), Kind::Named(named)) = (
            room.seats.iter().position(|seat| seat.leg == call),
            &room.kind,
        ) else {
            return;
        };
        let (seat, name) = (room.seats.remove(at), named.name.clone());
        self.drop_leg(desk, call);
        let _ = desk.agent.hangup(desk.now, call, why.reason());
        let cause = why.label();
        desk.metrics.ended(cause);
        tracing::info!(
            call = seat.number,
            room = name,
            user = seat.user,
            cause,
            "left"
        );
        desk.news.push_back(News::Left {
            room: name.clone(),
            user: seat.user.clone(),
            cause,
        });
        desk.news.push_back(News::Ended {
            call: seat.number,
            room: Some(name),
            from: seat.caller,
            to: seat.user,
            cause,
            talked: Some((desk.now - seat.since).0),
        });
    }

    fn send_away(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        why: &Why,
        whom: impl Fn(&str, u64) -> bool,
    ) {
        loop {
            let Some(room) = self.rooms.get(&key) else {
                return;
            };
            let mut rings = room.rings.iter();
            let mut seats = room.seats.iter();
            if let Some(at) = rings.position(|ring| whom(&ring.user, ring.number)) {
                self.stop_ringing(desk, key, at, why);
            } else if let Some(seat) = seats.find(|seat| whom(&seat.user, seat.number)) {
                self.unseat(desk, key, seat.leg, why);
            } else {
                return;
            }
        }
    }

    /// Ends a call; in a room of the clinic's, only of those whom `whom` names by user and number.
    pub(super) fn end(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        why: &Why,
        whom: impl Fn(&str, u64) -> bool,
    ) {
        match self.rooms.get(&key).map(|room| &room.kind) {
            None => {}
            Some(Kind::Call(_)) => self.end_call(desk, key, why, None),
            Some(Kind::Named(_)) => {
                self.send_away(desk, key, why, whom);
                self.settle(desk, key);
            }
        }
    }

    /// Ends one call, by its number: in a room of the clinic's that of one member. `false`: there is
    /// none.
    pub fn hang_up(&mut self, desk: &mut Desk<'_>, number: u64) -> bool {
        let found = self.rooms.iter().find(|(_, room)| {
            let mut rings = room.rings.iter().map(|ring| ring.number);
            let mut seats = room.seats.iter().map(|seat| seat.number);
            rings.any(|other| other == number) || seats.any(|other| other == number)
        });
        let Some((&key, _)) = found else {
            return false;
        };
        self.end(desk, key, &Why::Removed, |_, other| other == number);
        true
    }

    /// Ends everything because the relay stops.
    pub fn end_all(&mut self, desk: &mut Desk<'_>) {
        let keys: Vec<Key> = self.rooms.keys().copied().collect();
        for key in keys {
            self.end(desk, key, &Why::Stopping, |_, _| true);
        }
    }

    /// Looks at a room of the clinic's after something has changed in it: an empty one is closed,
    /// and nobody is left alone with a picture of nothing.
    pub(super) fn settle(&mut self, desk: &mut Desk<'_>, key: Key) {
        self.tell_limits(desk, key);
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        let Kind::Named(named) = &mut room.kind else {
            return;
        };
        if room.seats.is_empty() && room.rings.is_empty() {
            desk.media.close_room(room.media);
            self.names.remove(&named.name);
            self.rooms.remove(&key);
            return;
        }
        let expected = self.guests.are_expected(&named.name);
        match room.seats.as_slice() {
            [_, _, ..] => {
                named.company = true;
                named.alone_until = None;
                named.refused = None;
            }
            [alone] if room.rings.is_empty() && !expected => {
                let call = alone.leg;
                match named.refused.take() {
                    // the one who was to come does not
                    Some(verdict) if !named.company => {
                        self.leave(desk, call, Why::NobodyCame(verdict));
                    }
                    _ if named.company && named.alone_until.is_none() => {
                        let until = desk.now + desk.settings.alone;
                        named.alone_until = Some(until);
                        self.alarms.insert((until, key));
                    }
                    // whoever dials in first waits for the others, a doctor for half an hour
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Is a deadline of this room over?
    pub(super) fn look_at(&mut self, desk: &mut Desk<'_>, key: Key) {
        let now = desk.now;
        while let Some(room) = self.rooms.get(&key) {
            if let Some(at) = room.rings.iter().position(|ring| ring.until <= now) {
                self.ring_over(desk, key, at, Verdict::new(408));
                continue;
            }
            let missing = |call: CallId| Some((call, self.legs.get(call)?.missing(now)?));
            if let Some((call, missing)) = room.seats.iter().find_map(|seat| missing(seat.leg)) {
                let why = match missing {
                    Missing::Socket => Why::ConnectionLost,
                    Missing::Media => Why::MediaLost,
                };
                self.leave(desk, call, why);
                continue;
            }
            if let (Kind::Named(named), [alone]) = (&room.kind, room.seats.as_slice())
                && named.alone_until.is_some_and(|until| until <= now)
            {
                let call = alone.leg;
                self.leave(desk, call, Why::Alone);
            }
            return;
        }
    }
}
