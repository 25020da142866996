//! Short messages outside of calls (RFC 3428), from one user to all sockets of another.
//!
//! Nothing is kept: who is not there has not got it, and the sender is told. Messages that wait for
//! people are comet's.

use clinicall_sip::{
    Agent, Method, Request, Status, Time,
    agent::{Pending, Sent},
    uri::Uri,
};

use super::{
    Answer, Settings,
    copies::{Copies, MAX_BODY, picked},
    registrar::{Binding, Registrar},
};

/// Messages on their way from one user at a time.
const MAX_WAITING: usize = 16;
/// What says how to read the body.
const PASSED_HEADERS: [&str; 4] = ["Content-Type", "Content-Disposition", "Subject", "Date"];

/// Messages on their way, each copied to every socket of its receiver.
#[derive(Debug, Default)]
pub struct Messages(Copies<String>);

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
        if self.0.of(&user.to_owned()) >= MAX_WAITING {
            return Some(Answer::new(Status(503)).with("Retry-After", "5"));
        }
        let uri = &request.uri;
        let ours = matches!(uri.scheme.as_str(), "sip" | "sips") && settings.serves(&uri.host);
        let Some(other) = registrar.user(&uri.user).filter(|_| ours) else {
            return refuse(404);
        };
        let mut headers = picked(request, &PASSED_HEADERS);
        headers.push(
            "To",
            ["<", &Uri::sip(&other.id, settings.host()).to_string(), ">"].concat(),
        );
        let copy = |binding: &Binding| {
            let mut to = binding.contact.clone();
            to.headers = None;
            agent.request(
                now,
                binding.flow,
                Method::Message,
                to,
                Uri::sip(user, settings.host()),
                headers.clone(),
                request.body.clone(),
                // ours are never lent to whoever asks for some (CVE-2021-41158)
                None,
            )
        };
        let bindings = registrar.bindings(now, &other.id);
        let copies = bindings.map(copy).filter_map(Result::ok).collect();
        match self.0.sent(pending, user.to_owned(), copies) {
            true => None,
            false => refuse(480),
        }
    }

    #[must_use]
    pub fn is_copy(&self, sent: Sent) -> bool {
        self.0.has(sent)
    }

    /// A socket answered: what to tell the sender, if it is time.
    pub fn replied(&mut self, sent: Sent, status: Status) -> Option<(Pending, Status)> {
        self.0.replied(sent, status)
    }
}
