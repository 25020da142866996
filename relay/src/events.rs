//! What happens in the relay, for the clinic: numbered, kept in the store, sent to webhooks
//! ([`crate::webhook`]) and read as a stream ([`stream`]).
//!
//! [`Events::emit`] only hands the event over. A task of its own numbers what has come and writes it
//! together with what the webhooks owe, in one change; whoever streams is then woken and reads from
//! the store, each at a pace of its own.

pub mod attendance;
pub mod stream;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::{
    clock::unix_ms,
    log::Throttle,
    metrics::Metrics,
    signal::News,
    store::{Store, StoreError, outbox},
    webhook::Filter,
};

/// Events written in one change.
const BATCH: usize = 1000;

/// Streams that may be open at a time; each costs a read of the store for every event.
const STREAMS: usize = 64;

static NOT_KEPT: Throttle = Throttle::new(3, Duration::from_secs(60));

/// Something that happened. `type` in JSON is `call.ringing` and so on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    /// `to` is rung on behalf of `from` (empty: of the clinic itself).
    #[serde(rename = "call.ringing")]
    CallRinging {
        call: u64,
        room: Option<String>,
        from: String,
        to: String,
    },
    #[serde(rename = "call.answered")]
    CallAnswered {
        call: u64,
        room: Option<String>,
        from: String,
        to: String,
    },
    /// `duration_ms` since the answer; `None`: it was not answered.
    #[serde(rename = "call.ended")]
    CallEnded {
        call: u64,
        room: Option<String>,
        from: String,
        to: String,
        cause: String,
        duration_ms: Option<u64>,
    },
    #[serde(rename = "member.joined")]
    MemberJoined { room: String, user: String },
    #[serde(rename = "member.left")]
    MemberLeft {
        room: String,
        user: String,
        cause: String,
    },
    /// A private message waited too long. `id` is the message's, `event` what its sender called it.
    #[serde(rename = "message.undelivered")]
    MessageUndelivered {
        user: String,
        id: String,
        event: String,
    },
    /// The user's first device came.
    #[serde(rename = "user.online")]
    UserOnline { user: String },
    /// The user's last device went.
    #[serde(rename = "user.offline")]
    UserOffline { user: String },
}

impl Event {
    /// Every `type` there is.
    pub const KINDS: [&str; 8] = [
        "call.ringing",
        "call.answered",
        "call.ended",
        "member.joined",
        "member.left",
        "message.undelivered",
        "user.online",
        "user.offline",
    ];

    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CallRinging { .. } => Self::KINDS[0],
            Self::CallAnswered { .. } => Self::KINDS[1],
            Self::CallEnded { .. } => Self::KINDS[2],
            Self::MemberJoined { .. } => Self::KINDS[3],
            Self::MemberLeft { .. } => Self::KINDS[4],
            Self::MessageUndelivered { .. } => Self::KINDS[5],
            Self::UserOnline { .. } => Self::KINDS[6],
            Self::UserOffline { .. } => Self::KINDS[7],
        }
    }

    /// What it is kept in order with: events of one lane reach a webhook one after the other.
    #[must_use]
    pub fn lane(&self) -> String {
        match self {
            Self::CallRinging { call, room, .. }
            | Self::CallAnswered { call, room, .. }
            | Self::CallEnded { call, room, .. } => match room {
                Some(room) => format!("room {room}"),
                None => format!("call {call}"),
            },
            Self::MemberJoined { room, .. } | Self::MemberLeft { room, .. } => {
                format!("room {room}")
            }
            Self::MessageUndelivered { user, .. }
            | Self::UserOnline { user }
            | Self::UserOffline { user } => format!("user {user}"),
        }
    }

    /// What signalling has to tell, as far as it concerns the clinic.
    #[must_use]
    pub fn of(news: &News) -> Option<Self> {
        Some(match news.clone() {
            // pages count too: `attendance` tells
            News::LoggedIn { .. }
            | News::Online { .. }
            | News::Offline { .. }
            | News::Banished { .. } => return None,
            News::Ringing {
                call,
                room,
                from,
                to,
            } => Self::CallRinging {
                call,
                room,
                from,
                to,
            },
            News::Answered {
                call,
                room,
                from,
                to,
            } => Self::CallAnswered {
                call,
                room,
                from,
                to,
            },
            News::Ended {
                call,
                room,
                from,
                to,
                cause,
                talked,
            } => Self::CallEnded {
                call,
                room,
                from,
                to,
                cause: cause.to_owned(),
                duration_ms: talked,
            },
            News::Joined { room, user } => Self::MemberJoined { room, user },
            News::Left { room, user, cause } => Self::MemberLeft {
                room,
                user,
                cause: cause.to_owned(),
            },
        })
    }
}

