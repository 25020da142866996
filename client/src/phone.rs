//! The phone: everything the client does, as a pure state machine.
//!
//! The contract in one sentence: tell it one thing (a wish, or an [`Input`] from the browser), then
//! [`Phone::poll`] until it returns `None` and do what each [`Output`] says, and come back with
//! [`Input::Tick`] no later than the last [`Output::WakeAt`].
//!
//! It asks no clock, owns no socket and calls nobody: a shell does that. So hours of phoning run in
//! a test within milliseconds, and a page that calls us from inside a callback finds nothing
//! borrowed.

mod call;
mod comet;
mod gather;
mod incoming;
mod link;
mod login;
mod path;
#[cfg(test)]
mod tests;
mod words;

use std::collections::VecDeque;

use clinicall_comet::session::Session;
use clinicall_sip::{
    Headers, Method, Millis, Status, Time,
    agent::{self, Agent, By, Flow, Registering, Registration},
    entropy::Entropy,
};

use crate::{
    bandwidth::Bandwidth,
    options::{Account, Options},
    reason::{Cause, Error, Reason},
};
use call::{Call, Desk};
use link::{Act, Hint, Link, Opened};
pub use login::TOKEN;
pub use words::{
    CallId, CallState, Direction, Event, Input, Muted, Output, PathState, Peer, PeerCommand,
    PeerNews, State, Wants,
};

/// Our own relay's subprotocol goes first; a foreign server is offered `sip` alone.
const OURS: &[&str] = &["clinicall.v1", "sip"];
const FOREIGN: &[&str] = &["sip"];

/// Between saying goodbye and closing the socket.
const FAREWELL: Millis = Millis(1_000);

pub struct Phone {
    account: Account,
    agent: Agent,
    link: Link,
    registration: Option<Registration>,
    state: State,
    /// The server was logged in to once: from now on a lost connection comes back by itself.
    entered: bool,
    /// The socket speaks `clinicall.v1`.
    ours: bool,
    multiple_calls: bool,
    /// Few, oldest first: a list is a tenth of the code of a map.
    calls: Vec<Call>,
    /// Calls of those whom we are calling ourselves in the same moment.
    crossing: Vec<agent::CallId>,
    next_call: u64,
    farewell: Option<Time>,
    instance: String,
    comet: Session,
    /// The token before the one that was handed over and is not yet taken.
    older_token: Option<String>,
    agent_wake: Option<Time>,
    told_wake: Option<Time>,
    out: VecDeque<Output>,
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Phone")
            .field("state", &self.state)
            .field("calls", &self.calls)
            .finish()
    }
}

impl Phone {
    /// `seed` comes from the browser's `crypto`, and from nowhere else outside tests.
    pub fn connect(now: Time, seed: [u8; 32], options: &Options) -> Result<Self, Error> {
        let account = Account::check(options)?;
        let mut entropy = Entropy::new(seed);
        let agent = Agent::new(agent::Config {
            product: concat!("Clinicall/", env!("CARGO_PKG_VERSION")).to_owned(),
            host: [entropy.token(12).as_str(), ".invalid"].concat(),
            contact_user: entropy.token(8),
            seed: entropy.bytes(),
            max_calls: 16,
            session_expires: Millis::from_secs(1_800),
            min_se: Millis::from_secs(90),
            ring_timeout: Millis::from_secs(90),
        });
        let instance = uuid_urn(entropy.bytes());
        let link = Link::new(Entropy::new(entropy.bytes()));
        let comet = Session::new(entropy.token(22), None);
        let mut phone = Self {
            account,
            agent,
            link,
            registration: None,
            state: State::Connecting,
            entered: false,
            ours: false,
            multiple_calls: false,
            calls: Vec::new(),
            crossing: Vec::new(),
            next_call: 0,
            farewell: None,
            instance,
            comet,
            older_token: None,
            agent_wake: None,
            told_wake: None,
            out: VecDeque::new(),
        };
        phone
            .out
            .push_back(Output::Event(Event::State(State::Connecting)));
        let act = phone.link.open(now);
        phone.act(now, act);
        phone.settle(now);
        Ok(phone)
    }

    // --- wishes ------------------------------------------------------------------------------

    /// Calls `target`: a user of this server, `room:NAME` for a room of the clinic's, `user@host` or
    /// a whole SIP URI.
    pub fn call(&mut self, now: Time, target: &str, wants: Wants) -> Result<CallId, Error> {
        let to = self.account.target(target)?;
        if self.link.flow().is_none() || self.state != State::Registered {
            return Err(Error::of(Cause::NotConnected));
        }
        let id = self.new_id();
        let ours = self.ours;
        let call = Call::place(&mut self.desk(now).1, id, to, wants, ours);
        self.calls.push(call);
        self.settle(now);
        Ok(id)
    }

