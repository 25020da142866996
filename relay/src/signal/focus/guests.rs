//! Who may come into which room of the clinic's, and whom to ring when they come online.

use std::collections::{BTreeMap, BTreeSet};

use clinicall_sip::Time;

use crate::backend::Invitation;

/// Users who were not there when they were rung; with more, the oldest are forgotten.
const MOST_WAITING: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Guests {
    /// Users by the rooms they may enter.
    invited: BTreeMap<String, BTreeSet<String>>,
    /// Invitations to users who were not there, until then.
    waiting: Vec<(Time, Invitation)>,
}

impl Guests {
    /// Everybody who is invited, read anew: `(room, user)`.
    pub fn set(&mut self, invited: impl IntoIterator<Item = (String, String)>) {
        self.invited.clear();
        for (room, user) in invited {
            self.invite(&room, &user);
        }
    }

    pub fn invite(&mut self, room: &str, user: &str) {
        let users = self.invited.entry(room.to_owned()).or_default();
        users.insert(user.to_owned());
    }

    /// `false`: the user was not invited.
    pub fn withdraw(&mut self, room: &str, user: &str) -> bool {
        let Some(users) = self.invited.get_mut(room) else {
            return false;
        };
        let known = users.remove(user);
        if users.is_empty() {
            self.invited.remove(room);
        }
        known
    }

    pub fn are_invited(&self, room: &str, user: &str) -> bool {
        let users = self.invited.get(room);
        users.is_some_and(|users| users.contains(user))
    }

    /// The user is rung when coming online before `until`.
    pub fn wait(&mut self, until: Time, invitation: Invitation) {
        self.wait_no_more(&invitation.room, &invitation.user);
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.remove(0);
        }
        self.waiting.push((until, invitation));
    }

    pub fn wait_no_more(&mut self, room: &str, user: &str) {
        self.waiting
            .retain(|(_, other)| (other.room.as_str(), other.user.as_str()) != (room, user));
    }

    /// A user has come online: the invitations that waited for that.
    pub fn came(&mut self, now: Time, user: &str) -> Vec<Invitation> {
        self.expire(now);
        let his = |(_, invitation): &mut (Time, Invitation)| invitation.user == user;
        let due = self.waiting.extract_if(.., his);
        due.map(|(_, invitation)| invitation).collect()
    }

    /// Invitations that run out are not worth an alarm.
    pub fn expire(&mut self, now: Time) {
        self.waiting.retain(|(until, _)| *until > now);
    }

    /// Somebody may yet come online and be rung into this room.
    pub fn are_expected(&self, room: &str) -> bool {
        self.waiting.iter().any(|(_, other)| other.room == room)
    }
}
