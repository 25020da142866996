//! A relay, telephones and a network that takes 20 ms each way unless told otherwise, on virtual time.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write as _,
    net::IpAddr,
    sync::Arc,
};

use clinicall_sip::{
    Agent, Headers, Message, Method, Millis, Output, Status, Time, Uri,
    agent::{self, CallId, Cause, Event, Flow, Invite, Pending, Registering, Transport},
    digest::{Credentials, Secret},
};

use super::plane::{Plane, sdp};
use crate::{
    config::{self, Config, User},
    media::{self, MemberId},
    metrics::Metrics,
    signal::{Closing, Exchange, News, Out, Question, Settings, focus::resume, users::Users},
};

pub(super) struct Clinic {
    pub now: Time,
    pub exchange: Exchange,
    pub plane: Arc<Plane>,
    pub metrics: Arc<Metrics>,
    pub phones: Vec<Phone>,
    pub news: Vec<News>,
    /// Whether media paths come up.
    pub media: bool,
    /// From a telephone to the relay, and back.
    pub delay: Millis,
    connected: BTreeSet<MemberId>,
    network: VecDeque<Frame>,
    ladder: String,
    flows: u64,
    /// What the exchange asked about people, and nobody has answered yet.
    pub questions: Vec<(u64, Question)>,
}

/// A page with a user in it. Each is named by its index; `name` is for the ladder.
pub(super) struct Phone {
    pub name: &'static str,
    pub user: &'static str,
    pub agent: Agent,
    instance: Option<String>,
    password: &'static str,
    registration: Option<agent::Registration>,
    /// Its connection, the same number on both sides.
    pub flow: Option<Flow>,
    wake: Option<Time>,
    /// Answers early with a description, as our own client does.
    preconnects: bool,
    /// Accepts as soon as it rings.
    pub hasty: bool,
    /// What it saw, in words.
    pub seen: Vec<String>,
    pub incoming: Option<CallId>,
    pub from_name: String,
    pub asked: Option<Pending>,
}

struct Frame {
    at: Time,
    to: Way,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Relay(Flow),
    Phone(Flow),
}

impl Clinic {
    /// The doctor (2), the patient (3) and the interpreter (4); nobody is connected yet.
    pub fn closed() -> Self {
        let mut config = Config::dev();
        config.user = [
            ("2", "Doctor Ivanova"),
            ("3", "Patient Petrov"),
            ("4", "Interpreter Lin"),
        ]
        .map(|(id, name)| User {
            id: id.to_owned(),
            name: name.to_owned(),
            password: Some(config::Secret(format!("secret of {id}"))),
            ..User::default()
        })
        .into();
        config.domains = vec!["clinic.example".to_owned()];
        config.calls.pass_headers = vec!["X-Visit".to_owned()];
        Self::with(&config)
    }

    pub fn with(config: &Config) -> Self {
        let plane = Arc::new(Plane::default());
        let metrics = Arc::new(Metrics::default());
        let exchange = Exchange::new(
            Settings::from_config(config),
            Users::from_config(config),
            plane.clone(),
            metrics.clone(),
            [7; 32],
        );
        Self {
            now: Time(1_000),
            exchange,
            plane,
            metrics,
            phones: Vec::new(),
            news: Vec::new(),
            media: true,
            delay: Millis(20),
            connected: BTreeSet::new(),
            network: VecDeque::new(),
            ladder: String::new(),
            flows: 0,
            questions: Vec::new(),
        }
    }

    /// Patient and doctor, registered; the ladder is empty again.
    pub fn open() -> (Self, usize, usize) {
        let mut clinic = Self::closed();
        let patient = clinic.registered("patient", "3");
        let doctor = clinic.registered("doctor", "2");
        clinic.ladder.clear();
        (clinic, patient, doctor)
    }

    pub fn registered(&mut self, name: &'static str, user: &'static str) -> usize {
        let phone = self.phone(name, user);
        self.register(phone);
        self.run_for(Millis(500));
        assert_eq!(self.phones[phone].seen, ["registered"], "{}", self.ladder);
        self.phones[phone].seen.clear();
        phone
    }

