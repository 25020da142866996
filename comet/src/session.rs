//! A page's end: what it listens to, what it has, what it still waits for.
//!
//! The socket below comes and goes. Tell the session ([`Session::opened`], [`Session::lost`]), feed
//! it what arrives, and send what [`Session::poll`] gives; the page gets each message once.

use std::collections::VecDeque;

use crate::{
    PRIVATE, Position, json,
    wire::{Login, Request},
};

/// Requests that may wait for an answer. The relay remembers that many publications of a page.
const PENDING: usize = 32;

/// What happens, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Send(String),
    /// A message, as the relay sent it: `{"pipe","event","from","at","pos","data"}`.
    Message(String),
    /// Something of this pipe is lost: whoever shows its state should fetch it anew.
    Gap(String),
    /// The answer to a request, as JSON.
    Answered {
        id: u32,
        answer: String,
    },
    /// A request was refused, or a pipe: then `pipe` names it.
    Refused {
        id: u32,
        pipe: Option<String>,
        problem: String,
        text: String,
    },
    /// The relay ends the session for good or for now; its word for the reason.
    Closed(String),
}

/// More waits for an answer than one page may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Debug)]
pub struct Session {
    page: String,
    login: Option<Login>,
    up: bool,
    pipes: Vec<Pipe>,
    next: u32,
    /// Sent or not, without an answer; oldest first.
    pending: VecDeque<(u32, String)>,
    /// So many messages of those we missed are still to come; private ones among them are
    /// acknowledged at the end, once.
    missed: usize,
    /// Private messages up to here are not acknowledged yet.
    ack: Option<Position>,
    events: VecDeque<Event>,
}

#[derive(Debug)]
struct Pipe {
    name: String,
    have: Option<Position>,
}

impl Session {
    /// `page` is random: it names this page to the relay as long as it lives.
    #[must_use]
    pub fn new(page: String, login: Option<Login>) -> Self {
        Self {
            page,
            login,
            up: false,
            pipes: Vec::new(),
            next: 1,
            pending: VecDeque::new(),
            missed: 0,
            ack: None,
            events: VecDeque::new(),
        }
    }

