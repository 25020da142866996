//! Short messages outside of calls (RFC 3428), from one user to all sockets of another.
//!
//! Nothing is kept: who is not there has not got it, and the sender is told. Messages that wait for
//! people are comet's.

use std::collections::HashMap;

use clinicall_sip::{
    Agent, Headers, Method, Request, Status, Time,
    agent::{Pending, Sent},
    uri::Uri,
};

use super::{Answer, Settings, registrar::Registrar};

/// A chat line, with room to spare (RFC 3428 section 8 allows 1,300 bytes).
const MAX_BODY: usize = 8 * 1024;
/// Messages on their way from one user at a time.
const MAX_WAITING: usize = 16;
/// What says how to read the body.
const PASSED_HEADERS: [&str; 4] = ["Content-Type", "Content-Disposition", "Subject", "Date"];

/// Messages on their way.
#[derive(Debug, Default)]
pub struct Messages {
    /// Copies to single sockets.
    copies: HashMap<Sent, Pending>,
    waiting: HashMap<Pending, Waiting>,
}

/// A sender waits.
#[derive(Debug)]
struct Waiting {
    user: String,
    copies: usize,
    worst: Status,
}

impl Messages {
    /// A MESSAGE of `user`, who is who it says. `None`: the answer comes later.
    #[allow(clippy::too_many_arguments)]
    pub fn deliver(
        &mut self,
        now: Time,
        agent: &mut Agent,
        registrar: &Registrar,
        settings: &Settings,
        pending: Pending,
        user: &str,
        request: &Request,
    ) -> Option<Answer> {
        let refuse = |status| Some(Answer::new(Status(status)));
        if request.body.len() > MAX_BODY {
            return refuse(513);
        }
        let on_the_way = self
            .waiting
            .values()
            .filter(|other| other.user == user)
            .count();
        if on_the_way >= MAX_WAITING {
            return Some(Answer::new(Status(503)).with("Retry-After", "5"));
        }
        let uri = &request.uri;
        let ours = matches!(uri.scheme.as_str(), "sip" | "sips") && settings.serves(&uri.host);
        let Some(other) = registrar.user(&uri.user).filter(|_| ours) else {
            return refuse(404);
        };
        let mut headers = Headers::new();
        for name in PASSED_HEADERS {
            if let Some(value) = request.headers.get(name) {
                headers.push(name, value);
            }
        }
        headers.push(
            "To",
            ["<", &Uri::sip(&other.id, settings.host()).to_string(), ">"].concat(),
        );
        let mut copies = 0;
        for binding in registrar.bindings(now, &other.id) {
            let mut to = binding.contact.clone();
            to.headers = None;
            let sent = agent.request(
                now,
                binding.flow,
                Method::Message,
                to,
                Uri::sip(user, settings.host()),
                headers.clone(),
                request.body.clone(),
                // ours are never lent to whoever asks for some (CVE-2021-41158)
                None,
            );
            if let Ok(sent) = sent {
                self.copies.insert(sent, pending);
                copies += 1;
            }
        }
        if copies == 0 {
            return refuse(480);
        }
        let user = user.to_owned();
        let worst = Status(480);
        self.waiting.insert(
            pending,
            Waiting {
                user,
                copies,
                worst,
            },
        );
        None
    }

    #[must_use]
    pub fn is_copy(&self, sent: Sent) -> bool {
        self.copies.contains_key(&sent)
    }

    /// A socket answered: what to tell the sender, if it is time. One that took it is enough.
    pub fn replied(&mut self, sent: Sent, status: Status) -> Option<(Pending, Status)> {
        let pending = self.copies.remove(&sent)?;
        let waiting = self.waiting.get_mut(&pending)?;
        waiting.copies -= 1;
        if status.is_success() {
            self.waiting.remove(&pending);
            return Some((pending, Status(200)));
        }
        match status.0 {
            // between us and that client, or nobody there: no more than "not there" to the sender
            401 | 407 | 408 | 481 | 503 => {}
            _ => waiting.worst = status,
        }
        if waiting.copies > 0 {
            return None;
        }
        let worst = waiting.worst;
        self.waiting.remove(&pending);
        Some((pending, worst))
    }
}