    /// A page that is open and connected.
    pub fn phone(&mut self, name: &'static str, user: &'static str) -> usize {
        let number = self.phones.len() as u8 + 1;
        let agent = Agent::new(agent::Config {
            product: "test phone".to_owned(),
            host: format!("page{number}.invalid"),
            contact_user: format!("u{number}"),
            seed: [number; 32],
            max_calls: 100,
            session_expires: Millis::from_secs(1_800),
            min_se: Millis::from_secs(90),
            ring_timeout: Millis::from_secs(120),
        });
        self.phones.push(Phone {
            name,
            user,
            agent,
            instance: Some(format!(
                "urn:uuid:00000000-0000-1000-8000-0000000000{number:02}"
            )),
            password: match user {
                "2" => "secret of 2",
                "3" => "secret of 3",
                _ => "secret of 4",
            },
            registration: None,
            flow: None,
            wake: None,
            preconnects: true,
            hasty: false,
            seen: Vec::new(),
            incoming: None,
            from_name: String::new(),
            asked: None,
        });
        let phone = self.phones.len() - 1;
        self.connect(phone);
        phone
    }

    pub fn connect(&mut self, phone: usize) {
        self.flows += 1;
        let flow = Flow(self.flows);
        self.phones[phone].flow = Some(flow);
        self.phones[phone].agent.open(flow, Transport::Ws);
        let address = IpAddr::from([192, 0, 2, phone as u8]);
        self.exchange.open(self.now, flow, Transport::Ws, address);
    }

    /// The phone's call goes on over the socket it has now.
    pub fn goes_on_over_its_socket(&mut self, phone: usize, call: CallId) {
        let phone = &mut self.phones[phone];
        let flow = phone.flow.expect("it is connected");
        phone.agent.move_call(self.now, call, flow).unwrap();
    }

    /// The socket is gone on both sides.
    pub fn disconnect(&mut self, phone: usize, how: Closing) {
        let flow = self.phones[phone].flow.take().expect("it is connected");
        self.network
            .retain(|frame| frame.to != Way::Relay(flow) && frame.to != Way::Phone(flow));
        self.phones[phone].agent.closed(self.now, flow);
        self.exchange.closed(self.now, flow, how);
        self.settle();
    }

    pub fn register(&mut self, phone: usize) {
        let now = self.now;
        let phone = &mut self.phones[phone];
        let flow = phone.flow.expect("it is connected");
        if let Some(registration) = phone.registration {
            phone.agent.reregister(now, registration, flow);
            return;
        }
        let what = Registering {
            registrar: Uri::sip("", "clinic.example"),
            aor: Uri::sip(phone.user, "clinic.example"),
            expires: Millis::from_secs(600),
            instance: phone.instance.clone(),
            reg_id: phone.instance.is_some().then_some(1),
            credentials: phone.credentials(),
            headers: Headers::new(),
        };
        phone.registration = Some(phone.agent.register(now, flow, what));
    }

    pub fn call(&mut self, phone: usize, to: &str) -> CallId {
        let user = self.phones[phone].user;
        self.call_as(phone, user, to, Some(sdp("phone", true, true).to_string()))
    }

    pub fn call_uri(&mut self, phone: usize, to: Uri) -> CallId {
        self.call_uri_with(phone, to, Some(sdp("phone", true, true).to_string()))
    }

    pub fn call_uri_with(&mut self, phone: usize, to: Uri, offer: Option<String>) -> CallId {
        let user = self.phones[phone].user;
        self.place(phone, user, to, offer, &[])
    }

    /// Asks for the other side of a call that the relay of before had.
    pub fn resume(&mut self, phone: usize, other: &str, role: &str) -> CallId {
        self.resume_at(phone, Uri::sip(other, "clinic.example"), role)
    }

    pub fn resume_at(&mut self, phone: usize, to: Uri, role: &str) -> CallId {
        let user = self.phones[phone].user;
        let offer = Some(sdp("phone", true, true).to_string());
        self.place(phone, user, to, offer, &[(resume::HEADER, role)])
    }

    pub fn call_as(&mut self, phone: usize, from: &str, to: &str, offer: Option<String>) -> CallId {
        self.place(phone, from, Uri::sip(to, "clinic.example"), offer, &[])
    }

    fn place(
        &mut self,
        phone: usize,
        from: &str,
        to: Uri,
        offer: Option<String>,
        more: &[(&str, &str)],
    ) -> CallId {
        let mut headers = Headers::new();
        for (name, value) in more {
            headers.push(name, value);
        }
        headers.push("X-Visit", "42");
        headers.push("X-Secret", "stays with the caller");
        let invite = Invite {
            to,
            target: None,
            from: Uri::sip(from, "clinic.example"),
            from_name: Some("The Minister of Health".to_owned()),
            offer,
            headers,
            credentials: self.phones[phone].credentials(),
        };
        let (now, phone) = (self.now, &mut self.phones[phone]);
        phone
            .agent
            .invite(now, phone.flow.expect("it is connected"), invite)
            .unwrap()
    }

