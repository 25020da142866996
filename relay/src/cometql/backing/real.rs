//! The back end itself.

use super::{Backing, Ear, Kept, Later, Presence, Waiting};
use crate::{
    backend::{Backend, BackendError, Invitation, Invited, Member},
    comet::{Body, Seen},
};

/// JSON where it is JSON, else text: a column does not say which.
fn body(text: &str) -> Result<Body, BackendError> {
    Body::guess(text.to_owned()).map_err(|error| BackendError::Invalid {
        field: "message",
        why: error.to_string(),
    })
}

/// All of a pipe's history: it is bounded where it is kept.
const ALL: usize = usize::MAX;

impl Backing for Backend {
    fn set_key(&self, user: &str, key: &str) -> impl Later<()> {
        Self::set_key(self, user, key)
    }

    fn keys(&self, users: &[String]) -> impl Later<Vec<(String, String)>> {
        Self::keys(self, users)
    }

    fn remove_key(&self, user: &str) -> impl Later<bool> {
        Self::remove_key(self, user)
    }

    fn set_data(&self, user: &str, data: &str) -> impl Later<()> {
        Self::set_data(self, user, data)
    }

    fn data(&self, users: &[String]) -> impl Later<Vec<(String, String)>> {
        Self::data(self, users)
    }

    fn remove_data(&self, user: &str) -> impl Later<bool> {
        Self::remove_data(self, user)
    }

    async fn seen(&self, users: &[String]) -> Result<Vec<Presence>, BackendError> {
        let seen = Self::seen(self, users).await?;
        let presence = |seen| match seen {
            Seen::Online => Presence::Now,
            Seen::At(ms) => Presence::Until(ms),
            Seen::Never => Presence::Never,
        };
        Ok(seen.into_iter().map(presence).collect())
    }

    fn online(&self) -> impl Later<usize> {
        Self::online(self)
    }

    async fn send(&self, user: &str, event: &str, text: &str) -> Result<(), BackendError> {
        Self::send(self, user, event, body(text)?, None)
            .await
            .map(|_| ())
    }

    async fn waiting(&self, user: &str) -> Result<Vec<Waiting>, BackendError> {
        let queued = Self::queued(self, user).await?;
        let waiting = queued.into_iter().map(|message| Waiting {
            id: message.id.to_string(),
            event: message.event,
            body: message.body.as_str().to_owned(),
        });
        Ok(waiting.collect())
    }

    fn clear_waiting(&self, user: &str) -> impl Later<usize> {
        Self::clear_queue(self, user)
    }

    async fn publish(
        &self,
        pipe: &str,
        event: &str,
        text: &str,
        from: Option<&str>,
    ) -> Result<(), BackendError> {
        let published = Self::publish(self, pipe, event, body(text)?, from, None).await;
        published.map(|_| ())
    }

    async fn history(&self, pipe: &str) -> Result<Vec<Kept>, BackendError> {
        let messages = Self::history(self, pipe, ALL).await?;
        let kept = messages.iter().map(|message| Kept {
            offset: message.position.offset,
            id: message.position.to_string(),
            event: message.event.to_string(),
            body: message.body.as_str().to_owned(),
            user: message.from.as_deref().map(str::to_owned),
            at: message.at,
        });
        Ok(kept.collect())
    }

    async fn clear_history(&self, pipe: &str) -> Result<usize, BackendError> {
        let there = Self::history(self, pipe, ALL).await?.len();
        Self::clear_history(self, pipe).await?;
        Ok(there)
    }

    fn forget(&self, pipe: &str, ids: &[u64]) -> impl Later<usize> {
        Self::forget(self, pipe, ids)
    }

    async fn history_length(&self, pipe: &str) -> Result<Option<usize>, BackendError> {
        let length = Self::history_length(self, pipe).await?;
        Ok((length > 0).then_some(length))
    }

    fn set_history_length(&self, pipe: &str, length: usize) -> impl Later<()> {
        Self::set_history(self, pipe, length)
    }

    async fn drop_history(&self, pipe: &str) -> Result<bool, BackendError> {
        let there = Self::history_length(self, pipe).await? > 0;
        Self::set_history(self, pipe, 0).await?;
        Ok(there)
    }

    fn listeners(&self, pipe: &str) -> impl Later<usize> {
        Self::listeners(self, pipe)
    }

    async fn in_pipe(&self, pipe: &str) -> Result<Vec<Ear>, BackendError> {
        let there = Self::in_pipe(self, pipe).await?;
        let ears = there.into_iter().map(|listener| Ear {
            user: listener.user,
            uuid: listener.uuid,
            agent: listener.agent,
            ip: listener.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            origin: listener.origin,
            language: listener.language,
        });
        Ok(ears.collect())
    }

    fn revoke(&self, token: &str) -> impl Later<()> {
        Self::revoke(self, token)
    }

    fn revoked(&self) -> impl Later<Vec<String>> {
        Self::revoked(self)
    }

    fn unrevoke(&self, token: &str) -> impl Later<bool> {
        Self::unrevoke(self, token)
    }

    fn invite(&self, invitation: Invitation) -> impl Later<Invited> {
        Self::invite(self, invitation)
    }

    fn uninvite(&self, room: &str, user: &str) -> impl Later<bool> {
        Self::uninvite(self, room, user)
    }

    fn invitations(&self, room: &str) -> impl Later<Vec<Invitation>> {
        Self::invitations(self, room)
    }

    fn members(&self, room: Option<&str>) -> impl Later<Vec<Member>> {
        Self::members(self, room)
    }
}
