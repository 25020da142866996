//! Messages to the pages of the people who are logged in: private ones, and pipes.
//!
//! One task owns the pure [`Hub`](clinicall_comet::hub::Hub); this is the door to it. A message
//! passes through four rooms: the clinic's back end or a page asks here, the store keeps what has
//! to be kept, the hub decides who gets it, and each reader's [`Session`] has it in its queue.
//!
//! Every transport goes through [`Handle::open`]: our own wire, CppComet's, event streams.

mod along;
pub mod cppcomet;
pub mod flows;
mod keep;
mod line;
mod logins;
mod renew;
mod session;
mod task;
pub mod transport;

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

pub use along::Along;
pub use clinicall_comet::{
    Body, Message, MessageId, Position,
    hub::{Out, Visitor},
    wire::{Answer, Problem, Request, Seen, Why},
};
use clinicall_comet::{
    hub::{Draft, Limits},
    is_event, is_pipe,
};
use clinicall_sip::agent::Flow;
pub use session::Session;
use task::{Note, Task};
use tokio::sync::{mpsc, oneshot};

use crate::{
    auth::{Auth, TokenId},
    config::{self, Config},
    metrics::Metrics,
    store::{Store, StoreError},
};

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CometError {
    /// `field` as the clinic's back end calls it.
    #[error("`{field}` {why}")]
    Invalid {
        field: &'static str,
        why: &'static str,
    },
    #[error("too many messages wait for this user")]
    QueueFull,
    /// The relay is stopping, or the store fails; worth another try.
    #[error("{0}")]
    Unavailable(String),
}

/// A private message that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub id: MessageId,
    /// Connections it went to at once.
    pub sockets: usize,
    /// Nobody was there: it waits.
    pub queued: bool,
}

/// A message of a pipe that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub position: Position,
    /// Connections it went to.
    pub listeners: usize,
}

/// Someone who listens to a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub user: Option<String>,
    /// The page, as it names itself.
    pub uuid: String,
    pub agent: String,
    pub ip: Option<IpAddr>,
    pub origin: String,
    pub language: String,
}

/// A private message that nobody has had yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    pub offset: u64,
    pub id: MessageId,
    pub event: String,
    pub body: Body,
    /// Unix milliseconds.
    pub at: u64,
}

/// A connection in the making.
#[derive(Clone, Debug, Default)]
pub struct NewSession {
    pub visitor: Visitor,
    /// When it ends because its login does, unix seconds.
    pub expires: Option<u64>,
    /// What it was logged in with; it ends when that is revoked.
    pub token: Option<TokenId>,
    /// The phone's socket it goes over: rights and token are then those of its newest login.
    pub flow: Option<Flow>,
    /// Things that may wait for this reader before it is dropped; `comet.queue` unless given.
    pub queue: Option<usize>,
}

impl NewSession {
    fn of(visitor: Visitor, entry: transport::Entry) -> Self {
        Self {
            visitor,
            expires: entry.expires,
            token: entry.token,
            ..Self::default()
        }
    }
}

/// What others may want to know. Told on the comet task: do not block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    Online {
        user: String,
    },
    Offline {
        user: String,
    },
    /// Nobody fetched it in time.
    Undelivered {
        user: String,
        id: MessageId,
        event: String,
    },
}

/// How the task behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    pub limits: Limits,
    /// Things that wait for one reader before it is too slow.
    pub queue: usize,
    /// Private messages that wait for one user.
    pub queued_messages: usize,
    /// How long they do, in milliseconds.
    pub keep: u64,
}

impl Settings {
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let comet = &config.comet;
        Self {
            limits: Limits {
                window: comet.window_seconds * 1_000,
                sessions_per_user: comet.sessions_per_user,
                pipes_per_session: comet.pipes_per_session,
                publishes_per_second: comet.publishes_per_second,
                ..Limits::default()
            },
            queue: comet.queue,
            queued_messages: comet.queued_messages,
            keep: comet.keep_hours * 3_600_000,
        }
    }
}

