//! Pipes: who listens, what was said of late, who is told.

use std::sync::Arc;

use super::{
    Draft, Effect, Ended, Hub, Line, Out, Publishing, Seat, SessionId, Visitor,
    pages::Outcome,
    ring::{Missed, Ring},
};
use crate::{Body, Kind, Message, PRIVATE, Position, json, wire::Problem};

#[derive(Debug)]
pub(super) struct Pipe<L> {
    pub listeners: Vec<(SessionId, L)>,
    pub ring: Ring,
    /// Messages kept for ever, until newer ones take their place.
    pub length: usize,
    /// Since when it has been without a listener or a message.
    quiet: u64,
}

/// A pipe without listeners is remembered so many windows long, so that a page that returns late
/// is told of no gap where there was nothing to miss.
const WINDOWS: u64 = 30;

impl<L: Line> Hub<L> {
    /// From the clinic's back end: any pipe.
    pub fn publish(&mut self, now: u64, draft: Draft) -> Publishing {
        let publishing = self.publish_draft(now, draft);
        self.settle(now);
        publishing
    }

    /// A draft that had to be stored is stored, at that position; or could not be. In the order of
    /// the positions.
    pub fn kept(&mut self, now: u64, draft: Draft, position: Option<Position>) -> Option<usize> {
        let outcome = match position {
            Some(position) => {
                self.pipe(now, &draft.pipe);
                let listeners = self.announce(now, &draft, position);
                Outcome::Published {
                    position,
                    listeners,
                }
            }
            None => Outcome::Failed(Problem::Unavailable),
        };
        if let Some(asker) = draft.asker {
            let page = asker.page.as_ref();
            // it may have another connection by now
            let session = page.and_then(|page| self.pages.session(page));
            if let Some(page) = page {
                self.pages.note(page, asker.id, outcome);
            }
            if let Some(answer) = outcome.answer(asker.id) {
                self.answer(session.unwrap_or(asker.session), answer);
            }
        }
        self.settle(now);
        match outcome {
            Outcome::Published { listeners, .. } => Some(listeners),
            _ => None,
        }
    }

    pub(super) fn publish_draft(&mut self, now: u64, draft: Draft) -> Publishing {
        let Some(pipe) = self.pipe(now, &draft.pipe) else {
            // nobody listens, nobody did of late, and nothing is kept
            return Publishing::Done {
                position: Position::default(),
                listeners: 0,
            };
        };
        if pipe.length > 0 {
            return Publishing::Keep(draft);
        }
        let position = pipe.ring.next();
        let listeners = self.announce(now, &draft, position);
        Publishing::Done {
            position,
            listeners,
        }
    }

    /// Into the ring and to all who listen, the publishing page aside. Returns how many those are.
    fn announce(&mut self, now: u64, draft: &Draft, position: Position) -> usize {
        let Some(pipe) = self.pipes.get_mut(&*draft.pipe) else {
            return 0;
        };
        let asker = draft.asker.as_ref();
        let page = asker.and_then(|asker| asker.page.as_ref());
        let body = draft.body.clone();
        let message = Message::new(&draft.pipe, position, &draft.event, body, now)
            .from_user(draft.from.as_deref())
            .by(page.map(|(_, name)| &**name));
        let message = Arc::new(message);
        if !pipe.ring.push(message.clone()) {
            return 0;
        }
        pipe.quiet = now;
        let since = now.saturating_sub(self.limits.window);
        pipe.ring
            .trim(pipe.length, self.limits.ring, since, u64::MAX);
        let own = page.and_then(|page| self.pages.session(page));
        let own = own.or(asker.map(|asker| asker.session));
        let mut told = 0;
        for (id, line) in &pipe.listeners {
            if Some(*id) == own {
                continue;
            }
            match line.send(Out::Message(message.clone())) {
                Ok(()) => told += 1,
                Err(_) => self.slow.push(*id),
            }
        }
        told
    }

