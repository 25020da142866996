//! People: are they here, and what was sent to them.

use std::sync::Arc;

use super::{
    Draft, Effect, Ended, Hub, Line, Out, SessionId,
    ring::{Missed, Ring},
};
use crate::{
    Body, Message, PRIVATE, Position,
    wire::{Problem, Why},
};

/// Someone with a connection, or with one until a moment ago.
#[derive(Debug)]
pub(super) struct Person {
    pub seats: Vec<SessionId>,
    ring: Ring,
    /// One of the pages has everything up to here.
    received: u64,
    /// When that was last so of more; the other pages may still come back for it.
    received_at: u64,
    here: bool,
    /// When the last connection was lost.
    lost: u64,
}

impl Person {
    /// Somebody who lost the socket a moment ago still counts.
    pub fn is_here(&self) -> bool {
        self.here
    }
}

impl<L: Line> Hub<L> {
    pub(super) fn enter(&mut self, now: u64, user: &str, id: SessionId) -> Result<(), Why> {
        let most = self.limits.sessions_per_user;
        let person = self.person(user);
        if person.seats.len() >= most {
            return Err(Why::TooMany);
        }
        person.seats.push(id);
        if !std::mem::replace(&mut person.here, true) {
            self.effects.push_back(Effect::Came {
                user: user.to_owned(),
            });
            self.announce_status(now, user, "online");
        }
        Ok(())
    }

    pub(super) fn exit(&mut self, now: u64, user: &str, id: SessionId, how: Ended) {
        let Some(person) = self.people.get_mut(user) else {
            return;
        };
        person.seats.retain(|seat| *seat != id);
        if person.seats.is_empty() {
            person.lost = now;
            if how == Ended::Left {
                self.gone(now, user);
            }
        }
    }

    /// Those who did not come back in time are offline from now on.
    pub(super) fn depart(&mut self, now: u64) {
        let grace = self.limits.grace;
        let over =
            |person: &Person| person.here && person.seats.is_empty() && person.lost + grace <= now;
        let gone = self.people.iter().filter(|(_, person)| over(person));
        let gone: Vec<Box<str>> = gone.map(|(user, _)| user.clone()).collect();
        for user in gone {
            self.gone(now, &user);
        }
    }

    /// Nobody waits for the user to come back.
    pub(super) fn give_up(&mut self, now: u64, user: &str) {
        let waited = |person: &Person| person.here && person.seats.is_empty();
        if self.people.get(user).is_some_and(waited) {
            self.gone(now, user);
        }
    }

    fn gone(&mut self, now: u64, user: &str) {
        let Some(person) = self.people.get_mut(user) else {
            return;
        };
        person.here = false;
        let at = person.lost;
        self.effects.push_back(Effect::Left {
            user: user.to_owned(),
            at,
        });
        self.announce_status(now, user, "offline");
    }

    fn announce_status(&mut self, now: u64, user: &str, status: &str) {
        let pipe = ["user_status_", user].concat();
        let body = Body::text(status.to_owned()).expect("a short word of ASCII letters");
        self.announce_quietly(now, Draft::new(&pipe, status, body, None));
    }

    /// A private message that was stored, in the order of the offsets. Returns how many
    /// connections it went to.
    pub fn deliver(&mut self, now: u64, user: &str, message: Message) -> usize {
        let Some(person) = self.people.get_mut(user) else {
            return 0;
        };
        let message = Arc::new(message);
        if !person.ring.push(message.clone()) {
            return person.seats.len();
        }
        let seats = person.seats.clone();
        let mut told = 0;
        for id in seats {
            if self.seats.get(&id).is_some_and(|seat| seat.private) {
                self.tell(id, Out::Message(message.clone()));
                told += usize::from(!self.slow.contains(&id));
            }
        }
        self.settle(now);
        told
    }

    /// Wants private messages, and says what it has.
    pub(super) fn join_mailbox(
        &mut self,
        now: u64,
        id: SessionId,
        have: Option<Position>,
    ) -> Result<Missed, Problem> {
        let since = now.saturating_sub(self.limits.window);
        let seat = self.seats.get_mut(&id).ok_or(Problem::LoginFirst)?;
        let user = seat.visitor.user.clone().ok_or(Problem::LoginFirst)?;
        let again = std::mem::replace(&mut seat.private, true);
        let person = self.person(&user);
        let ring = &person.ring;
        let missed = match have {
            Some(have) if have.epoch == ring.epoch => ring.after(have, since),
            _ if again => ring.missed(Vec::new(), false),
            // a new page, or a store that was begun anew: what nobody has had
            have => ring.missed(ring.newer_than(person.received), have.is_some()),
        };
        if let Some(have) = have {
            self.ack(now, id, have);
        }
        Ok(missed)
    }

    pub(super) fn ack(&mut self, now: u64, id: SessionId, position: Position) {
        let Some(user) = self
            .seats
            .get(&id)
            .and_then(|seat| seat.visitor.user.clone())
        else {
            return;
        };
        let Some(person) = self.people.get_mut(&*user) else {
            return;
        };
        let through = position.offset.min(person.ring.last);
        if position.epoch == person.ring.epoch && through > person.received {
            (person.received, person.received_at) = (through, now);
            self.effects.push_back(Effect::Forget { user, through });
        }
    }

    /// The clinic emptied the user's queue, and the store knows.
    pub fn cleared(&mut self, user: &str) {
        if let Some(person) = self.people.get_mut(user) {
            person.received = person.ring.last;
            person.ring.clear();
        }
    }

    fn person(&mut self, user: &str) -> &mut Person {
        let archive = &self.archive;
        self.people.entry(user.into()).or_insert_with(|| {
            let (last, waiting) = archive.mailbox(user);
            debug_assert!(waiting.iter().all(|message| &*message.pipe == PRIVATE));
            let received = waiting
                .first()
                .map_or(last.offset, |first| first.position.offset - 1);
            Person {
                seats: Vec::new(),
                ring: Ring::new(last, waiting),
                received,
                received_at: 0,
                here: false,
                lost: 0,
            }
        })
    }

    pub(super) fn sweep_people(&mut self, now: u64) {
        let limits = self.limits;
        let since = now.saturating_sub(limits.window);
        self.people.retain(|_, person| {
            let old = if person.received_at < since {
                u64::MAX
            } else {
                0
            };
            person.ring.trim(0, limits.ring, old, person.received);
            // what nobody has had is in the store
            let away = person.seats.is_empty() && !person.here;
            !away || person.lost + limits.window > now
        });
    }
}