impl Listener {
    fn of(visitor: &Visitor) -> Self {
        let visitor = visitor.clone();
        Self {
            user: visitor.user,
            uuid: visitor.page,
            agent: visitor.agent,
            ip: visitor.address,
            origin: visitor.origin,
            language: visitor.language,
        }
    }
}

impl From<StoreError> for CometError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => Self::QueueFull,
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// How others reach the comet task; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    mailbox: mpsc::Sender<Note>,
    flows: flows::Flows,
}

/// Notes that wait for the task; whoever sends waits for room.
const MAILBOX: usize = 4_096;

/// The longest history of a pipe.
const MAX_HISTORY: usize = 1_000;

impl Handle {
    /// Starts the task. `tell` hears who comes and goes.
    #[must_use]
    pub fn start(
        store: Store,
        settings: Settings,
        metrics: Arc<Metrics>,
        tell: impl FnMut(Presence) + Send + 'static,
    ) -> Self {
        let (mailbox, notes) = mpsc::channel(MAILBOX);
        let flows = flows::Flows::default();
        let task = Task::new(
            store,
            settings,
            metrics,
            mailbox.downgrade(),
            flows.clone(),
            Box::new(tell),
        );
        tokio::spawn(task.run(notes));
        Self { mailbox, flows }
    }

    /// Who is logged in on the phones' own sockets.
    #[must_use]
    pub fn flows(&self) -> &flows::Flows {
        &self.flows
    }

    /// A phone's socket is this user's from now on, or its login was renewed. Never blocks.
    pub fn logged_in(&self, flow: Flow, login: flows::Login) {
        if !self.flows.logged_in(flow, &login) {
            return;
        }
        let note = Note::LoggedIn(flow, login);
        if let Err(mpsc::error::TrySendError::Full(note)) = self.mailbox.try_send(note) {
            let mailbox = self.mailbox.clone();
            tokio::spawn(async move {
                let _ = mailbox.send(note).await;
            });
        }
    }

    /// Sends to all of the user's connections; kept on disk before this returns, until one of them
    /// has it.
    ///
    /// `along`: something to keep in the same change, once the message's id is known.
    pub async fn send(
        &self,
        user: &str,
        event: &str,
        body: Body,
        along: Option<Along<MessageId>>,
    ) -> Result<Sent, CometError> {
        if !config::is_user_id(user) {
            let why = "is 1 to 64 letters, digits, `.`, `-` and `_`";
            return Err(CometError::Invalid { field: "user", why });
        }
        check_event(event)?;
        let (user, event) = (user.to_owned(), event.to_owned());
        self.ask(|done| Note::Send(user, event, body, along, done))
            .await
    }

    /// Publishes into any pipe, as the clinic's back end may. `from`: the user to name as sender.
    /// `along`: something to keep in the same change, if the pipe keeps its messages, with the offset.
    pub async fn publish(
        &self,
        pipe: &str,
        event: &str,
        body: Body,
        from: Option<&str>,
        along: Option<Along<u64>>,
    ) -> Result<Published, CometError> {
        check_pipe(pipe)?;
        check_event(event)?;
        let draft = Draft::new(pipe, event, body, from);
        self.ask(|done| Note::Publish(draft, along, done)).await
    }

