//! A user is rung: an INVITE to every socket, each with an offer of its own. The first to accept
//! comes in, the others stop ringing.

use clinicall_sip::{
    Headers, Status,
    agent::{CallId, Invite},
    sdp::Sdp,
    uri::Uri,
};

use super::{
    Desk, Focus,
    leg::{Leg, Stage},
    room::{Call, Key, Kind, Mute, Ring, Room, Seat},
    verdict::Verdict,
    words::{ELSEWHERE, Why, reason},
};
use crate::{
    media::{MemberId, Refusal, RoomId, Wants},
    signal::{News, registrar::Binding},
};

/// In whose name a user is rung.
#[derive(Debug)]
pub(super) struct Caller {
    pub uri: Uri,
    pub name: Option<String>,
    pub headers: Headers,
}

impl Focus {
    /// Rings these sockets of `user`; those that could be reached.
    pub(super) fn ring_sockets(
        &mut self,
        desk: &mut Desk<'_>,
        (key, media): (Key, RoomId),
        wants: Wants,
        from: &Caller,
        user: &str,
        bindings: &[Binding],
    ) -> Vec<CallId> {
        let mut forks = Vec::new();
        for binding in bindings {
            let Ok((member, offer)) = desk.media.join_by_answer(media, wants) else {
                continue;
            };
            let invite = Invite {
                to: Uri::sip(user, desk.settings.host()),
                target: Some(binding.contact.clone()),
                from: from.uri.clone(),
                from_name: from.name.clone(),
                offer: Some(offer.to_string()),
                headers: from.headers.clone(),
                // ours are never lent to whoever asks for some (CVE-2021-41158)
                credentials: None,
            };
            let Ok(call) = desk.agent.invite(desk.now, binding.flow, invite) else {
                desk.media.leave(member);
                continue;
            };
            let (user, device) = (user.to_owned(), binding.instance.clone());
            let leg = Leg::new(key, user, binding.flow, device, member, Stage::Rung);
            self.legs.insert(call, leg);
            forks.push(call);
        }
        forks
    }

    /// The room of a leg that is rung, and which of its rings it belongs to.
    fn ring_of(&mut self, leg: CallId) -> Option<(Key, &mut Room, usize)> {
        let key = self.legs.get(leg)?.room;
        let room = self.rooms.get_mut(&key)?;
        let at = room.ring_of(leg)?;
        Some((key, room, at))
    }

    /// A provisional response of one of the sockets. 183 means ringing as well: a client that
    /// pre-connects says so with its answer.
    pub(super) fn progress(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        status: Status,
        answer: Option<&str>,
    ) {
        if answer.is_some_and(|answer| !self.described(desk, call, answer)) {
            return;
        }
        let Some((_, room, at)) = self.ring_of(call) else {
            return;
        };
        let name = room.name().map(str::to_owned);
        let ring = &mut room.rings[at];
        if !matches!(status.0, 180 | 183) || std::mem::replace(&mut ring.told, true) {
            return;
        }
        tracing::info!(call = ring.number, "ringing");
        desk.news.push_back(News::Ringing {
            call: ring.number,
            room: name,
            from: ring.caller.clone(),
            to: ring.user.clone(),
        });
        if let Kind::Call(Call { caller, .. }) = &room.kind {
            let _ = desk
                .agent
                .progress(desk.now, *caller, Status(180), None, Headers::new());
        }
    }

    /// The answer of one of the sockets; `false`: it is of no use and the socket rings no more.
    fn described(&mut self, desk: &mut Desk<'_>, call: CallId, answer: &str) -> bool {
        let rung = |leg: &&mut Leg| leg.stage == Stage::Rung;
        let Some(leg) = self.legs.get_mut(call).filter(rung) else {
            return true;
        };
        match apply(desk, leg.member, answer) {
            Ok(answer) => {
                leg.described = true;
                self.limited_by(desk, call, &answer);
            }
            Err(refusal) => {
                tracing::info!(%refusal, "an answer cannot be used");
                self.turn_down(desk, call, &refusal.0);
                return false;
            }
        }
        true
    }

    /// An answer of a socket's that is of no use.
    fn turn_down(&mut self, desk: &mut Desk<'_>, call: CallId, why: &str) {
        let words = Some(reason(488, why));
        let _ = desk.agent.hangup(desk.now, call, words);
        self.fork_failed(desk, call, Verdict::with(488, why));
    }

    pub(super) fn established(&mut self, desk: &mut Desk<'_>, call: CallId, answer: Option<&str>) {
        match self.legs.get(call).map(|leg| leg.stage) {
            // given up on our side while the 200 was under way
            None => {
                let words = Some(reason(200, ELSEWHERE));
                let _ = desk.agent.hangup(desk.now, call, words);
            }
            Some(Stage::Rung) => {
                if answer.is_none_or(|answer| self.described(desk, call, answer)) {
                    self.accepted(desk, call);
                }
            }
            Some(_) => {
                if let Some(answer) = answer {
                    self.answer_of_caller(desk, call, answer);
                }
            }
        }
    }

    /// The answer of a caller who made no offer.
    pub(super) fn answer_of_caller(&mut self, desk: &mut Desk<'_>, call: CallId, answer: &str) {
        let Some(leg) = self.legs.get(call) else {
            return;
        };
        match apply(desk, leg.member, answer) {
            Ok(answer) => self.limited_by(desk, call, &answer),
            Err(refusal) => {
                tracing::info!(user = leg.user, %refusal, "the caller's answer cannot be used");
                self.leave(desk, call, Why::Media(refusal.0));
            }
        }
    }

