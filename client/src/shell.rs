//! The browser around the pure phone: a socket, peer connections, devices and one alarm.
//!
//! The invariant of this file: nothing is borrowed while the page's code runs. Whatever happens,
//! the phone is told, then its outputs are carried out, and what the page is to hear is queued.
//! The queue is emptied last, one event at a time, so a page may hang up, call and even
//! disconnect from inside a callback. What a wish of the page's own brings about is told after
//! the page's code has returned: `phone.call()` gives its `Call` before `onHangup` can speak of it.

pub(crate) mod alarm;
mod devices;
mod page;
mod peer;
pub(crate) mod promise;
mod sender;
mod socket;
mod stats;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use clinicall_sip::{Time, agent::Flow};
use wasm_bindgen::prelude::*;
use web_sys::MediaStream;

use crate::{
    api::{Call, Media, News},
    options::Options,
    phone::{
        self, CallId, Direction, Event, Input, Muted, Output, Peer as Other, PeerCommand, PeerNews,
        Phone, State, Wants,
    },
    reason::{Cause, Error},
};
use alarm::{Alarm, now};
use page::Page;
use peer::Peer;
use socket::Socket;

/// What a login waits for.
type Login = Box<dyn FnOnce(Result<(), Error>)>;

/// What an answer of the relay's is handed to.
pub(crate) type Asked = Box<dyn FnOnce(Result<String, Error>)>;

pub(crate) struct Shell {
    myself: Weak<Self>,
    /// Keeps a phone alive that the page has let go of but that can still ring.
    alive: RefCell<Option<Rc<Self>>>,
    phone: RefCell<Phone>,
    /// The one in use, and while that is in doubt another.
    sockets: RefCell<Vec<(Flow, Socket)>>,
    calls: RefCell<Vec<Rc<Parts>>>,
    alarm: Alarm,
    page: RefCell<Option<Page>>,
    ice_servers: JsValue,
    listener: Box<dyn Fn(News)>,
    login: RefCell<Option<Login>>,
    news: RefCell<VecDeque<News>>,
    /// Who waits for the relay's answers.
    asked: RefCell<Vec<(u32, Asked)>>,
    pumping: Cell<bool>,
    telling: Cell<bool>,
    telling_soon: Cell<bool>,
}

/// What the browser holds for a call.
pub(crate) struct Parts {
    pub id: CallId,
    pub direction: Direction,
    pub other: Other,
    pub remote: MediaStream,
    pub local: RefCell<Option<MediaStream>>,
    /// A stream that the page gave.
    given: RefCell<Option<MediaStream>>,
    peer: RefCell<Option<Peer>>,
    peers: Cell<u32>,
    muted: Cell<Muted>,
    closed: Cell<bool>,
    /// The page's one and the same object for this call.
    #[cfg(feature = "exports")]
    pub object: RefCell<Option<JsValue>>,
}

impl Shell {
    pub fn connect(
        options: &Options,
        listener: Box<dyn Fn(News)>,
        login: Login,
    ) -> Result<Rc<Self>, Error> {
        page::check_support()?;
        let phone = Phone::connect(now(), page::random_seed()?, options)?;
        let shell = Rc::new_cyclic(|myself: &Weak<Self>| {
            let sleeper = myself.clone();
            Self {
                myself: myself.clone(),
                alive: RefCell::default(),
                phone: RefCell::new(phone),
                sockets: RefCell::default(),
                calls: RefCell::default(),
                alarm: Alarm::new(move || {
                    if let Some(shell) = sleeper.upgrade() {
                        shell.handle(Input::Tick);
                    }
                }),
                page: RefCell::default(),
                ice_servers: options.ice_servers.clone(),
                listener,
                login: RefCell::new(Some(login)),
                news: RefCell::default(),
                asked: RefCell::default(),
                pumping: Cell::new(false),
                telling: Cell::new(false),
                telling_soon: Cell::new(false),
            }
        });
        *shell.alive.borrow_mut() = Some(shell.clone());
        *shell.page.borrow_mut() = Some(Page::listen(&shell.myself));
        shell.pump();
        shell.tell_soon();
        Ok(shell)
    }

    // --- wishes ------------------------------------------------------------------------------

