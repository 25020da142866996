//! One user calls another.
//!
//! The caller's offer is answered at once in a 183, every socket of the callee is rung by an INVITE
//! with an offer of its own, and ICE and DTLS finish on both sides while it rings. The first to
//! accept wins; only then does the media plane admit anybody, so nothing is heard before the 200.

use clinicall_sip::{
    Headers, Request, Status,
    agent::{CallId, Flow},
    sdp::{Sdp, Section},
    uri::Uri,
};

use super::{
    Desk, Focus,
    leg::{Leg, Stage},
    resume::Role,
    ring::Caller,
    room::{Call, Key, Kind, Ring, Room},
    words::{Why, warning},
};
use crate::{
    config::is_user_id,
    media::{MemberId, RoomId, Wants},
    signal::{Answer, copies::picked, registrar::Binding},
};

/// An INVITE that starts something here, by a user who is who it says.
#[derive(Debug)]
pub struct Incoming<'a> {
    pub call: CallId,
    pub flow: Flow,
    pub user: String,
    pub invite: &'a Request,
}

/// Somebody's half of the media, ready.
pub(super) struct Joined {
    pub member: MemberId,
    /// Our answer, or our offer to a caller who made none.
    pub description: String,
}

impl Focus {
    pub(super) fn place(
        &mut self,
        desk: &mut Desk<'_>,
        incoming: Incoming<'_>,
    ) -> Result<(), Answer> {
        let refuse = |status| Answer::new(Status(status));
        let later = || refuse(503).with("Retry-After", "5");
        if self.draining {
            return Err(later());
        }
        let Incoming {
            call, flow, invite, ..
        } = incoming;
        let resumed = Role::of(invite);
        let callee = callee(desk, &invite.uri, resumed)?;
        let offer = offer(desk, invite)?;
        let device = desk.registrar.instance(flow);
        if resumed.is_some() {
            self.ask_anew(desk, &incoming.user, device.as_deref(), &callee);
        }
        if let (Some(key), Some(_)) = (self.crossed(&incoming, &callee, resumed), &offer) {
            return self.meet(desk, key, incoming, offer.as_ref());
        }
        let user = incoming.user;
        let calls = match resumed {
            Some(Role::Callee) => self.asks_of(&user),
            _ => self.calls_of(&user),
        };
        if self.is_full(desk) || calls >= desk.settings.calls_per_user {
            return Err(later());
        }
        let bindings = match resumed {
            Some(_) => Vec::new(),
            None => reachable(desk, &callee, flow, &invite.uri),
        };
        if bindings.is_empty() && resumed.is_none() {
            return Err(refuse(480));
        }

        let media = desk.media.open_room();
        let joined = join(desk, media, offer.as_ref()).inspect_err(|_| {
            desk.media.close_room(media);
        })?;
        let key = self.next_key();
        let from = Caller {
            uri: Uri::sip(&user, desk.settings.host()),
            name: desk.registrar.user(&user).map(|user| user.name),
            headers: picked(invite, &desk.settings.pass_headers),
        };
        let wants = offer.as_ref().map_or(BOTH, wants);
        let forks = self.ring_sockets(desk, (key, media), wants, &from, &callee, &bindings);
        if forks.is_empty() && resumed.is_none() {
            desk.media.close_room(media);
            return Err(refuse(480));
        }
        tracing::info!(
            call = key.0,
            from = user,
            to = callee,
            sockets = forks.len(),
            ?resumed,
            "placed"
        );
        if resumed.is_none() {
            desk.metrics.calls_total.add(1);
        }

        let leg = Leg::new(
            key,
            user.clone(),
            flow,
            device,
            joined.member,
            Stage::Calling,
        );
        self.legs.insert(call, leg);
        if let Some(offer) = &offer {
            self.limited_by(desk, call, offer);
        }
        let patience = match resumed {
            Some(_) => desk.settings.grace,
            None => desk.settings.ring_timeout,
        };
        let until = desk.now + patience;
        self.alarms.insert((until, key));
        // pre-connect: the caller's path comes up while it rings. An offer of ours that could not be
        // answered before the 200 waits for it.
        let reliable = invite.headers.lists("Supported", "100rel")
            || invite.headers.lists("Require", "100rel");
        let mut unsent = Some(joined.description);
        if offer.is_some() || reliable {
            let sdp = unsent.take();
            let _ = desk
                .agent
                .progress(desk.now, call, Status(183), sdp, Headers::new());
        }
        let (from, to) = match resumed {
            Some(Role::Callee) => (&callee, &user),
            _ => (&user, &callee),
        };
        let kind = Kind::Call(Call {
            from: from.clone(),
            to: to.clone(),
            caller: call,
            unsent,
            answered: None,
            resumed,
        });
        let mut room = Room::new(media, kind);
        room.rings
            .push(Ring::new(key.0, callee, user, until, forks));
        self.rooms.insert(key, room);
        Ok(())
    }

    /// In how many calls to others, or by others, a user is.
    fn calls_of(&self, user: &str) -> usize {
        let mut of = std::collections::BTreeSet::new();
        of.extend(
            self.legs
                .iter()
                .filter(|leg| leg.user == user)
                .map(|leg| leg.room),
        );
        let call = |key: &&Key| {
            self.rooms
                .get(key)
                .is_some_and(|room| room.name().is_none())
        };
        of.iter().filter(call).count()
    }

    /// For how many others of before the start a user waits.
    fn asks_of(&self, user: &str) -> usize {
        let asks = |room: &&Room| match &room.kind {
            Kind::Call(call) if call.is_missed() => self
                .legs
                .get(call.caller)
                .is_some_and(|leg| leg.user == user),
            _ => false,
        };
        self.rooms.values().filter(asks).count()
    }

