//! A pretend network with a person at every end, and the ladder of what went over it.

use std::collections::BTreeMap;

use clinicall_sip::{
    Agent, Headers, Message, Millis, Output, Request, Response, Status, Time, Uri,
    agent::{CallId, Config, Event, Flow, Invite, Pending, Registering, Registration, Transport},
    digest::{Credentials, Secret},
};

/// A person with an agent, or one whose messages the story writes by hand.
struct Person {
    name: &'static str,
    agent: Option<Agent>,
    wake: Option<Time>,
    news: Vec<Event>,
    /// What came to a scripted person and was not read yet.
    mail: Vec<Message>,
}

struct Letter {
    from: usize,
    to: usize,
    bytes: Vec<u8>,
}

pub struct Clinic {
    pub now: Time,
    people: Vec<Person>,
    /// In flight, by time of arrival and order of sending.
    air: BTreeMap<(Time, u64), Letter>,
    sent: u64,
    pub delay: Millis,
    /// How many of the next messages with that label get lost.
    lost: Vec<(&'static str, usize)>,
    ladder: String,
    /// Who shares no connection any more.
    cut: Vec<(usize, usize)>,
    /// Connections are named anew after each reconnection.
    generation: u64,
}

pub fn config(seed: u8) -> Config {
    Config {
        product: String::new(),
        host: format!("p{seed}.invalid"),
        contact_user: "me".to_owned(),
        seed: [seed; 32],
        max_calls: 10,
        session_expires: Millis::from_secs(1_800),
        min_se: Millis::from_secs(90),
        ring_timeout: Millis::from_secs(60),
    }
}

impl Clinic {
    /// People with agents, all connected to each other.
    pub fn with(names: &[&'static str], transport: Transport) -> Self {
        let mut clinic = Self {
            now: Time(0),
            people: Vec::new(),
            air: BTreeMap::new(),
            sent: 0,
            delay: Millis(10),
            lost: Vec::new(),
            ladder: String::new(),
            cut: Vec::new(),
            generation: 0,
        };
        for name in names {
            let seed = u8::try_from(clinic.people.len()).unwrap() + 1;
            clinic.admit(name, Some(Agent::new(config(seed))), names.len(), transport);
        }
        clinic
    }

    /// One agent, and peers whose messages the story writes.
    pub fn scripted(name: &'static str, peers: &[&'static str], transport: Transport) -> Self {
        let mut clinic = Self::with(&[], transport);
        let all = peers.len() + 1;
        clinic.admit(name, Some(Agent::new(config(1))), all, transport);
        for peer in peers {
            clinic.admit(peer, None, all, transport);
        }
        clinic
    }

    fn admit(
        &mut self,
        name: &'static str,
        agent: Option<Agent>,
        all: usize,
        transport: Transport,
    ) {
        let me = self.people.len();
        let mut agent = agent;
        if let Some(agent) = &mut agent {
            for other in (0..all).filter(|other| *other != me) {
                agent.open(Flow(other as u64), transport);
            }
        }
        self.people.push(Person {
            name,
            agent,
            wake: None,
            news: Vec::new(),
            mail: Vec::new(),
        });
    }

    pub fn replace_config(
        &mut self,
        who: &str,
        transport: Transport,
        change: impl Fn(&mut Config),
    ) {
        let at = self.who(who);
        let mut config = config(u8::try_from(at).unwrap() + 1);
        change(&mut config);
        let mut agent = Agent::new(config);
        for other in (0..self.people.len()).filter(|other| *other != at) {
            agent.open(Flow(other as u64), transport);
        }
        self.people[at].agent = Some(agent);
    }

    fn who(&self, name: &str) -> usize {
        self.people
            .iter()
            .position(|person| person.name == name)
            .unwrap()
    }

    pub fn agent(&mut self, name: &str) -> &mut Agent {
        let at = self.who(name);
        self.people[at].agent.as_mut().unwrap()
    }

    /// The flow by which one reaches the other.
    pub fn flow(&self, to: &str) -> Flow {
        Flow(self.who(to) as u64)
    }

    /// The next `count` messages with that label never arrive.
    pub fn lose(&mut self, label: &'static str, count: usize) {
        self.lost.push((label, count));
    }

    /// The connection between two people breaks.
    pub fn cut(&mut self, one: &str, other: &str) {
        let (one, other) = (self.who(one), self.who(other));
        self.note("(connection lost)");
        self.cut.extend([(one, other), (other, one)]);
        self.closed(one, other);
        self.closed(other, one);
        self.settle();
    }

    /// One of them is told that the connection is closed; what was on the way is lost.
    fn closed(&mut self, me: usize, peer: usize) {
        let now = self.now;
        if let Some(agent) = &mut self.people[me].agent {
            agent.closed(now, Flow(peer as u64));
        }
        self.air
            .retain(|_, letter| ![(me, peer), (peer, me)].contains(&(letter.from, letter.to)));
    }

