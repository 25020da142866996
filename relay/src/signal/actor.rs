//! The one task that owns every SIP state: notes in from sockets and media, frames out.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::body::Bytes;
use clinicall_sip::{
    Time,
    agent::{Flow, Transport},
};
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{Closing, Exchange, News, Out, Question, doorman::nobody_answers, users::User};
use crate::{log::Throttle, media::Event, metrics::Metrics};

/// Notes that wait for the task; sockets wait for room, so a flood slows its own senders down.
const MAILBOX: usize = 1024;

static SLOW_READERS: Throttle = Throttle::new(5, Duration::from_secs(10));

/// Something for the signal task to know.
pub enum Note {
    Opened {
        flow: Flow,
        transport: Transport,
        address: IpAddr,
        outgoing: Outgoing,
    },
    Frame {
        flow: Flow,
        bytes: Bytes,
    },
    Closed {
        flow: Flow,
        how: Closing,
    },
    Media(Event),
    /// The users in the store, read anew.
    Stored(Vec<User>),
    /// Who is registered.
    Online(oneshot::Sender<BTreeSet<String>>),
    /// Something for the exchange to do, on its own task.
    Do(Work),
    /// Who answers questions from now on.
    Doorman(Asked),
    Ping(oneshot::Sender<()>),
    /// No new calls from now on; answered when the last call has ended.
    Drain(oneshot::Sender<()>),
    /// Ends every call and closes every socket; answered when that is on its way.
    Stop(oneshot::Sender<()>),
}

/// Something for the exchange to do.
pub type Work = Box<dyn FnOnce(&mut Exchange, Time) + Send>;

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Note")
    }
}

/// The way to one socket.
#[derive(Debug)]
pub struct Outgoing {
    pub queue: mpsc::Sender<Frame>,
    /// Drops the socket at once, whatever it is doing.
    pub drop_now: Arc<Notify>,
}

#[derive(Debug)]
pub enum Frame {
    Sip(Vec<u8>),
    Close { code: u16, reason: &'static str },
}

/// The signal task is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the relay is stopping")]
pub struct Stopped;

/// How others reach the signal task; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    mailbox: mpsc::Sender<Note>,
    flows: Arc<AtomicU64>,
}

impl Handle {
    /// Starts the task. `tell` hears the news there and must not block.
    #[must_use]
    pub fn start(
        exchange: Exchange,
        metrics: Arc<Metrics>,
        tell: impl FnMut(News) + Send + 'static,
    ) -> Self {
        let (mailbox, notes) = mpsc::channel(MAILBOX);
        let actor = Actor {
            exchange,
            metrics,
            sockets: HashMap::new(),
            origin: crate::clock::origin(),
            drained: Vec::new(),
            tell: Box::new(tell),
            doorman: None,
        };
        tokio::spawn(actor.run(notes));
        Self {
            mailbox,
            flows: Arc::default(),
        }
    }

    /// A name for a new connection.
    #[must_use]
    pub fn next_flow(&self) -> Flow {
        Flow(self.flows.fetch_add(1, Relaxed) + 1)
    }

    /// Waits while the mailbox is full.
    pub async fn tell(&self, note: Note) -> Result<(), Stopped> {
        self.mailbox.send(note).await.map_err(|_| Stopped)
    }

    /// From a thread of the media workers.
    pub fn tell_blocking(&self, note: Note) -> Result<(), Stopped> {
        self.mailbox.blocking_send(note).map_err(|_| Stopped)
    }

    pub async fn online(&self) -> Option<BTreeSet<String>> {
        self.ask(Note::Online).await
    }

    pub async fn ping(&self) -> bool {
        self.ask(Note::Ping).await.is_some()
    }

    /// Refuses new calls; returns when the last one has ended.
    pub async fn drain(&self) {
        self.ask(Note::Drain).await;
    }

    pub async fn stop(&self) {
        self.ask(Note::Stop).await;
    }

    /// Lets the exchange do something and waits for what came of it.
    pub async fn run<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Exchange, Time) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, waiting) = oneshot::channel();
        let note = Note::Do(Box::new(move |exchange, now| {
            // whoever asked may have given up meanwhile
            let _ = answer.send(what(exchange, now));
        }));
        self.tell(note).await?;
        waiting.await.map_err(|_| Stopped)
    }

    async fn ask<T>(&self, note: impl FnOnce(oneshot::Sender<T>) -> Note) -> Option<T> {
        let (answer, waiting) = oneshot::channel();
        self.tell(note(answer)).await.ok()?;
        waiting.await.ok()
    }
}

struct Actor {
    exchange: Exchange,
    metrics: Arc<Metrics>,
    sockets: HashMap<Flow, Outgoing>,
    origin: Instant,
    drained: Vec<oneshot::Sender<()>>,
    tell: Box<dyn FnMut(News) + Send>,
    doorman: Option<Asked>,
}

