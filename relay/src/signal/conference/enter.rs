//! Somebody dials into a room.

use clinicall_sip::{
    Headers, Request, Status,
    agent::{CallId, Flow},
};

use super::{
    Conferences,
    room::{Mute, Room, Seat},
};
use crate::{
    auth::Rooms,
    config::is_user_id,
    media::Wants,
    signal::{
        Answer,
        focus::{
            Desk,
            ending::{reason, warning},
            place::offer,
            ring::ELSEWHERE,
            room::Leg,
        },
    },
};

impl Conferences {
    /// An INVITE to room `name` by `user`, who is who it says.
    pub fn incoming(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        flow: Flow,
        user: String,
        name: &str,
        invite: &Request,
    ) {
        if let Err(answer) = self.enter(desk, call, flow, user, name, invite) {
            tracing::debug!(status = answer.status.0, "entry refused");
            let _ = desk
                .agent
                .reject(desk.now, call, answer.status, answer.headers);
        }
    }

    fn enter(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        flow: Flow,
        user: String,
        name: &str,
        invite: &Request,
    ) -> Result<(), Answer> {
        if !is_user_id(name) {
            return Err(Answer::new(Status(404)));
        }
        if !self.may_enter(desk, flow, &user, name) {
            // whether there is such a room is nobody's business who may not enter it
            return Err(Answer::new(Status(403)));
        }
        let full = self.draining || self.rooms.len() >= desk.settings.calls;
        if !self.rooms.contains_key(name) && full {
            return Err(Answer::new(Status(503)).with("Retry-After", "5"));
        }
        let offer = offer(desk, invite)?;
        let room = self
            .rooms
            .entry(name.to_owned())
            .or_insert_with(|| Room::new(desk.media.open_room()));
        let joined = match &offer {
            Some(offer) => desk.media.join_by_offer(room.media, offer),
            None => desk.media.join_by_answer(
                room.media,
                Wants {
                    audio: true,
                    video: true,
                },
            ),
        };
        let (member, description) = match joined {
            Ok(joined) => joined,
            Err(refusal) => {
                self.settle(desk, name);
                let words = warning(desk.settings.host(), &refusal.0);
                return Err(Answer::new(Status(488)).with("Warning", words));
            }
        };
        self.legs.insert(call, name.to_owned());
        self.members.insert(member, name.to_owned());
        let mut headers = Headers::new();
        headers.push("X-Clinicall-Room", name);
        let description = Some(description.to_string());
        if desk
            .agent
            .accept(desk.now, call, description, headers)
            .is_err()
        {
            // the caller gave up in this very moment
            self.forget(call, member);
            desk.media.leave(member);
            self.settle(desk, name);
            return Ok(());
        }
        // whoever is rung into the room and dials in instead need not be rung any more
        self.stop_ringing(desk, name, &user);
        let number = self.next_number();
        desk.metrics.calls_total.add(1);
        let leg = Leg {
            call,
            instance: desk.registrar.instance(flow),
            user,
            flow,
            member,
            absent: None,
            silent: None,
        };
        let seat = Seat {
            number,
            leg,
            caller: String::new(),
            since: desk.now,
            muted: Mute::default(),
        };
        self.seat(desk, name, seat);
        Ok(())
    }

    /// Invited, or holding a token that names this very room, which is the clinic's word as well.
    fn may_enter(&self, desk: &Desk<'_>, flow: Flow, user: &str, name: &str) -> bool {
        let invited = self.invited.get(name);
        let rooms = desk.registrar.grant(flow).map(|grant| &grant.rooms);
        let linked = matches!(rooms, Some(rooms @ Rooms::Only(_)) if rooms.admit(name));
        desk.settings.open_rooms || linked || invited.is_some_and(|users| users.contains(user))
    }

    fn stop_ringing(&mut self, desk: &mut Desk<'_>, name: &str, user: &str) {
        self.waiting
            .retain(|(_, other)| (other.room.as_str(), other.user.as_str()) != (name, user));
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        if let Some(at) = room.rings.iter().position(|ring| ring.user == user) {
            let ring = room.rings.remove(at);
            self.give_up(desk, ring.forks, Some(&reason(200, ELSEWHERE)));
        }
    }
}
