//! A call is placed.

use clinicall_sip::{
    Headers, Request, Status,
    agent::{CallId, Flow, Invite},
    sdp::Sdp,
    uri::Uri,
};

use super::{
    Desk, Focus,
    ending::warning,
    room::{Fork, Key, Leg, Phase, Ringing, Room, wants},
};
use crate::{
    media::{MemberId, RoomId, Wants},
    signal::{Answer, registrar::Binding},
};

/// The caller's half of the media, ready.
struct Joined {
    member: MemberId,
    /// Our answer, or our offer to a caller who made none.
    description: String,
    offered: bool,
    wants: Wants,
}

impl Focus {
    /// An INVITE by `user`, who is who it says.
    pub fn incoming(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        flow: Flow,
        user: String,
        invite: &Request,
    ) {
        if let Err(answer) = self.place(desk, call, flow, user, invite) {
            tracing::debug!(status = answer.status.0, "call refused");
            let _ = desk
                .agent
                .reject(desk.now, call, answer.status, answer.headers);
        }
    }

    fn place(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        flow: Flow,
        user: String,
        invite: &Request,
    ) -> Result<(), Answer> {
        let refuse = |status| Answer::new(Status(status));
        if self.draining || self.rooms.len() >= desk.settings.calls {
            return Err(refuse(503).with("Retry-After", "5"));
        }
        let callee = callee(desk, &invite.uri)?;
        let offer = offer(desk, invite)?;
        if let Some(key) = self.crossed(&user, flow, &callee, &invite.uri)
            && let Some(offer) = &offer
        {
            return self.meet(desk, key, call, flow, user, offer);
        }
        if self.calls_of(&user) >= desk.settings.calls_per_user {
            return Err(refuse(503).with("Retry-After", "5"));
        }
        let bindings = reachable(desk, &callee, flow, &invite.uri);
        if bindings.is_empty() {
            return Err(refuse(480));
        }

        let media = desk.media.open_room();
        let joined = match join(desk, media, offer.as_ref()) {
            Ok(joined) => joined,
            Err(answer) => {
                desk.media.close_room(media);
                return Err(answer);
            }
        };
        let caller = Leg {
            call,
            instance: desk.registrar.instance(flow),
            user,
            flow,
            member: joined.member,
            absent: None,
            silent: None,
        };
        let key = Key(self.last.0 + 1);
        self.last = key;
        let forks = ring(
            desk,
            media,
            joined.wants,
            &caller,
            &callee,
            &bindings,
            invite,
        );
        if forks.is_empty() {
            desk.media.close_room(media);
            return Err(refuse(480));
        }
        tracing::info!(
            call = key.0,
            from = caller.user,
            to = callee,
            sockets = forks.len(),
            "placed"
        );
        desk.metrics.calls_total.add(1);

        let until = desk.now + desk.settings.ring_timeout;
        self.alarms.insert((until, key));
        for leg in std::iter::once(&caller).chain(forks.iter().map(|fork| &fork.leg)) {
            self.legs.insert(leg.call, key);
            self.members.insert(leg.member, key);
        }
        // pre-connect: the caller's path comes up while it rings. An offer of ours that could not be
        // answered before the 200 waits for it.
        let reliable = invite.headers.lists("Supported", "100rel")
            || invite.headers.lists("Require", "100rel");
        let unsent = (!joined.offered && !reliable).then(|| joined.description.clone());
        if unsent.is_none() {
            let sdp = Some(joined.description);
            let _ = desk
                .agent
                .progress(desk.now, call, Status(183), sdp, Headers::new());
        }
        let phase = Phase::Ringing(Ringing {
            forks,
            best: None,
            until,
            told: false,
        });
        self.rooms.insert(
            key,
            Room {
                media,
                caller,
                callee,
                unsent,
                passing: 0,
                answered: None,
                phase,
            },
        );
        Ok(())
    }

    fn calls_of(&self, user: &str) -> usize {
        let of_user = |room: &&Room| room.legs().any(|leg| leg.user == user);
        self.rooms.values().filter(of_user).count()
    }
}