    /// True when there is anything to do at the relay.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.pipes.is_empty() || !self.pending.is_empty()
    }

    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// A socket to the relay is open, and logged in if the login is not ours to send.
    pub fn opened(&mut self) {
        self.up = true;
        let (page, login) = (self.page.clone(), self.login.clone());
        self.send(&Request::Hello { page, login });
        let pipes = self.pipes.iter();
        let pipes: Vec<_> = pipes.map(|pipe| (pipe.name.clone(), pipe.have)).collect();
        if !pipes.is_empty() {
            let id = self.number();
            self.send(&Request::Listen { id, pipes });
        }
        // what was published before, too: the relay knows by the number
        for (_, frame) in &self.pending {
            self.events.push_back(Event::Send(frame.clone()));
        }
    }

    /// The socket is gone.
    pub fn lost(&mut self) {
        self.up = false;
        // what we have of the private ones is said with the next `listen`
        (self.missed, self.ack) = (0, None);
    }

    /// Whom to say we are from the next socket on.
    pub fn set_login(&mut self, login: Option<Login>) {
        self.login = login;
    }

    pub fn listen(&mut self, pipe: &str) {
        if self.pipes.iter().any(|known| known.name == pipe) {
            return;
        }
        self.pipes.push(Pipe {
            name: pipe.to_owned(),
            have: None,
        });
        if self.up {
            let id = self.number();
            let pipes = vec![(pipe.to_owned(), None)];
            self.send(&Request::Listen { id, pipes });
        }
    }

    pub fn leave(&mut self, pipe: &str) {
        let before = self.pipes.len();
        self.pipes.retain(|known| known.name != pipe);
        if self.up && self.pipes.len() < before {
            let pipes = vec![pipe.to_owned()];
            self.send(&Request::Leave { pipes });
        }
    }

    /// Asks, now or as soon as there is a socket. `request` is a frame without `id`, an object with
    /// one member at least; the answer comes with the number returned.
    pub fn ask(&mut self, request: &str) -> Result<u32, Full> {
        if self.pending.len() >= PENDING {
            return Err(Full);
        }
        let id = self.number();
        let open = request.trim_end();
        let open = open.strip_suffix('}').unwrap_or(open);
        let frame = [open, ",\"id\":", &id.to_string(), "}"].concat();
        if self.up {
            self.events.push_back(Event::Send(frame.clone()));
        }
        self.pending.push_back((id, frame));
        Ok(id)
    }

    /// Nobody waits for that answer any more.
    pub fn forget(&mut self, id: u32) {
        self.pending.retain(|(pending, _)| *pending != id);
    }

    /// What is asked and not answered.
    pub fn pending(&self) -> impl Iterator<Item = u32> {
        self.pending.iter().map(|(id, _)| *id)
    }

    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// A frame from the relay. What cannot be read is passed over: a newer relay may say more.
    pub fn receive(&mut self, frame: &str) {
        let Ok(members) = json::members(frame) else {
            return;
        };
        let raw = |name: &str| {
            let found = members.iter().find(|(member, _)| member == name);
            found.map(|(_, raw)| *raw)
        };
        let text = |name: &str| raw(name).and_then(|raw| json::string(raw).ok());
        let position = || text("pos").and_then(|text| text.parse().ok());
        if let Some(pipe) = text("pipe") {
            if let Some(at) = position() {
                self.message(&pipe, at, frame);
            }
        } else if let Some(id) = raw("re") {
            let id = id.parse().unwrap_or(0);
            if let Some(problem) = text("error") {
                self.forget(id);
                let text = text("text").unwrap_or_default();
                self.events.push_back(Event::Refused {
                    id,
                    pipe: None,
                    problem,
                    text,
                });
            } else if let Some(pipes) = raw("pipes") {
                let number = |raw: &str| raw.parse().ok();
                let missed = raw("missed").and_then(number).unwrap_or(0);
                self.missed = self.missed.saturating_add(missed);
                self.listening(id, pipes, raw("gaps"), raw("refused"));
            } else if let Some(asked) = self.pending.iter().position(|(asked, _)| *asked == id) {
                let asked = self.pending.remove(asked);
                if let (Some((_, asked)), Some(at)) = (asked, position()) {
                    self.published(&asked, at);
                }
                let answer = frame.to_owned();
                self.events.push_back(Event::Answered { id, answer });
            }
        } else if let Some(why) = text("bye") {
            self.events.push_back(Event::Closed(why));
        }
    }

    fn message(&mut self, name: &str, at: Position, frame: &str) {
        self.missed = self.missed.saturating_sub(1);
        // one that we do not know any more was left
        let known = self.pipes.iter_mut().find(|pipe| pipe.name == name);
        if let Some(pipe) = known
            && pipe.advance(at)
        {
            self.events.push_back(Event::Message(frame.to_owned()));
            if name == PRIVATE {
                self.ack = Some(at);
            }
        }
        if self.missed == 0
            && let Some(position) = self.ack.take()
        {
            self.send(&Request::Ack { position });
        }
    }

    /// Our own message has its place: the relay does not send it back.
    fn published(&mut self, asked: &str, at: Position) {
        let members = json::members(asked).unwrap_or_default();
        let pipe = members.iter().find(|(name, _)| name == "pipe");
        let name = pipe.and_then(|(_, raw)| json::string(raw).ok());
        let known = self
            .pipes
            .iter_mut()
            .find(|pipe| Some(&pipe.name) == name.as_ref());
        if let Some(pipe) = known
            && pipe.have.is_some_and(|have| have.epoch == at.epoch)
        {
            pipe.advance(at);
        }
    }

    fn listening(&mut self, id: u32, pipes: &str, gaps: Option<&str>, refused: Option<&str>) {
        let gaps = gaps
            .and_then(|raw| json::elements(raw).ok())
            .unwrap_or_default();
        let gaps: Vec<String> = gaps
            .into_iter()
            .filter_map(|raw| json::string(raw).ok())
            .collect();
        for (name, raw) in json::members(pipes).unwrap_or_default() {
            let at = json::string(raw)
                .ok()
                .and_then(|text| text.parse::<Position>().ok());
            let (Some(at), Some(pipe)) = (at, self.pipes.iter_mut().find(|pipe| pipe.name == name))
            else {
                continue;
            };
            // where it begins for us; not back behind what we have
            pipe.advance(at);
            if gaps.contains(&name) {
                self.events.push_back(Event::Gap(name));
            }
        }
        let refused = refused
            .and_then(|raw| json::members(raw).ok())
            .unwrap_or_default();
        for (name, raw) in refused {
            self.pipes.retain(|pipe| pipe.name != name);
            let problem = json::string(raw).unwrap_or_default();
            let (pipe, text) = (Some(name), String::new());
            self.events.push_back(Event::Refused {
                id,
                pipe,
                problem,
                text,
            });
        }
    }

    fn send(&mut self, request: &Request) {
        self.events.push_back(Event::Send(request.print()));
    }

    fn number(&mut self) -> u32 {
        let id = self.next;
        self.next = self.next.wrapping_add(1).max(1);
        id
    }
}

impl Pipe {
    /// False: we had that one.
    fn advance(&mut self, at: Position) -> bool {
        let new = self
            .have
            .is_none_or(|have| have.epoch != at.epoch || have.offset < at.offset);
        if new {
            self.have = Some(at);
        }
        new
    }
}