    /// The connection breaks and a new one takes its place, with a new name at either end.
    pub fn reconnect(&mut self, one: &str, other: &str) -> Flow {
        self.cut(one, other);
        self.connect_anew(one, other)
    }

    /// The first gives the connection up, and the other has not seen that it is dead when a new one takes its place.
    pub fn replace(&mut self, one: &str, other: &str) -> Flow {
        let (me, peer) = (self.who(one), self.who(other));
        self.note("(connection given up)");
        self.closed(me, peer);
        self.settle();
        self.connect_anew(one, other)
    }

    fn connect_anew(&mut self, one: &str, other: &str) -> Flow {
        let (one, other) = (self.who(one), self.who(other));
        self.cut
            .retain(|pair| ![(one, other), (other, one)].contains(pair));
        self.note("(connected anew)");
        self.generation += 1;
        let shift = self.generation * 100;
        for (me, peer) in [(one, other), (other, one)] {
            if let Some(agent) = &mut self.people[me].agent {
                agent.open(Flow(shift + peer as u64), Transport::Wss);
            }
        }
        Flow(shift + other as u64)
    }

    /// The call goes on over that connection.
    pub fn moves(&mut self, who: &str, call: CallId, flow: Flow) {
        let now = self.now;
        self.agent(who).move_call(now, call, flow).unwrap();
        self.settle();
    }

    /// The peer falls silent, and nobody is told.
    pub fn silence(&mut self, one: &str, other: &str) {
        let (one, other) = (self.who(one), self.who(other));
        self.cut.push((one, other));
        self.cut.push((other, one));
    }

    pub fn note(&mut self, text: &str) {
        self.ladder += &format!("{:>7}   {text}\n", self.now.0);
    }

    // --- wishes ------------------------------------------------------------------------------

    pub fn invite(&mut self, from: &str, to: &str, change: impl Fn(&mut Invite)) -> CallId {
        let mut invite = Invite {
            to: Uri::sip(to, "clinic.example"),
            target: None,
            from: Uri::sip(from, "clinic.example"),
            from_name: None,
            offer: Some(format!("v=0 {from}'s offer")),
            headers: Headers::new(),
            credentials: None,
        };
        change(&mut invite);
        let (now, flow) = (self.now, self.flow(to));
        let call = self.agent(from).invite(now, flow, invite).unwrap();
        self.settle();
        call
    }

    pub fn call(&mut self, from: &str, to: &str) -> CallId {
        self.invite(from, to, |_| {})
    }

    /// The call that rang last at this person's.
    pub fn incoming(&self, who: &str) -> CallId {
        let news = &self.people[self.who(who)].news;
        let call = news.iter().rev().find_map(|event| match event {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        });
        call.unwrap()
    }

    pub fn pending(&self, who: &str) -> Pending {
        let news = &self.people[self.who(who)].news;
        let pending = news.iter().rev().find_map(|event| match event {
            Event::Asked { pending, .. } | Event::Within { pending, .. } => Some(*pending),
            _ => None,
        });
        pending.unwrap()
    }

    pub fn news(&self, who: &str) -> &[Event] {
        &self.people[self.who(who)].news
    }

    pub fn progress(&mut self, who: &str, status: u16, sdp: Option<&str>) {
        let (now, call) = (self.now, self.incoming(who));
        let sdp = sdp.map(str::to_owned);
        self.agent(who)
            .progress(now, call, Status(status), sdp, Headers::new())
            .unwrap();
        self.settle();
    }

    pub fn preview(&mut self, who: &str, sdp: &str) {
        let (now, call) = (self.now, self.incoming(who));
        let (status, sdp) = (Status(183), sdp.to_owned());
        self.agent(who)
            .preview(now, call, status, sdp, Headers::new())
            .unwrap();
        self.settle();
    }

    pub fn accept(&mut self, who: &str, sdp: Option<&str>) -> CallId {
        let (now, call) = (self.now, self.incoming(who));
        let sdp = sdp.map(str::to_owned);
        self.agent(who)
            .accept(now, call, sdp, Headers::new())
            .unwrap();
        self.settle();
        call
    }

    pub fn hangup(&mut self, who: &str, call: CallId) {
        let now = self.now;
        self.agent(who).hangup(now, call, None).unwrap();
        self.settle();
    }

    pub fn change(&mut self, who: &str, call: CallId, offer: &str) {
        let now = self.now;
        self.agent(who).change(now, call, offer.to_owned()).unwrap();
        self.settle();
    }

    pub fn answer_change(&mut self, who: &str, call: CallId, sdp: &str) {
        let now = self.now;
        self.agent(who)
            .answer_change(now, call, sdp.to_owned())
            .unwrap();
        self.settle();
    }

