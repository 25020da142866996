//! Messages to the pages of the people who are logged in: private ones, and pipes.
//!
//! One task owns the pure [`Hub`](clinicall_comet::hub::Hub); this is the door to it. A message
//! passes through four rooms: the clinic's back end or a page asks here, the store keeps what has
//! to be kept, the hub decides who gets it, and each reader's [`Session`] has it in its queue.
//!
//! Every transport goes through [`Handle::open`]: our own wire, CppComet's, event streams.

mod session;

use std::{collections::BTreeSet, net::IpAddr};

pub use clinicall_comet::{
    Body, Message, MessageId, Position,
    wire::{Answer, Problem, Request, Seen, Why},
};
pub use session::{Out, Session};
use tokio::sync::{mpsc, oneshot};

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

/// Who a connection belongs to, and what is known about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// `None`: nobody is logged in there.
    pub user: Option<String>,
    /// Random, and the same as long as the page lives, whatever becomes of its sockets.
    pub page: String,
    pub agent: String,
    pub address: Option<IpAddr>,
    pub origin: String,
    pub language: String,
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
#[derive(Debug)]
pub struct NewSession {
    pub visitor: Visitor,
    /// Frames that may wait for this reader before it is dropped.
    pub queue: usize,
}

/// Something for the comet task to do; the answer is dropped when it cannot.
#[derive(Debug)]
#[allow(dead_code)]
enum Note {
    Send(
        String,
        String,
        Body,
        oneshot::Sender<Result<Sent, CometError>>,
    ),
    Publish {
        pipe: String,
        event: String,
        body: Body,
        from: Option<String>,
        done: oneshot::Sender<Result<Published, CometError>>,
    },
    History(String, usize, oneshot::Sender<Vec<std::sync::Arc<Message>>>),
    HistoryLength(String, oneshot::Sender<usize>),
    SetHistory(String, usize, oneshot::Sender<Result<(), CometError>>),
    ClearHistory(String, oneshot::Sender<Result<(), CometError>>),
    Listeners(String, oneshot::Sender<usize>),
    InPipe(String, oneshot::Sender<Vec<Listener>>),
    Online(oneshot::Sender<BTreeSet<String>>),
    Seen(Vec<String>, oneshot::Sender<Vec<Seen>>),
    Queued(String, oneshot::Sender<Vec<Queued>>),
    Clear(String, oneshot::Sender<Result<usize, CometError>>),
    CloseUser(String, Why),
    Open(NewSession, oneshot::Sender<Result<Session, Why>>),
}

/// How others reach the comet task; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    mailbox: mpsc::Sender<Note>,
}

/// Notes that wait for the task; whoever sends waits for room.
const MAILBOX: usize = 4_096;

impl Handle {
    /// Starts the task.
    #[must_use]
    pub fn start() -> Self {
        let (mailbox, mut notes) = mpsc::channel(MAILBOX);
        tokio::spawn(async move { while notes.recv().await.is_some() {} });
        Self { mailbox }
    }

    /// Sends to all of the user's connections; kept on disk before this returns, until one of them
    /// has it.
    pub async fn send(&self, user: &str, event: &str, body: Body) -> Result<Sent, CometError> {
        let (user, event) = (user.to_owned(), event.to_owned());
        self.ask(|done| Note::Send(user, event, body, done)).await?
    }

    /// Publishes into any pipe, as the clinic's back end may. `from`: the user to name as sender.
    pub async fn publish(
        &self,
        pipe: &str,
        event: &str,
        body: Body,
        from: Option<&str>,
    ) -> Result<Published, CometError> {
        let (pipe, event) = (pipe.to_owned(), event.to_owned());
        let from = from.map(str::to_owned);
        self.ask(|done| Note::Publish {
            pipe,
            event,
            body,
            from,
            done,
        })
        .await?
    }

    /// The last messages of a pipe, oldest first.
    pub async fn history(
        &self,
        pipe: &str,
        limit: usize,
    ) -> Result<Vec<std::sync::Arc<Message>>, CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::History(pipe, limit, done)).await
    }

    /// How many messages of a pipe are kept; 0: none.
    pub async fn history_length(&self, pipe: &str) -> Result<usize, CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::HistoryLength(pipe, done)).await
    }

    /// Keeps that many messages of a pipe from now on; 0 forgets them.
    pub async fn set_history(&self, pipe: &str, length: usize) -> Result<(), CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::SetHistory(pipe, length, done))
            .await?
    }

    /// Forgets a pipe's messages; its length stays.
    pub async fn clear_history(&self, pipe: &str) -> Result<(), CometError> {
        let pipe = pipe.to_owned();
        self.ask(|done| Note::ClearHistory(pipe, done)).await?
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
        self.ask(|done| Note::Clear(user, done)).await?
    }

    /// Ends all of the user's connections.
    pub async fn close_user(&self, user: &str, why: Why) {
        let _ = self
            .mailbox
            .send(Note::CloseUser(user.to_owned(), why))
            .await;
    }

    /// The one door for every transport.
    pub async fn open(&self, session: NewSession) -> Result<Session, Why> {
        self.ask(|done| Note::Open(session, done))
            .await
            .unwrap_or(Err(Why::Stopping))
    }

    async fn ask<T>(&self, note: impl FnOnce(oneshot::Sender<T>) -> Note) -> Result<T, CometError> {
        let stopped = || CometError::Unavailable("the relay is stopping".to_owned());
        let (done, answer) = oneshot::channel();
        self.mailbox.send(note(done)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())
    }
}
