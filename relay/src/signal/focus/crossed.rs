//! Two people ring each other in the same moment: neither would answer, each being busy with ringing.
//! Both want to talk, so the second INVITE is taken as the answer to the first.

use clinicall_sip::{
    Headers, Status,
    agent::{CallId, Flow},
    sdp::Sdp,
    uri::Uri,
};

use super::{
    Desk, Focus,
    ending::warning,
    room::{Key, Leg, Phase},
};
use crate::signal::Answer;

impl Focus {
    /// The call that rings `user` on behalf of whoever `uri` names, from another connection than
    /// `flow`.
    pub(super) fn crossed(&self, user: &str, flow: Flow, callee: &str, uri: &Uri) -> Option<Key> {
        self.rooms
            .iter()
            .find(|(_, room)| {
                let caller = &room.caller;
                let device = uri.param("gr");
                matches!(room.phase, Phase::Ringing(_))
                    && room.callee == user
                    && caller.user == callee
                    && caller.flow != flow
                    // a GRUU asks for one device only (RFC 5627 section 5.1)
                    && (device.is_none() || device == caller.instance.as_deref())
            })
            .map(|(key, _)| *key)
    }

    /// `user` answers the call `key` by having called as well. The 200 carries our answer: there is
    /// no ringing to tell of.
    pub(super) fn meet(
        &mut self,
        desk: &mut Desk<'_>,
        key: Key,
        call: CallId,
        flow: Flow,
        user: String,
        offer: &Sdp,
    ) -> Result<(), Answer> {
        let Some(room) = self.rooms.get(&key) else {
            return Err(Answer::new(Status(480)));
        };
        let (member, answer) = desk
            .media
            .join_by_offer(room.media, offer)
            .map_err(|refusal| {
                Answer::new(Status(488)).with("Warning", warning(desk.settings.host(), &refusal.0))
            })?;
        let leg = Leg {
            call,
            instance: desk.registrar.instance(flow),
            user,
            flow,
            member,
            absent: None,
            silent: None,
        };
        if desk
            .agent
            .accept(desk.now, call, Some(answer.to_string()), Headers::new())
            .is_err()
        {
            // gone in this very moment; the other goes on ringing
            desk.media.leave(member);
            return Ok(());
        }
        tracing::info!(call = key.0, by = leg.user, "both rang");
        self.legs.insert(call, key);
        self.members.insert(member, key);
        self.talk(desk, key, leg);
        Ok(())
    }
}