    pub fn accept(&mut self, now: Time, id: CallId, wants: Wants) -> Result<(), Error> {
        let (call, mut desk) = self.call_of(now, id)?;
        let done = call.accept(&mut desk, wants);
        self.settle(now);
        done
    }

    /// Declines an incoming call with 603, or any final status from 300 up.
    pub fn reject(&mut self, now: Time, id: CallId, status: Option<u16>) -> Result<(), Error> {
        let status = status.unwrap_or(603);
        if !(300..700).contains(&status) {
            return Err(Error::bad_option(
                "A call is declined with a status from 300 to 699.",
            ));
        }
        let (call, mut desk) = self.call_of(now, id)?;
        let done = call.reject(&mut desk, Status(status));
        self.settle(now);
        done
    }

    /// Ends the call whatever its state. Of a call that is over already: nothing.
    pub fn hangup(&mut self, now: Time, id: CallId) {
        if let Ok((call, mut desk)) = self.call_of(now, id) {
            call.hang_up(&mut desk);
            self.settle(now);
        }
    }

    /// `None` leaves a medium as it is.
    pub fn mute(
        &mut self,
        now: Time,
        id: CallId,
        audio: Option<bool>,
        video: Option<bool>,
    ) -> Result<(), Error> {
        let (call, mut desk) = self.call_of(now, id)?;
        let was = call.muted;
        let muted = Muted {
            audio: audio.unwrap_or(was.audio),
            video: video.unwrap_or(was.video),
        };
        call.mute(&mut desk, muted);
        self.settle(now);
        Ok(())
    }

    /// Whether a call may come in during another; if not (as it is at first), it is answered 486.
    pub fn set_multiple_calls(&mut self, allowed: bool) {
        self.multiple_calls = allowed;
    }
    #[must_use]
    pub fn multiple_calls(&self) -> bool {
        self.multiple_calls
    }

    /// Other limits, for the calls that go on as for those to come.
    pub fn set_bandwidth(&mut self, now: Time, limits: Bandwidth) {
        self.account.bandwidth = limits;
        let (calls, mut desk) = self.desk(now);
        for call in calls {
            call.set_bandwidth(&mut desk, limits);
        }
        self.settle(now);
    }

    /// Hangs up, unregisters and closes the socket a moment later.
    pub fn disconnect(&mut self, now: Time) {
        if self.is_finished() {
            return;
        }
        self.end_calls(now, &Reason::of(Cause::Disconnected, By::Local));
        match self.registration {
            Some(registration) if self.link.flow().is_some() => {
                self.agent.unregister(now, registration);
                self.farewell = Some(now + FAREWELL);
            }
            _ => self.stop(now),
        }
        self.turn(State::Disconnected);
        self.settle(now);
    }

