//! It rings, and somebody answers.

use clinicall_sip::{Headers, Status, agent::CallId, sdp::Sdp};

use super::{
    Desk, Focus,
    ending::{Why, reason},
    fork::Verdict,
    room::{Key, Leg, Phase},
};
use crate::{
    media::{MemberId, Refusal},
    signal::News,
};

impl Focus {
    /// A provisional response of one of the callee's sockets. 183 means ringing as well: a client
    /// that pre-connects says so with its answer.
    pub(super) fn progress(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        status: Status,
        answer: Option<&str>,
    ) {
        let Some(&key) = self.legs.get(&call) else {
            return;
        };
        if answer.is_some_and(|answer| !self.answer_of_fork(desk, key, call, answer)) {
            return;
        }
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        let caller = room.caller.call;
        if let Phase::Ringing(ringing) = &mut room.phase
            && matches!(status.0, 180 | 183)
            && !ringing.told
        {
            ringing.told = true;
            tracing::info!(call = key.0, "ringing");
            desk.news.push_back(News::Ringing {
                call: key.0,
                room: None,
                from: room.caller.user.clone(),
                to: room.callee.clone(),
            });
            let _ = desk
                .agent
                .progress(desk.now, caller, Status(180), None, Headers::new());
        }
    }

    pub(super) fn established(&mut self, desk: &mut Desk<'_>, call: CallId, answer: Option<&str>) {
        let Some(key) = self.legs.get(&call).copied() else {
            // given up on our side while the 200 was under way
            let _ = desk
                .agent
                .hangup(desk.now, call, Some(reason(200, ELSEWHERE)));
            return;
        };
        let Some(room) = self.rooms.get(&key) else {
            return;
        };
        if room.caller.call == call {
            if let Some(answer) = answer {
                self.answer_of_caller(desk, call, answer);
            }
        } else if answer.is_none_or(|answer| self.answer_of_fork(desk, key, call, answer)) {
            self.won(desk, key, call);
        }
    }

    /// The answer of a caller who made no offer.
    pub(super) fn answer_of_caller(&mut self, desk: &mut Desk<'_>, call: CallId, answer: &str) {
        let Some((&key, room)) = self
            .legs
            .get(&call)
            .and_then(|key| Some((key, self.rooms.get(key)?)))
        else {
            return;
        };
        if let Err(refusal) = apply(desk, room.caller.member, answer) {
            tracing::info!(call = key.0, %refusal, "the caller's answer cannot be used");
            self.end(desk, key, Why::Media(refusal.0));
        }
    }

    /// The answer of one of the callee's sockets; `false`: it is of no use and its fork is gone.
    fn answer_of_fork(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        call: CallId,
        answer: &str,
    ) -> bool {
        let Some(room) = self.rooms.get_mut(&key) else {
            return false;
        };
        let Phase::Ringing(ringing) = &mut room.phase else {
            return true;
        };
        let Some(fork) = ringing.forks.iter_mut().find(|fork| fork.leg.call == call) else {
            return true;
        };
        match apply(desk, fork.leg.member, answer) {
            Ok(()) => {
                fork.answered = true;
                true
            }
            Err(refusal) => {
                tracing::info!(call = key.0, %refusal, "an answer cannot be used");
                let _ = desk
                    .agent
                    .hangup(desk.now, call, Some(reason(488, &refusal.0)));
                self.fork_failed(desk, key, call, Verdict::with(488, &refusal.0));
                false
            }
        }
    }

    /// The first to accept: both are heard from now on, the others stop ringing.
    fn won(&mut self, desk: &mut Desk<'_>, key: Key, call: CallId) {
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        let Phase::Ringing(ringing) = &mut room.phase else {
            return;
        };
        let Some(at) = ringing.forks.iter().position(|fork| fork.leg.call == call) else {
            return;
        };
        if !ringing.forks[at].answered {
            let _ = desk
                .agent
                .hangup(desk.now, call, Some(reason(488, "no answer in the 200")));
            self.fork_failed(desk, key, call, Verdict::new(488));
            return;
        }
        let winner = ringing.forks.swap_remove(at).leg;
        self.talk(desk, key, winner);
    }

    /// From now on the caller and `winner` talk; whatever still rings for this call stops.
    pub(super) fn talk(&mut self, desk: &mut Desk<'_>, key: Key, winner: Leg) {
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        let Phase::Ringing(ringing) = &mut room.phase else {
            return;
        };
        let losers = std::mem::take(&mut ringing.forks);
        let (caller, unsent) = (room.caller.call, room.unsent.take());
        desk.media.admit(room.caller.member);
        desk.media.admit(winner.member);
        tracing::info!(call = key.0, by = room.callee, "answered");
        desk.news.push_back(News::Answered {
            call: key.0,
            room: None,
            from: room.caller.user.clone(),
            to: room.callee.clone(),
        });
        room.answered = Some(desk.now);
        room.phase = Phase::Talking(winner);
        for fork in losers {
            self.forget(&fork.leg);
            desk.media.leave(fork.leg.member);
            let _ = desk
                .agent
                .hangup(desk.now, fork.leg.call, Some(reason(200, ELSEWHERE)));
        }
        if desk
            .agent
            .accept(desk.now, caller, unsent, Headers::new())
            .is_err()
        {
            // the caller gave up in this very moment
            return self.end(desk, key, Why::CallerGone);
        }
        self.expect_media(desk, key);
    }

    /// One socket will not answer. When it was the last one, the caller hears the best of it.
    pub(super) fn fork_failed(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        call: CallId,
        verdict: Verdict,
    ) {
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        let Phase::Ringing(ringing) = &mut room.phase else {
            return;
        };
        let Some(at) = ringing.forks.iter().position(|fork| fork.leg.call == call) else {
            return;
        };
        let fork = ringing.forks.swap_remove(at);
        let best = match ringing.best.take() {
            Some(best) => best.or_better(verdict),
            None => verdict,
        };
        let over = ringing.forks.is_empty() || best.is_for_all();
        ringing.best = Some(best.clone());
        self.forget(&fork.leg);
        desk.media.leave(fork.leg.member);
        if over {
            self.end(desk, key, Why::Refused(best));
        }
    }
}

/// RFC 3261 section 16.7 and RFC 3326 section 2: what a device says nothing about having missed.
pub(in crate::signal) const ELSEWHERE: &str = "Call completed elsewhere";

pub(in crate::signal) fn apply(
    desk: &Desk<'_>,
    member: MemberId,
    answer: &str,
) -> Result<(), Refusal> {
    let answer = Sdp::parse(answer).map_err(|bad| Refusal(bad.to_string()))?;
    desk.media.answered(member, &answer)
}
