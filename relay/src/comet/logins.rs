//! What the task knows of the logins behind its sessions: when they end, what they came in with.

use std::collections::{BTreeSet, HashMap};

use clinicall_comet::hub::SessionId;
use clinicall_sip::agent::Flow;

use crate::auth::TokenId;

/// What a session was opened with, as far as that can end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Unix seconds.
    pub expires: Option<u64>,
    pub token: Option<TokenId>,
    /// It goes over a phone's own socket.
    pub flow: Option<Flow>,
}

#[derive(Debug, Default)]
pub(super) struct Logins {
    held: HashMap<SessionId, Held>,
    expiring: BTreeSet<(u64, SessionId)>,
    flows: HashMap<Flow, SessionId>,
}

impl Logins {
    /// The session's newest login takes the place of the one before.
    pub fn put(&mut self, id: SessionId, held: Held) {
        self.remove(id);
        if held == Held::default() {
            return;
        }
        if let Some(expires) = held.expires {
            self.expiring.insert((expires, id));
        }
        if let Some(flow) = held.flow {
            self.flows.insert(flow, id);
        }
        self.held.insert(id, held);
    }

    pub fn remove(&mut self, id: SessionId) {
        let Some(held) = self.held.remove(&id) else {
            return;
        };
        if let Some(expires) = held.expires {
            self.expiring.remove(&(expires, id));
        }
        if let Some(flow) = held.flow.filter(|flow| self.flows.get(flow) == Some(&id)) {
            self.flows.remove(&flow);
        }
    }

    pub fn get(&self, id: SessionId) -> Held {
        self.held.get(&id).copied().unwrap_or_default()
    }

    pub fn on(&self, flow: Flow) -> Option<SessionId> {
        self.flows.get(&flow).copied()
    }

    pub fn with(&self, token: TokenId) -> Vec<SessionId> {
        let held = self.held.iter();
        held.filter(|(_, held)| held.token == Some(token))
            .map(|(id, _)| *id)
            .collect()
    }

    /// A session whose login is over by then, if there is one.
    pub fn expired(&mut self, seconds: u64) -> Option<SessionId> {
        let (_, id) = *self.expiring.first().filter(|(at, _)| *at <= seconds)?;
        self.expiring.pop_first();
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_token_takes_the_place_of_the_one_before() {
        let mut logins = Logins::default();
        let page = SessionId(1);
        let held = |expires, token| Held {
            expires: Some(expires),
            token: Some(TokenId::of(token)),
            flow: None,
        };
        logins.put(page, held(100, "first"));
        logins.put(page, held(200, "second"));
        assert_eq!(logins.expired(150), None);
        assert_eq!(logins.with(TokenId::of("first")), []);
        assert_eq!(logins.with(TokenId::of("second")), [page]);
        assert_eq!(logins.expired(200), Some(page));
        logins.remove(page);
        assert_eq!(logins.get(page), Held::default());
    }
}