    /// Listens from what it has on; from now on without that.
    pub(super) fn join_pipe(
        &mut self,
        now: u64,
        id: SessionId,
        name: &str,
        have: Option<Position>,
    ) -> Result<Missed, Problem> {
        let seat = self.seats.get(&id).ok_or(Problem::LoginFirst)?;
        let known = seat.visitor.user.is_some();
        let kind = Kind::of(name);
        if !kind.may_listen(known) {
            return Err(Problem::LoginFirst);
        }
        if !seat.visitor.may_listen {
            return Err(Problem::Forbidden);
        }
        let again = seat.pipes.iter().any(|pipe| &**pipe == name);
        if !again && seat.pipes.len() >= self.limits.pipes_per_session {
            return Err(Problem::TooMany);
        }
        if !self.pipes.contains_key(name) {
            if self.pipes.len() >= self.limits.pipes {
                return Err(Problem::TooMany);
            }
            self.make_pipe(now, name);
        }
        let since = now.saturating_sub(self.limits.window);
        let (Some(pipe), Some(seat)) = (self.pipes.get_mut(name), self.seats.get_mut(&id)) else {
            return Err(Problem::Unavailable);
        };
        let mut missed = match have {
            Some(have) => pipe.ring.after(have, since),
            None => pipe.ring.missed(Vec::new(), false),
        };
        if let Some((_, page)) = &seat.page {
            let theirs = |message: &Arc<Message>| message.by.as_ref() != Some(page);
            missed.messages.retain(theirs);
        }
        if !again {
            seat.pipes.push(name.into());
            pipe.listeners.push((id, seat.line.clone()));
        }
        if kind == Kind::Track && !again {
            let (visitor, key) = (seat.visitor.clone(), seat.page.clone());
            let back = key.is_some_and(|key| self.pages.is_back_in(&key, name));
            if !back {
                self.announce_tracking(now, name, "subscription", &visitor, id);
            }
        }
        Ok(missed)
    }

    pub(super) fn leave(&mut self, now: u64, id: SessionId, name: &str) {
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        if name == PRIVATE {
            seat.private = false;
            return;
        }
        let Some(at) = seat.pipes.iter().position(|pipe| &**pipe == name) else {
            return;
        };
        seat.pipes.swap_remove(at);
        let Some(seat) = self.seats.remove(&id) else {
            return;
        };
        self.leave_pipe(now, id, &seat, name, Ended::Left);
        self.seats.insert(id, seat);
    }

    pub(super) fn leave_pipe(
        &mut self,
        now: u64,
        id: SessionId,
        seat: &Seat<L>,
        name: &str,
        how: Ended,
    ) {
        let Some(pipe) = self.pipes.get_mut(name) else {
            return;
        };
        if let Some(at) = pipe
            .listeners
            .iter()
            .position(|(listener, _)| *listener == id)
        {
            pipe.listeners.swap_remove(at);
        }
        pipe.quiet = now;
        let waits = how == Ended::Lost && seat.page.is_some();
        if Kind::of(name) == Kind::Track && !waits {
            self.announce_tracking(now, name, "unsubscription", &seat.visitor, id);
        }
    }

    fn announce_tracking(
        &mut self,
        now: u64,
        pipe: &str,
        event: &str,
        who: &Visitor,
        session: SessionId,
    ) {
        let body = whereabouts(who.user.as_deref(), &who.page);
        let mut draft = Draft::new(pipe, event, body, None);
        // nobody is told of their own coming
        draft.asker = Some(super::Asker {
            session,
            page: None,
            id: 0,
        });
        self.announce_quietly(now, draft);
    }

    pub(super) fn announce_leaving(
        &mut self,
        now: u64,
        pipe: &str,
        user: Option<&str>,
        page: &str,
    ) {
        let draft = Draft::new(pipe, "unsubscription", whereabouts(user, page), None);
        self.announce_quietly(now, draft);
    }

    /// Something the relay itself tells.
    pub(super) fn announce_quietly(&mut self, now: u64, mut draft: Draft) {
        match self.publish_draft(now, draft.clone()) {
            Publishing::Done { .. } => {}
            Publishing::Keep(_) => {
                draft.asker = None;
                self.effects.push_back(Effect::Keep(draft));
            }
        }
    }

