//! Questions about people that take time to answer: a token to verify, a key in the store, the
//! clinic's own web server. The request waits meanwhile, everybody else's go on, and who was not
//! answered for in time stays outside.

use std::collections::BTreeMap;

use clinicall_sip::{
    Millis, Request, Status, Time, Uri,
    agent::{CallId, Event, Flow, Pending},
};

use super::{
    Answer, CLOSE_POLICY, Closing, Exchange, News, Out,
    focus::{Incoming, Role, room_of},
    users::User,
};
use crate::{
    auth::{Grant, Guesses, Refused, Revoked},
    config::{Secret, is_user_id},
};

/// Something to ask [`crate::auth::Auth`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What this user's digest is checked against.
    Keys { user: String },
    /// Whose token this is.
    Token { token: Secret },
    /// Whether this user may make this call.
    Call { from: String, to: String },
}

/// The answer to a [`Question`].
#[derive(Clone, Debug)]
pub enum Told {
    /// `None`: there is no such user.
    Keys(Result<Option<User>, Refused>),
    /// With how long the token is still good.
    Token(Result<(Grant, Millis), Refused>),
    Call(Result<(), Refused>),
}

/// Why a request is not carried out, or not yet.
#[derive(Debug)]
pub(super) enum Hold {
    Refuse(Answer),
    Ask(Question),
}

impl From<Answer> for Hold {
    fn from(answer: Answer) -> Self {
        Self::Refuse(answer)
    }
}

/// Requests that wait for answers.
#[derive(Debug, Default)]
pub(super) struct Doorman {
    /// There is somebody to ask.
    attached: bool,
    asks_about_calls: bool,
    deadline: Millis,
    /// In the order of their deadlines, since all wait equally long.
    waiting: BTreeMap<u64, Waiting>,
    last: u64,
}

#[derive(Debug)]
struct Waiting {
    until: Time,
    flow: Flow,
    what: What,
}

#[derive(Debug)]
enum What {
    Call {
        call: CallId,
        invite: Request,
    },
    /// A call by this user, who is who it says.
    Permit {
        call: CallId,
        user: String,
        invite: Request,
    },
    Other {
        pending: Pending,
        request: Request,
    },
}

impl What {
    fn is_call(&self, over: CallId) -> bool {
        match self {
            Self::Call { call, .. } | Self::Permit { call, .. } => *call == over,
            Self::Other { .. } => false,
        }
    }
}

/// How often a call is looked at whose token has run out.
const AFTER_CALL: Millis = Millis::from_secs(2);
/// Requests that wait at a time. Beyond that people are asked to come back later.
const MAX_WAITING: usize = 1_024;

impl Exchange {
    /// From now on there is somebody to ask; they answer within `deadline`, or it is a no.
    pub fn attach_doorman(&mut self, deadline: Millis, asks_about_calls: bool, guesses: Guesses) {
        self.doorman.attached = true;
        self.doorman.deadline = deadline;
        self.doorman.asks_about_calls = asks_about_calls;
        self.registrar.attach_doorman(guesses);
    }

    /// The answer to [`Out::Ask`].
    pub fn told(&mut self, now: Time, ask: u64, told: Told) {
        if let Some(waiting) = self.doorman.waiting.remove(&ask) {
            self.go_on(now, waiting, told);
            self.settle(now);
        }
    }

    fn go_on(&mut self, now: Time, waiting: Waiting, told: Told) {
        let flow = waiting.flow;
        match (waiting.what, told) {
            (What::Permit { call, user, invite }, Told::Call(Ok(()))) => {
                self.place(now, call, flow, user, &invite);
            }
            (What::Permit { call, .. }, Told::Call(Err(refused))) => {
                let answer = self.registrar.refusal(refused);
                let _ = self.agent.reject(now, call, answer.status, answer.headers);
            }
            // an answer to another question
            (What::Permit { call, .. }, _) => {
                let answer = self.registrar.refusal(Refused::Unavailable);
                let _ = self.agent.reject(now, call, answer.status, answer.headers);
            }
            (What::Call { call, invite }, told) => {
                self.registrar.tell(told);
                self.incoming(now, call, flow, &invite);
            }
            (What::Other { pending, request }, told) => {
                self.registrar.tell(told);
                self.asked(now, pending, flow, &request);
            }
        }
        self.registrar.forget_told();
    }

    pub(super) fn incoming(&mut self, now: Time, call: CallId, flow: Flow, invite: &Request) {
        let room = room_of(&self.settings, &invite.uri);
        let admitted = self.registrar.admit(now, flow, invite).and_then(|user| {
            // who was called in a call of before the start rings nobody: it was the other who called, or the clinic
            let called = Role::in_time(now, invite)? == Some(Role::Callee);
            let answers = called
                && match &room {
                    Some(room) => {
                        let rooms = self.registrar.grant(flow).map(|grant| &grant.rooms);
                        rooms.is_none_or(|rooms| rooms.admit(room))
                            && self.focus.is_invited(room, &user)
                    }
                    None => self.settings.serves(&invite.uri.host) && is_user_id(&invite.uri.user),
                };
            if !answers {
                self.registrar.may_call(flow, &invite.uri)?;
            }
            Ok((user, answers))
        });
        match admitted {
            Ok((user, answers))
                if self.doorman.asks_about_calls && !(answers && room.is_some()) =>
            {
                let Uri {
                    user: other, host, ..
                } = &invite.uri;
                let (from, to) = match answers {
                    true => (other, &user),
                    false => (&user, other),
                };
                let question = Question::Call {
                    from: from.clone(),
                    // as the clinic is asked about it
                    to: format!("{to}@{host}"),
                };
                let invite = invite.clone();
                self.ask(now, flow, What::Permit { call, user, invite }, question);
            }
            Ok((user, _)) => self.place(now, call, flow, user, invite),
            Err(Hold::Ask(question)) => {
                let invite = invite.clone();
                self.ask(now, flow, What::Call { call, invite }, question);
            }
            Err(Hold::Refuse(answer)) => {
                let _ = self.agent.reject(now, call, answer.status, answer.headers);
            }
        }
    }

