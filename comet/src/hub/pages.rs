//! Pages outlive their sockets: what they asked twice, and what they will listen to again.

use std::collections::{HashMap, VecDeque};

use super::{Hub, Line, SessionId};
use crate::{
    Kind, Position,
    wire::{Answer, Problem, Why},
};

/// A page of a user's. Two people may hit upon the same name, so the user is part of it.
pub(super) type PageKey = (Option<Box<str>>, Box<str>);

#[derive(Debug, Default)]
pub(super) struct Page {
    session: Option<SessionId>,
    /// Publications of late, oldest first, by the page's own number.
    recent: VecDeque<(u32, Outcome)>,
    /// `track_` pipes whose listeners were not told yet that the page lost its socket.
    away: Vec<Box<str>>,
    left: u64,
}

/// What became of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The store has it.
    UnderWay,
    Published {
        position: Position,
        listeners: usize,
    },
    Failed(Problem),
}

impl Outcome {
    pub fn answer(self, id: u32) -> Option<Answer> {
        match self {
            Self::UnderWay => None,
            Self::Published {
                position,
                listeners,
            } => Some(Answer::Published {
                id,
                position,
                listeners,
            }),
            Self::Failed(problem) => Some(Answer::Failed {
                id: Some(id),
                problem,
            }),
        }
    }
}

/// Publications remembered for each page; a page has no more of them unanswered.
const RECENT: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Pages {
    known: HashMap<PageKey, Page>,
    /// Who lost the socket and when, oldest first. Those who came back meanwhile are passed over.
    gone: VecDeque<(u64, PageKey)>,
    /// The same, until the grace is over.
    fading: VecDeque<(u64, PageKey)>,
}

impl Pages {
    pub fn left(&mut self, now: u64, key: &PageKey, id: SessionId, pipes: Vec<Box<str>>) {
        let Some(page) = self.known.get_mut(key) else {
            return;
        };
        if page.session != Some(id) {
            return; // it has a newer one
        }
        page.session = None;
        page.left = now;
        page.away = pipes;
        page.away.retain(|pipe| Kind::of(pipe) == Kind::Track);
        if !page.away.is_empty() {
            self.fading.push_back((now, key.clone()));
        }
        self.gone.push_back((now, key.clone()));
    }

    pub fn outcome(&self, key: &PageKey, id: u32) -> Option<Outcome> {
        let recent = &self.known.get(key)?.recent;
        recent
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, outcome)| *outcome)
    }

    pub fn note(&mut self, key: &PageKey, id: u32, outcome: Outcome) {
        let Some(page) = self.known.get_mut(key) else {
            return;
        };
        if let Some(known) = page.recent.iter_mut().find(|(known, _)| *known == id) {
            known.1 = outcome;
            return;
        }
        if page.recent.len() == RECENT {
            page.recent.pop_front();
        }
        page.recent.push_back((id, outcome));
    }

    pub fn session(&self, key: &PageKey) -> Option<SessionId> {
        self.known.get(key)?.session
    }

    /// True when the page was in the pipe a moment ago and nobody was told that it left.
    pub fn is_back_in(&mut self, key: &PageKey, pipe: &str) -> bool {
        let Some(page) = self.known.get_mut(key) else {
            return false;
        };
        let at = page.away.iter().position(|away| &**away == pipe);
        at.map(|at| page.away.swap_remove(at)).is_some()
    }
}

impl<L: Line> Hub<L> {
    /// The page says who it is. An older connection of the same page is closed.
    pub(super) fn hello(&mut self, now: u64, id: SessionId, page: &str) {
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        if page.is_empty() || seat.page.is_some() {
            return;
        }
        page.clone_into(&mut seat.visitor.page);
        let user = seat.visitor.user.clone();
        let key: PageKey = (user.as_deref().map(Into::into), page.into());
        seat.page = Some(key.clone());
        let page = self.pages.known.entry(key.clone()).or_default();
        if let Some(older) = page.session.replace(id) {
            // as if its socket had been lost: the pipes it was in are taken over
            if let Some(seat) = self.seats.get_mut(&older) {
                page.away.extend(seat.pipes.iter().cloned());
                page.away.retain(|pipe| Kind::of(pipe) == Kind::Track);
                page.left = now;
                self.pages.fading.push_back((now, key));
            }
            self.end(now, older, super::Ended::Lost, Why::Replaced);
        }
        self.answer(id, Answer::Welcome { user });
    }

    /// Nobody waits for the user's pages to come back.
    pub(super) fn give_up_pages(&mut self, now: u64, user: &str) {
        let pages = self.pages.known.iter_mut();
        let theirs = pages.filter(|((of, _), _)| of.as_deref() == Some(user));
        let mut left = Vec::new();
        for ((_, name), page) in theirs {
            let away = std::mem::take(&mut page.away).into_iter();
            left.extend(away.map(|pipe| (pipe, name.clone())));
        }
        for (pipe, page) in left {
            self.announce_leaving(now, &pipe, Some(user), &page);
        }
    }

    /// Tells that those are gone who did not come back, and forgets them later.
    pub(super) fn forget_pages(&mut self, now: u64) {
        while let Some((left, _)) = self.pages.fading.front()
            && left + self.limits.grace <= now
            && let Some((left, key)) = self.pages.fading.pop_front()
        {
            let Some(page) = self.pages.known.get_mut(&key) else {
                continue;
            };
            if page.left == left {
                for pipe in std::mem::take(&mut page.away) {
                    self.announce_leaving(now, &pipe, key.0.as_deref(), &key.1);
                }
            }
        }
        while let Some((left, _)) = self.pages.gone.front()
            && left + self.limits.window <= now
            && let Some((left, key)) = self.pages.gone.pop_front()
        {
            let over = |page: &Page| page.session.is_none() && page.left == left;
            if self.pages.known.get(&key).is_some_and(over) {
                self.pages.known.remove(&key);
            }
        }
    }
}
