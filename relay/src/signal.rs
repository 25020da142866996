//! Signalling: who is here ([`registrar`]), who speaks with whom ([`focus`]), and the SIP user
//! agent core beneath both, behind one pure door, [`Exchange`].
//!
//! The contract is the agent's own: feed one input, drain [`Exchange::poll`] until it returns
//! `None`, come back no later than [`Exchange::wake_at`]. The task that does so is in `actor`.

mod actor;
mod copies;
mod doorman;
pub mod focus;
mod message;
mod news;
mod plane;
pub mod registrar;
mod settings;
pub mod users;

use std::{
    collections::{BTreeSet, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use clinicall_sip::{
    Agent, Headers, Method, Output, Request, Status, Time,
    agent::{Event, Flow, Pending, Transport},
};

pub use actor::{Frame, Handle, Note, Outgoing, Stopped};
use doorman::{Doorman, Hold};
pub use doorman::{Question, Told};
use focus::{Desk, Focus};
use message::Messages;
pub use news::News;
pub use plane::MediaPlane;
use registrar::Registrar;
pub use settings::Settings;
use users::Users;

use crate::{media, metrics::Metrics};

/// How a socket went away; it decides whether its calls wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The page said goodbye: it was closed, or its client was stopped.
    Gone,
    /// The network, a timeout, or a reader too slow: it may well come back.
    Lost,
    /// This relay closed it.
    ByUs,
}

impl Closing {
    /// From the code of the peer's Close frame. 1000 is a deliberate end, 1001 a page that was left,
    /// and no code at all is what `socket.close()` sends.
    #[must_use]
    pub const fn by_peer(code: Option<u16>) -> Self {
        match code {
            None | Some(1000 | 1001 | 1005) => Self::Gone,
            Some(_) => Self::Lost,
        }
    }
}

/// A call as others may see it. In a room, each member's is one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    pub number: u64,
    pub room: Option<String>,
    pub from: String,
    pub to: String,
    pub answered: bool,
}

/// What the exchange wants done.
#[derive(Debug)]
pub enum Out {
    /// Somebody has to be asked; [`Exchange::told`] takes the answer.
    Ask {
        ask: u64,
        question: Question,
    },
    Send {
        flow: Flow,
        bytes: Vec<u8>,
    },
    /// Say goodbye with this WebSocket code, and take nothing more from it.
    Close {
        flow: Flow,
        code: u16,
        reason: &'static str,
    },
    /// For whoever wants to know.
    News(News),
}

/// What the relay understands, for `Allow`.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, PRACK, UPDATE, INFO, MESSAGE";

/// Policy violation (RFC 6455 section 7.4.1).
const CLOSE_POLICY: u16 = 1008;

/// A telephone exchange without wires: agent, registrar and focus.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
    agent: Agent,
    agent_wake: Option<Time>,
    registrar: Registrar,
    focus: Focus,
    messages: Messages,
    media: Arc<dyn MediaPlane>,
    metrics: Arc<Metrics>,
    doorman: Doorman,
    outs: VecDeque<Out>,
    news: VecDeque<News>,
}

impl Exchange {
    #[must_use]
    pub fn new(
        settings: Settings,
        users: Users,
        media: Arc<dyn MediaPlane>,
        metrics: Arc<Metrics>,
        seed: [u8; 32],
    ) -> Self {
        Self {
            agent: Agent::new(settings.agent(seed)),
            agent_wake: None,
            registrar: Registrar::new(&settings, users, metrics.clone(), seed),
            focus: Focus::default(),
            messages: Messages::default(),
            media,
            metrics,
            doorman: Doorman::default(),
            outs: VecDeque::new(),
            news: VecDeque::new(),
            settings,
        }
    }

    pub fn open(&mut self, now: Time, flow: Flow, transport: Transport, address: IpAddr) {
        self.agent.open(flow, transport);
        self.registrar.open(now, flow, address);
        self.settle(now);
    }

    pub fn receive(&mut self, now: Time, flow: Flow, bytes: &[u8]) {
        if !self.registrar.heard(flow) {
            self.outs.push_back(Out::Close {
                flow,
                code: CLOSE_POLICY,
                reason: "too many messages without a login",
            });
            return;
        }
        self.agent.receive(now, flow, bytes);
        self.settle(now);
    }

    pub fn closed(&mut self, now: Time, flow: Flow, how: Closing) {
        self.registrar.closed(flow);
        self.flow_left(flow);
        let (focus, mut desk) = self.desk(now);
        focus.flow_closed(&mut desk, flow, how);
        self.agent.closed(now, flow);
        self.settle(now);
    }

    pub fn media(&mut self, now: Time, event: media::Event) {
        let (focus, mut desk) = self.desk(now);
        focus.media(&mut desk, &event);
        self.settle(now);
    }

    pub fn tick(&mut self, now: Time) {
        if self.agent_wake.is_some_and(|at| at <= now) {
            self.agent_wake = None;
            self.agent.tick(now);
        }
        for flow in self.registrar.tick(now) {
            let reason = "no login in time";
            self.outs.push_back(Out::Close {
                flow,
                code: CLOSE_POLICY,
                reason,
            });
        }
        self.tick_doorman(now);
        self.tick_logins(now);
        let (focus, mut desk) = self.desk(now);
        focus.tick(&mut desk);
        self.settle(now);
    }