    pub fn respond(&mut self, who: &str, status: u16) {
        let (now, pending) = (self.now, self.pending(who));
        self.agent(who)
            .respond(now, pending, Status(status), Headers::new(), Vec::new())
            .unwrap();
        self.settle();
    }

    pub fn register(
        &mut self,
        who: &str,
        registrar: &str,
        change: impl Fn(&mut Registering),
    ) -> Registration {
        let mut what = Registering {
            registrar: Uri::sip("", "clinic.example"),
            aor: Uri::sip(who, "clinic.example"),
            expires: Millis::from_secs(600),
            instance: None,
            reg_id: None,
            credentials: Some(password(who)),
            headers: Headers::new(),
        };
        change(&mut what);
        let (now, flow) = (self.now, self.flow(registrar));
        let registration = self.agent(who).register(now, flow, what);
        self.settle();
        registration
    }

    /// Patient and doctor talk; gives both ends of the call.
    pub fn talking(transport: Transport) -> (Self, CallId, CallId) {
        let mut clinic = Self::with(&["patient", "doctor"], transport);
        let call = clinic.call("patient", "doctor");
        clinic.run_for(100);
        clinic.progress("doctor", 180, None);
        clinic.run_for(100);
        let taken = clinic.accept("doctor", Some("v=0 doctor's answer"));
        clinic.run_for(100);
        clinic.ladder.clear();
        (clinic, call, taken)
    }

    // --- a scripted person -------------------------------------------------------------------

    /// The next message that came to a scripted person.
    pub fn read(&mut self, who: &str) -> Message {
        let at = self.who(who);
        self.people[at].mail.remove(0)
    }

    pub fn read_any(&mut self, who: &str) -> Option<Message> {
        let at = self.who(who);
        (!self.people[at].mail.is_empty()).then(|| self.read(who))
    }

    /// The newest message, which must be a request; what came before it is forgotten.
    pub fn read_last_request(&mut self, who: &str) -> Request {
        let at = self.who(who);
        let newest = self.people[at].mail.len() - 1;
        self.people[at].mail.drain(..newest);
        self.read_request(who)
    }

    pub fn read_request(&mut self, who: &str) -> Request {
        match self.read(who) {
            Message::Request(request) => request,
            Message::Response(response) => panic!("{response:?} is no request"),
        }
    }

    pub fn read_response(&mut self, who: &str) -> Response {
        match self.read(who) {
            Message::Response(response) => response,
            Message::Request(request) => panic!("{request:?} is no response"),
        }
    }

    pub fn write(&mut self, who: &str, to: &str, message: &Message) {
        self.write_bytes(who, to, message.to_bytes());
    }

    pub fn write_bytes(&mut self, who: &str, to: &str, bytes: Vec<u8>) {
        let (from, to) = (self.who(who), self.who(to));
        self.post(from, to, bytes);
        self.settle();
    }

    // --- time --------------------------------------------------------------------------------

    fn post(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        let text = label(&bytes);
        let lost = self.cut.contains(&(from, to))
            || self.lost.iter_mut().any(|(what, left)| {
                let hit = *left > 0 && text.starts_with(*what);
                *left -= usize::from(hit);
                hit
            });
        let (a, b) = (self.people[from].name, self.people[to].name);
        let arrow = if lost { "-x " } else { "-> " };
        self.ladder += &format!("{:>7} {a} {arrow}{b}  {text}\n", self.now.0);
        if !lost {
            self.sent += 1;
            self.air.insert(
                (self.now + self.delay, self.sent),
                Letter { from, to, bytes },
            );
        }
    }

    /// Takes everything the agents have to say.
    pub fn settle(&mut self) {
        for at in 0..self.people.len() {
            loop {
                let person = &mut self.people[at];
                let Some(output) = person.agent.as_mut().and_then(Agent::poll) else {
                    break;
                };
                match output {
                    Output::Send { flow, bytes } => {
                        let to = usize::try_from(flow.0 % 100).unwrap();
                        // by a connection that the other has given up it goes nowhere
                        if flow.0 / 100 == self.generation {
                            self.post(at, to, bytes);
                        }
                    }
                    Output::WakeAt(when) => person.wake = Some(when),
                    Output::Event(event) => {
                        let text = describe(&event);
                        self.ladder += &format!("{:>7} {}: {text}\n", self.now.0, person.name);
                        person.news.push(event);
                    }
                }
            }
        }
    }