    /// Carries out a wish of the page's.
    pub fn wish<T>(&self, wish: impl FnOnce(&mut Phone, Time) -> T) -> T {
        let granted = wish(&mut self.phone.borrow_mut(), now());
        self.pump();
        self.tell_soon();
        granted
    }

    pub fn ask<T>(&self, question: impl FnOnce(&Phone) -> T) -> T {
        question(&self.phone.borrow())
    }

    pub fn place(&self, target: &str, media: &Media) -> Result<Call, Error> {
        let id = self.phone.borrow_mut().call(now(), target, media.wants())?;
        let parts = self.parts(id);
        parts.given.replace(media.stream.clone());
        self.pump();
        self.tell_soon();
        self.handle_of(parts)
            .ok_or_else(|| Error::of(Cause::Disconnected))
    }

    pub fn accept(&self, parts: &Parts, media: &Media) -> Result<(), Error> {
        parts.given.replace(media.stream.clone());
        self.wish(|phone, now| phone.accept(now, parts.id, media.wants()))
    }

    /// Asks the relay; `done` hears what came of it.
    pub fn request(&self, request: &str, done: Asked) {
        let asked = self.phone.borrow_mut().ask(now(), request);
        self.expect(asked, done);
    }

    /// Hands a newer token over; `done` hears whether the server took it.
    pub fn set_token(&self, token: &str, done: Asked) {
        let asked = self.phone.borrow_mut().set_token(now(), token);
        self.expect(asked.map(|()| phone::TOKEN), done);
    }

    fn expect(&self, asked: Result<u32, Error>, done: Asked) {
        match asked {
            Ok(id) => self.asked.borrow_mut().push((id, done)),
            Err(error) => return done(Err(error)),
        }
        self.pump();
        self.tell_soon();
    }

    pub fn calls(&self) -> Vec<Call> {
        let ids: Vec<_> = self.phone.borrow().calls().collect();
        ids.into_iter()
            .filter_map(|id| self.handle_of(self.parts(id)))
            .collect()
    }

    // --- the browser -------------------------------------------------------------------------

    pub fn handle(&self, input: Input<'_>) {
        self.phone.borrow_mut().handle(now(), input);
        self.pump();
        self.tell();
    }

    fn pump(&self) {
        // an output's own immediate news (a socket that cannot be opened) joins the queue
        if self.pumping.replace(true) {
            return;
        }
        loop {
            let Some(output) = self.phone.borrow_mut().poll() else {
                break;
            };
            self.carry_out(output);
        }
        self.pumping.set(false);
    }

    fn carry_out(&self, output: Output) {
        match output {
            Output::OpenSocket {
                socket,
                url,
                protocols,
            } => {
                self.open_socket(socket, &url, protocols);
            }
            Output::CloseSocket { socket } => {
                self.forget(socket);
            }
            Output::Send { socket, text } => {
                let sockets = self.sockets.borrow();
                if let Some((_, held)) = sockets.iter().find(|(flow, _)| *flow == socket) {
                    held.send(&text);
                }
            }
            Output::Peer { call, command } => self.command(call, command),
            Output::WakeAt(when) => self.alarm.set(when),
            Output::Event(event) => {
                let news = self.news_of(event);
                self.news.borrow_mut().extend(news);
            }
        }
    }

    fn forget(&self, socket: Flow) {
        self.sockets
            .borrow_mut()
            .retain(|(flow, _)| *flow != socket);
    }

    fn open_socket(&self, flow: Flow, url: &str, protocols: &[&str]) {
        let weak = self.myself.clone();
        let tell = move |news| {
            let Some(shell) = weak.upgrade() else { return };
            match news {
                socket::News::Open { protocol } => {
                    shell.handle(Input::SocketOpen {
                        socket: flow,
                        protocol: &protocol,
                    });
                }
                socket::News::Frame(bytes) => {
                    shell.handle(Input::SocketFrame {
                        socket: flow,
                        bytes: &bytes,
                    });
                }
                socket::News::Closed => {
                    shell.forget(flow);
                    shell.handle(Input::SocketClosed { socket: flow });
                }
            }
        };
        match Socket::open(url, protocols, tell) {
            Ok(socket) => self.sockets.borrow_mut().push((flow, socket)),
            // an address the browser refuses at once (mixed content)
            Err(_) => self
                .phone
                .borrow_mut()
                .handle(now(), Input::SocketClosed { socket: flow }),
        }
    }

