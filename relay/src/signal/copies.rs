//! One request, passed on to several; whoever sent it hears one answer.

use std::collections::HashMap;

use clinicall_sip::{
    Headers, Request, Status,
    agent::{Pending, Sent},
};

/// A chat line or a DTMF digit, with room to spare (RFC 3428 section 8 allows 1,300 bytes).
pub(super) const MAX_BODY: usize = 8 * 1024;

/// Requests that wait for their answers, each with its sender.
#[derive(Debug)]
pub(super) struct Copies<Sender> {
    copies: HashMap<Sent, Pending>,
    waiting: HashMap<Pending, Waiting<Sender>>,
}

#[derive(Debug)]
struct Waiting<Sender> {
    sender: Sender,
    copies: usize,
    worst: Status,
}

impl<Sender> Default for Copies<Sender> {
    fn default() -> Self {
        Self {
            copies: HashMap::new(),
            waiting: HashMap::new(),
        }
    }
}

impl<Sender: PartialEq> Copies<Sender> {
    /// How many requests of this sender wait.
    pub fn of(&self, sender: &Sender) -> usize {
        let its = |waiting: &&Waiting<Sender>| waiting.sender == *sender;
        self.waiting.values().filter(its).count()
    }

    /// The request went out as these; none of them: nobody is there, and `false`.
    pub fn sent(&mut self, pending: Pending, sender: Sender, copies: Vec<Sent>) -> bool {
        let number = copies.len();
        if number == 0 {
            return false;
        }
        let worst = Status(480);
        self.copies
            .extend(copies.into_iter().map(|sent| (sent, pending)));
        self.waiting.insert(
            pending,
            Waiting {
                sender,
                copies: number,
                worst,
            },
        );
        true
    }

    pub fn has(&self, sent: Sent) -> bool {
        self.copies.contains_key(&sent)
    }

    /// One was answered: what to tell the sender, if it is time. One that took it is enough.
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

    /// This sender waits no more.
    pub fn forget(&mut self, sender: &Sender) {
        self.waiting.retain(|_, waiting| waiting.sender != *sender);
    }
}

/// The headers of these names, as they came.
pub(super) fn picked(request: &Request, names: &[impl AsRef<str>]) -> Headers {
    let mut headers = Headers::new();
    for name in names {
        headers.copy(&request.headers, name.as_ref());
    }
    headers
}
