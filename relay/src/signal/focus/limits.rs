//! What members can take: what they say of it, what their links carry, and what the others are told.

use clinicall_sip::{
    Headers, Method,
    agent::CallId,
    sdp::{Sdp, edit::application_specific},
};

use super::{
    Desk, Focus,
    leg::{Leg, NONE},
    room::Key,
};
use crate::media::{Limits, MemberId};

/// A side says what it can take; the media plane keeps to it, and the others hear of it.
pub(super) const BANDWIDTH: &str = "application/vnd.clinicall.bandwidth";
/// What we found out about a side's own link, in the same words: it is told when its picture goes and
/// comes back.
const LINK: &str = "application/vnd.clinicall.link";

impl Focus {
    /// A description of a member's. That it wants speech alone, and how much of that at most, holds until it says otherwise:
    /// an INFO about it may be a second late on a link that loses packets, and speech without a limit has flooded
    /// that by then. A description that is sent again takes nothing back.
    ///
    /// Of a picture the INFO is soon enough. Who hears before its first keyframe how small that has to be has it wait in
    /// its browser's pacer, and the sound for it: at 64 kbit/s and 5 % words were lost in six of 20 visits, and in none of 18 otherwise.
    pub(super) fn limited_by(&mut self, desk: &mut Desk<'_>, call: CallId, said: &Sdp) {
        let Some(leg) = self.legs.get_mut(call) else {
            return;
        };
        let limits = described(said);
        let changed = limits != std::mem::replace(&mut leg.described_limits, limits);
        if leg.informed {
            // the media plane has read the description as well
            desk.media.limit(leg.member, leg.takes);
        } else if changed && wants_speech_alone(said, limits) {
            self.limited(desk, call, limits);
        } else if changed && leg.takes != NONE {
            let key = leg.room;
            leg.takes = NONE;
            self.tell_limits(desk, key);
        }
    }

    /// A member says by INFO what it can take.
    pub(super) fn informed(&mut self, desk: &mut Desk<'_>, call: CallId, limits: Limits) {
        if let Some(leg) = self.legs.get_mut(call) {
            leg.informed = true;
        }
        self.limited(desk, call, limits);
    }

    fn limited(&mut self, desk: &mut Desk<'_>, call: CallId, limits: Limits) {
        let Some(leg) = self.legs.get_mut(call) else {
            return;
        };
        leg.takes = limits;
        desk.media.limit(leg.member, limits);
        let key = leg.room;
        self.tell_limits(desk, key);
    }

    /// Tells everybody in a room how much the others can take, where that has changed. Who says
    /// nothing takes all; among several others the most counts, for the media plane thins what is
    /// too much for the rest.
    pub(super) fn tell_limits(&mut self, desk: &mut Desk<'_>, key: Key) {
        let Some(room) = self.rooms.get(&key) else {
            return;
        };
        let takes = |call| self.legs.get(call).map(Leg::takes);
        let takes = room.seats.iter().map(|seat| takes(seat.leg));
        let takes: Vec<Limits> = takes.map(Option::unwrap_or_default).collect();
        let audio = Most::of(takes.iter().map(|limits| limits.audio));
        let video = Most::of(takes.iter().map(|limits| limits.video));
        for (seat, own) in room.seats.iter().zip(takes) {
            let most = Limits {
                audio: audio.without(own.audio),
                video: video.without(own.video),
            };
            let Some(leg) = self.legs.get_mut(seat.leg) else {
                continue;
            };
            if leg.told == most {
                continue;
            }
            let sent = tell(desk, seat.leg, BANDWIDTH, most);
            // refused: the socket is away; the member is told when it comes back
            if sent {
                leg.told = most;
            }
        }
    }

    /// The media plane found out what a member's link carries: the others send no more, and the
    /// member hears why its picture is gone.
    pub(super) fn link_carries(&mut self, desk: &mut Desk<'_>, member: MemberId, limits: Limits) {
        let Some((key, call, turned)) = self.legs.link_carries(member, limits) else {
            return;
        };
        if turned {
            // one who is away finds out when it is back: the picture is there or not
            tell(desk, call, LINK, limits);
        }
        self.tell_limits(desk, key);
    }
}

fn tell(desk: &mut Desk<'_>, call: CallId, kind: &str, limits: Limits) -> bool {
    let mut headers = Headers::new();
    headers.push("Content-Type", kind);
    let body = written(limits).into_bytes();
    let sent = desk
        .agent
        .request_within(desk.now, call, Method::Info, headers, body);
    sent.is_ok()
}

fn wants_speech_alone(said: &Sdp, limits: Limits) -> bool {
    let mut sections = said.media.iter();
    limits.video == Some(0) || sections.all(|section| section.kind() != "video")
}

/// `b=AS` of each kind, which counts every header.
fn described(said: &Sdp) -> Limits {
    let of = |kind: &str| {
        let section = said.media.iter().find(|section| section.kind() == kind)?;
        application_specific(section)
    };
    Limits {
        audio: of("audio"),
        video: of("video"),
    }
}

/// `audio=17;video=41`, in kbit/s at IP level. What is not understood is no limit.
pub(super) fn read(body: &[u8]) -> Limits {
    let text = String::from_utf8_lossy(body);
    let value = |name: &str| {
        let mut parts = text.split(';').filter_map(|part| part.split_once('='));
        let (_, kbps) = parts.find(|(key, _)| key.trim() == name)?;
        let kbps: u32 = kbps.trim().parse().ok()?;
        Some(u64::from(kbps) * 1_000)
    };
    Limits {
        audio: value("audio"),
        video: value("video"),
    }
}

fn written(limits: Limits) -> String {
    let parts = [("audio", limits.audio), ("video", limits.video)];
    let parts = parts
        .into_iter()
        .filter_map(|(name, bits)| Some(format!("{name}={}", bits? / 1_000)));
    parts.collect::<Vec<_>>().join(";")
}

fn least(one: Limits, other: Limits) -> Limits {
    let least = |one: Option<u64>, other| one.into_iter().chain(other).min();
    Limits {
        audio: least(one.audio, other.audio),
        video: least(one.video, other.video),
    }
}

impl Leg {
    /// What can be sent to it: what it said, and less if its link carries less.
    fn takes(&self) -> Limits {
        least(self.takes, self.carries)
    }
}

/// The largest of several limits and the one below it; `None` is larger than all.
struct Most([Option<u64>; 2]);

impl Most {
    fn of(limits: impl Iterator<Item = Option<u64>>) -> Self {
        let mut limits: Vec<Option<u64>> = limits.collect();
        limits.sort_unstable_by_key(|limit| std::cmp::Reverse(limit.unwrap_or(u64::MAX)));
        let at = |at: usize| limits.get(at).copied().flatten();
        Self([at(0), at(1)])
    }

    /// The largest among the others of one whose own it is; alone, there is no limit.
    fn without(&self, own: Option<u64>) -> Option<u64> {
        let [largest, next] = self.0;
        if own == largest { next } else { largest }
    }
}