    /// The first to accept.
    fn accepted(&mut self, desk: &mut Desk<'_>, call: CallId) {
        if !self.legs.get(call).is_some_and(|leg| leg.described) {
            return self.turn_down(desk, call, "no answer in the 200");
        }
        let Some((key, room, at)) = self.ring_of(call) else {
            return;
        };
        let ring = room.rings.remove(at);
        self.won(desk, key, ring, call);
    }

    /// The user who was rung is there, with this leg: one of those that rang, or one that dialled
    /// in. From now on it is heard, and so is a caller who waited for it.
    pub(super) fn won(&mut self, desk: &mut Desk<'_>, key: Key, ring: Ring, call: CallId) {
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        tracing::info!(call = ring.number, by = ring.user, "answered");
        let (from, to) = match &room.kind {
            Kind::Call(call) => (&call.from, &call.to),
            Kind::Named(_) => (&ring.caller, &ring.user),
        };
        desk.news.push_back(News::Answered {
            call: ring.number,
            room: room.name().map(str::to_owned),
            from: from.clone(),
            to: to.clone(),
        });
        let caller = match &mut room.kind {
            Kind::Call(between) => {
                if between.is_missed() {
                    desk.metrics.calls_total.add(1);
                }
                between.answered = Some(desk.now);
                Some((between.caller, between.unsent.take()))
            }
            Kind::Named(_) => None,
        };
        let losers = ring.forks.into_iter().filter(|fork| *fork != call);
        self.give_up(desk, losers.collect(), Some(&reason(200, ELSEWHERE)));
        if let Some((caller, unsent)) = caller {
            let accepted = desk.agent.accept(desk.now, caller, unsent, Headers::new());
            if accepted.is_err() {
                // gone in this very moment; the one who answered is in the call already
                self.sit_down(desk, key, (ring.number, call), ring.caller);
                return self.end_call(desk, key, &Why::CallerGone, None);
            }
            self.sit_down(desk, key, (ring.number, caller), String::new());
        }
        self.sit_down(desk, key, (ring.number, call), ring.caller);
        self.settle(desk, key);
    }

    /// Somebody is in the room from now on, and heard.
    pub(super) fn sit_down(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        (number, call): (u64, CallId),
        caller: String,
    ) {
        if let Some(until) = self.legs.answered(call, desk.now, desk.settings.grace) {
            self.alarms.insert((until, key));
        }
        let (Some(room), Some(leg)) = (self.rooms.get_mut(&key), self.legs.get(call)) else {
            return;
        };
        desk.media.admit(leg.member);
        if let Kind::Named(named) = &room.kind {
            tracing::info!(call = number, room = named.name, user = leg.user, "joined");
            desk.news.push_back(News::Joined {
                room: named.name.clone(),
                user: leg.user.clone(),
            });
        }
        room.seats.push(Seat {
            number,
            leg: call,
            user: leg.user.clone(),
            caller,
            since: desk.now,
            muted: Mute::default(),
        });
        self.tell_limits(desk, key);
    }

    /// These sockets ring no more.
    pub(super) fn give_up(&mut self, desk: &mut Desk<'_>, forks: Vec<CallId>, words: Option<&str>) {
        for call in forks {
            self.drop_leg(desk, call);
            let words = words.map(str::to_owned);
            let _ = desk.agent.hangup(desk.now, call, words);
        }
    }

    /// One socket will not answer; when it was the user's last, the user does not come.
    pub(super) fn fork_failed(&mut self, desk: &mut Desk<'_>, call: CallId, verdict: Verdict) {
        let Some((key, room, at)) = self.ring_of(call) else {
            return;
        };
        let ring = &mut room.rings[at];
        ring.forks.retain(|fork| *fork != call);
        let best = match ring.best.take() {
            Some(best) => best.or_better(verdict),
            None => verdict,
        };
        let over = ring.forks.is_empty() || best.is_for_all();
        ring.best = Some(best.clone());
        self.drop_leg(desk, call);
        if over {
            self.ring_over(desk, key, at, best);
        }
    }

    /// A user does not come.
    pub(super) fn ring_over(&mut self, desk: &mut Desk<'_>, key: Key, at: usize, best: Verdict) {
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        let why = match &room.kind {
            // nobody was rung
            Kind::Call(call) if call.resumed.is_some() => Why::ConnectionLost,
            _ => Why::Refused(best.clone()),
        };
        match &mut room.kind {
            Kind::Call(_) => return self.end_call(desk, key, &why, None),
            Kind::Named(named) => named.refused = Some(best),
        }
        self.stop_ringing(desk, key, at, &why);
        self.settle(desk, key);
    }

    /// Rings a user into a room of the clinic's no more.
    pub(super) fn stop_ringing(&mut self, desk: &mut Desk<'_>, key: Key, at: usize, why: &Why) {
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        let ring = room.rings.remove(at);
        // whoever is not wanted any more was called off, whatever the word for those inside
        let cause = match why {
            Why::Refused(verdict) => verdict.label(),
            _ => "canceled",
        };
        desk.metrics.ended(cause);
        tracing::info!(call = ring.number, cause, "did not come");
        desk.news.push_back(News::Ended {
            call: ring.number,
            room: room.name().map(str::to_owned),
            from: ring.caller,
            to: ring.user,
            cause,
            talked: None,
        });
        self.give_up(desk, ring.forks, why.reason().as_deref());
    }
}

fn apply(desk: &Desk<'_>, member: MemberId, answer: &str) -> Result<Sdp, Refusal> {
    let answer = Sdp::parse(answer).map_err(|bad| Refusal(bad.to_string()))?;
    desk.media.answered(member, &answer)?;
    Ok(answer)
}
