//! Within a call: changes of the session, what members can take, and requests passed on to the
//! others.

use clinicall_sip::{
    Headers, Method, Request, Status,
    agent::{CallId, Pending, Sent},
    sdp::Sdp,
};

use super::{Desk, Focus, leg::Leg, room::Key};
use crate::{
    media::{Limits, MemberId, Refusal},
    signal::{
        ALLOW,
        copies::{MAX_BODY, picked},
    },
};

/// Requests of one member under way to the others at a time; people do not type faster.
const MAX_PASSING: usize = 8;
/// What says how to read the body.
const PASSED_HEADERS: [&str; 3] = ["Content-Type", "Content-Disposition", "Info-Package"];

/// A side says what it can take; the media plane keeps to it, and the others hear of it.
const BANDWIDTH: &str = "application/vnd.clinicall.bandwidth";
/// What we found out about a side's own link, in the same words: it is told when its picture goes and
/// comes back.
const LINK: &str = "application/vnd.clinicall.link";
/// RFC 5168.
const MEDIA_CONTROL: &str = "application/media_control+xml";

impl Focus {
    /// A re-INVITE or UPDATE: the media plane has the answer.
    pub(super) fn change(&mut self, desk: &mut Desk<'_>, call: CallId, offer: Option<&str>) {
        let said = match (self.legs.get(call), offer) {
            (Some(leg), Some(offer)) => renegotiate(desk, leg, offer).map(|said| said.to_string()),
            // an offer is wanted (RFC 3261 section 14.2): what is in force, to be changed by the
            // answer; the DTLS role may stay in it as it is (RFC 8842 section 5.5)
            (Some(_), None) => desk
                .agent
                .local_description(call)
                .map(str::to_owned)
                .ok_or_else(|| Refusal("nothing is agreed yet".to_owned())),
            (None, _) => Err(Refusal("this call is over".to_owned())),
        };
        let _ = match said {
            Ok(said) => desk.agent.answer_change(desk.now, call, said),
            Err(refusal) => {
                tracing::info!(%refusal, "a change cannot be made");
                desk.agent.refuse_change(desk.now, call, Status(488))
            }
        };
    }

    /// The answer to an offer that the peer asked for. What it says of the peer is all that matters,
    /// so the media plane reads it as it reads an offer.
    pub(super) fn answer_of_change(&mut self, desk: &mut Desk<'_>, call: CallId, answer: &str) {
        let read = self
            .legs
            .get(call)
            .map(|leg| renegotiate(desk, leg, answer));
        if let Some(Err(refusal)) = read {
            // nothing was changed: the call goes on as it was
            tracing::info!(%refusal, "an answer to a change cannot be used");
        }
    }

    /// A request within a call.
    pub(super) fn within(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        pending: Pending,
        request: &Request,
    ) {
        if let Some(status) = self.respond(desk, call, pending, request) {
            let mut headers = Headers::new();
            if status == Status(405) {
                headers.push("Allow", ALLOW);
            }
            let _ = desk
                .agent
                .respond(desk.now, pending, status, headers, Vec::new());
        }
    }

    /// What to answer at once; `None`: the others are asked.
    fn respond(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        pending: Pending,
        request: &Request,
    ) -> Option<Status> {
        if !matches!(request.method, Method::Info | Method::Message) {
            return Some(Status(405));
        }
        if request.body.len() > MAX_BODY {
            return Some(Status(513));
        }
        let Some(leg) = self.legs.get_mut(call) else {
            return Some(Status(481));
        };
        if is(request, MEDIA_CONTROL) {
            // browsers ask by RTCP; desk phones and PBXs may ask like this
            const UPDATE: &[u8] = b"picture_fast_update";
            let mut words = request.body.windows(UPDATE.len());
            if words.any(|words| words == UPDATE) {
                desk.media.request_key_frame(leg.member);
            }
            return Some(Status(200));
        }
        let key = leg.room;
        if is(request, BANDWIDTH) {
            let limits = read(&request.body);
            leg.takes = Some(limits);
            desk.media.limit(leg.member, limits);
            self.tell_limits(desk, key);
            return Some(Status(200));
        }
        self.pass_on(desk, key, call, pending, request)
    }

    /// Hands the request to everybody else in the room.
    fn pass_on(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        call: CallId,
        pending: Pending,
        request: &Request,
    ) -> Option<Status> {
        if self.passed.of(&call) >= MAX_PASSING {
            return Some(Status(503));
        }
        let headers = picked(request, &PASSED_HEADERS);
        let room = self.rooms.get(&key)?;
        let copy = |other| {
            let (method, body) = (request.method.clone(), request.body.clone());
            desk.agent
                .request_within(desk.now, other, method, headers.clone(), body)
        };
        let copies = room.others(call).map(copy).filter_map(Result::ok);
        let sent = self.passed.sent(pending, call, copies.collect());
        (!sent).then_some(Status(480))
    }

    /// Somebody answered a request that was passed on.
    pub(super) fn replied(&mut self, desk: &mut Desk<'_>, sent: Sent, status: Status) {
        if let Some((pending, status)) = self.passed.replied(sent, status) {
            let _ = desk
                .agent
                .respond(desk.now, pending, status, Headers::new(), Vec::new());
        }
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

fn renegotiate(desk: &Desk<'_>, leg: &Leg, said: &str) -> Result<Sdp, Refusal> {
    let said = Sdp::parse(said).map_err(|bad| Refusal(bad.to_string()))?;
    desk.media.renegotiate(leg.member, &said)
}

fn is(request: &Request, kind: &str) -> bool {
    let given = request.headers.get("Content-Type").unwrap_or("");
    let given = given.split(';').next().unwrap_or("");
    given.trim_ascii().eq_ignore_ascii_case(kind)
}

/// `audio=17;video=41`, in kbit/s at IP level. What is not understood is no limit.
fn read(body: &[u8]) -> Limits {
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
        least(self.takes.unwrap_or_default(), self.carries)
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
