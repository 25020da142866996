//! The relay's end: who listens to what, what they have not had yet, who is here.
//!
//! ```text
//!   page  ── Request ──►  ask ─┐                          ┌─► Line of each listener
//!   clinic ─ Draft ────► publish ─► kept? ─ no ─► announce ┤
//!                               └─ yes ─► Effect::Keep     └─► ring, for those who come back
//!                                           │ the shell stores it
//!                                           └─► kept() ─► announce
//! ```
//!
//! What has to outlive the relay is stored first and announced then, in the order in which it was
//! stored: an offset that a page has seen is never given to another message.
//!
//! A reader that lags is not waited for: its [`Line`] refuses, it loses its seat, and comes back
//! saying what it has.

mod asking;
mod mailbox;
#[cfg(test)]
mod model;
mod pages;
mod pipes;
mod ring;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    Body, Message, Position,
    wire::{Answer, Problem, Why},
};
use mailbox::Person;
use pages::{PageKey, Pages};
use pipes::Pipe;

/// The way to one reader. Cloned into every pipe it listens to, so it should be a pointer.
pub trait Line: Clone {
    /// Takes a thing to tell, or refuses because too much waits already.
    fn send(&self, out: Out) -> Result<(), Full>;
    /// Tells the reader why it is over, after what waits.
    fn close(&self, why: Why);
}

/// More waits for a reader than is kept for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// What a reader is told, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Out {
    Message(Arc<Message>),
    Answer(Arc<Answer>),
    /// The last one.
    Closed(Why),
}

/// What was stored before, read when a pipe or a user is first touched.
pub trait Archive: Send {
    /// `None`: nothing of this pipe is kept. A `trust_` pipe is kept without being asked for.
    fn pipe(&self, pipe: &str) -> Option<KeptPipe>;
    /// The newest position there ever was, and what nobody has had yet, oldest first.
    fn mailbox(&self, user: &str) -> (Position, Vec<Message>);
}

/// A pipe with a history.
#[derive(Debug)]
pub struct KeptPipe {
    /// How many messages are kept.
    pub length: usize,
    /// Of the newest message there ever was.
    pub last: Position,
    /// Oldest first.
    pub messages: Vec<Message>,
}

/// Time is in unix milliseconds wherever a number is called `now` or `at`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a message waits for listeners who lost their socket, in milliseconds.
    pub window: u64,
    /// And how many messages of a pipe do.
    pub ring: usize,
    /// How long somebody who lost the socket still counts as being here, in milliseconds.
    pub grace: u64,
    /// Pipes one connection may listen to.
    pub pipes_per_session: usize,
    /// Connections of one user.
    pub sessions_per_user: usize,
    /// Pipes in the whole relay.
    pub pipes: usize,
    /// Messages a second that a page may publish on average; a burst of five times as many is taken.
    pub publishes_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: 120_000,
            ring: 512,
            grace: 10_000,
            pipes_per_session: 64,
            sessions_per_user: 16,
            pipes: 100_000,
            publishes_per_second: 10,
        }
    }
}

/// A connection. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The page said goodbye.
    Left,
    /// It may well come back.
    Lost,
}

/// Whose connection it is, and what is known about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// `None`: nobody is logged in there.
    pub user: Option<String>,
    /// The page's own name for itself; on our wire its first frame says it.
    pub page: String,
    pub agent: String,
    pub address: Option<IpAddr>,
    pub origin: String,
    pub language: String,
    /// May this connection publish to the pipes that pages may publish to?
    pub may_publish: bool,
    /// May it listen to pipes at all (private messages aside)?
    pub may_listen: bool,
}

/// A message for a pipe, not yet published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub pipe: String,
    pub event: String,
    pub body: Body,
    pub from: Option<String>,
    asker: Option<Asker>,
}

impl Draft {
    /// From the clinic's back end.
    #[must_use]
    pub fn new(pipe: &str, event: &str, body: Body, from: Option<&str>) -> Self {
        Self {
            pipe: pipe.to_owned(),
            event: event.to_owned(),
            body,
            from: from.map(str::to_owned),
            asker: None,
        }
    }