/// Whom the Request-URI names.
fn callee(desk: &Desk<'_>, uri: &Uri) -> Result<String, Answer> {
    let ours = matches!(uri.scheme.as_str(), "sip" | "sips") && desk.settings.serves(&uri.host);
    match desk.registrar.user(&uri.user) {
        Some(user) if ours => Ok(user.id),
        _ => Err(Answer::new(Status(404))),
    }
}

/// The caller's offer; `None` for an INVITE without one.
pub(in crate::signal) fn offer(desk: &Desk<'_>, invite: &Request) -> Result<Option<Sdp>, Answer> {
    if invite.body.is_empty() {
        return Ok(None);
    }
    if !invite
        .headers
        .content_type()
        .is_some_and(|kind| kind.is_sdp())
    {
        return Err(Answer::new(Status(415)).with("Accept", "application/sdp"));
    }
    let unusable =
        |why: &str| Answer::new(Status(488)).with("Warning", warning(desk.settings.host(), why));
    let text = str::from_utf8(&invite.body).map_err(|_| unusable("the offer is not UTF-8"))?;
    Sdp::parse(text)
        .map(Some)
        .map_err(|bad| unusable(&bad.to_string()))
}

/// The callee's bindings but for the socket that calls, and only the one device if a GRUU says so
/// (RFC 5627 section 5.1).
fn reachable(desk: &Desk<'_>, callee: &str, caller: Flow, uri: &Uri) -> Vec<Binding> {
    desk.registrar
        .bindings(desk.now, callee)
        .filter(|binding| binding.flow != caller)
        .filter(|binding| {
            uri.param("gr")
                .is_none_or(|gr| binding.instance.as_deref() == Some(gr))
        })
        .cloned()
        .collect()
}

fn join(desk: &Desk<'_>, room: RoomId, offer: Option<&Sdp>) -> Result<Joined, Answer> {
    let wants = offer.map_or(
        Wants {
            audio: true,
            video: true,
        },
        wants,
    );
    let joined = match offer {
        Some(offer) => desk.media.join_by_offer(room, offer),
        None => desk.media.join_by_answer(room, wants),
    };
    let (member, description) = joined.map_err(|refusal| {
        Answer::new(Status(488)).with("Warning", warning(desk.settings.host(), &refusal.0))
    })?;
    let description = description.to_string();
    Ok(Joined {
        member,
        description,
        offered: offer.is_some(),
        wants,
    })
}

/// Rings every socket of the callee in the caller's name.
fn ring(
    desk: &mut Desk<'_>,
    room: RoomId,
    wants: Wants,
    caller: &Leg,
    callee: &str,
    bindings: &[Binding],
    invite: &Request,
) -> Vec<Fork> {
    let mut headers = Headers::new();
    for (field, value) in invite.headers.iter() {
        if desk
            .settings
            .pass_headers
            .iter()
            .any(|passed| passed.eq_ignore_ascii_case(field))
        {
            headers.push(field, value);
        }
    }
    let from = Caller {
        uri: Uri::sip(&caller.user, desk.settings.host()),
        name: desk.registrar.user(&caller.user).map(|user| user.name),
        headers,
    };
    ring_sockets(desk, room, wants, &from, callee, bindings)
}

/// In whose name a user is rung.
#[derive(Debug)]
pub(in crate::signal) struct Caller {
    pub uri: Uri,
    pub name: Option<String>,
    pub headers: Headers,
}

/// Rings every socket, each with an offer of its own.
pub(in crate::signal) fn ring_sockets(
    desk: &mut Desk<'_>,
    room: RoomId,
    wants: Wants,
    from: &Caller,
    callee: &str,
    bindings: &[Binding],
) -> Vec<Fork> {
    let host = desk.settings.host();
    let mut forks = Vec::new();
    for binding in bindings {
        let Ok((member, offer)) = desk.media.join_by_answer(room, wants) else {
            continue;
        };
        let invite = Invite {
            to: Uri::sip(callee, host),
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
        let leg = Leg {
            call,
            user: callee.to_owned(),
            flow: binding.flow,
            instance: binding.instance.clone(),
            member,
            absent: None,
            silent: None,
        };
        forks.push(Fork {
            leg,
            answered: false,
        });
    }
    forks
}
