//! A back end in memory, for tests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{Backing, Ear, Kept, Later, Presence, Waiting};
use crate::backend::{BackendError, Invitation, Invited, Member};

/// Everybody is offline but those in `online`.
#[derive(Clone, Debug, Default)]
pub struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub struct State {
    pub keys: BTreeMap<String, String>,
    pub data: BTreeMap<String, String>,
    pub online: BTreeMap<String, Presence>,
    pub queues: BTreeMap<String, Vec<Waiting>>,
    pub pipes: BTreeMap<String, Vec<Kept>>,
    pub lengths: BTreeMap<String, usize>,
    pub ears: BTreeMap<String, Vec<Ear>>,
    pub revoked: Vec<String>,
    pub invitations: Vec<Invitation>,
    pub members: Vec<Member>,
}

impl Fake {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn now<T>(value: T) -> impl Later<T>
where
    T: Send,
{
    std::future::ready(Ok::<T, BackendError>(value))
}

fn found(map: &BTreeMap<String, String>, users: &[String]) -> Vec<(String, String)> {
    let found = |user: &String| map.get(user).map(|value| (user.clone(), value.clone()));
    users.iter().filter_map(found).collect()
}

impl Backing for Fake {
    fn set_key(&self, user: &str, key: &str) -> impl Later<()> {
        self.state().keys.insert(user.into(), key.into());
        now(())
    }
    fn keys(&self, users: &[String]) -> impl Later<Vec<(String, String)>> {
        now(found(&self.state().keys, users))
    }
    fn remove_key(&self, user: &str) -> impl Later<bool> {
        now(self.state().keys.remove(user).is_some())
    }
    fn set_data(&self, user: &str, data: &str) -> impl Later<()> {
        self.state().data.insert(user.into(), data.into());
        now(())
    }
    fn data(&self, users: &[String]) -> impl Later<Vec<(String, String)>> {
        now(found(&self.state().data, users))
    }
    fn remove_data(&self, user: &str) -> impl Later<bool> {
        now(self.state().data.remove(user).is_some())
    }
    fn seen(&self, users: &[String]) -> impl Later<Vec<Presence>> {
        let state = self.state();
        let seen = |user| state.online.get(user).copied().unwrap_or(Presence::Never);
        now(users.iter().map(seen).collect())
    }
    fn online(&self) -> impl Later<usize> {
        let state = self.state();
        now(state
            .online
            .values()
            .filter(|seen| **seen == Presence::Now)
            .count())
    }
    fn send(&self, user: &str, event: &str, body: &str) -> impl Later<()> {
        let mut state = self.state();
        let queue = state.queues.entry(user.into()).or_default();
        queue.push(Waiting {
            id: format!("m{}", queue.len()),
            event: event.into(),
            body: body.into(),
        });
        now(())
    }
    fn waiting(&self, user: &str) -> impl Later<Vec<Waiting>> {
        now(self.state().queues.get(user).cloned().unwrap_or_default())
    }
    fn clear_waiting(&self, user: &str) -> impl Later<usize> {
        now(self
            .state()
            .queues
            .remove(user)
            .map_or(0, |queue| queue.len()))
    }
    fn publish(&self, pipe: &str, event: &str, body: &str, from: Option<&str>) -> impl Later<()> {
        let mut state = self.state();
        let pipe = state.pipes.entry(pipe.into()).or_default();
        pipe.push(Kept {
            offset: pipe.len() as u64 + 1,
            id: format!("p{}", pipe.len()),
            event: event.into(),
            body: body.into(),
            user: from.map(str::to_owned),
            at: 1_000 * pipe.len() as u64,
        });
        now(())
    }
    fn history(&self, pipe: &str) -> impl Later<Vec<Kept>> {
        now(self.state().pipes.get(pipe).cloned().unwrap_or_default())
    }
    fn clear_history(&self, pipe: &str) -> impl Later<usize> {
        now(self.state().pipes.remove(pipe).map_or(0, |kept| kept.len()))
    }
    fn forget(&self, pipe: &str, ids: &[u64]) -> impl Later<usize> {
        let mut state = self.state();
        let kept = state.pipes.entry(pipe.to_owned()).or_default();
        let before = kept.len();
        kept.retain(|message| !ids.contains(&message.offset));
        now(before - kept.len())
    }
    fn history_length(&self, pipe: &str) -> impl Later<Option<usize>> {
        now(self.state().lengths.get(pipe).copied())
    }
    fn set_history_length(&self, pipe: &str, length: usize) -> impl Later<()> {
        self.state().lengths.insert(pipe.into(), length);
        now(())
    }
    fn drop_history(&self, pipe: &str) -> impl Later<bool> {
        self.state().pipes.remove(pipe);
        now(self.state().lengths.remove(pipe).is_some())
    }
    fn listeners(&self, pipe: &str) -> impl Later<usize> {
        now(self.state().ears.get(pipe).map_or(0, Vec::len))
    }
    fn in_pipe(&self, pipe: &str) -> impl Later<Vec<Ear>> {
        now(self.state().ears.get(pipe).cloned().unwrap_or_default())
    }
    fn revoke(&self, token: &str) -> impl Later<()> {
        self.state().revoked.push(token.into());
        now(())
    }
    fn revoked(&self) -> impl Later<Vec<String>> {
        now(self.state().revoked.clone())
    }
    fn unrevoke(&self, token: &str) -> impl Later<bool> {
        let mut state = self.state();
        let before = state.revoked.len();
        state.revoked.retain(|other| other != token);
        now(state.revoked.len() != before)
    }
    fn invite(&self, invitation: Invitation) -> impl Later<Invited> {
        self.state().invitations.push(invitation);
        now(Invited {
            rung: 0,
            waiting: true,
        })
    }
    fn uninvite(&self, room: &str, user: &str) -> impl Later<bool> {
        let mut state = self.state();
        let before = state.invitations.len();
        state
            .invitations
            .retain(|it| it.room != room || it.user != user);
        now(state.invitations.len() != before)
    }
    fn invitations(&self, room: &str) -> impl Later<Vec<Invitation>> {
        let state = self.state();
        let of_room = state.invitations.iter().filter(|it| it.room == room);
        now(of_room.cloned().collect())
    }
    fn members(&self, room: Option<&str>) -> impl Later<Vec<Member>> {
        let state = self.state();
        let there = state.members.iter();
        now(there
            .filter(|it| room.is_none_or(|room| it.room == room))
            .cloned()
            .collect())
    }
}