    /// A device asks again, over another connection: what it asked before is of no use any more.
    fn ask_anew(&mut self, desk: &mut Desk<'_>, user: &str, device: Option<&str>, other: &str) {
        let old = self.rooms.iter().find_map(|(key, room)| {
            let Kind::Call(call) = &room.kind else {
                return None;
            };
            let asked = call.is_missed() && room.rings.iter().any(|ring| ring.user == other);
            let leg = self.legs.get(call.caller).filter(|_| asked)?;
            let same = leg.user == user && device.is_some() && leg.instance.as_deref() == device;
            same.then_some((*key, call.caller))
        });
        if let Some((key, leg)) = old {
            self.end_call(desk, key, &Why::ConnectionLost, Some(leg));
        }
    }

    /// Two people ring each other in the same moment: neither would answer, each being busy with
    /// ringing. The call that rings the one who calls now, on behalf of `callee`, from another
    /// connection.
    fn crossed(&self, incoming: &Incoming<'_>, callee: &str, resumed: Option<Role>) -> Option<Key> {
        const ANSWERS: Option<Role> = Some(Role::Callee);
        let device = incoming.invite.uri.param("gr");
        let crosses = |(_, room): &(&Key, &Room)| {
            let Kind::Call(call) = &room.kind else {
                return false;
            };
            // first what tells most of all rooms apart
            let [ring] = &*room.rings else {
                return false;
            };
            if call.answered.is_some() || ring.user != incoming.user {
                return false;
            }
            let Some(caller) = self.legs.get(call.caller) else {
                return false;
            };
            caller.user == callee
                // of neither was it looked at whether it may call
                && (call.resumed, resumed) != (ANSWERS, ANSWERS)
                && caller.flow != incoming.flow
                // a GRUU asks for one device only (RFC 5627 section 5.1)
                && (device.is_none() || device == caller.instance.as_deref())
        };
        self.rooms.iter().find(crosses).map(|(key, _)| *key)
    }

    /// The user answers the call `key` by having called as well: both want to talk. The 200 carries
    /// our answer, there is no ringing to tell of.
    fn meet(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        incoming: Incoming<'_>,
        offer: Option<&Sdp>,
    ) -> Result<(), Answer> {
        let call = incoming.call;
        if self.come_in(desk, key, incoming, offer, Headers::new())?
            && let Some(ring) = self.rooms.get_mut(&key).and_then(|room| room.rings.pop())
        {
            self.won(desk, key, ring, call);
        }
        Ok(())
    }

    /// Answers who dials into a room with a 200, and takes down the leg. `Ok(false)`: gone in this
    /// very moment.
    pub(super) fn come_in(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        incoming: Incoming<'_>,
        offer: Option<&Sdp>,
        headers: Headers,
    ) -> Result<bool, Answer> {
        let Some(room) = self.rooms.get(&key) else {
            return Err(Answer::new(Status(480)));
        };
        let Incoming {
            call, flow, user, ..
        } = incoming;
        let joined = join(desk, room.media, offer)?;
        let description = Some(joined.description);
        let accepted = desk.agent.accept(desk.now, call, description, headers);
        if accepted.is_err() {
            desk.media.leave(joined.member);
            return Ok(false);
        }
        let device = desk.registrar.instance(flow);
        let leg = Leg::new(key, user, flow, device, joined.member, Stage::Talking);
        self.legs.insert(call, leg);
        if let Some(offer) = offer {
            self.limited_by(desk, call, offer);
        }
        Ok(true)
    }
}

const BOTH: Wants = Wants {
    audio: true,
    video: true,
};

/// Whom the Request-URI names. The other side of a call of before the start may not be back yet, and without an account
/// nobody is known who is not there.
fn callee(desk: &Desk<'_>, uri: &Uri, resumed: Option<Role>) -> Result<String, Answer> {
    let ours = matches!(uri.scheme.as_str(), "sip" | "sips") && desk.settings.serves(&uri.host);
    match desk.registrar.user(&uri.user) {
        Some(user) if ours => Ok(user.id),
        None if ours && resumed.is_some() && is_user_id(&uri.user) => Ok(uri.user.clone()),
        _ => Err(Answer::new(Status(404))),
    }
}

/// The caller's offer; `None` for an INVITE without one.
pub(super) fn offer(desk: &Desk<'_>, invite: &Request) -> Result<Option<Sdp>, Answer> {
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
    let text =
        str::from_utf8(&invite.body).map_err(|_| unusable(desk, "the offer is not UTF-8"))?;
    Sdp::parse(text)
        .map(Some)
        .map_err(|bad| unusable(desk, &bad.to_string()))
}

fn unusable(desk: &Desk<'_>, why: &str) -> Answer {
    Answer::new(Status(488)).with("Warning", warning(desk.settings.host(), why))
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

/// Our answer to the offer, or an offer of ours to who made none.
fn join(desk: &Desk<'_>, room: RoomId, offer: Option<&Sdp>) -> Result<Joined, Answer> {
    let joined = match offer {
        Some(offer) => desk.media.join_by_offer(room, offer),
        None => desk.media.join_by_answer(room, BOTH),
    };
    let (member, description) = joined.map_err(|refusal| unusable(desk, &refusal.0))?;
    Ok(Joined {
        member,
        description: description.to_string(),
    })
}

/// What the caller's offer asks to send or receive; the callee is offered no more.
fn wants(offer: &Sdp) -> Wants {
    let asks = |kind: &str| {
        // a bundled section has port 0 in its first offer (RFC 9143 section 7.2.1)
        let open =
            |section: &Section| section.port() != 0 || section.attribute("bundle-only").is_some();
        offer
            .media
            .iter()
            .any(|section| section.kind() == kind && open(section))
    };
    Wants {
        audio: asks("audio"),
        video: asks("video"),
    }
}
