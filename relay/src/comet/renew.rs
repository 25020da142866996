//! Logins that change while a session lives: renewed, or taken back.

use std::net::{IpAddr, Ipv4Addr};

use clinicall_comet::{
    hub::SessionId,
    wire::{self, Answer, Problem, Why},
};
use clinicall_sip::agent::Flow;

use super::{
    flows,
    logins::Held,
    task::{Note, Task},
};
use crate::{
    auth::{Grant, Refused, Revoked, Right, Rights, Shown, TokenId},
    store,
};

/// To publish, and to listen.
pub(super) fn rights_of(rights: Rights) -> (bool, bool) {
    (rights.has(Right::Publish), rights.has(Right::Subscribe))
}

/// In comet's words.
pub(crate) fn problem_of(refused: Refused) -> Problem {
    match refused {
        Refused::Unavailable => Problem::Unavailable,
        Refused::TooManyTries { seconds } => Problem::TooManyTries {
            seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        },
        _ => Problem::LoginRefused,
    }
}

impl Task {
    /// A page shows a newer token on the connection it has.
    pub(super) fn renew(&mut self, now: u64, id: SessionId, login: wire::Login) {
        let visitor = self.hub.visitor(id);
        let address = visitor.and_then(|visitor| visitor.address);
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let (Some(auth), Some(mailbox)) = (self.auth.clone(), self.mailbox.upgrade()) else {
            return self.renewed(now, id, Err(Refused::Unavailable));
        };
        tokio::spawn(async move {
            let shown = match &login {
                wire::Login::Token(token) => Shown::Token(token),
                wire::Login::Key { user, key } => Shown::Key { user, key },
            };
            let grant = auth.admit(address, shown).await;
            let _ = mailbox.send(Note::Renewed(id, grant)).await;
        });
    }

    /// What came of it: who it is cannot change, and what was refused leaves all as it was.
    pub(super) fn renewed(&mut self, now: u64, id: SessionId, grant: Result<Grant, Refused>) {
        let user = self
            .hub
            .visitor(id)
            .and_then(|visitor| visitor.user.clone());
        let answer = match grant {
            Ok(grant) if user.as_ref() != Some(&grant.user) => Err(Problem::LoginRefused),
            Ok(grant) if grant.token.is_some_and(|token| self.is_revoked(token)) => {
                Err(Problem::LoginRefused)
            }
            Ok(grant) => {
                let (publish, listen) = rights_of(grant.rights);
                self.hub.set_rights(now, id, publish, listen);
                let held = Held {
                    token: grant.token,
                    ..self.logins.get(id)
                };
                // a phone's socket ends when signalling says so
                let expires = grant.expires.filter(|_| held.flow.is_none());
                self.logins.put(id, Held { expires, ..held });
                Ok(user)
            }
            Err(refused) => {
                self.metrics.logins_failed_total.add(1);
                Err(problem_of(refused))
            }
        };
        let answer = match answer {
            Ok(user) => Answer::Welcome { user },
            Err(problem) => Answer::Failed { id: None, problem },
        };
        self.hub.reply(now, id, answer);
    }

    /// Signalling says whose a phone's socket is, or that its login was renewed.
    pub(super) fn logged_in(&mut self, now: u64, flow: Flow, login: &flows::Login) {
        // none yet: whoever opens it asks for the newest login
        let Some(id) = self.logins.on(flow) else {
            return;
        };
        let (publish, listen) = rights_of(login.rights);
        self.hub.set_rights(now, id, publish, listen);
        let token = login.token;
        self.logins.put(
            id,
            Held {
                token,
                ..self.logins.get(id)
            },
        );
    }

    /// Whoever came in by this is gone at once; nobody waits for them to come back.
    pub(super) fn revoke(&mut self, now: u64, revoked: &Revoked) {
        let Some(token) = revoked.token else {
            return self.hub.banish(now, &revoked.user, Why::Revoked);
        };
        for id in self.logins.with(token) {
            self.hub.expel(now, id, Why::Revoked);
        }
        // one that lost its socket just now has no session any more
        self.hub.give_up_if_alone(now, &revoked.user);
    }

    /// A store that fails lets nobody in.
    pub(super) fn is_revoked(&self, token: TokenId) -> bool {
        let revoked = |view: &store::View<'_>| store::revoked::contains(view, &token.0);
        self.store.read(revoked).unwrap_or(true)
    }
}