    /// The next thing that happens by itself, not after `until`.
    fn step(&mut self, until: Time) -> bool {
        self.settle();
        let wake = self
            .people
            .iter()
            .enumerate()
            .filter_map(|(at, person)| Some((person.wake?, at)))
            .min();
        let letter = self.air.keys().next().copied();
        let letter_first = match (letter, wake) {
            (Some((at, _)), Some((wake, _))) => at <= wake,
            (letter, _) => letter.is_some(),
        };
        if let Some(key) = letter.filter(|(at, _)| letter_first && *at <= until) {
            let letter = self.air.remove(&key).unwrap();
            self.now = key.0;
            let (now, person) = (self.now, &mut self.people[letter.to]);
            match &mut person.agent {
                Some(agent) => agent.receive(
                    now,
                    Flow(letter.from as u64 + self.generation * 100),
                    &letter.bytes,
                ),
                None => person.mail.push(Message::parse(&letter.bytes).unwrap()),
            }
        } else if let Some((wake, at)) = wake.filter(|(wake, _)| !letter_first && *wake <= until) {
            self.now = self.now.max(wake);
            self.people[at].wake = None;
            let now = self.now;
            self.people[at].agent.as_mut().unwrap().tick(now);
        } else {
            return false;
        }
        self.settle();
        true
    }

    pub fn run_for(&mut self, millis: u64) {
        let until = self.now + Millis(millis);
        while self.step(until) {}
        self.now = until;
    }

    /// Until nothing is in flight and nothing due, at most a day.
    pub fn run_until_quiet(&mut self) {
        let until = self.now + Millis::from_secs(86_400);
        let mut steps = 0;
        while self.step(until) {
            steps += 1;
            assert!(steps < 100_000, "it never gets quiet:\n{}", self.ladder);
        }
    }

    pub fn ladder(&mut self) -> String {
        std::mem::take(&mut self.ladder)
    }
}

pub fn password(user: &str) -> Credentials {
    Credentials {
        user: user.to_owned(),
        secret: Secret::Password("snow".to_owned()),
    }
}

/// A message in a few words: what it is, the headers that steer a call, and its description.
fn label(bytes: &[u8]) -> String {
    let (headers, body, mut text) = match Message::parse(bytes) {
        Ok(Message::Request(request)) => {
            let text = request.method.as_str().to_owned();
            (request.headers, request.body, text)
        }
        Ok(Message::Response(response)) => {
            let cseq = response.headers.get("CSeq").unwrap_or_default();
            let method = cseq.split(' ').next_back().unwrap_or_default();
            (
                response.headers.clone(),
                response.body,
                format!("{} {method}", response.status.0),
            )
        }
        Err(_) => return format!("{:?}", String::from_utf8_lossy(bytes)),
    };
    for name in [
        "Reason",
        "Session-Expires",
        "Min-SE",
        "Retry-After",
        "Min-Expires",
        "Expires",
    ] {
        if let Some(value) = headers.get(name) {
            text += &format!(" [{name}: {value}]");
        }
    }
    if headers.get("RSeq").is_some() {
        text += " [reliable]";
    }
    for name in ["Authorization", "Proxy-Authorization"] {
        if let Some(value) = headers.get(name) {
            let nonce = value
                .split("nonce=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            let count = value.split("nc=").nth(1).map_or("-", |rest| &rest[..8]);
            text += &format!(" [{name}: nonce {} nc {count}]", nonce.unwrap_or_default());
        }
    }
    if !body.is_empty() {
        text += &format!(" ({})", String::from_utf8_lossy(&body));
    }
    text
}

fn describe(event: &Event) -> String {
    match event {
        Event::Incoming { .. } => "Incoming".to_owned(),
        Event::Progress { status, answer, .. } => format!("Progress {} {answer:?}", status.0),
        Event::Established { answer, .. } => format!("Established {answer:?}"),
        Event::Change { offer, .. } => format!("Change {offer:?}"),
        Event::Changed { result, .. } => format!("Changed {result:?}"),
        Event::EarlyAnswer { answer, .. } => format!("EarlyAnswer {answer:?}"),
        Event::Ended { ending, .. } => {
            let status = ending
                .status
                .map_or(String::new(), |status| format!(" {}", status.0));
            format!(
                "Ended {:?} by {:?}{status} {:?}",
                ending.cause, ending.by, ending.text
            )
        }
        Event::Within { request, .. } => format!("Within {}", request.method.as_str()),
        Event::Asked { request, .. } => format!("Asked {}", request.method.as_str()),
        Event::Replied { status, .. } => format!("Replied {}", status.0),
        Event::Registered { expires, gruu, .. } => {
            format!(
                "Registered {} s {:?}",
                expires.0 / 1000,
                gruu.as_ref().map(ToString::to_string)
            )
        }
        Event::RegistrationFailed {
            ending,
            retry_after,
            ..
        } => {
            let again = retry_after.map(|after| after.0);
            format!(
                "RegistrationFailed {:?} {:?}, again in {again:?} ms",
                ending.cause, ending.text
            )
        }
        Event::Unregistered { .. } => "Unregistered".to_owned(),
    }
}
