//! The pretend world around one phone. The server is an agent of its own, ten milliseconds away;
//! the browser carries out commands with canned results. Everything that happens is written down.

use std::collections::VecDeque;

use clinicall_sip::{
    Headers, Message, Method, Millis, Status, Time, Uri,
    agent::{self, Agent, Flow, Invite, Transport},
    digest::{Answer, Guard, Secret, Verdict},
};

use crate::{
    options::Options,
    phone::{
        CallId, CallState, Event, Input, Output, PathState, PeerCommand, PeerNews, Phone, State,
        Wants,
    },
    reason::Cause,
};

pub(super) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\n\
    a=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n\
    a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendrecv\r\n\
    a=rtpmap:96 VP8/90000\r\n";

pub(super) const BOTH: Wants = Wants {
    audio: true,
    video: true,
};

const ON_THE_WAY: Millis = Millis(10);
/// The pretend server's name for whichever socket is open.
const PAGE: Flow = Flow(1);

/// How the person at the camera prompt, and the browser, behave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Devices {
    Granted,
    NoCamera,
    Denied,
    /// The prompt stays open.
    Unanswered,
}

pub(super) struct Clinic {
    pub now: Time,
    pub phone: Phone,
    pub server: Agent,
    pub devices: Devices,
    /// A STUN server is configured and does not answer.
    pub dead_stun: bool,
    /// Only mDNS names are gathered.
    pub hidden_addresses: bool,
    /// The server answers a wrong password with 403 and not with another challenge.
    pub forbids: bool,
    /// Which subprotocol the server picks; `None`: nobody listens there.
    pub protocol: Option<&'static str>,
    /// Frames disappear without a word.
    pub blackhole: bool,
    /// The calls of the page that reached the server.
    pub server_calls: Vec<agent::CallId>,
    pub last_call: Option<CallId>,
    rung: Vec<agent::CallId>,
    pub log: Vec<String>,
    /// What the page sent, and the peer's descriptions as its browser got them.
    pub sent: Vec<String>,
    pub described: Vec<String>,
    /// What a page would do the moment it hears of a call.
    pub on_incoming: Option<fn(&mut Phone, Time, CallId)>,
    guard: Guard,
    coming: VecDeque<(Time, Coming)>,
    /// The one that the server serves.
    socket: Option<Flow>,
    /// The network has changed: what goes by this one is lost.
    pub dead: Option<Flow>,
    wake: Option<Time>,
    server_wake: Option<Time>,
}

enum Coming {
    Open(Flow),
    Closed(Flow),
    ToPhone(Flow, Vec<u8>),
    ToServer(Flow, Vec<u8>),
    Peer(CallId, PeerNews),
}

impl Clinic {
    /// A page of user 2 that is logged in at our relay.
    pub fn open() -> Self {
        let mut clinic = Self::before_login(&ours("secret"), Some("clinicall.v1"));
        clinic.run_for(Millis(200));
        assert_eq!(
            *clinic.phone.state(),
            State::Registered,
            "{}",
            clinic.ladder()
        );
        clinic.log.clear();
        clinic
    }

    /// A page of extension 1000 that is logged in at somebody else's server.
    pub fn abroad() -> Self {
        let options = Options {
            server: "wss://pbx.example".into(),
            uri: Some("sip:1000@pbx.example".into()),
            password: "secret".into(),
            ..Options::default()
        };
        let mut clinic = Self::before_login(&options, Some("sip"));
        clinic.run_for(Millis(200));
        assert_eq!(
            *clinic.phone.state(),
            State::Registered,
            "{}",
            clinic.ladder()
        );
        clinic.log.clear();
        clinic
    }