    fn place(&mut self, now: Time, call: CallId, flow: Flow, user: String, invite: &Request) {
        let (focus, mut desk) = self.desk(now);
        let incoming = Incoming {
            call,
            flow,
            user,
            invite,
        };
        focus.incoming(&mut desk, incoming);
    }

    /// A request that is no call.
    pub(super) fn asked(&mut self, now: Time, pending: Pending, flow: Flow, request: &Request) {
        match self.respond(now, pending, flow, request) {
            Ok(None) => {}
            Ok(Some(answer)) | Err(Hold::Refuse(answer)) => {
                // the flow may have closed meanwhile; then nobody waits
                let _ = self
                    .agent
                    .respond(now, pending, answer.status, answer.headers, Vec::new());
            }
            Err(Hold::Ask(question)) => {
                let request = request.clone();
                self.ask(now, flow, What::Other { pending, request }, question);
            }
        }
    }

    fn ask(&mut self, now: Time, flow: Flow, what: What, question: Question) {
        let until = now + self.doorman.deadline;
        let waiting = Waiting { until, flow, what };
        if self.doorman.waiting.len() >= MAX_WAITING {
            self.go_on(now, waiting, nobody_answers(&question));
            return;
        }
        self.doorman.last += 1;
        let ask = self.doorman.last;
        self.doorman.waiting.insert(ask, waiting);
        self.outs.push_back(Out::Ask { ask, question });
    }

    /// Those who wait too long are turned away.
    pub(super) fn tick_doorman(&mut self, now: Time) {
        while let Some(first) = self.doorman.waiting.first_entry() {
            if first.get().until > now {
                return;
            }
            let waiting = first.remove();
            let told = match waiting.what {
                What::Permit { .. } => Told::Call(Err(Refused::Unavailable)),
                _ => Told::Keys(Err(Refused::Unavailable)),
            };
            self.go_on(now, waiting, told);
        }
    }

    pub(super) fn doorman_wakes_at(&self) -> Option<Time> {
        let (_, first) = self.doorman.waiting.first_key_value()?;
        Some(first.until)
    }

    /// Nobody waits any more on this connection.
    pub(super) fn flow_left(&mut self, flow: Flow) {
        self.doorman
            .waiting
            .retain(|_, waiting| waiting.flow != flow);
    }

    /// A caller hangs up before anything was decided.
    pub(super) fn hear_doorman(&mut self, event: &Event) {
        if let Event::Ended { call, .. } = event {
            self.doorman
                .waiting
                .retain(|_, waiting| !waiting.what.is_call(*call));
        }
    }

    /// Closes what this login opened, and ends its calls: the other side is told, and so is the page.
    pub fn revoke(&mut self, now: Time, revoked: &Revoked) {
        for flow in self.registrar.flows_of(revoked) {
            self.show_out(now, flow, "this login was revoked");
        }
        if self.registrar.bindings(now, &revoked.user).next().is_none() {
            let user = revoked.user.clone();
            self.news.push_back(News::Banished { user });
            self.settle(now);
        }
    }

    /// Closes connections whose token has run out. One with a call on it stays until that is over:
    /// nobody is cut off in the middle of a visit.
    pub(super) fn tick_logins(&mut self, now: Time) {
        for flow in self.registrar.run_out(now) {
            match self.agent.has_call_on(flow) {
                true => self.registrar.look_again(now + AFTER_CALL, flow),
                false => self.show_out(now, flow, "this token has expired"),
            }
        }
    }

    fn show_out(&mut self, now: Time, flow: Flow, reason: &'static str) {
        let (focus, mut desk) = self.desk(now);
        focus.flow_closed(&mut desk, flow, Closing::Gone);
        // goodbyes go out before the connection is closed
        self.settle(now);
        self.outs.push_back(Out::Close {
            flow,
            code: CLOSE_POLICY,
            reason,
        });
        self.flow_left(flow);
        self.registrar.closed(flow);
        self.agent.closed(now, flow);
        self.settle(now);
    }
}

pub(super) const fn nobody_answers(question: &Question) -> Told {
    match question {
        Question::Keys { .. } => Told::Keys(Err(Refused::Unavailable)),
        Question::Token { .. } => Told::Token(Err(Refused::Unavailable)),
        Question::Call { .. } => Told::Call(Err(Refused::Unavailable)),
    }
}

/// Turned away, in SIP's words.
pub(super) fn turned_away(refused: Refused, realm: &str) -> Answer {
    match refused {
        Refused::Unavailable => Answer::new(Status(503)).with("Retry-After", "5"),
        Refused::TooManyTries { seconds } => {
            Answer::new(Status(503)).with("Retry-After", seconds.to_string())
        }
        Refused::Forbidden | Refused::WrongKey => Answer::new(Status(403)),
        // RFC 8898 section 2.1.1, RFC 6750 section 3.1
        _ => Answer::new(Status(401))
            .with(
                "WWW-Authenticate",
                format!(
                    "Bearer realm=\"{realm}\", error=\"invalid_token\", \
                     error_description=\"{refused}\""
                ),
            )
            // what a page can show (RFC 3326; RFC 9366 has it in responses)
            .with("Reason", format!("SIP;cause=401;text=\"{refused}\"")),
    }
}