    /// The last messages of a pipe, oldest first.
    pub async fn history(&self, pipe: &str, limit: usize) -> Result<Vec<Arc<Message>>, CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::History(pipe, limit, done)).await
    }

    /// How many messages of a pipe are kept; 0: none.
    pub async fn history_length(&self, pipe: &str) -> Result<usize, CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::HistoryLength(pipe, done)).await
    }

    /// Keeps that many messages of a pipe from now on, 1,000 at most; 0 forgets them.
    pub async fn set_history(&self, pipe: &str, length: usize) -> Result<(), CometError> {
        check_pipe(pipe)?;
        let (pipe, length) = (pipe.to_owned(), length.min(MAX_HISTORY) as u64);
        self.ask(|done| Note::SetHistory(pipe, Some(length), done))
            .await
    }

    /// Forgets a pipe's messages and its length.
    pub async fn drop_history(&self, pipe: &str) -> Result<(), CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::SetHistory(pipe, None, done)).await
    }

    /// Forgets some messages of a pipe, by their offsets; how many there were.
    pub async fn forget(&self, pipe: &str, offsets: &[u64]) -> Result<usize, CometError> {
        let (pipe, offsets) = (pipe.to_owned(), offsets.to_vec());
        self.ask(|done| Note::Forget(pipe, offsets, done)).await
    }

    /// Forgets a pipe's messages; its length stays.
    pub async fn clear_history(&self, pipe: &str) -> Result<(), CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::ClearHistory(pipe, done)).await
    }

    /// Connections that listen to a pipe.
    pub async fn listeners(&self, pipe: &str) -> Result<usize, CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::Listeners(pipe, done)).await
    }

    pub async fn in_pipe(&self, pipe: &str) -> Result<Vec<Listener>, CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::InPipe(pipe, done)).await
    }

    /// Users who are here.
    pub async fn online(&self) -> Result<BTreeSet<String>, CometError> {
        self.ask(Note::Online).await
    }

    /// For each user, in order.
    pub async fn seen(&self, users: &[String]) -> Result<Vec<Seen>, CometError> {
        let users = users.to_vec();
        self.ask(|done| Note::Seen(users, done)).await
    }

    /// What waits for a user.
    pub async fn queued(&self, user: &str) -> Result<Vec<Queued>, CometError> {
        let user = user.to_owned();
        self.ask(|done| Note::Queued(user, done)).await
    }

    /// Forgets what waits for a user; returns how many messages that were.
    pub async fn clear(&self, user: &str) -> Result<usize, CometError> {
        let user = user.to_owned();
        self.ask(|done| Note::Clear(user, done)).await
    }

    /// Ends all of the user's connections.
    pub async fn close_user(&self, user: &str, why: Why) {
        let note = Note::CloseUser(user.to_owned(), why);
        let _ = self.mailbox.send(note).await;
    }

    /// The one door for every transport.
    pub async fn open(&self, session: NewSession) -> Result<Session, Why> {
        let (done, opened) = oneshot::channel();
        let note = Note::Open(session, done);
        self.mailbox.send(note).await.map_err(|_| Why::Stopping)?;
        opened.await.unwrap_or(Err(Why::Stopping))
    }

    /// Ends connections whose login is taken back, and lets pages show newer ones.
    pub fn follow(&self, auth: &Auth) {
        let (mailbox, auth) = (self.mailbox.clone(), auth.clone());
        let mut revocations = auth.revocations();
        tokio::spawn(async move {
            let mut note = Note::Auth(auth);
            while mailbox.send(note).await.is_ok() {
                match revocations.recv().await {
                    Some(revoked) => note = Note::Revoked(revoked),
                    None => return,
                }
            }
        });
    }

    /// Everything under way is stored, the pages are told to come back, and the task ends.
    pub async fn stop(&self) {
        let _ = self.ask(Note::Stop).await;
    }

    async fn ask<T>(&self, note: impl FnOnce(task::Done<T>) -> Note) -> Result<T, CometError> {
        let stopped = || CometError::Unavailable("the relay is stopping".to_owned());
        let (done, answer) = oneshot::channel();
        self.mailbox.send(note(done)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

fn check_pipe(pipe: &str) -> Result<(), CometError> {
    let why = "is 3 to 64 letters, digits, `_` and `-`";
    match is_pipe(pipe) {
        true => Ok(()),
        false => Err(CometError::Invalid { field: "pipe", why }),
    }
}

fn check_event(event: &str) -> Result<(), CometError> {
    let why = "is up to 64 letters, digits, `.`, `_` and `-`";
    match is_event(event) {
        true => Ok(()),
        false => Err(CometError::Invalid {
            field: "event",
            why,
        }),
    }
}
