//! A call that the relay has lost, because it was started anew.
//!
//! It has forgotten all calls, and neither side has done anything to end this one. So each asks the relay for the other,
//! with a header that says so: nobody is rung, and who asks for somebody that asks for it is connected. Sound and picture
//! get a new connection; to the page it is the same call, which was reconnecting for a moment.

use clinicall_sip::{
    Headers, Millis, Time,
    agent::{self, By},
};

use super::{
    super::{Direction, PeerCommand},
    Call, Desk, Draft, Event, Stage,
};
use crate::reason::{Cause, Reason};

/// Says which of the two we were: `caller` or `callee`.
const HEADER: &str = "X-Clinicall-Resume";

/// As long as a path that is lost is looked for.
const GIVE_UP: Millis = Millis(40_000);
/// A relay that has no time for us may have some later; one that stops closes the socket at once. Up to so much more, so
/// that not everybody asks in the same moment: that depends on when each was told.
const AGAIN: Millis = Millis(2_000);
const SPREAD: u64 = 3_000;

#[derive(Debug)]
pub(super) struct Lost {
    /// What the page hears when the call stays lost.
    reason: Reason,
    until: Time,
    /// When to ask again over the same socket.
    again: Time,
}

impl Lost {
    pub fn wake(&self, waits: bool) -> Time {
        match waits {
            true => self.again.min(self.until),
            false => self.until,
        }
    }
}

fn again(now: Time) -> Time {
    now + Millis(AGAIN.0 + now.0 % SPREAD)
}

/// How a relay of ours loses a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// It has stopped, and hung up on everybody.
    Stopped,
    /// It was started anew, and knows nothing of this call.
    Forgotten,
}

fn loss(ending: &agent::Ending) -> Option<Loss> {
    let status = ending.status.map(|status| status.0);
    match (ending.by, ending.cause, status) {
        (By::Remote, agent::Cause::Hangup, Some(503)) => Some(Loss::Stopped),
        (By::Remote, agent::Cause::DialogError, Some(481)) => Some(Loss::Forgotten),
        _ => None,
    }
}

/// What the relay cannot do now it may do in a moment, and so may the next one.
fn passes(ending: &agent::Ending) -> bool {
    let status = ending.status.map(|status| status.0);
    let unheard = matches!(
        ending.cause,
        agent::Cause::ConnectionLost | agent::Cause::RequestTimeout
    );
    unheard || status == Some(503)
}

impl Call {
    /// The dialog is over; the call may not be.
    pub(super) fn ended(&mut self, desk: &mut Desk<'_>, ending: agent::Ending) {
        let talking = matches!(self.stage, Stage::Talking { .. });
        match (loss(&ending), &self.lost) {
            (Some(loss), _) if talking && self.ours => {
                self.lost = Some(Lost {
                    reason: ending.into(),
                    until: desk.now + GIVE_UP,
                    again: again(desk.now),
                });
                self.stage = Stage::Lost;
                desk.tell(Event::Changed(self.id));
                if loss == Loss::Forgotten {
                    self.resume(desk);
                }
            }
            (_, Some(_)) if !talking && passes(&ending) => self.waits(desk),
            (_, Some(lost)) if !talking => {
                let reason = match ending.cause {
                    agent::Cause::Unavailable => {
                        Reason::of(Cause::Sip(agent::Cause::PeerVanished), ending.by)
                    }
                    _ => lost.reason.clone(),
                };
                self.over(desk, reason);
            }
            _ => self.over(desk, ending.into()),
        }
    }

    /// Until the phone is logged in anew, or for a moment.
    pub(super) fn waits(&mut self, desk: &Desk<'_>) {
        self.stage = Stage::Lost;
        if let Some(lost) = &mut self.lost {
            lost.again = again(desk.now);
        }
    }

    /// The other side is there; sound and picture have as long as any other call's to follow.
    pub(super) fn found(&mut self, now: Time) {
        if let Some(lost) = &mut self.lost {
            lost.until = now + GIVE_UP;
        }
    }

    /// Time passes while the call is lost.
    pub(super) fn tick_lost(&mut self, desk: &mut Desk<'_>) {
        if let Some(lost) = self.lost.take_if(|lost| desk.now >= lost.until) {
            return self.end(desk, lost.reason);
        }
        let due = self
            .lost
            .as_ref()
            .is_some_and(|lost| desk.now >= lost.again);
        if due && matches!(self.stage, Stage::Lost) {
            match desk.registered {
                true => self.resume(desk),
                false => self.waits(desk),
            }
        }
    }

    /// Places the call anew, with the devices that it has.
    pub(super) fn resume(&mut self, desk: &mut Desk<'_>) {
        let target = match (self.direction, &self.peer.room) {
            (Direction::Incoming, Some(room)) => ["room:", room].concat(),
            _ => self.peer.uri.clone(),
        };
        let Ok(to) = desk.account.target(&target) else {
            return self.over(desk, Reason::of(Cause::MediaLost, By::System));
        };
        *self = Self {
            video: self.video,
            muted: self.muted,
            wants: self.wants,
            capture: self.capture,
            media_told: self.media_told,
            lost: self.lost.take(),
            stage: Stage::Preparing {
                to,
                draft: Draft::Browser,
            },
            ..Self::new(desk, self.id, self.direction, self.peer.clone(), self.ours)
        };
        desk.browser(self.id, PeerCommand::Create { bundle: self.ours });
        self.offer(desk);
    }

    pub(super) fn resume_header(&self) -> Headers {
        let mut headers = Headers::new();
        if self.lost.is_some() {
            let role = match self.direction {
                Direction::Outgoing => "caller",
                Direction::Incoming => "callee",
            };
            headers.push(HEADER, role);
        }
        headers
    }
}