    // --- history -------------------------------------------------------------------------------

    /// The kept messages, oldest first.
    pub fn history(&mut self, now: u64, name: &str, limit: usize) -> Vec<Arc<Message>> {
        match self.pipe(now, name) {
            Some(pipe) => pipe.ring.latest(limit.min(pipe.length)),
            None => Vec::new(),
        }
    }

    pub fn history_length(&mut self, now: u64, name: &str) -> usize {
        self.pipe(now, name).map_or(0, |pipe| pipe.length)
    }

    /// The clinic set another length or emptied the pipe, and the store knows: read it anew.
    pub fn reload(&mut self, now: u64, name: &str) {
        let Some(kept) = self.archive.pipe(name) else {
            // stored no longer: offsets of another life begin
            if self.pipes.get(name).is_some_and(|pipe| pipe.length > 0) {
                let last = self.new_life();
                if let Some(pipe) = self.pipes.get_mut(name) {
                    (pipe.length, pipe.ring) = (0, Ring::new(last, Vec::new()));
                }
            }
            return;
        };
        if self.pipe(now, name).is_none() {
            self.make_pipe(now, name);
        }
        if let Some(pipe) = self.pipes.get_mut(name) {
            pipe.length = kept.length;
            pipe.ring = Ring::new(kept.last, kept.messages);
        }
    }

    /// Connections that listen.
    #[must_use]
    pub fn listeners(&self, name: &str) -> usize {
        self.pipes.get(name).map_or(0, |pipe| pipe.listeners.len())
    }

    #[must_use]
    pub fn in_pipe(&self, name: &str) -> Vec<&Visitor> {
        let listeners = self.pipes.get(name).map(|pipe| &pipe.listeners[..]);
        let seats = listeners.unwrap_or_default().iter();
        seats
            .filter_map(|(id, _)| self.seats.get(id))
            .map(|seat| &seat.visitor)
            .collect()
    }

    // --- life and death --------------------------------------------------------------------------

    /// A pipe that is in memory or kept; not made for a mere question.
    fn pipe(&mut self, now: u64, name: &str) -> Option<&mut Pipe<L>> {
        if !self.pipes.contains_key(name) {
            let kept = self.archive.pipe(name);
            if kept.is_none() || self.pipes.len() >= self.limits.pipes {
                return None;
            }
            self.make_pipe(now, name);
        }
        self.pipes.get_mut(name)
    }

    fn make_pipe(&mut self, now: u64, name: &str) {
        let (length, ring) = match self.archive.pipe(name) {
            Some(kept) => (kept.length, Ring::new(kept.last, kept.messages)),
            None => (0, Ring::new(self.new_life(), Vec::new())),
        };
        let pipe = Pipe {
            listeners: Vec::new(),
            ring,
            length,
            quiet: now,
        };
        self.pipes.insert(name.into(), pipe);
    }

    fn new_life(&mut self) -> Position {
        self.epoch += 1;
        Position {
            epoch: self.epoch,
            offset: 0,
        }
    }

    pub(super) fn sweep_pipes(&mut self, now: u64) {
        let limits = self.limits;
        let since = now.saturating_sub(limits.window);
        self.pipes.retain(|_, pipe| {
            pipe.ring.trim(pipe.length, limits.ring, since, u64::MAX);
            let patience = if pipe.length > 0 { 1 } else { WINDOWS };
            !pipe.listeners.is_empty() || pipe.quiet + patience * limits.window > now
        });
    }
}

/// `{"user_id","uuid"}`, as `track_` pipes tell it.
fn whereabouts(user: Option<&str>, page: &str) -> Body {
    let mut out = String::from("{\"user_id\":");
    json::write_string(&mut out, user.unwrap_or("0"));
    out.push_str(",\"uuid\":");
    json::write_string(&mut out, page);
    out.push('}');
    Body::json(out).expect("an object of two strings, each far shorter than a body")
}
