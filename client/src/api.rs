//! The page's API for Rust: [`Phone`], [`Call`] and what they tell in [`News`].

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use web_sys::{MediaStream, RtcPeerConnection};

use crate::{
    bandwidth::Bandwidth,
    options::Options,
    phone::{self, CallState, Direction, Muted, State, Wants},
    quality::Report,
    reason::{Cause, Error, Reason},
    shell::{Parts, Shell},
};

/// What a page hears. The names are those of the JavaScript callbacks (`onIncoming`, ...).
#[derive(Clone, Debug)]
pub enum News {
    /// How the phone stands with the server.
    State(State),
    /// Somebody calls: [`Call::accept`] or [`Call::reject`].
    Incoming(Call),
    /// The other side rings.
    Ringing(Call),
    /// Both sides agreed; [`Call::remote`] plays.
    Connected(Call),
    /// Agreed, and for the first time sound and picture get through. A path that is lost later is
    /// told as [`News::Changed`] with [`CallState::Reconnecting`].
    Media(Call),
    /// The call's state, devices or muting changed.
    Changed(Call),
    /// The link got better or worse, or what is sent was changed for it.
    Quality(Call, Report),
    /// The call is over, or never came about.
    Hangup(Call, Reason),
    /// A message of a pipe, as JSON: `{"pipe","event","from","at","data"}`.
    Message(String),
    /// Messages of this pipe were lost: fetch anew what it is about.
    Gap(String),
    /// The relay does not let this page listen to the pipe.
    Refused(String, Cause),
    /// Goes to whoever asked, not to the listener.
    #[doc(hidden)]
    Answered(u32, Result<String, Error>),
}

/// What one sends in a call.
#[derive(Clone, Debug)]
pub struct Media {
    pub audio: bool,
    pub video: bool,
    /// The page's own camera stream; without it the browser is asked. The call works on copies of
    /// its tracks: the page keeps its own and may share it between calls.
    pub stream: Option<MediaStream>,
}

impl Media {
    #[must_use]
    pub const fn audio() -> Self {
        Self {
            audio: true,
            video: false,
            stream: None,
        }
    }
    #[must_use]
    pub const fn video() -> Self {
        Self {
            audio: true,
            video: true,
            stream: None,
        }
    }

    pub(crate) fn wants(&self) -> Wants {
        Wants {
            audio: self.audio,
            video: self.video,
        }
    }
}

/// A phone that is connected to a server. Clones are the same phone.
#[derive(Clone)]
pub struct Phone {
    shell: Rc<Shell>,
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phone")
    }
}

impl Phone {
    /// Connects and logs in. `listener` hears everything that happens from then on; it may call
    /// back into the phone and its calls.
    pub async fn connect(
        options: Options,
        listener: impl Fn(News) + 'static,
    ) -> Result<Self, Error> {
        let login = Login::default();
        let done = login.0.clone();
        let phone = Self::begin(
            &options,
            Box::new(listener),
            Box::new(move |result| {
                let mut state = done.borrow_mut();
                state.0 = Some(result);
                if let Some(waker) = state.1.take() {
                    waker.wake();
                }
            }),
        )?;
        login.await.map(|()| phone)
    }

    pub(crate) fn begin(
        options: &Options,
        listener: Box<dyn Fn(News)>,
        login: Box<dyn FnOnce(Result<(), Error>)>,
    ) -> Result<Self, Error> {
        Shell::connect(options, listener, login).map(|shell| Self { shell })
    }

    /// Calls a user of this server, `room:NAME` for a room of the clinic's, `user@host`, or a whole
    /// SIP URI.
    pub fn call(&self, target: &str, media: &Media) -> Result<Call, Error> {
        self.shell.place(target, media)
    }

    #[must_use]
    pub fn state(&self) -> State {
        self.shell.ask(|phone| phone.state().clone())
    }

