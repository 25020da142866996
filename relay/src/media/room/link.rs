//! What the links to a room's members carry: when a picture is taken away, and when it comes back.

use super::{QUEUED, Room, Sink};
use crate::media::{
    estimate::{
        Change,
        probe::{Found, Probe},
    },
    forward::{pad, release},
    lane::Kind,
    serve::{SOON, serve},
};

impl Room {
    /// Does what is due for a member.
    pub(super) fn tend(&mut self, now: u64, at: usize, sink: &mut impl Sink) {
        self.watch_link(now, at, sink);
        if release(now, at, &mut self.members, &mut self.copy, sink) {
            self.wake.0 = self.wake.0.min(now + QUEUED);
        }
        serve(now, at, &mut self.members, &mut self.desk, sink);
    }

    /// What the silence of a member's link means, and whether it has room again.
    fn watch_link(&mut self, now: u64, at: usize, sink: &mut impl Sink) {
        let member = &mut self.members[at];
        if member.downlink.is_cut_off().is_none() {
            // the member has other wishes
            member.probe = None;
        }
        if let Some(probe) = &mut member.probe {
            if probe.due(now) && pad(now, member, sink).is_none() {
                // nothing to ask it with: it gets the picture back when that has become small
                member.probe = None;
                member.downlink.cannot_ask();
            }
            return;
        }
        if !member.downlink.shows() {
            return;
        }
        let far = member.distance();
        let (held, dead) = (
            member.estimator.held_from(far),
            member.estimator.dead_from(far),
        );
        if dead.is_some_and(|dead| dead <= now) {
            member.estimator.died(now);
            if member.downlink.died(now) {
                self.cut_off(now, at);
            }
        } else if held.is_some_and(|held| held <= now) {
            member.pace(now);
        }
    }

    /// A member's picture was taken away because of its link.
    pub(super) fn cut_off(&mut self, now: u64, at: usize) {
        let member = &mut self.members[at];
        let died = member.downlink.is_cut_off() == Some(true);
        member.probe = Some(Probe::begin(now + member.downlink.patience(), died));
        member.pace(now);
        self.tell_carried(now, at);
        self.assign();
        self.wake.0 = self.wake.0.min(now + QUEUED);
    }

    /// A member's feedback came.
    pub(super) fn fed(&mut self, now: u64, at: usize, change: Change) {
        let member = &mut self.members[at];
        let mut assign = false;
        if let Some(probe) = &mut member.probe {
            let found = match change {
                Change::Nothing => Found::Nothing,
                Change::Fine => probe.came(now, member.estimator.told()),
                Change::Waits | Change::Less => {
                    probe.waited(now);
                    Found::Nothing
                }
            };
            match found {
                Found::Nothing => {}
                Found::Room(rate) => {
                    let all = member.speech() + rate;
                    member.estimator.proved(now, all);
                    assign = member.downlink.widened(now, rate);
                }
                Found::Alive => {
                    let room = member.room().unwrap_or(u64::MAX);
                    assign = member.downlink.widened(now, room);
                }
            }
            match member.downlink.is_cut_off() {
                None => member.probe = None,
                // alive, and too narrow
                Some(false) if found == Found::Alive => {
                    member.probe = Some(Probe::begin(now, false));
                }
                Some(_) => {}
            }
        } else if change == Change::Less
            && let Some(room) = member.room()
            && member.downlink.narrowed(now, room)
        {
            self.cut_off(now, at);
        }
        self.members[at].pace(now);
        if assign {
            self.assign();
            self.wake.0 = self.wake.0.min(now + QUEUED);
        }
        if change == Change::Less {
            self.hurry_publisher(now, at);
        }
        self.tell_carried(now, at);
    }

    /// Tells signalling what a member's link carries, where that is another thing than before.
    pub(super) fn tell_carried(&mut self, now: u64, at: usize) {
        let member = &mut self.members[at];
        let carried = member.carried();
        if member.carries.tell(now, carried) {
            self.news.push((member.id, carried));
        }
    }

    /// Whose picture a member gets hears soon that it takes less of it.
    pub(super) fn hurry_publisher(&mut self, now: u64, at: usize) {
        let slot = self.members[at].lane(Kind::Video).slot.as_ref();
        let source = slot.and_then(|slot| slot.source);
        if let Some(source) = source.and_then(|source| self.find(source)) {
            let publisher = &mut self.members[source];
            publisher.report_at = publisher.report_at.min(now + SOON);
            self.wake.0 = self.wake.0.min(publisher.report_at);
        }
    }
}
