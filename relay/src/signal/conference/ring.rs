//! Somebody is rung into a room, and answers or does not.

use clinicall_sip::{Headers, Status, Uri, agent::CallId};

use super::{
    Conferences, Rung,
    room::{Leaving, Mute, Ring, Room, Seat},
};
use crate::{
    backend::Invitation,
    media::{MemberId, Wants},
    percent,
    signal::{
        News,
        focus::{
            Desk,
            ending::reason,
            fork::Verdict,
            place::{Caller, ring_sockets},
            ring::{ELSEWHERE, apply},
            room::Fork,
        },
        registrar::Binding,
    },
};

/// Users who were not there when they were rung; with more, the oldest are forgotten.
const MOST_WAITING: usize = 10_000;

impl Conferences {
    /// Rings a user into a room on behalf of the clinic, and lets the user enter from now on.
    pub fn ring(&mut self, desk: &mut Desk<'_>, invitation: Invitation) -> Rung {
        let users = self.invited.entry(invitation.room.clone()).or_default();
        users.insert(invitation.user.clone());
        let known = self.rooms.get(&invitation.room);
        if known.is_some_and(|room| room.has(&invitation.user)) {
            return Rung::IsThere;
        }
        if self.draining || (known.is_none() && self.rooms.len() >= desk.settings.calls) {
            return Rung::Full;
        }
        let bindings: Vec<Binding> = desk
            .registrar
            .bindings(desk.now, &invitation.user)
            .cloned()
            .collect();
        let rung = match bindings.is_empty() {
            true => 0,
            false => self.ring_now(desk, &invitation, &bindings),
        };
        if rung > 0 {
            return Rung::Rings(rung);
        }
        self.waiting.retain(|(_, other)| {
            (&other.room, &other.user) != (&invitation.room, &invitation.user)
        });
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.remove(0);
        }
        let until = desk.now + desk.settings.invitation;
        self.waiting.push((until, invitation));
        Rung::Waits
    }

    /// A user has come online: who waited for that is rung now.
    pub fn came_online(&mut self, desk: &mut Desk<'_>, user: &str) {
        let now = desk.now;
        let mut due = Vec::new();
        self.waiting.retain(|(until, invitation)| {
            let his = invitation.user == user;
            if his && *until > now {
                due.push(invitation.clone());
            }
            !his && *until > now
        });
        for invitation in due {
            self.ring(desk, invitation);
        }
    }

    fn ring_now(
        &mut self,
        desk: &mut Desk<'_>,
        invitation: &Invitation,
        bindings: &[Binding],
    ) -> usize {
        let number = self.next_number();
        let room = self
            .rooms
            .entry(invitation.room.clone())
            .or_insert_with(|| Room::new(desk.media.open_room()));
        let wants = Wants {
            audio: true,
            video: invitation.profile != "audio",
        };
        let from = in_the_name_of(desk, invitation);
        let forks = ring_sockets(desk, room.media, wants, &from, &invitation.user, bindings);
        let rung = forks.len();
        if rung > 0 {
            tracing::info!(
                call = number,
                room = invitation.room,
                to = invitation.user,
                sockets = rung,
                "rung into a room"
            );
            desk.metrics.calls_total.add(1);
            for fork in &forks {
                self.legs.insert(fork.leg.call, invitation.room.clone());
                self.members
                    .insert(fork.leg.member, invitation.room.clone());
            }
            let until = desk.now + desk.settings.ring_timeout;
            self.alarms.insert((until, invitation.room.clone()));
            room.rings.push(Ring {
                number,
                user: invitation.user.clone(),
                caller: invitation.caller.clone(),
                until,
                forks,
                best: None,
                told: false,
            });
        }
        self.settle(desk, &invitation.room);
        rung
    }

    pub(super) fn progress(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        status: Status,
        answer: Option<&str>,
    ) {
        let Some(name) = self.legs.get(&call).cloned() else {
            return;
        };
        if answer.is_some_and(|answer| !self.answered(desk, &name, call, answer)) {
            return;
        }
        let Some(room) = self.rooms.get_mut(&name) else {
            return;
        };
        if let Some(at) = room.ring_of(call)
            && matches!(status.0, 180 | 183)
            && !std::mem::replace(&mut room.rings[at].told, true)
        {
            let ring = &room.rings[at];
            desk.news.push_back(News::Ringing {
                call: ring.number,
                room: Some(name),
                from: ring.caller.clone(),
                to: ring.user.clone(),
            });
        }
    }

    /// The answer of a socket that rings; `false`: it is of no use and the socket rings no more.
    fn answered(&mut self, desk: &mut Desk<'_>, name: &str, call: CallId, answer: &str) -> bool {
        let fork = self.rooms.get_mut(name).and_then(|room| {
            let at = room.ring_of(call)?;
            room.rings[at]
                .forks
                .iter_mut()
                .find(|fork| fork.leg.call == call)
        });
        let Some(fork) = fork else { return true };
        match apply(desk, fork.leg.member, answer) {
            Ok(()) => {
                fork.answered = true;
                true
            }
            Err(refusal) => {
                tracing::info!(room = name, %refusal, "an answer cannot be used");
                let words = reason(488, &refusal.0);
                let _ = desk.agent.hangup(desk.now, call, Some(words));
                self.fork_failed(desk, name, call, Verdict::with(488, &refusal.0));
                false
            }
        }
    }

    pub(super) fn established(&mut self, desk: &mut Desk<'_>, call: CallId, answer: Option<&str>) {
        let Some(name) = self.legs.get(&call).cloned() else {
            return;
        };
        let seated = |room: &Room| room.seats.iter().any(|seat| seat.leg.call == call);
        if self.rooms.get(&name).is_none_or(seated) {
            return;
        }
        if answer.is_none_or(|answer| self.answered(desk, &name, call, answer)) {
            self.accepted(desk, &name, call);
        }
    }

    /// The first of a user's devices to accept is in the room; the others ring no more.
    fn accepted(&mut self, desk: &mut Desk<'_>, name: &str, call: CallId) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let Some(at) = room.ring_of(call) else { return };
        let usable = |fork: &Fork| fork.leg.call == call && fork.answered;
        let Some(winner) = room.rings[at].forks.iter().position(usable) else {
            let words = reason(488, "no answer in the 200");
            let _ = desk.agent.hangup(desk.now, call, Some(words));
            self.fork_failed(desk, name, call, Verdict::new(488));
            return;
        };
        let mut ring = room.rings.remove(at);
        let leg = ring.forks.swap_remove(winner).leg;
        self.give_up(desk, ring.forks, Some(&reason(200, ELSEWHERE)));
        desk.news.push_back(News::Answered {
            call: ring.number,
            room: Some(name.to_owned()),
            from: ring.caller.clone(),
            to: ring.user,
        });
        self.seat(
            desk,
            name,
            Seat {
                number: ring.number,
                leg,
                caller: ring.caller,
                since: desk.now,
                muted: Mute::default(),
            },
        );
    }

    /// Somebody is in the room from now on, and heard.
    pub(super) fn seat(&mut self, desk: &mut Desk<'_>, name: &str, seat: Seat) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        desk.media.admit(seat.leg.member);
        tracing::info!(
            call = seat.number,
            room = name,
            user = seat.leg.user,
            "joined"
        );
        desk.news.push_back(News::Joined {
            room: name.to_owned(),
            user: seat.leg.user.clone(),
        });
        room.seats.push(seat);
        self.settle(desk, name);
    }

    /// These sockets ring no more.
    pub(super) fn give_up(&mut self, desk: &mut Desk<'_>, forks: Vec<Fork>, words: Option<&str>) {
        for fork in forks {
            self.forget(fork.leg.call, fork.leg.member);
            desk.media.leave(fork.leg.member);
            let words = words.map(str::to_owned);
            let _ = desk.agent.hangup(desk.now, fork.leg.call, words);
        }
    }

    pub(super) fn forget(&mut self, call: CallId, member: MemberId) {
        self.legs.remove(&call);
        self.members.remove(&member);
    }

    /// One socket will not answer; when it was the user's last, the user does not come.
    pub(super) fn fork_failed(
        &mut self,
        desk: &mut Desk<'_>,
        name: &str,
        call: CallId,
        verdict: Verdict,
    ) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let Some(at) = room.ring_of(call) else { return };
        let ring = &mut room.rings[at];
        let Some(gone) = ring.forks.iter().position(|fork| fork.leg.call == call) else {
            return;
        };
        let fork = ring.forks.swap_remove(gone);
        let best = match ring.best.take() {
            Some(best) => best.or_better(verdict),
            None => verdict,
        };
        let over = ring.forks.is_empty() || best.is_for_all();
        ring.best = Some(best.clone());
        desk.media.leave(fork.leg.member);
        self.forget(call, fork.leg.member);
        if over {
            self.ring_over(desk, name, at, best);
        }
    }

    /// A user does not come.
    pub(super) fn ring_over(
        &mut self,
        desk: &mut Desk<'_>,
        name: &str,
        at: usize,
        verdict: Verdict,
    ) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let ring = room.rings.remove(at);
        room.refused = Some(verdict.clone());
        let words = match verdict.status.0 {
            600.. => Some(reason(verdict.status.0, "Declined on another device")),
            408 => Some(reason(408, "No answer")),
            _ => None,
        };
        self.give_up(desk, ring.forks, words.as_deref());
        let cause = verdict.label();
        desk.metrics.ended(cause);
        tracing::info!(call = ring.number, room = name, cause, "did not come");
        desk.news.push_back(News::Ended {
            call: ring.number,
            room: Some(name.to_owned()),
            from: ring.caller,
            to: ring.user,
            cause,
            talked: None,
        });
        self.settle(desk, name);
    }

    /// Rings nobody any more on behalf of this invitation.
    pub(super) fn call_off(&mut self, desk: &mut Desk<'_>, name: &str, user: &str) {
        self.waiting
            .retain(|(_, other)| (other.room.as_str(), other.user.as_str()) != (name, user));
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let Some(at) = room.rings.iter().position(|ring| ring.user == user) else {
            return;
        };
        let ring = room.rings.remove(at);
        let words = Leaving::Removed.reason();
        self.give_up(desk, ring.forks, words.as_deref());
        desk.metrics.ended("canceled");
        desk.news.push_back(News::Ended {
            call: ring.number,
            room: Some(name.to_owned()),
            from: ring.caller,
            to: ring.user,
            cause: "canceled",
            talked: None,
        });
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