/// An event as it is kept and sent: `{"id":7,"at":1790000000000,"type":"user.online","user":"2"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Rises by one from event to event.
    pub id: u64,
    /// When it happened, unix milliseconds.
    pub at: u64,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Debug)]
enum Note {
    /// When it happened, and what.
    Happened(u64, Event),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    news: mpsc::UnboundedSender<Note>,
    store: Store,
    hooks: Arc<[Filter]>,
    /// Moves when events or deliveries were written.
    written: watch::Sender<()>,
    streams: Arc<Semaphore>,
}

impl Events {
    /// Starts the task. It keeps the last `keep` events for streams, and for each of `hooks` what it
    /// has yet to be told.
    #[must_use]
    pub fn start(store: Store, keep: u64, hooks: Vec<Filter>, metrics: Arc<Metrics>) -> Self {
        let (news, mut waiting) = mpsc::unbounded_channel();
        let (written, _) = watch::channel(());
        let events = Self {
            news,
            store: store.clone(),
            hooks: hooks.into(),
            written: written.clone(),
            streams: Arc::new(Semaphore::new(STREAMS)),
        };
        let writer = Writer {
            store,
            keep,
            hooks: events.hooks.clone(),
            written,
            metrics,
        };
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, BATCH).await > 0 {
                let (mut happened, mut flushed) = (Vec::new(), Vec::new());
                for note in batch.drain(..) {
                    match note {
                        Note::Happened(at, event) => happened.push((at, event)),
                        Note::Flush(done) => flushed.push(done),
                    }
                }
                if !happened.is_empty() {
                    writer.write(happened).await;
                }
                for done in flushed {
                    let _ = done.send(());
                }
            }
        });
        events
    }

    /// Never blocks. The event is on the disk a moment later; a relay killed before that has lost it
    /// along with the call it tells of.
    pub fn emit(&self, event: Event) {
        // the task ends with the runtime only
        let _ = self.news.send(Note::Happened(unix_ms(), event));
    }

    /// Returns when everything that was emitted is on the disk, or could not be written.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.news.send(Note::Flush(done)).is_ok() {
            let _ = flushed.await;
        }
    }

    /// Events after that id, or from now on.
    pub fn subscribe(&self, after: Option<u64>) -> Result<stream::Subscription, StoreError> {
        stream::Subscription::new(self, after)
    }

    /// Sends events after that id to the webhooks once more, those that were given up included; to
    /// the one with this address, or to all. Returns how many deliveries that makes.
    pub async fn replay(&self, after: u64, url: Option<String>) -> Result<usize, StoreError> {
        let hooks = self.hooks.clone();
        let queued = self
            .store
            .write(move |changes| replay(changes, &hooks, after, url.as_deref()))
            .await?;
        self.written.send_replace(());
        Ok(queued)
    }

    /// Moves when something was written.
    #[must_use]
    pub fn written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }
}

/// What the task writes with.
struct Writer {
    store: Store,
    keep: u64,
    hooks: Arc<[Filter]>,
    written: watch::Sender<()>,
    metrics: Arc<Metrics>,
}

impl Writer {
    async fn write(&self, happened: Vec<(u64, Event)>) {
        let (count, keep, hooks) = (happened.len() as u64, self.keep, self.hooks.clone());
        let kept = self
            .store
            .write(move |changes| outbox::keep(changes, &happened, keep, &hooks));
        match kept.await {
            Ok(buried) => {
                self.metrics.events_total.add(count);
                self.metrics.webhook_dead_total.add(buried);
                self.written.send_replace(());
            }
            Err(error) => {
                self.metrics.events_lost_total.add(count);
                if let Some(left_out) = NOT_KEPT.admit(Instant::now()) {
                    tracing::error!(%error, count, left_out, "events are lost");
                }
            }
        }
    }
}

/// [`Events::replay`] for a store without a relay.
pub fn replay(
    changes: &mut crate::store::Changes<'_>,
    hooks: &[Filter],
    after: u64,
    url: Option<&str>,
) -> Result<usize, StoreError> {
    let mut queued = 0;
    for hook in hooks {
        if url.is_none_or(|url| url == hook.url) {
            queued += outbox::replay(changes, hook, after, unix_ms())?;
        }
    }
    Ok(queued)
}

#[cfg(test)]
mod tests;