    pub fn before_login(options: &Options, protocol: Option<&'static str>) -> Self {
        let now = Time(1_000);
        let mut clinic = Self {
            now,
            phone: Phone::connect(now, [1; 32], options).unwrap(),
            server: server([2; 32]),
            devices: Devices::Granted,
            dead_stun: false,
            hidden_addresses: false,
            forbids: false,
            protocol,
            blackhole: false,
            server_calls: Vec::new(),
            last_call: None,
            rung: Vec::new(),
            log: Vec::new(),
            sent: Vec::new(),
            described: Vec::new(),
            on_incoming: None,
            guard: Guard::new("clinic", [3; 32]),
            coming: VecDeque::new(),
            socket: None,
            dead: None,
            wake: None,
            server_wake: None,
        };
        clinic.drain();
        clinic
    }

    // --- what people do ----------------------------------------------------------------------

    pub fn call(&mut self, whom: &str, wants: Wants) -> CallId {
        let id = self.phone.call(self.now, whom, wants).unwrap();
        self.drain();
        id
    }

    /// Does something with the phone, as the page's own code.
    pub fn page<T>(&mut self, act: impl FnOnce(&mut Phone, Time) -> T) -> T {
        let done = act(&mut self.phone, self.now);
        self.drain();
        done
    }

    /// Does something at the server.
    pub fn relay<T>(&mut self, act: impl FnOnce(&mut Agent, Time) -> T) -> T {
        let done = act(&mut self.server, self.now);
        self.drain();
        done
    }

    /// Somebody calls the page through the server.
    pub fn ring(&mut self, from: &str, name: &str, offer: Option<&str>) -> agent::CallId {
        self.ring_with(from, name, offer, &[])
    }

    pub fn ring_with(
        &mut self,
        from: &str,
        name: &str,
        offer: Option<&str>,
        headers: &[(&str, &str)],
    ) -> agent::CallId {
        let mut to = Uri::sip("2", "page.invalid");
        to.params.push(("transport".into(), Some("ws".into())));
        let invite = Invite {
            to,
            target: None,
            from: Uri::sip(from, "visits.example"),
            from_name: Some(name.into()),
            offer: offer.map(Into::into),
            headers: headers
                .iter()
                .copied()
                .fold(Headers::new(), |mut all, header| {
                    all.push(header.0, header.1);
                    all
                }),
            credentials: None,
        };
        let leg = self.relay(|server, now| server.invite(now, PAGE, invite).unwrap());
        self.rung.push(leg);
        leg
    }

    /// The call that [`Clinic::ring`] placed last.
    pub fn ring_leg(&self) -> agent::CallId {
        *self.rung.last().expect("somebody rang")
    }

    /// The call the page placed last, as the server knows it.
    pub fn arrived(&self) -> agent::CallId {
        *self
            .server_calls
            .last()
            .expect("an INVITE reached the server")
    }

    /// Whom the page calls accepts.
    pub fn accepts(&mut self) {
        let leg = self.arrived();
        self.relay(|server, now| {
            server
                .accept(now, leg, Some(OFFER.into()), Headers::new())
                .unwrap();
        });
    }

    pub fn news(&mut self, call: CallId, news: PeerNews) {
        self.phone.handle(self.now, Input::Peer { call, news });
        self.drain();
    }

    /// The server, or the network, takes the socket away.
    pub fn cut(&mut self) {
        let socket = self.socket.expect("a socket is open");
        self.server.closed(self.now, PAGE);
        self.coming.push_back((self.now, Coming::Closed(socket)));
        self.run_for(Millis(0));
    }

    /// The server is gone, and so is all that it knew; another listens at once.
    pub fn restarts(&mut self) {
        self.server = server([4; 32]);
        self.cut();
    }

    /// The network changes: the socket is dead, and nobody says so.
    pub fn moves(&mut self) {
        self.dead = self.socket;
    }

    // --- the world ---------------------------------------------------------------------------