    /// The page that publishes it, when one does that has named itself: its user, its name, and its
    /// number for this publication.
    #[must_use]
    pub fn asked_by(&self) -> Option<(Option<&str>, &str, u32)> {
        let asker = self.asker.as_ref()?;
        let (user, page) = asker.page.as_ref()?;
        Some((user.as_deref(), page, asker.id))
    }
}

/// The page that publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asker {
    session: SessionId,
    page: Option<PageKey>,
    id: u32,
}

/// What became of a draft.
#[derive(Debug)]
pub enum Publishing {
    Done {
        position: Position,
        listeners: usize,
    },
    /// Store it, then say so with [`Hub::kept`].
    Keep(Draft),
}

/// For the shell to do.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// A page's message for a pipe with a history: store it, then say so with [`Hub::kept`].
    Keep(Draft),
    /// One of the user's pages has these: they need not be kept any longer.
    Forget {
        user: String,
        through: u64,
    },
    Came {
        user: String,
    },
    Left {
        user: String,
        at: u64,
    },
}

#[derive(Debug)]
struct Seat<L> {
    line: L,
    visitor: Visitor,
    page: Option<PageKey>,
    /// Gets private messages.
    private: bool,
    pipes: Vec<Box<str>>,
    /// Messages that may be published at once, in thousandths, and when that was so.
    credit: (u64, u64),
}

/// Everything that is known of readers and pipes.
pub struct Hub<L> {
    limits: Limits,
    archive: Box<dyn Archive>,
    /// Of pipes that nobody stores: made from the relay's start, then counted up for each pipe.
    epoch: u64,
    next: u64,
    seats: HashMap<SessionId, Seat<L>>,
    pipes: HashMap<Box<str>, Pipe<L>>,
    people: HashMap<Box<str>, Person>,
    pages: Pages,
    effects: VecDeque<Effect>,
    /// Readers that refused something; they lose their seats before the next thing happens.
    slow: Vec<SessionId>,
    swept: u64,
}

impl<L> std::fmt::Debug for Hub<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("sessions", &self.seats.len())
            .field("pipes", &self.pipes.len())
            .finish_non_exhaustive()
    }
}

/// How often old things are looked for, in milliseconds.
const SWEEP: u64 = 10_000;

impl<L: Line> Hub<L> {
    /// `epoch`: another number at each start of the relay, below 2^50.
    #[must_use]
    pub fn new(limits: Limits, epoch: u64, archive: Box<dyn Archive>) -> Self {
        Self {
            limits,
            archive,
            epoch,
            next: 0,
            seats: HashMap::new(),
            pipes: HashMap::new(),
            people: HashMap::new(),
            pages: Pages::default(),
            effects: VecDeque::new(),
            slow: Vec::new(),
            swept: 0,
        }
    }

    /// A new connection. It listens to nothing yet.
    pub fn open(&mut self, now: u64, visitor: Visitor, line: L) -> Result<SessionId, Why> {
        let id = SessionId(self.next);
        self.next += 1;
        if let Some(user) = &visitor.user {
            let user = user.clone();
            self.enter(now, &user, id)?;
        }
        let seat = Seat {
            line,
            visitor,
            page: None,
            private: false,
            pipes: Vec::new(),
            credit: (u64::from(self.limits.publishes_per_second) * BURST, now),
        };
        self.seats.insert(id, seat);
        Ok(id)
    }

    /// The connection is gone.
    pub fn closed(&mut self, now: u64, id: SessionId, how: Ended) {
        self.unseat(now, id, how);
        self.settle(now);
    }

    /// Ends all connections of a user.
    pub fn close_user(&mut self, now: u64, user: &str, why: Why) {
        let seats = self.people.get(user).map(|person| person.seats.clone());
        for id in seats.unwrap_or_default() {
            self.end(now, id, Ended::Left, why);
        }
        self.settle(now);
    }

    /// Ends one connection.
    pub fn close(&mut self, now: u64, id: SessionId, why: Why) {
        self.end(now, id, Ended::Left, why);
        self.settle(now);
    }