    /// When [`Exchange::tick`] wants to be called, at the latest.
    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        [
            self.agent_wake,
            self.registrar.wake_at(),
            self.focus.wake_at(),
            self.doorman_wakes_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub fn poll(&mut self) -> Option<Out> {
        self.outs.pop_front()
    }

    /// The users of the store, read anew.
    pub fn set_stored_users(&mut self, users: Vec<users::User>) {
        self.registrar.set_stored_users(users);
    }

    /// Users with a binding.
    #[must_use]
    pub fn online(&self) -> BTreeSet<String> {
        self.registrar.online()
    }

    /// No new calls from now on.
    pub const fn drain(&mut self) {
        self.focus.drain();
    }

    /// No call goes on.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.focus.is_empty()
    }

    /// Every call that rings or goes on.
    #[must_use]
    pub fn calls(&self) -> Vec<CallView> {
        self.focus.calls()
    }

    /// Ends a call by its number, on the clinic's behalf. `false`: there is none.
    pub fn hang_up(&mut self, now: Time, number: u64) -> bool {
        let (focus, mut desk) = self.desk(now);
        let found = focus.hang_up(&mut desk, number);
        self.settle(now);
        found
    }

    /// The rooms of the clinic, with what is needed to work on them.
    pub fn rooms<T>(&mut self, now: Time, work: impl FnOnce(&mut Focus, &mut Desk<'_>) -> T) -> T {
        let (focus, mut desk) = self.desk(now);
        let done = work(focus, &mut desk);
        self.settle(now);
        done
    }

    /// Ends every call because the relay stops.
    pub fn end_calls(&mut self, now: Time) {
        let (focus, mut desk) = self.desk(now);
        focus.end_all(&mut desk);
        self.settle(now);
    }

    fn desk(&mut self, now: Time) -> (&mut Focus, Desk<'_>) {
        let desk = Desk {
            now,
            agent: &mut self.agent,
            registrar: &self.registrar,
            media: &*self.media,
            settings: &self.settings,
            metrics: &self.metrics,
            news: &mut self.news,
        };
        (&mut self.focus, desk)
    }

    /// Lets the agent's news run through registrar and focus until there are none.
    fn settle(&mut self, now: Time) {
        self.drain_agent(now);
        while let Some(news) = self.registrar.poll().or_else(|| self.news.pop_front()) {
            if let News::Online { user } = &news {
                let (focus, mut desk) = self.desk(now);
                focus.came_online(&mut desk, user);
            }
            self.outs.push_back(Out::News(news));
        }
        self.drain_agent(now);
        self.metrics.registrations.set(self.registrar.len());
        self.metrics.calls_ringing.set(self.focus.ringing());
        self.metrics.calls_talking.set(self.focus.talking());
    }

    fn drain_agent(&mut self, now: Time) {
        while let Some(output) = self.agent.poll() {
            match output {
                Output::Send { flow, bytes } => self.outs.push_back(Out::Send { flow, bytes }),
                Output::WakeAt(at) => self.agent_wake = Some(at),
                Output::Event(event) => self.hear(now, event),
            }
        }
    }

    fn hear(&mut self, now: Time, event: Event) {
        match event {
            Event::Incoming { call, flow, invite } => self.incoming(now, call, flow, &invite),
            Event::Asked {
                pending,
                flow,
                request,
            } => self.asked(now, pending, flow, &request),
            Event::Replied { sent, status, .. } if self.messages.is_copy(sent) => {
                if let Some((pending, status)) = self.messages.replied(sent, status) {
                    // the sender may have left meanwhile
                    let _ = self
                        .agent
                        .respond(now, pending, status, Headers::new(), Vec::new());
                }
            }
            event => {
                self.hear_doorman(&event);
                let (focus, mut desk) = self.desk(now);
                focus.hear(&mut desk, event);
            }
        }
    }

    /// The response to a request that is no call. `None`: the answer comes later.
    fn respond(
        &mut self,
        now: Time,
        pending: Pending,
        flow: Flow,
        request: &Request,
    ) -> Result<Option<Answer>, Hold> {
        if request.method == Method::Register {
            return self.register(now, flow, request).map(Some);
        }
        let user = self.registrar.admit(now, flow, request)?;
        Ok(match request.method {
            Method::Options => Some(
                Answer::new(Status(200))
                    .with("Allow", ALLOW)
                    .with("Accept", "application/sdp")
                    .with("Supported", "100rel, timer, outbound, gruu"),
            ),
            Method::Message => {
                self.registrar.may_call(flow, &request.uri)?;
                self.messages.deliver(
                    now,
                    &mut self.agent,
                    &self.registrar,
                    &self.settings,
                    pending,
                    &user,
                    request,
                )
            }
            _ => Some(Answer::new(Status(405)).with("Allow", ALLOW)),
        })
    }

    fn register(&mut self, now: Time, flow: Flow, request: &Request) -> Result<Answer, Hold> {
        let (answer, returned) = self.registrar.register(now, flow, request)?;
        if let Some(returned) = returned {
            let (focus, mut desk) = self.desk(now);
            focus.returned(&mut desk, &returned.user, &returned.instance, flow);
            if let Some(flow) = returned.instead_of {
                let reason = "replaced by a newer connection";
                self.outs.push_back(Out::Close {
                    flow,
                    code: CLOSE_POLICY,
                    reason,
                });
            }
        }
        Ok(answer)
    }
}

/// A response in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: Status,
    pub headers: Headers,
}

impl Answer {
    #[must_use]
    pub const fn new(status: Status) -> Self {
        Self {
            status,
            headers: Headers::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push(name, value);
        self
    }
}

#[cfg(test)]
mod tests;