    pub fn answer(&mut self, phone: usize) {
        let now = self.now;
        let phone = &mut self.phones[phone];
        let call = phone.incoming.expect("somebody calls");
        let sdp = (!phone.preconnects).then(|| sdp("phone", true, true).to_string());
        phone.agent.accept(now, call, sdp, Headers::new()).unwrap();
    }

    pub fn refuse(&mut self, phone: usize, status: u16) {
        let now = self.now;
        let phone = &mut self.phones[phone];
        let call = phone.incoming.expect("somebody calls");
        phone
            .agent
            .reject(now, call, Status(status), Headers::new())
            .unwrap();
    }

    pub fn hangup(&mut self, phone: usize, call: CallId) {
        let now = self.now;
        self.phones[phone].agent.hangup(now, call, None).unwrap();
    }

    pub fn preconnects(&mut self, phone: usize, yes: bool) {
        self.phones[phone].preconnects = yes;
    }

    /// A call from the first to the second, answered.
    pub fn talk(&mut self, caller: usize, callee: usize) -> CallId {
        let call = self.call(caller, self.phones[callee].user);
        self.run_for(Millis(500));
        self.answer(callee);
        self.run_for(Millis(500));
        assert_eq!(self.plane.look().admitted.len(), 2, "{}", self.ladder);
        self.phones.iter_mut().for_each(|phone| phone.seen.clear());
        call
    }

    /// Bytes as they are, from a phone's socket.
    pub fn send_raw(&mut self, phone: usize, bytes: &[u8]) {
        let flow = self.phones[phone].flow.expect("it is connected");
        self.exchange.receive(self.now, flow, bytes);
        self.settle();
    }

    pub fn run_for(&mut self, span: Millis) {
        let end = self.now + span;
        loop {
            self.settle();
            let frame = self.network.front().map(|frame| frame.at);
            let wakes = self.phones.iter().filter_map(|phone| phone.wake);
            let next = wakes.chain(frame).chain(self.exchange.wake_at()).min();
            match next {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            self.step();
        }
        self.now = end;
    }

    fn step(&mut self) {
        let now = self.now;
        while self.network.front().is_some_and(|frame| frame.at <= now) {
            let frame = self.network.pop_front().expect("it was just there");
            match frame.to {
                Way::Relay(flow) => self.exchange.receive(now, flow, &frame.bytes),
                Way::Phone(flow) => {
                    let phone = self
                        .phones
                        .iter_mut()
                        .find(|phone| phone.flow == Some(flow));
                    if let Some(phone) = phone {
                        phone.agent.receive(now, flow, &frame.bytes);
                    }
                }
            }
            self.settle();
        }
        if self.exchange.wake_at().is_some_and(|at| at <= now) {
            self.exchange.tick(now);
        }
        for phone in &mut self.phones {
            if phone.wake.is_some_and(|at| at <= now) {
                phone.wake = None;
                phone.agent.tick(now);
            }
        }
    }

    /// Everybody says what there is to say.
    fn settle(&mut self) {
        let at = self.now + self.delay;
        for index in 0..self.phones.len() {
            while let Some(output) = self.phones[index].agent.poll() {
                match output {
                    Output::Send { flow, bytes } => {
                        self.draw(index, '>', &bytes);
                        let to = Way::Relay(flow);
                        self.network.push_back(Frame { at, to, bytes });
                    }
                    Output::WakeAt(at) => self.phones[index].wake = Some(at),
                    Output::Event(event) => self.phones[index].see(self.now, event),
                }
            }
        }
        if self.media {
            for member in self.plane.members() {
                if self.connected.insert(member) {
                    let event = media::Event::Connected { member };
                    self.exchange.media(self.now, event);
                }
            }
        }
        while let Some(out) = self.exchange.poll() {
            match out {
                Out::Send { flow, bytes } => {
                    if let Some(index) = self.holder(flow) {
                        self.draw(index, '<', &bytes);
                    }
                    let to = Way::Phone(flow);
                    self.network.push_back(Frame { at, to, bytes });
                }
                Out::News(news) => self.news.push(news),
                Out::Ask { ask, question } => self.questions.push((ask, question)),
                Out::Close { flow, reason, .. } => {
                    if let Some(index) = self.holder(flow) {
                        self.phones[index].seen.push(format!("closed: {reason}"));
                        self.disconnect(index, Closing::ByUs);
                    } else {
                        self.exchange.closed(self.now, flow, Closing::ByUs);
                    }
                }
            }
        }
    }

    fn holder(&self, flow: Flow) -> Option<usize> {
        self.phones
            .iter()
            .position(|phone| phone.flow == Some(flow))
    }

    fn draw(&mut self, phone: usize, way: char, bytes: &[u8]) {
        let name = self.phones[phone].name;
        let what = match Message::parse(bytes) {
            Ok(Message::Request(request)) => request.method.as_str().to_owned(),
            Ok(Message::Response(response)) => {
                let method = response.headers.cseq().map(|cseq| cseq.method);
                let method = method.as_ref().map_or("?", Method::as_str);
                format!("{} {method}", response.status.0)
            }
            Err(_) => "?".to_owned(),
        };
        let sdp = bytes.windows(4).any(|window| window == b"v=0\r");
        let sdp = if sdp { " (sdp)" } else { "" };
        let _ = writeln!(self.ladder, "{name:>11} {way} {what}{sdp}");
    }

    pub fn ladder(&self) -> &str {
        &self.ladder
    }

    pub fn seen(&self, phone: usize) -> Vec<&str> {
        self.phones[phone].seen.iter().map(String::as_str).collect()
    }

    /// Nothing is left of any call, here and in the media plane.
    pub fn assert_empty(&self) {
        assert!(self.exchange.is_quiet(), "a room is left\n{}", self.ladder);
        assert!(
            self.plane.look().rooms.is_empty(),
            "media is left\n{}",
            self.ladder
        );
    }
}

impl Phone {
    fn credentials(&self) -> Option<Credentials> {
        Some(Credentials {
            user: self.user.to_owned(),
            secret: Secret::Password(self.password.to_owned()),
        })
    }