    /// Ends all connections of a user whose login was taken back, and waits for no page of theirs.
    pub fn banish(&mut self, now: u64, user: &str, why: Why) {
        self.close_user(now, user, why);
        self.give_up_pages(now, user);
        self.give_up(now, user);
    }

    /// The same of one connection; the user's others stay.
    pub fn expel(&mut self, now: u64, id: SessionId, why: Why) {
        let user = self.visitor(id).and_then(|visitor| visitor.user.clone());
        self.close(now, id, why);
        if let Some(user) = user {
            self.give_up_if_alone(now, &user);
        }
    }

    /// Of a user who has no connection left nobody waits for a page any more.
    pub fn give_up_if_alone(&mut self, now: u64, user: &str) {
        if self
            .people
            .get(user)
            .is_some_and(|person| person.seats.is_empty())
        {
            self.give_up_pages(now, user);
            self.give_up(now, user);
        }
    }

    /// Whose connection it is.
    #[must_use]
    pub fn visitor(&self, id: SessionId) -> Option<&Visitor> {
        self.seats.get(&id).map(|seat| &seat.visitor)
    }

    /// What the connection's newest login allows.
    pub fn set_rights(&mut self, now: u64, id: SessionId, may_publish: bool, may_listen: bool) {
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        (seat.visitor.may_publish, seat.visitor.may_listen) = (may_publish, may_listen);
        let leaves = if may_listen {
            Vec::new()
        } else {
            seat.pipes.clone()
        };
        for pipe in &leaves {
            self.leave(now, id, pipe);
        }
        self.settle(now);
    }

    /// Ends all connections; the pages may come back.
    pub fn close_all(&mut self, now: u64, why: Why) {
        let all: Vec<_> = self.seats.keys().copied().collect();
        for id in all {
            self.end(now, id, Ended::Lost, why);
        }
    }

    /// To be called every second or so.
    pub fn tick(&mut self, now: u64) {
        self.depart(now);
        self.forget_pages(now);
        if self.swept + SWEEP <= now {
            self.swept = now;
            self.sweep_pipes(now);
            self.sweep_people(now);
        }
        self.settle(now);
    }

    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Users who are here.
    #[must_use]
    pub fn online(&self) -> BTreeSet<String> {
        let here = self.people.iter().filter(|(_, person)| person.is_here());
        here.map(|(user, _)| user.to_string()).collect()
    }

    #[must_use]
    pub fn is_online(&self, user: &str) -> bool {
        self.people.get(user).is_some_and(Person::is_here)
    }

    /// Connections.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.seats.len()
    }

    /// Takes the seats of those who refused, and tells what follows from that.
    fn settle(&mut self, now: u64) {
        while let Some(id) = self.slow.pop() {
            self.end(now, id, Ended::Lost, Why::TooSlow);
        }
    }

    fn end(&mut self, now: u64, id: SessionId, how: Ended, why: Why) {
        if let Some(seat) = self.seats.get(&id) {
            seat.line.close(why);
            self.unseat(now, id, how);
        }
    }

    fn unseat(&mut self, now: u64, id: SessionId, how: Ended) {
        let Some(seat) = self.seats.remove(&id) else {
            return;
        };
        let away = match how {
            Ended::Left => Vec::new(),
            Ended::Lost => seat.pipes.clone(),
        };
        for pipe in &seat.pipes {
            self.leave_pipe(now, id, &seat, pipe, how);
        }
        if let Some(key) = &seat.page {
            self.pages.left(now, key, id, away);
        }
        if let Some(user) = &seat.visitor.user {
            self.exit(now, user, id, how);
        }
    }

    fn answer(&mut self, id: SessionId, answer: Answer) {
        self.tell(id, Out::Answer(Arc::new(answer)));
    }

    fn fail(&mut self, session: SessionId, id: impl Into<Option<u32>>, problem: Problem) {
        let id = id.into();
        self.answer(session, Answer::Failed { id, problem });
    }

    fn tell(&mut self, id: SessionId, out: Out) {
        if let Some(seat) = self.seats.get(&id)
            && seat.line.send(out).is_err()
            && !self.slow.contains(&id)
        {
            self.slow.push(id);
        }
    }
}

/// Seconds' worth of messages that may be published at once.
const BURST: u64 = 5_000;