    // --- questions ---------------------------------------------------------------------------

    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The calls that are not over, oldest first.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.calls.iter().map(|call| call.id)
    }
    /// [`CallState::Ended`] for one that is over.
    #[must_use]
    pub fn call_state(&self, id: CallId) -> CallState {
        self.find(id).map_or(CallState::Ended, Call::state)
    }
    /// Agreed, and sound and picture get through.
    #[must_use]
    pub fn has_media(&self, id: CallId) -> bool {
        self.find(id).is_some_and(Call::has_media)
    }
    #[must_use]
    pub fn peer(&self, id: CallId) -> Option<&Peer> {
        self.find(id).map(|call| &call.peer)
    }
    #[must_use]
    pub fn direction(&self, id: CallId) -> Option<Direction> {
        self.find(id).map(|call| call.direction)
    }
    #[must_use]
    pub fn has_video(&self, id: CallId) -> bool {
        self.find(id).is_some_and(|call| call.video)
    }
    #[must_use]
    pub fn muted(&self, id: CallId) -> Muted {
        self.find(id).map_or(Muted::default(), |call| call.muted)
    }

    // --- the browser -------------------------------------------------------------------------

    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::SocketOpen { socket, protocol } => self.socket_open(now, socket, protocol),
            Input::SocketFrame { socket, bytes } => {
                if self.link.flow() == Some(socket) {
                    if let Some(act) = self.link.heard(now) {
                        self.act(now, act);
                    }
                    match bytes.first() {
                        Some(b'{') => self.comet_receive(bytes),
                        _ => self.agent.receive(now, socket, bytes),
                    }
                }
            }
            Input::SocketClosed { socket } => {
                if let Some(was_open) = self.link.closed(now, socket) {
                    self.socket_lost(now, socket, was_open);
                }
            }
            Input::Online => self.nudge(now, Hint::Network),
            Input::Peer { call, news } => {
                let lost = matches!(
                    news,
                    PeerNews::Path(PathState::Disconnected | PathState::Failed)
                );
                if let Ok((call, mut desk)) = self.call_of(now, call) {
                    call.peer_news(&mut desk, news);
                }
                // what took sound and picture away may have taken the socket along
                if lost {
                    self.nudge(now, Hint::Path);
                }
            }
            Input::Tick => self.tick(now),
        }
        self.settle(now);
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn nudge(&mut self, now: Time, hint: Hint) {
        // at the login the socket is new anyway
        if !self.entered {
            return;
        }
        for act in self.link.nudged(now, hint) {
            self.act(now, act);
        }
    }

    fn tick(&mut self, now: Time) {
        if self.farewell.is_some_and(|until| now >= until) {
            self.stop(now);
        }
        if let Some(act) = self.link.tick(now) {
            self.act(now, act);
        }
        if self.agent_wake.is_some_and(|wake| now >= wake) {
            self.agent_wake = None;
            self.agent.tick(now);
        }
        let (calls, mut desk) = self.desk(now);
        for call in calls {
            call.tick(&mut desk);
        }
    }

    fn socket_open(&mut self, now: Time, socket: Flow, protocol: &str) {
        match self.link.opened(now, socket) {
            Opened::Expected => {}
            Opened::Instead(old) => {
                self.out.push_back(Output::CloseSocket { socket: old });
                if self.farewell.is_some() {
                    return self.stop(now);
                }
                self.agent.closed(now, old);
                self.comet.lost();
                self.turn(State::Reconnecting);
            }
            Opened::Stale => return self.out.push_back(Output::CloseSocket { socket }),
        }
        self.ours = protocol == OURS[0];
        self.agent.open(socket, self.account.transport);
        for call in &self.calls {
            if let Some(leg) = call.leg() {
                // refused: it is ending
                let _ = self.agent.move_call(now, leg, socket);
            }
        }
        if let Some(registration) = self.registration {
            self.agent.reregister(now, registration, socket);
        } else {
            let what = Registering {
                registrar: self.account.domain(),
                aor: self.account.aor.clone(),
                expires: Millis::from_secs(600),
                instance: Some(self.instance.clone()),
                reg_id: Some(1),
                credentials: self.account.credentials.clone(),
                headers: self.token_header(),
            };
            self.registration = Some(self.agent.register(now, socket, what));
        }
    }

    fn socket_lost(&mut self, now: Time, socket: Flow, was_open: bool) {
        if was_open {
            self.agent.closed(now, socket);
            self.comet.lost();
        }
        if self.farewell.is_some() {
            self.stop(now);
        } else if self.entered {
            self.turn(State::Reconnecting);
        } else {
            self.fail(now, Reason::of(Cause::ConnectionFailed, By::System));
        }
    }

    fn act(&mut self, now: Time, act: Act) {
        match act {
            Act::Open(socket) => {
                let protocols = if self.account.ours { OURS } else { FOREIGN };
                let url = self.account.server.clone();
                self.out.push_back(Output::OpenSocket {
                    socket,
                    url,
                    protocols,
                });
            }
            Act::Drop { socket, was_open } => {
                self.out.push_back(Output::CloseSocket { socket });
                self.socket_lost(now, socket, was_open);
            }
            Act::Leave(socket) => self.out.push_back(Output::CloseSocket { socket }),
            Act::Probe(socket) if self.ours => {
                // a relay of ours answers the double CRLF of RFC 5626 section 3.5.1: four bytes
                self.send(now, socket, "\r\n\r\n".to_owned());
            }
            Act::Probe(socket) => {
                // FreeSWITCH swallows CRLFs but answers OPTIONS; any frame back will do
                let (to, from) = (self.account.domain(), self.account.aor.clone());
                let headers = Headers::new();
                let _ = self.agent.request(
                    now,
                    socket,
                    Method::Options,
                    to,
                    from,
                    headers,
                    Vec::new(),
                    None,
                );
            }
        }
    }

    fn send(&mut self, now: Time, socket: Flow, text: String) {
        self.link.said(now);
        self.out.push_back(Output::Send { socket, text });
    }

    // --- the agent ---------------------------------------------------------------------------

    /// Takes over whatever the last input brought about.
    fn settle(&mut self, now: Time) {
        self.drain(now);
        if self.let_go(now) {
            self.drain(now);
        }
        self.comet_settle(now);
        self.calls.retain(|call| !call.is_over());
        self.link.urgent = !self.calls.is_empty();
        let calls = self.calls.iter().filter_map(Call::wake).min();
        let wake = [self.agent_wake, self.link.wake(), self.farewell, calls];
        let wake = wake.into_iter().flatten().min();
        if wake != self.told_wake {
            self.told_wake = wake;
            self.out.push_back(Output::WakeAt(wake));
        }
    }

    fn drain(&mut self, now: Time) {
        while let Some(output) = self.agent.poll() {
            match output {
                agent::Output::Send { flow, bytes } => {
                    if self.link.flow() == Some(flow) {
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        self.send(now, flow, text);
                    }
                }
                agent::Output::WakeAt(when) => self.agent_wake = Some(when),
                agent::Output::Event(event) => self.hear(now, event),
            }
        }
    }

    fn hear(&mut self, now: Time, event: agent::Event) {
        use agent::Event as Sip;
        match event {
            Sip::Incoming { call, invite, .. } => self.incoming(now, call, &invite),
            Sip::Progress { call, .. }
            | Sip::Established { call, .. }
            | Sip::EarlyAnswer { call, .. }
            | Sip::Change { call, .. }
            | Sip::Changed { call, .. }
            | Sip::Ended { call, .. } => {
                if matches!(event, Sip::Ended { .. }) {
                    self.crossing.retain(|leg| *leg != call);
                }
                let (calls, mut desk) = self.desk(now);
                // a call we ended is forgotten before its last messages are through
                if let Some(of) = calls.iter_mut().find(|of| of.leg() == Some(call)) {
                    of.hear(&mut desk, call, event);
                }
            }
            Sip::Within {
                call,
                pending,
                request,
            } => {
                let kind = request.headers.get("Content-Type").unwrap_or("");
                let (calls, mut desk) = self.desk(now);
                if let Some(of) = calls.iter_mut().find(|of| of.leg() == Some(call)) {
                    match kind {
                        call::LIMITS => of.limited_by_peer(&mut desk, &request.body),
                        call::LINK => of.link_carries(&mut desk, &request.body),
                        _ => {}
                    }
                }
                self.answer_request(now, pending, &request);
            }
            Sip::Asked {
                pending, request, ..
            } => self.answer_request(now, pending, &request),
            // the answer to a probe: that a frame came was all we wanted
            Sip::Replied { .. } => {}
            Sip::Registered { .. } => self.registered(now),
            Sip::RegistrationFailed {
                ending,
                retry_after,
                ..
            } => {
                self.not_registered(now, ending, retry_after);
            }
            Sip::Unregistered { .. } => {
                if self.farewell.is_some() {
                    self.stop(now);
                }
            }
        }
    }

    // --- helpers -----------------------------------------------------------------------------

    fn is_finished(&self) -> bool {
        matches!(self.state, State::Failed(_) | State::Disconnected)
    }

    fn turn(&mut self, state: State) {
        if self.state != state && !self.is_finished() {
            self.state = state.clone();
            self.out.push_back(Output::Event(Event::State(state)));
        }
    }

    fn fail(&mut self, now: Time, reason: Reason) {
        self.end_calls(now, &reason);
        self.stop(now);
        self.turn(State::Failed(reason));
    }

    fn stop(&mut self, now: Time) {
        self.farewell = None;
        self.comet.lost();
        self.token_over(Err(Error::of(Cause::NotConnected)));
        self.comet_over();
        for act in self.link.stop() {
            match act {
                Act::Drop { socket, was_open } => {
                    if was_open {
                        self.agent.closed(now, socket);
                    }
                    self.out.push_back(Output::CloseSocket { socket });
                }
                other => self.act(now, other),
            }
        }
    }

    fn end_calls(&mut self, now: Time, reason: &Reason) {
        let (calls, mut desk) = self.desk(now);
        for call in calls {
            call.end(&mut desk, reason.clone());
        }
    }

    fn new_id(&mut self) -> CallId {
        self.next_call += 1;
        CallId(self.next_call)
    }

    fn find(&self, id: CallId) -> Option<&Call> {
        self.calls.iter().find(|call| call.id == id)
    }

    fn desk(&mut self, now: Time) -> (&mut Vec<Call>, Desk<'_>) {
        let desk = Desk {
            now,
            agent: &mut self.agent,
            out: &mut self.out,
            account: &self.account,
            flow: self.link.flow(),
            registered: self.state == State::Registered,
        };
        (&mut self.calls, desk)
    }

    fn call_of(&mut self, now: Time, id: CallId) -> Result<(&mut Call, Desk<'_>), Error> {
        let (calls, desk) = self.desk(now);
        match calls.iter_mut().find(|call| call.id == id) {
            Some(call) => Ok((call, desk)),
            None => Err(Error::of(Cause::WrongState)),
        }
    }
}

/// A random UUID (RFC 9562 section 5.4) as the URN that `+sip.instance` wants. New with each page,
/// so that two tabs of one person ring both.
fn uuid_urn(mut random: [u8; 32]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut urn = String::from("urn:uuid:");
    for (at, byte) in random.iter().take(16).enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            urn.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            urn.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    urn
}