    pub fn with_password(&mut self, password: &'static str) {
        self.password = password;
    }

    fn see(&mut self, now: Time, event: Event) {
        let words = match event {
            Event::Incoming { call, invite, .. } => {
                self.incoming = Some(call);
                let from = invite.headers.from().expect("From was checked");
                self.from_name = from.name;
                let visit = invite.headers.get("X-Visit").unwrap_or("none");
                assert_eq!(invite.headers.get("X-Secret"), None);
                if self.hasty {
                    let (answer, none) = (sdp("phone", true, true).to_string(), Headers::new);
                    let agent = &mut self.agent;
                    let told = agent.preview(now, call, Status(180), answer, none());
                    let accepted = agent.accept(now, call, None, none());
                    told.and(accepted).unwrap();
                    return self.seen.push("accepted at once".to_owned());
                }
                let (status, sdp) = match self.preconnects {
                    true => (183, Some(sdp("phone", true, true).to_string())),
                    false => (180, None),
                };
                let status = Status(status);
                self.agent
                    .progress(now, call, status, sdp, Headers::new())
                    .unwrap();
                format!("incoming from {}, visit {visit}", from.uri.user)
            }
            Event::Progress { status, answer, .. } => {
                let answer = if answer.is_some() {
                    " with an answer"
                } else {
                    ""
                };
                format!("progress {}{answer}", status.0)
            }
            Event::EarlyAnswer { .. } => "early answer".to_owned(),
            Event::Established { answer, .. } => {
                let answer = if answer.is_some() {
                    " with an answer"
                } else {
                    ""
                };
                format!("established{answer}")
            }
            Event::Ended { ending, .. } => {
                let status = ending.status.map_or(0, |status| status.0);
                let by = if ending.cause == Cause::Hangup {
                    format!(" by {:?}", ending.by)
                } else {
                    String::new()
                };
                format!("{:?}{by} {status} {}", ending.cause, ending.text)
                    .trim_end()
                    .to_owned()
            }
            Event::Within {
                pending, request, ..
            } => {
                self.asked = Some(pending);
                let body = String::from_utf8_lossy(&request.body).into_owned();
                format!("{} {body}", request.method.as_str())
            }
            Event::Asked {
                pending, request, ..
            } => {
                self.asked = Some(pending);
                let from = request.headers.from().expect("From was checked").uri.user;
                let body = String::from_utf8_lossy(&request.body);
                format!("asked {} by {from}: {body}", request.method.as_str())
            }
            Event::Replied { status, .. } => format!("replied {}", status.0),
            Event::Registered { .. } => "registered".to_owned(),
            Event::RegistrationFailed { ending, .. } => {
                format!(
                    "not registered: {}",
                    ending.status.map_or(0, |status| status.0)
                )
            }
            Event::Changed { result, .. } => match result {
                Ok(_) => "changed".to_owned(),
                Err(status) => format!("not changed: {}", status.0),
            },
            other => format!("{other:?}"),
        };
        self.seen.push(words);
    }
}