    pub fn run_for(&mut self, span: Millis) {
        let end = self.now + span;
        loop {
            self.drain();
            let coming = self.coming.iter().map(|(at, _)| *at).min();
            let next = [coming, self.wake, self.server_wake]
                .into_iter()
                .flatten()
                .min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if coming == Some(next) {
                let at = self.coming.iter().position(|(at, _)| *at == next).unwrap();
                let (_, what) = self.coming.remove(at).unwrap();
                self.happen(what);
            } else if self.wake == Some(next) {
                self.wake = None;
                self.phone.handle(self.now, Input::Tick);
            } else {
                self.server_wake = None;
                self.server.tick(self.now);
            }
        }
        self.now = end;
    }

    fn happen(&mut self, what: Coming) {
        match what {
            Coming::Open(socket) => match self.protocol {
                // as little gets there as anywhere
                Some(_) if self.blackhole => {}
                Some(protocol) => {
                    if self.socket.replace(socket).is_some() {
                        self.server.closed(self.now, PAGE);
                    }
                    self.server.open(PAGE, Transport::Ws);
                    self.phone
                        .handle(self.now, Input::SocketOpen { socket, protocol });
                }
                None => {
                    self.phone.handle(self.now, Input::SocketClosed { socket });
                }
            },
            Coming::Closed(socket) => {
                self.socket = None;
                self.phone.handle(self.now, Input::SocketClosed { socket });
            }
            Coming::ToPhone(socket, bytes) => {
                if self.socket == Some(socket) {
                    self.phone.handle(
                        self.now,
                        Input::SocketFrame {
                            socket,
                            bytes: &bytes,
                        },
                    );
                }
            }
            Coming::ToServer(socket, bytes) => {
                if self.socket == Some(socket) {
                    self.server.receive(self.now, PAGE, &bytes);
                }
            }
            Coming::Peer(call, news) => {
                self.phone.handle(self.now, Input::Peer { call, news });
            }
        }
    }

    fn drain(&mut self) {
        loop {
            if let Some(output) = self.phone.poll() {
                self.carry_out(output);
            } else if let Some(output) = self.server.poll() {
                self.serve(output);
            } else {
                return;
            }
        }
    }