/// Where questions go, each with its number.
pub type Asked = mpsc::Sender<(u64, Question)>;

impl Actor {
    async fn run(mut self, mut notes: mpsc::Receiver<Note>) {
        loop {
            let alarm = self
                .exchange
                .wake_at()
                .map(|at| self.origin + Duration::from_millis(at.0));
            let note = tokio::select! {
                note = notes.recv() => match note {
                    Some(note) => Some(note),
                    None => return,
                },
                () = sleep_until(alarm) => None,
            };
            let now = self.now();
            let stop = match note {
                Some(Note::Stop(done)) => Some(done),
                Some(note) => {
                    self.hear(now, note);
                    None
                }
                None => {
                    self.exchange.tick(now);
                    None
                }
            };
            if let Some(done) = stop {
                self.stop(now);
                let _ = done.send(());
                return;
            }
            self.carry_out(now);
            if self.exchange.is_quiet() {
                for done in self.drained.drain(..) {
                    let _ = done.send(());
                }
            }
        }
    }

    fn hear(&mut self, now: Time, note: Note) {
        match note {
            Note::Opened {
                flow,
                transport,
                address,
                outgoing,
            } => {
                self.sockets.insert(flow, outgoing);
                self.exchange.open(now, flow, transport, address);
            }
            Note::Frame { flow, bytes } => {
                // frames read before a drop may still be under way
                if self.sockets.contains_key(&flow) {
                    self.metrics.sip_received_total.add(1);
                    self.exchange.receive(now, flow, &bytes);
                }
            }
            Note::Closed { flow, how } => {
                if self.sockets.remove(&flow).is_some() {
                    self.exchange.closed(now, flow, how);
                }
            }
            Note::Stored(users) => self.exchange.set_stored_users(users),
            Note::Media(event) => self.exchange.media(now, event),
            Note::Online(answer) => drop(answer.send(self.exchange.online())),
            Note::Doorman(doorman) => self.doorman = Some(doorman),
            Note::Do(what) => what(&mut self.exchange, now),
            Note::Ping(answer) => drop(answer.send(())),
            Note::Drain(done) => {
                self.exchange.drain();
                self.drained.push(done);
            }
            Note::Stop(_) => {}
        }
    }

    fn stop(&mut self, now: Time) {
        self.exchange.end_calls(now);
        self.carry_out(now);
        for outgoing in self.sockets.values() {
            let goodbye = Frame::Close {
                code: 1001,
                reason: "the relay is stopping",
            };
            let _ = outgoing.queue.try_send(goodbye);
        }
    }

    /// Hands the exchange's frames to the sockets. A socket whose queue is full is dropped: it
    /// must not hold up the others.
    fn carry_out(&mut self, now: Time) {
        while let Some(out) = self.exchange.poll() {
            match out {
                Out::Send { flow, bytes } => self.send(now, flow, Frame::Sip(bytes)),
                Out::Close { flow, code, reason } => {
                    self.send(now, flow, Frame::Close { code, reason });
                }
                Out::News(news) => (self.tell)(news),
                Out::Ask { ask, question } => self.ask(now, ask, question),
            }
        }
    }

    /// Nobody there, or too busy to take one more question: that is a no.
    fn ask(&mut self, now: Time, ask: u64, question: Question) {
        let unheard = match &self.doorman {
            Some(doorman) => doorman.try_send((ask, question)).err().map(|error| {
                let (_, question) = error.into_inner();
                question
            }),
            None => Some(question),
        };
        if let Some(question) = unheard {
            self.exchange.told(now, ask, nobody_answers(&question));
        }
    }

    fn send(&mut self, now: Time, flow: Flow, frame: Frame) {
        let Some(outgoing) = self.sockets.get(&flow) else {
            self.metrics.sip_undelivered_total.add(1);
            return;
        };
        match outgoing.queue.try_send(frame) {
            Ok(()) => return self.metrics.sip_sent_total.add(1),
            // the socket has ended, and the note that tells how is on its way to us
            Err(TrySendError::Closed(_)) => return self.metrics.sip_undelivered_total.add(1),
            Err(TrySendError::Full(_)) => {}
        }
        if let Some(left_out) = SLOW_READERS.admit(Instant::now()) {
            tracing::warn!(
                flow = flow.0,
                left_out,
                "a socket reads too slowly and is dropped"
            );
        }
        self.metrics.sockets_dropped_total.add(1);
        outgoing.drop_now.notify_one();
        self.sockets.remove(&flow);
        self.exchange.closed(now, flow, Closing::Lost);
    }

    fn now(&self) -> Time {
        crate::clock::uptime()
    }
}

async fn sleep_until(alarm: Option<Instant>) {
    match alarm {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