    /// The calls that are not over.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shell.calls()
    }

    /// Whether a call may come in during another; if not (as it is at first), it is told "busy".
    #[must_use]
    pub fn multiple_calls(&self) -> bool {
        self.shell.ask(phone::Phone::multiple_calls)
    }
    pub fn set_multiple_calls(&self, allowed: bool) {
        self.shell
            .wish(|phone, _| phone.set_multiple_calls(allowed));
    }

    /// Other limits, at once, for the calls that go on as for those to come. Nothing is negotiated.
    pub fn set_bandwidth(&self, limits: Bandwidth) {
        self.shell
            .wish(|phone, now| phone.set_bandwidth(now, limits));
    }

    /// Listens to a pipe from now on; [`News::Message`] tells. `msg` is the person's own.
    pub fn listen(&self, pipe: &str) {
        self.shell.wish(|phone, now| phone.listen(now, pipe));
    }

    pub fn leave(&self, pipe: &str) {
        self.shell.wish(|phone, now| phone.leave(now, pipe));
    }

    /// Asks the relay in the words of `clinicall_comet::wire`, without an `id`; `done` gets the
    /// answer as JSON.
    pub fn request(&self, request: &str, done: impl FnOnce(Result<String, Error>) + 'static) {
        self.shell.request(request, Box::new(done));
    }

    /// Hands over a newer token before the one from the login runs out; `done` hears whether the
    /// server took it. If not, the one before stays.
    pub fn set_token(&self, token: &str, done: impl FnOnce(Result<(), Error>) + 'static) {
        let done = Box::new(|answer: Result<String, Error>| done(answer.map(drop)));
        self.shell.set_token(token, done);
    }

    /// Hangs up, leaves the server and closes the socket. The phone is of no use afterwards.
    pub fn disconnect(&self) {
        self.shell.wish(phone::Phone::disconnect);
    }
}

/// A call. Clones are the same call, and compare equal.
#[derive(Clone)]
pub struct Call {
    shell: Rc<Shell>,
    parts: Rc<Parts>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Call")
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.parts, &other.parts)
    }
}

impl Call {
    pub(crate) fn new(shell: Rc<Shell>, parts: Rc<Parts>) -> Self {
        Self { shell, parts }
    }

    /// Accepts an incoming call. The camera is asked for now, unless `media` brings a stream.
    pub fn accept(&self, media: &Media) -> Result<(), Error> {
        self.shell.accept(&self.parts, media)
    }

    /// Declines an incoming call: 603, or the SIP status given (486 for "busy").
    pub fn reject(&self, status: Option<u16>) -> Result<(), Error> {
        self.shell
            .wish(|phone, now| phone.reject(now, self.parts.id, status))
    }

    /// Ends the call whatever its state; of a call that is over, nothing.
    pub fn hangup(&self) {
        self.shell
            .wish(|phone, now| phone.hangup(now, self.parts.id));
    }

    /// `Some(true)` mutes, `Some(false)` unmutes, `None` leaves as it is.
    pub fn mute(&self, audio: Option<bool>, video: Option<bool>) -> Result<(), Error> {
        self.shell
            .wish(|phone, now| phone.mute(now, self.parts.id, audio, video))
    }

    #[must_use]
    pub fn muted(&self) -> Muted {
        self.shell.ask(|phone| phone.muted(self.parts.id))
    }

    #[must_use]
    pub fn state(&self) -> CallState {
        self.shell.ask(|phone| phone.call_state(self.parts.id))
    }

    /// Agreed, and sound and picture get through.
    #[must_use]
    pub fn has_media(&self) -> bool {
        self.shell.ask(|phone| phone.has_media(self.parts.id))
    }

    #[must_use]
    pub fn direction(&self) -> Direction {
        self.parts.direction
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> &phone::Peer {
        &self.parts.other
    }

    /// Whether pictures are part of the call.
    #[must_use]
    pub fn video(&self) -> bool {
        self.shell.ask(|phone| phone.has_video(self.parts.id))
    }

    /// What the other side sends; one and the same stream from the beginning of the call, with other tracks in it after
    /// a restart of the relay.
    #[must_use]
    pub fn remote(&self) -> MediaStream {
        Clone::clone(&self.parts.remote)
    }

    /// What we send, once the devices are ours.
    #[must_use]
    pub fn local(&self) -> Option<MediaStream> {
        self.parts.local.borrow().clone()
    }

    /// The browser's peer connection, for statistics; another one after a restart of the relay. Change nothing in it.
    #[must_use]
    pub fn connection(&self) -> Option<RtcPeerConnection> {
        self.parts.connection()
    }

    /// The page has heard the last of this call.
    pub(crate) fn forget(&self) {
        #[cfg(feature = "exports")]
        drop(self.parts.object.take());
    }

    #[cfg(feature = "exports")]
    pub(crate) fn object(
        &self,
        make: impl FnOnce(Self) -> wasm_bindgen::JsValue,
    ) -> wasm_bindgen::JsValue {
        let held = self.parts.object.borrow().clone();
        held.unwrap_or_else(|| {
            let object = make(self.clone());
            if self.state() != CallState::Ended {
                self.parts.object.replace(Some(object.clone()));
            }
            object
        })
    }
}

/// The end of the login, for whoever awaits it.
#[derive(Default)]
struct Login(Rc<RefCell<Waiting>>);

/// What came of it, or who waits.
type Waiting = (Option<Result<(), Error>>, Option<Waker>);

impl Future for Login {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.borrow_mut();
        match state.0.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