    fn later(&mut self, millis: u64, what: Coming) {
        self.coming.push_back((self.now + Millis(millis), what));
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::OpenSocket {
                socket, protocols, ..
            } => {
                self.note(&format!("socket  open {}", protocols.join(", ")));
                // a handshake of TCP, and one of WebSocket
                self.later(40, Coming::Open(socket));
            }
            Output::CloseSocket { socket } => {
                self.note("socket  close");
                self.coming
                    .retain(|(_, what)| !matches!(what, Coming::Open(open) if *open == socket));
                if self.socket == Some(socket) {
                    self.socket = None;
                    self.server.closed(self.now, PAGE);
                }
            }
            Output::Send { socket, text } => {
                self.note(&format!("page  -> {}", start_of(text.as_bytes())));
                self.sent.push(text.clone());
                if !self.blackhole && self.dead != Some(socket) {
                    self.later(ON_THE_WAY.0, Coming::ToServer(socket, text.into_bytes()));
                }
            }
            Output::Peer { call, command } => self.browse(call, command),
            Output::Event(event) => self.tell(event),
            Output::WakeAt(when) => self.wake = when,
        }
    }

    fn tell(&mut self, event: Event) {
        let text = match &event {
            Event::State(State::Failed(reason)) => format!("failed: {}", reason.cause.as_str()),
            Event::State(state) => format!("{state:?}"),
            Event::Incoming(id) => {
                self.last_call = Some(*id);
                let peer = self.phone.peer(*id).cloned();
                peer.map_or("Incoming".into(), |peer| {
                    format!("Incoming {} {}", peer.user, peer.name.unwrap_or_default())
                })
            }
            Event::Ringing(_) => "Ringing".into(),
            Event::Connected(_) => "Connected".into(),
            Event::Media(_) => "Media".into(),
            Event::Changed(id) => format!("Changed {:?}", self.phone.call_state(*id)),
            Event::Quality(_, report) => format!("Quality {:?}: {}", report.level, report.text),
            Event::Message(message) => format!("Message {message}"),
            Event::Gap(pipe) => format!("Gap in {pipe}"),
            Event::Answered { id, answer } => format!("Answered {id}: {answer:?}"),
            Event::Refused { pipe, cause } => format!("Refused {pipe}: {}", cause.as_str()),
            Event::Hangup(_, reason) => {
                let status = reason
                    .status
                    .map(|status| format!(" {status}"))
                    .unwrap_or_default();
                format!(
                    "Hangup {} by {:?}{status}",
                    reason.cause.as_str(),
                    reason.by
                )
            }
        };
        self.note(&format!("tells    {text}"));
        if let (Event::Incoming(id), Some(act)) = (event, self.on_incoming) {
            act(&mut self.phone, self.now, id);
        }
    }

    fn browse(&mut self, call: CallId, command: PeerCommand) {
        let text = match &command {
            PeerCommand::Answer { .. } => "Answer".to_owned(),
            PeerCommand::SetAnswer { answer } if answer.contains(" tcp ") => {
                "SetAnswer with TCP".to_owned()
            }
            PeerCommand::SetAnswer { .. } => "SetAnswer".to_owned(),
            PeerCommand::Attach(_) => "Attach".to_owned(),
            PeerCommand::Mute(muted) => format!("Mute {} {}", muted.audio, muted.video),
            PeerCommand::Capture(wants) => format!("Capture {} {}", wants.audio, wants.video),
            other => format!("{other:?}"),
        };
        self.note(&format!("browser  {text}"));
        if let PeerCommand::Answer { offer: sdp } | PeerCommand::SetAnswer { answer: sdp } =
            &command
        {
            self.described.push(sdp.clone());
        }
        match command {
            PeerCommand::Offer { .. } | PeerCommand::Answer { .. } => {
                let local = || OFFER.to_owned();
                let described = PeerNews::Local {
                    sdp: local(),
                    complete: false,
                };
                self.later(4, Coming::Peer(call, described));
                for section in 0..2 {
                    let address = if self.hidden_addresses {
                        "4f2c.local"
                    } else {
                        "192.0.2.7"
                    };
                    let candidate = format!("candidate:1 1 udp 1 {address} 500{section} typ host");
                    let found = PeerNews::Candidate {
                        section,
                        candidate,
                        local: local(),
                    };
                    self.later(30 + section as u64 * 10, Coming::Peer(call, found));
                }
                let patience = if self.dead_stun { 39_750 } else { 60 };
                let done = PeerNews::GatheringDone { local: local() };
                self.later(patience, Coming::Peer(call, done));
            }
            PeerCommand::Capture(wants) => {
                let news = match self.devices {
                    Devices::Granted => PeerNews::Captured,
                    Devices::NoCamera if !wants.video => PeerNews::Captured,
                    Devices::NoCamera => PeerNews::CaptureFailed(Cause::NoDevice),
                    Devices::Denied => PeerNews::CaptureFailed(Cause::MediaDenied),
                    Devices::Unanswered => return,
                };
                self.later(6, Coming::Peer(call, news));
            }
            _ => {}
        }
    }

    fn serve(&mut self, output: agent::Output) {
        match output {
            agent::Output::Send { bytes, .. } => {
                self.note(&format!("page <-  {}", start_of(&bytes)));
                if let (Some(socket), false) = (self.socket, self.blackhole)
                    && self.dead != Some(socket)
                {
                    self.later(ON_THE_WAY.0, Coming::ToPhone(socket, bytes));
                }
            }
            agent::Output::WakeAt(when) => self.server_wake = Some(when),
            agent::Output::Event(agent::Event::Incoming { call, .. }) => {
                self.server_calls.push(call);
            }
            agent::Output::Event(agent::Event::Change { call, offer }) => {
                assert!(offer.is_some());
                self.server
                    .answer_change(self.now, call, OFFER.into())
                    .unwrap();
            }
            agent::Output::Event(agent::Event::Asked {
                pending, request, ..
            }) => {
                let (mut status, mut headers) = (Status(200), Headers::new());
                if request.method == Method::Register && !self.knows(&request.headers) {
                    let tried = request.headers.get("Authorization").is_some();
                    status = Status(if tried && self.forbids { 403 } else { 401 });
                    for challenge in self.guard.challenges(self.now, false) {
                        headers.push("WWW-Authenticate", challenge);
                    }
                } else if let Some(contact) = request.headers.get("Contact") {
                    headers.push("Contact", [contact, ";expires=600"].concat());
                }
                self.server
                    .respond(self.now, pending, status, headers, Vec::new())
                    .unwrap();
            }
            agent::Output::Event(_) => {}
        }
    }

    fn knows(&mut self, headers: &Headers) -> bool {
        let shown = headers.get("Authorization");
        if shown.is_some_and(|shown| shown.starts_with("Bearer good.")) {
            return true;
        }
        let answer = shown.and_then(Answer::parse);
        answer.is_some_and(|answer| {
            let secret = Secret::Password("secret".into());
            let verdict = self.guard.check(self.now, &answer, "REGISTER", &[secret]);
            matches!(verdict, Verdict::Granted)
        })
    }

    fn note(&mut self, what: &str) {
        let line = format!("{:>6} {what}", self.now.0 - 1_000);
        self.log.push(line);
    }

    pub fn ladder(&self) -> String {
        self.log.join("\n")
    }

    /// The ladder without times.
    pub fn story(&self) -> String {
        let lines = self.log.iter().map(|line| line.get(7..).unwrap_or(""));
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn heard(&self, what: &str) -> bool {
        self.log.iter().any(|line| line.contains(what))
    }

    /// When, in milliseconds since the start, a line with `what` was written first.
    pub fn when(&self, what: &str) -> u64 {
        let line = self.log.iter().find(|line| line.contains(what));
        let line = line.unwrap_or_else(|| panic!("no `{what}` in\n{}", self.ladder()));
        line.get(..6).unwrap().trim().parse().unwrap()
    }
}

