//! Sockets and media paths that go away, and come back.

use clinicall_sip::{
    Millis, Time,
    agent::{CallId, Flow},
};

use super::{
    Desk, Focus,
    ending::Why,
    fork::Verdict,
    room::{Key, Phase},
};
use crate::{media::MemberId, signal::Closing};

/// A path that never was gets so many times the patience of one that was lost: a browser tries UDP
/// for seconds before TCP.
const NEVER: u64 = 3;

impl Focus {
    /// A socket is gone. While it rings that ends its part at once; a call that was answered waits
    /// for the device to return, unless its page said goodbye.
    pub fn flow_closed(&mut self, desk: &mut Desk<'_>, flow: Flow, how: Closing) {
        let until = desk.now + desk.settings.grace;
        let mut over: Vec<(Key, CallId)> = Vec::new();
        for (key, room) in &mut self.rooms {
            let ringing = matches!(room.phase, Phase::Ringing(_));
            for leg in room.legs_mut().filter(|leg| leg.flow == flow) {
                if ringing || how == Closing::Gone || leg.instance.is_none() {
                    over.push((*key, leg.call));
                } else {
                    leg.absent = Some(until);
                    self.alarms.insert((until, *key));
                    tracing::info!(call = key.0, user = leg.user, "socket lost, waiting");
                }
            }
        }
        for (key, call) in over {
            self.leg_gone(desk, key, call, how);
        }
    }

    fn leg_gone(&mut self, desk: &mut Desk<'_>, key: Key, call: CallId, how: Closing) {
        let Some(room) = self.rooms.get(&key) else {
            return;
        };
        let why = match &room.phase {
            Phase::Ringing(_) if room.caller.call != call => {
                let _ = desk.agent.hangup(desk.now, call, None);
                self.fork_failed(desk, key, call, Verdict::new(480));
                return;
            }
            Phase::Ringing(_) => Why::Canceled(None),
            Phase::Talking(_) if how == Closing::Gone => Why::PageClosed { by: call },
            Phase::Talking(_) => Why::Lost {
                by: call,
                text: "Connection lost",
            },
        };
        self.end(desk, key, why);
    }

    /// A device has registered over `flow`: its calls go on there.
    pub fn returned(&mut self, desk: &mut Desk<'_>, user: &str, instance: &str, flow: Flow) {
        for (key, room) in &mut self.rooms {
            for leg in room.legs_mut() {
                let its_own = leg.user == user && leg.instance.as_deref() == Some(instance);
                if its_own && leg.flow != flow && desk.agent.move_call(leg.call, flow).is_ok() {
                    leg.flow = flow;
                    leg.absent = None;
                    tracing::info!(call = key.0, user, "socket returned");
                }
            }
        }
    }

    pub fn media_lost(&mut self, desk: &mut Desk<'_>, member: MemberId, why: &str) {
        let Some(&key) = self.members.get(&member) else {
            return;
        };
        let until = desk.now + desk.settings.grace;
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        for leg in room.legs_mut().filter(|leg| leg.member == member) {
            tracing::info!(call = key.0, user = leg.user, why, "media lost, waiting");
            leg.silent = Some(until);
            self.alarms.insert((until, key));
        }
    }

    pub fn media_connected(&mut self, member: MemberId) {
        if self.members.contains_key(&member) {
            self.connected.insert(member);
        }
        let room = self
            .members
            .get(&member)
            .and_then(|key| self.rooms.get_mut(key));
        for leg in room.into_iter().flat_map(|room| room.legs_mut()) {
            if leg.member == member {
                leg.silent = None;
            }
        }
    }

    /// The call is answered: media paths that are not there yet have so long to come.
    pub(super) fn expect_media(&mut self, desk: &Desk<'_>, key: Key) {
        let until = desk.now + Millis(desk.settings.grace.0 * NEVER);
        let (Some(room), connected) = (self.rooms.get_mut(&key), &self.connected) else {
            return;
        };
        for leg in room.legs_mut() {
            if !connected.contains(&leg.member) {
                leg.silent = Some(until);
                self.alarms.insert((until, key));
            }
        }
    }

    /// Is a deadline of this room over?
    pub(super) fn look_at(&mut self, desk: &mut Desk<'_>, key: Key) {
        let Some(room) = self.rooms.get(&key) else {
            return;
        };
        let now = desk.now;
        let over = |deadline: Option<Time>| deadline.is_some_and(|deadline| deadline <= now);
        let why = match &room.phase {
            Phase::Ringing(ringing) if ringing.until <= now => Some(Why::NoAnswer),
            Phase::Ringing(_) => None,
            Phase::Talking(_) => room.legs().find_map(|leg| {
                let text = match (over(leg.absent), over(leg.silent)) {
                    (true, _) => "Connection lost",
                    (_, true) => "Media connection lost",
                    _ => return None,
                };
                Some(Why::Lost { by: leg.call, text })
            }),
        };
        if let Some(why) = why {
            self.end(desk, key, why);
        }
    }
}