    fn command(&self, id: CallId, command: PeerCommand) {
        let parts = self.parts(id);
        match command {
            PeerCommand::Create { bundle } => {
                // of the connection before, if there was one
                for track in devices::tracks(&parts.remote) {
                    parts.remote.remove_track(&track);
                }
                // `MediaStream::clone` would be the DOM's: another stream
                let remote = Clone::clone(&parts.remote);
                let ear = parts.newest_peer(self.ear(id));
                match Peer::new(bundle, &self.ice_servers, remote, ear) {
                    Ok(peer) => drop(parts.peer.replace(Some(peer))),
                    Err(error) => {
                        let message = promise::text_of(&error, "message");
                        self.hear(id, PeerNews::Failed { message });
                    }
                }
            }
            PeerCommand::Capture(wants) => self.capture(&parts, wants),
            PeerCommand::Mute(muted) => {
                parts.muted.set(muted);
                parts.apply_mute();
            }
            PeerCommand::Close => parts.close(),
            command => {
                let peer = parts.peer.borrow();
                let Some(peer) = &*peer else { return };
                match command {
                    PeerCommand::Offer { video, restart } => peer.offer(video, restart),
                    PeerCommand::Answer { offer } => peer.answer(&offer),
                    PeerCommand::SetAnswer { answer } => peer.set_answer(&answer),
                    PeerCommand::Candidates(candidates) => peer.add(&candidates),
                    PeerCommand::Rollback => peer.rollback(),
                    PeerCommand::Attach(plan) => {
                        if let Some(local) = &*parts.local.borrow() {
                            peer.attach(local, plan);
                        }
                    }
                    PeerCommand::Tune(plan) => peer.tune(plan),
                    PeerCommand::Frame(speech, ceiling) => peer.frame(speech, ceiling),
                    _ => {}
                }
            }
        }
    }

    fn capture(&self, parts: &Rc<Parts>, wants: Wants) {
        let ear = self.ear(parts.id);
        if let Some(given) = &*parts.given.borrow() {
            let copied = devices::copy_of(given, wants);
            return self.hear(parts.id, parts.captured(copied));
        }
        let parts = parts.clone();
        devices::capture(wants, move |result| ear(parts.captured(result)));
    }

    /// Where a peer connection or a device says what became of a command.
    fn ear(&self, call: CallId) -> peer::Tell {
        let weak = self.myself.clone();
        Rc::new(move |news| {
            if let Some(shell) = weak.upgrade() {
                shell.handle(Input::Peer { call, news });
            }
        })
    }

    /// The same for what is known at once: its outputs wait their turn in the pump.
    fn hear(&self, call: CallId, news: PeerNews) {
        self.phone
            .borrow_mut()
            .handle(now(), Input::Peer { call, news });
    }

    // --- the page ----------------------------------------------------------------------------

    fn news_of(&self, event: Event) -> Option<News> {
        let call = |id| self.handle_of(self.parts(id));
        Some(match event {
            Event::State(state) => {
                if matches!(state, State::Failed(_) | State::Disconnected) {
                    *self.page.borrow_mut() = None;
                }
                News::State(state)
            }
            Event::Incoming(id) => News::Incoming(call(id)?),
            Event::Ringing(id) => News::Ringing(call(id)?),
            Event::Connected(id) => News::Connected(call(id)?),
            Event::Media(id) => News::Media(call(id)?),
            Event::Changed(id) => News::Changed(call(id)?),
            Event::Quality(id, report) => News::Quality(call(id)?, report),
            Event::Message(frame) => News::Message(frame),
            Event::Gap(pipe) => News::Gap(pipe),
            Event::Refused { pipe, cause } => News::Refused(pipe, cause),
            Event::Answered { id, answer } => News::Answered(id, answer),
            Event::Hangup(id, reason) => {
                // the page is told of the same call that it holds; nothing comes after
                let over = call(id)?;
                self.calls.borrow_mut().retain(|parts| parts.id != id);
                News::Hangup(over, reason)
            }
        })
    }

    fn tell_soon(&self) {
        if self.news.borrow().is_empty() || self.telling.get() || self.telling_soon.replace(true) {
            return;
        }
        let weak = self.myself.clone();
        promise::soon(move || {
            if let Some(shell) = weak.upgrade() {
                shell.telling_soon.set(false);
                shell.tell();
            }
        });
    }

