//! Within a call: changes of the session, and requests passed on to the other side.

use clinicall_sip::{
    Headers, Method, Request, Status,
    agent::{CallId, Pending, Sent},
    sdp::Sdp,
};

use super::{Desk, Focus};
use crate::{
    media::{Limits, Refusal},
    signal::ALLOW,
};

/// Requests under way between two legs at a time; people do not type faster.
const MAX_PASSING: usize = 8;
/// A chat line or a DTMF digit, with room to spare.
const MAX_BODY: usize = 8 * 1024;
/// What says how to read the body.
const PASSED_HEADERS: [&str; 3] = ["Content-Type", "Content-Disposition", "Info-Package"];

/// A side says what it can take; the media plane keeps to it, and the other side hears of it.
const BANDWIDTH: &str = "application/vnd.clinicall.bandwidth";

/// `audio=17;video=41`, in kbit/s at IP level. What is not understood is no limit.
fn limits(body: &[u8]) -> Limits {
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

/// What an INFO of RFC 5168 asks of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::signal) enum Control {
    /// `picture_fast_update`. Browsers ask by RTCP; desk phones and PBXs may ask like this.
    KeyFrame,
    Other,
}

/// `None`: the request is none of RFC 5168.
pub(in crate::signal) fn media_control(request: &Request) -> Option<Control> {
    const KIND: &[u8] = b"application/media_control+xml";
    const UPDATE: &[u8] = b"picture_fast_update";
    let kind = request.headers.get("Content-Type")?.as_bytes();
    if !kind.get(..KIND.len())?.eq_ignore_ascii_case(KIND) {
        return None;
    }
    let body = &request.body[..request.body.len().min(MAX_BODY)];
    let update = body.windows(UPDATE.len()).any(|words| words == UPDATE);
    Some(if update {
        Control::KeyFrame
    } else {
        Control::Other
    })
}

impl Focus {
    /// A re-INVITE or UPDATE: the media plane has the answer.
    pub(super) fn change(&mut self, desk: &mut Desk<'_>, call: CallId, offer: Option<&str>) {
        let leg = self
            .legs
            .get(&call)
            .and_then(|key| self.rooms.get(key))
            .and_then(|room| room.legs().find(|leg| leg.call == call));
        let said = match (leg, offer) {
            (Some(leg), Some(offer)) => Sdp::parse(offer)
                .map_err(|bad| Refusal(bad.to_string()))
                .and_then(|offer| desk.media.renegotiate(leg.member, &offer))
                .map(|answer| answer.to_string()),
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
        let Some(room) = self.legs.get(&call).and_then(|key| self.rooms.get(key)) else {
            return;
        };
        let Some(leg) = room.legs().find(|leg| leg.call == call) else {
            return;
        };
        let read = Sdp::parse(answer)
            .map_err(|bad| Refusal(bad.to_string()))
            .and_then(|answer| desk.media.renegotiate(leg.member, &answer));
        if let Err(refusal) = read {
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
        if let Err((status, headers)) = self.pass_on(desk, call, pending, request) {
            let _ = desk
                .agent
                .respond(desk.now, pending, status, headers, Vec::new());
        }
    }

    /// Hands the request to the other leg, or tells what to answer at once.
    fn pass_on(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        pending: Pending,
        request: &Request,
    ) -> Result<(), (Status, Headers)> {
        let plain = |status| (Status(status), Headers::new());
        if !matches!(request.method, Method::Info | Method::Message) {
            let mut headers = Headers::new();
            headers.push("Allow", ALLOW);
            return Err((Status(405), headers));
        }
        if let Some(control) = media_control(request) {
            let leg = self
                .legs
                .get(&call)
                .and_then(|key| self.rooms.get(key))
                .and_then(|room| room.legs().find(|leg| leg.call == call));
            if let (Control::KeyFrame, Some(leg)) = (control, leg) {
                desk.media.request_key_frame(leg.member);
            }
            return Err(plain(200));
        }
        if request.body.len() > MAX_BODY {
            return Err(plain(513));
        }
        let key = *self.legs.get(&call).ok_or_else(|| plain(481))?;
        let room = self.rooms.get_mut(&key).ok_or_else(|| plain(481))?;
        let kind = request.headers.get("Content-Type").unwrap_or("");
        if kind.eq_ignore_ascii_case(BANDWIDTH) {
            let leg = room.legs().find(|leg| leg.call == call);
            if let Some(member) = leg.map(|leg| leg.member) {
                desk.media.limit(member, limits(&request.body));
            }
        }
        let other = room.across(call).ok_or_else(|| plain(480))?.call;
        if room.passing >= MAX_PASSING {
            return Err(plain(503));
        }
        let mut headers = Headers::new();
        for name in PASSED_HEADERS {
            if let Some(value) = request.headers.get(name) {
                headers.push(name, value);
            }
        }
        let (method, body) = (request.method.clone(), request.body.clone());
        let sent = desk
            .agent
            .request_within(desk.now, other, method, headers, body)
            .map_err(|_| plain(480))?;
        room.passing += 1;
        self.passed.insert(sent, (key, pending));
        Ok(())
    }

    /// The other leg answered a request that was passed on.
    pub(super) fn replied(&mut self, desk: &mut Desk<'_>, sent: Sent, status: Status) {
        let Some((key, pending)) = self.passed.remove(&sent) else {
            return;
        };
        if let Some(room) = self.rooms.get_mut(&key) {
            room.passing = room.passing.saturating_sub(1);
        }
        // a challenge is between us and that client
        let status = match status.0 {
            401 | 407 => Status(403),
            _ => status,
        };
        let _ = desk
            .agent
            .respond(desk.now, pending, status, Headers::new(), Vec::new());
    }
}
