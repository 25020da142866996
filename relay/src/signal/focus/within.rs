//! Within a call: changes of the session, and requests passed on to the others.

use clinicall_sip::{
    Headers, Method, Request, Status,
    agent::{CallId, Pending, Sent},
    sdp::Sdp,
};

use super::{
    Desk, Focus,
    limits::{BANDWIDTH, read},
    room::Key,
};
use crate::{
    media::{MemberId, Refusal},
    signal::{
        ALLOW,
        copies::{MAX_BODY, picked},
    },
};

/// Requests of one member under way to the others at a time; people do not type faster.
const MAX_PASSING: usize = 8;
/// What says how to read the body.
const PASSED_HEADERS: [&str; 3] = ["Content-Type", "Content-Disposition", "Info-Package"];

/// RFC 5168.
const MEDIA_CONTROL: &str = "application/media_control+xml";

impl Focus {
    /// A re-INVITE or UPDATE: the media plane has the answer.
    pub(super) fn change(&mut self, desk: &mut Desk<'_>, call: CallId, offer: Option<&str>) {
        let said = match (self.legs.get(call), offer) {
            (Some(leg), Some(offer)) => {
                let member = leg.member;
                self.renegotiate(desk, call, member, offer)
                    .map(|said| said.to_string())
            }
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
        let Some(member) = self.legs.get(call).map(|leg| leg.member) else {
            return;
        };
        if let Err(refusal) = self.renegotiate(desk, call, member, answer) {
            // nothing was changed: the call goes on as it was
            tracing::info!(%refusal, "an answer to a change cannot be used");
        }
    }

    fn renegotiate(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        member: MemberId,
        said: &str,
    ) -> Result<Sdp, Refusal> {
        let said = Sdp::parse(said).map_err(|bad| Refusal(bad.to_string()))?;
        let answer = desk.media.renegotiate(member, &said)?;
        self.limited_by(desk, call, &said);
        Ok(answer)
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
            self.informed(desk, call, read(&request.body));
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
}

fn is(request: &Request, kind: &str) -> bool {
    let given = request.headers.get("Content-Type").unwrap_or("");
    let given = given.split(';').next().unwrap_or("");
    given.trim_ascii().eq_ignore_ascii_case(kind)
}