/// A page in a call with user 3, who called.
pub(super) fn talking() -> (Clinic, CallId) {
    let mut clinic = Clinic::open();
    clinic.on_incoming = Some(|phone, now, call| phone.accept(now, call, BOTH).unwrap());
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    let call = clinic.last_call.unwrap();
    clinic.news(call, PeerNews::Path(PathState::Connected));
    assert_eq!(clinic.phone.call_state(call), CallState::Connected);
    clinic.log.clear();
    (clinic, call)
}

fn server(seed: [u8; 32]) -> Agent {
    Agent::new(agent::Config {
        product: "Pretend/1".into(),
        host: "visits.example".into(),
        contact_user: String::new(),
        seed,
        max_calls: 8,
        session_expires: Millis::from_secs(1_800),
        min_se: Millis::from_secs(90),
        ring_timeout: Millis::from_secs(300),
    })
}

pub(super) fn ours(password: &str) -> Options {
    Options {
        server: "wss://visits.example/sip".into(),
        user: Some("2".into()),
        password: password.into(),
        ..Options::default()
    }
}

/// The first line of a message, and whether there is a description in it.
fn start_of(bytes: &[u8]) -> String {
    match Message::parse(bytes) {
        Ok(message) => {
            let method = || message.headers().get("CSeq").unwrap_or("").to_owned();
            let (line, body) = match &message {
                Message::Request(request) => (request.method.as_str().to_owned(), &request.body),
                Message::Response(response) => (
                    format!(
                        "{} {}",
                        response.status.0,
                        method().split(' ').nth(1).unwrap_or("")
                    ),
                    &response.body,
                ),
            };
            if body.is_empty() {
                line
            } else {
                line + " + sdp"
            }
        }
        Err(_) => format!("{:?}", String::from_utf8_lossy(bytes)),
    }
}