    fn tell(&self) {
        if self.telling.replace(true) {
            return;
        }
        // the page may let go of the last handle inside a callback
        let _alive = self.myself.upgrade();
        loop {
            let Some(news) = self.news.borrow_mut().pop_front() else {
                break;
            };
            self.tell_login(&news);
            let over = match &news {
                News::Hangup(call, _) => Some(call.clone()),
                _ => None,
            };
            if let News::Answered(id, answer) = news {
                self.tell_asker(id, answer);
                continue;
            }
            (self.listener)(news);
            if let Some(call) = over {
                call.forget();
            }
        }
        self.telling.set(false);
        let finished =
            self.ask(|phone| matches!(phone.state(), State::Failed(_) | State::Disconnected));
        // the last goodbyes are sent before the socket is let go
        if finished && self.sockets.borrow().is_empty() {
            drop(self.alive.take());
        }
    }

    fn tell_asker(&self, id: u32, answer: Result<String, Error>) {
        let mut asked = self.asked.borrow_mut();
        let at = asked.iter().position(|(asked, _)| *asked == id);
        let done = at.map(|at| asked.swap_remove(at).1);
        drop(asked);
        if let Some(done) = done {
            done(answer);
        }
    }

    fn tell_login(&self, news: &News) {
        let result = match news {
            News::State(State::Registered) => Ok(()),
            News::State(State::Failed(reason)) => Err(reason.clone().into()),
            News::State(State::Disconnected) => Err(Error::of(Cause::Disconnected)),
            _ => return,
        };
        if let Some(login) = self.login.take() {
            login(result);
        }
    }

    fn handle_of(&self, parts: Rc<Parts>) -> Option<Call> {
        self.myself.upgrade().map(|shell| Call::new(shell, parts))
    }

    /// The browser's side of a call, made at its first mention.
    fn parts(&self, id: CallId) -> Rc<Parts> {
        if let Some(parts) = self.calls.borrow().iter().find(|parts| parts.id == id) {
            return parts.clone();
        }
        let phone = self.phone.borrow();
        let parts = Rc::new(Parts {
            id,
            direction: phone.direction(id).unwrap_or(Direction::Incoming),
            other: phone.peer(id).cloned().unwrap_or_else(Other::nobody),
            remote: page::empty_stream(),
            local: RefCell::default(),
            given: RefCell::default(),
            peer: RefCell::default(),
            peers: Cell::default(),
            muted: Cell::default(),
            closed: Cell::default(),
            #[cfg(feature = "exports")]
            object: RefCell::default(),
        });
        self.calls.borrow_mut().push(parts.clone());
        parts
    }
}

impl Parts {
    pub fn connection(&self) -> Option<web_sys::RtcPeerConnection> {
        self.peer
            .borrow()
            .as_ref()
            .map(|peer| peer.connection.clone())
    }

    /// For the next peer connection: once there is another, what it says is of no interest.
    fn newest_peer(self: &Rc<Self>, ear: peer::Tell) -> peer::Tell {
        let number = self.peers.get() + 1;
        self.peers.set(number);
        let parts = Rc::downgrade(self);
        Rc::new(move |news| {
            let newest = parts
                .upgrade()
                .is_some_and(|parts| parts.peers.get() == number);
            if newest {
                ear(news);
            }
        })
    }

    fn captured(&self, result: Result<MediaStream, Cause>) -> PeerNews {
        match result {
            // the call ended while the person looked at the camera prompt
            Ok(stream) if self.closed.get() => {
                devices::stop(&stream);
                PeerNews::Captured
            }
            Ok(stream) => {
                self.local.replace(Some(stream));
                self.apply_mute();
                PeerNews::Captured
            }
            Err(cause) => PeerNews::CaptureFailed(cause),
        }
    }

    fn apply_mute(&self) {
        let muted = self.muted.get();
        if let Some(local) = &*self.local.borrow() {
            for track in devices::tracks(local) {
                let off = if track.kind() == "audio" {
                    muted.audio
                } else {
                    muted.video
                };
                track.set_enabled(!off);
            }
        }
    }

    fn close(&self) {
        self.closed.set(true);
        drop(self.peer.take());
        if let Some(local) = &*self.local.borrow() {
            devices::stop(local);
        }
    }
}
