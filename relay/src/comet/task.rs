//! The one task that owns the hub: notes in, store writes in order, frames out.

use std::{
    collections::{BTreeSet, HashMap},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clinicall_comet::{
    Body, Message, MessageId, Position,
    hub::{Draft, Effect, Ended, Hub, Publishing, SessionId},
    wire::{Answer, Request, Seen, Why},
};
use clinicall_sip::agent::Flow;
use futures_util::{StreamExt as _, stream::FuturesOrdered};
use tokio::sync::{mpsc, oneshot};

use super::{
    CometError, Listener, NewSession, Presence, Published, Queued, Sent, Session, Settings,
    along::{Along, Own},
    flows,
    keep::{self, TRUSTED},
    line::Line,
    logins::{Held, Logins},
    renew::rights_of,
};
use crate::{
    auth::{Auth, Grant, Refused, Revoked},
    metrics::Metrics,
    store::{Store, StoreError, content::body, last_seen, messages, pipes},
};

pub(super) type Done<T> = oneshot::Sender<Result<T, CometError>>;

/// Something for the task to do; an answer is dropped when nobody waits for it any more.
#[derive(Debug)]
pub(super) enum Note {
    Send(String, String, Body, Option<Along<MessageId>>, Done<Sent>),
    Publish(Draft, Option<Along<u64>>, Done<Published>),
    History(String, usize, Done<Vec<Arc<Message>>>),
    HistoryLength(String, Done<usize>),
    SetHistory(String, Option<u64>, Done<()>),
    ClearHistory(String, Done<()>),
    Forget(String, Vec<u64>, Done<usize>),
    Listeners(String, Done<usize>),
    InPipe(String, Done<Vec<Listener>>),
    Online(Done<BTreeSet<String>>),
    Seen(Vec<String>, Done<Vec<Seen>>),
    Queued(String, Done<Vec<Queued>>),
    Clear(String, Done<usize>),
    CloseUser(String, Why),
    Auth(Auth),
    Revoked(Revoked),
    /// A phone's socket.
    LoggedIn(Flow, flows::Login),
    /// What came of a login that a page showed later.
    Renewed(SessionId, Result<Grant, Refused>),
    Open(NewSession, oneshot::Sender<Result<Session, Why>>),
    Ask(SessionId, Request),
    Reply(SessionId, Answer),
    ListenPrivate(SessionId),
    Closed(SessionId, Ended),
    Stop(Done<()>),
}

/// What the store has done, in the order in which it was asked.
enum Written {
    Mail {
        user: String,
        mail: Result<messages::Message, StoreError>,
        done: Done<Sent>,
    },
    Pipe {
        draft: Draft,
        offset: Result<u64, StoreError>,
        done: Option<Done<Published>>,
    },
    Length {
        pipe: String,
        result: Result<(), StoreError>,
        done: Done<()>,
    },
    Forgotten {
        pipe: String,
        result: Result<usize, StoreError>,
        done: Done<usize>,
    },
    Cleared {
        user: String,
        result: Result<usize, StoreError>,
        done: Done<usize>,
    },
    Expired(Vec<(String, MessageId, String)>),
    /// Nobody waits for it.
    Quiet(Result<(), StoreError>),
}

type Writing = Pin<Box<dyn Future<Output = Written> + Send>>;

/// Changes under way at the store; no more notes are read meanwhile.
const WRITES: usize = 1_024;
/// How often the hub looks for what is over.
const TICK: Duration = Duration::from_secs(1);
/// Acknowledgements wait so long for others, to share one commit.
const ACKS: Duration = Duration::from_millis(200);
/// How often the store is rid of what nobody fetched, in ticks.
const EXPIRE: u64 = 60;
/// Messages expired in one change.
const BATCH: usize = 500;

pub(super) struct Task {
    pub(super) hub: Hub<Line>,
    pub(super) store: Store,
    settings: Settings,
    pub(super) metrics: Arc<Metrics>,
    pub(super) mailbox: mpsc::WeakSender<Note>,
    writes: FuturesOrdered<Writing>,
    /// Users and the offsets they have received, not yet told to the store.
    acks: HashMap<String, u64>,
    pub(super) auth: Option<Auth>,
    flows: flows::Flows,
    pub(super) logins: Logins,
    tell: Box<dyn FnMut(Presence) + Send>,
    started: (Instant, u64),
    ticks: u64,
}

impl Task {
    pub fn new(
        store: Store,
        settings: Settings,
        metrics: Arc<Metrics>,
        mailbox: mpsc::WeakSender<Note>,
        flows: flows::Flows,
        tell: Box<dyn FnMut(Presence) + Send>,
    ) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix = unix.map_or(0, |unix| u64::try_from(unix.as_millis()).unwrap_or(0));
        let shelf = Box::new(keep::Shelf(store.clone()));
        Self {
            // two starts are more than a millisecond apart, and no start makes 2^9 pipes in each
            hub: Hub::new(settings.limits, unix << 9, shelf),
            store,
            settings,
            metrics,
            mailbox,
            writes: FuturesOrdered::new(),
            acks: HashMap::new(),
            auth: None,
            flows,
            logins: Logins::default(),
            tell,
            started: (Instant::now(), unix),
            ticks: 0,
        }
    }

    pub async fn run(mut self, mut notes: mpsc::Receiver<Note>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut acks = tokio::time::interval(ACKS);
        acks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(written) = self.writes.next(), if !self.writes.is_empty() => self.written(written),
                note = notes.recv(), if self.writes.len() < WRITES => match note {
                    Some(Note::Stop(done)) => {
                        self.stop().await;
                        let _ = done.send(Ok(()));
                        return;
                    }
                    Some(note) => self.hear(note),
                    None => return self.stop().await,
                },
                _ = ticks.tick() => self.tick(),
                _ = acks.tick(), if !self.acks.is_empty() => self.flush_acks(),
            }
            self.carry_out();
        }
    }

    fn hear(&mut self, note: Note) {
        let now = self.now();
        match note {
            Note::Send(user, event, body, along, done) => {
                self.send(now, user, event, body, along, done);
            }
            Note::Publish(draft, along, done) => match self.hub.publish(now, draft) {
                Publishing::Done {
                    position,
                    listeners,
                } => {
                    self.published(listeners);
                    let published = Published {
                        position,
                        listeners,
                    };
                    let _ = done.send(Ok(published));
                }
                Publishing::Keep(draft) => self.keep(draft, along, Some(done)),
            },
            Note::History(pipe, limit, done) => {
                let _ = done.send(Ok(self.hub.history(now, &pipe, limit)));
            }
            Note::HistoryLength(pipe, done) => {
                let _ = done.send(Ok(self.hub.history_length(now, &pipe)));
            }
            Note::SetHistory(pipe, length, done) => self.set_history(pipe, length, done),
            Note::ClearHistory(pipe, done) => {
                let name = pipe.clone();
                self.write(
                    move |changes| pipes::clear(changes, &name).map(drop),
                    move |result| Written::Length { pipe, result, done },
                );
            }
            Note::Forget(pipe, offsets, done) => {
                let name = pipe.clone();
                self.write(
                    move |changes| {
                        let mut gone = 0;
                        for offset in offsets {
                            gone += usize::from(pipes::forget(changes, &name, offset)?);
                        }
                        Ok(gone)
                    },
                    move |result| Written::Forgotten { pipe, result, done },
                );
            }
            Note::Listeners(pipe, done) => drop(done.send(Ok(self.hub.listeners(&pipe)))),
            Note::InPipe(pipe, done) => {
                let who = self.hub.in_pipe(&pipe).into_iter();
                let _ = done.send(Ok(who.map(Listener::of).collect()));
            }
            Note::Online(done) => drop(done.send(Ok(self.hub.online()))),
            Note::Seen(users, done) => drop(done.send(Ok(self.seen(&users)))),
            Note::Queued(user, done) => drop(done.send(self.queued(&user))),
            Note::Clear(user, done) => {
                let name = user.clone();
                self.write(
                    move |changes| messages::clear(changes, &name),
                    move |result| Written::Cleared { user, result, done },
                );
            }
            Note::CloseUser(user, why) => self.hub.close_user(now, &user, why),
            Note::Auth(auth) => self.auth = Some(auth),
            Note::Revoked(revoked) => self.revoke(now, &revoked),
            Note::LoggedIn(flow, login) => self.logged_in(now, flow, &login),
            Note::Renewed(id, grant) => self.renewed(now, id, grant),
            Note::Ask(
                id,
                Request::Hello {
                    login: Some(login), ..
                },
            ) => self.renew(now, id, login),
            Note::Open(new, done) => drop(done.send(self.open(now, new))),
            Note::Ask(id, Request::Seen { id: number, users }) => {
                let seen = self.seen(&users);
                let seen = users.into_iter().zip(seen).collect();
                self.hub.reply(now, id, Answer::Seen { id: number, seen });
            }
            Note::Ask(id, request) => self.hub.ask(now, id, request),
            Note::Reply(id, answer) => self.hub.reply(now, id, answer),
            Note::ListenPrivate(id) => self.hub.listen_private(now, id),
            Note::Closed(id, how) => {
                self.logins.remove(id);
                self.hub.closed(now, id, how);
            }
            Note::Stop(_) => {}
        }
    }

    fn open(&mut self, now: u64, mut new: NewSession) -> Result<Session, Why> {
        let mailbox = self.mailbox.upgrade().ok_or(Why::Stopping)?;
        // a phone's token may have been renewed meanwhile
        if let Some(login) = new.flow.and_then(|flow| self.flows.login(flow)) {
            (new.visitor.may_publish, new.visitor.may_listen) = rights_of(login.rights);
            new.token = login.token;
        }
        // or any token revoked, and that was told before there was anything to close
        if new.token.is_some_and(|token| self.is_revoked(token)) {
            return Err(Why::Revoked);
        }
        let line = Line::new(new.queue.unwrap_or(self.settings.queue));
        let id = self.hub.open(now, new.visitor, line.clone())?;
        let held = Held {
            expires: new.expires,
            token: new.token,
            flow: new.flow,
        };
        self.logins.put(id, held);
        Ok(Session::new(id, line, mailbox))
    }

    // --- private messages --------------------------------------------------------------------

    fn send(
        &mut self,
        now: u64,
        user: String,
        event: String,
        body: Body,
        along: Option<Along<MessageId>>,
        done: Done<Sent>,
    ) {
        let limit = self.settings.queued_messages;
        let name = user.clone();
        self.write(
            move |changes| {
                let mail = messages::push(changes, &name, &event, &body, now, limit)?;
                if let Some(along) = along {
                    along.write(changes, MessageId(mail.id))?;
                }
                Ok(mail)
            },
            move |mail| Written::Mail { user, mail, done },
        );
    }

    fn queued(&self, user: &str) -> Result<Vec<Queued>, CometError> {
        let limit = self.settings.queued_messages;
        let waiting = self
            .store
            .read(|view| messages::after(view, user, 0, limit))?;
        let queued = |kept: messages::Message| Queued {
            offset: kept.offset,
            id: MessageId(kept.id),
            event: kept.event,
            body: body(kept.body, kept.text),
            at: kept.at,
        };
        // what is acknowledged, but not yet told to the store, waits no longer
        let had = self.acks.get(user).copied().unwrap_or(0);
        let waiting = waiting.into_iter().filter(|kept| kept.offset > had);
        Ok(waiting.map(queued).collect())
    }

    fn flush_acks(&mut self) {
        let acks = std::mem::take(&mut self.acks);
        self.write(
            move |changes| {
                for (user, through) in &acks {
                    messages::forget_through(changes, user, *through)?;
                }
                Ok(())
            },
            Written::Quiet,
        );
    }

    fn seen(&self, users: &[String]) -> Vec<Seen> {
        let seen = users.iter().map(|user| {
            if self.hub.is_online(user) {
                return Seen::Online;
            }
            let at = self.store.read(|view| last_seen::get(view, user));
            at.ok().flatten().map_or(Seen::Never, Seen::At)
        });
        seen.collect()
    }

    // --- pipes ---------------------------------------------------------------------------------

    fn keep(&mut self, draft: Draft, along: Option<Along<u64>>, done: Option<Done<Published>>) {
        let now = self.now();
        let name = draft.pipe.clone();
        let own = Own::of(&draft);
        let since = now.saturating_sub(self.settings.limits.window);
        let kept = pipes::PipeMessage::new(&draft.event, &draft.body, draft.from.as_deref(), now);
        self.write(
            move |changes| {
                if let Some(own) = &own
                    && let Some(offset) = own.known(changes, since)?
                {
                    return Ok(offset);
                }
                if pipes::length(changes, &name)?.is_none() {
                    pipes::set_length(changes, &name, TRUSTED)?;
                }
                let offset = pipes::append(changes, &name, kept?)?;
                if let Some(own) = own {
                    own.keep(changes, now, offset)?;
                }
                if let Some(along) = along {
                    along.write(changes, offset)?;
                }
                Ok(offset)
            },
            move |offset| Written::Pipe {
                draft,
                offset,
                done,
            },
        );
    }

    fn set_history(&mut self, pipe: String, length: Option<u64>, done: Done<()>) {
        let name = pipe.clone();
        self.write(
            move |changes| match length {
                Some(length) => pipes::set_length(changes, &name, length),
                None => pipes::drop_pipe(changes, &name).map(drop),
            },
            move |result| Written::Length { pipe, result, done },
        );
    }

    fn published(&self, listeners: usize) {
        self.metrics.comet_published_total.add(1);
        self.metrics.comet_delivered_total.add(listeners as u64);
    }

    // --- the store -----------------------------------------------------------------------------

    fn write<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut crate::store::Changes<'_>) -> Result<T, StoreError> + Send + 'static,
        then: impl FnOnce(Result<T, StoreError>) -> Written + Send + 'static,
    ) {
        let store = self.store.clone();
        self.writes
            .push_back(Box::pin(async move { then(store.write(change).await) }));
    }

    fn written(&mut self, written: Written) {
        let now = self.now();
        match written {
            Written::Mail { user, mail, done } => {
                let sent = mail.map_err(CometError::from).map(|mail| {
                    let id = MessageId(mail.id);
                    let message = keep::private(self.store.epoch(), mail);
                    let sockets = self.hub.deliver(now, &user, message);
                    self.metrics.comet_sent_total.add(1);
                    self.metrics.comet_delivered_total.add(sockets as u64);
                    Sent {
                        id,
                        sockets,
                        queued: sockets == 0,
                    }
                });
                let _ = done.send(sent);
            }
            Written::Pipe {
                draft,
                offset,
                done,
            } => {
                let position = offset.as_ref().ok().map(|offset| Position {
                    epoch: self.store.epoch(),
                    offset: *offset,
                });
                let listeners = self.hub.kept(now, draft, position);
                let listeners = listeners.unwrap_or(0);
                let published = offset.map_err(CometError::from).map(|_| Published {
                    position: position.unwrap_or_default(),
                    listeners,
                });
                self.published(listeners);
                if let Some(done) = done {
                    let _ = done.send(published);
                }
            }
            Written::Length { pipe, result, done } => {
                self.hub.reload(now, &pipe);
                let _ = done.send(result.map_err(CometError::from));
            }
            Written::Forgotten { pipe, result, done } => {
                self.hub.reload(now, &pipe);
                let _ = done.send(result.map_err(CometError::from));
            }
            Written::Cleared { user, result, done } => {
                self.hub.cleared(&user);
                let _ = done.send(result.map_err(CometError::from));
            }
            Written::Expired(expired) => {
                for (user, id, event) in expired {
                    (self.tell)(Presence::Undelivered { user, id, event });
                }
            }
            Written::Quiet(Ok(())) => {}
            Written::Quiet(Err(error)) => tracing::error!(%error, "the store refuses"),
        }
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.hub.poll() {
            match effect {
                Effect::Keep(draft) => self.keep(draft, None, None),
                Effect::Forget { user, through } => {
                    let known = self.acks.entry(user).or_default();
                    *known = through.max(*known);
                }
                Effect::Came { user } => (self.tell)(Presence::Online { user }),
                Effect::Left { user, at } => {
                    let name = user.clone();
                    self.write(
                        move |changes| last_seen::put(changes, &name, at),
                        Written::Quiet,
                    );
                    (self.tell)(Presence::Offline { user });
                }
            }
        }
    }

    // --- time ------------------------------------------------------------------------------------

    fn tick(&mut self) {
        let now = self.now();
        self.hub.tick(now);
        while let Some(id) = self.logins.expired(now / 1_000) {
            self.hub.close(now, id, Why::Expired);
        }
        self.metrics.comet_sessions.set(self.hub.sessions());
        self.ticks += 1;
        if self.ticks % EXPIRE == 1 {
            self.expire(now);
        }
    }

    fn expire(&mut self, now: u64) {
        let before = now.saturating_sub(self.settings.keep);
        self.writes.push_back({
            let store = self.store.clone();
            Box::pin(async move {
                let expired = store
                    .write(move |changes| messages::expire(changes, before, BATCH))
                    .await;
                Written::Expired(match expired {
                    Ok(expired) => expired
                        .into_iter()
                        .map(|gone| (gone.user, MessageId(gone.message.id), gone.message.event))
                        .collect(),
                    Err(error) => {
                        tracing::error!(%error, "messages nobody fetched cannot be removed");
                        Vec::new()
                    }
                })
            })
        });
        let before = now.saturating_sub(self.settings.limits.window);
        self.write(
            move |changes| {
                for (pipe, _) in pipes::lengths(changes)? {
                    if pipe.starts_with("trust_") {
                        pipes::expire(changes, &pipe, before)?;
                    }
                }
                Ok(())
            },
            Written::Quiet,
        );
    }

    /// Everything under way is stored; the pages are told to come back.
    async fn stop(&mut self) {
        while let Some(written) = self.writes.next().await {
            self.written(written);
        }
        let (here, now) = (self.hub.online(), self.now());
        self.hub.close_all(now, Why::Stopping);
        self.write(
            move |changes| {
                let mut users = here.iter();
                users.try_for_each(|user| last_seen::put(changes, user, now))
            },
            Written::Quiet,
        );
        self.flush_acks();
        while self.writes.next().await.is_some() {}
    }

    /// Unix milliseconds that never run back.
    fn now(&self) -> u64 {
        let (started, unix) = self.started;
        unix + u64::try_from(started.elapsed().as_millis()).unwrap_or(0)
    }
}
