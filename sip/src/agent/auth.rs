//! Answering challenges as a client (RFC 3261 section 22), and ahead of them: what one request
//! learned, the next one on the same connection knows, and a registration that moves takes it along.

use std::sync::Arc;

use super::{Flow, wire::Wire};
use crate::{
    digest::{Credentials, Logins},
    message::{Headers, Method, Request},
};

/// What is kept of past challenges, in all.
const MAX_KNOWN: usize = 64;

/// A request's own standing with those who challenge it.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) credentials: Arc<Credentials>,
    pub(super) logins: Logins,
}

/// A registrar and a proxy may share a realm and not a nonce, so they are kept apart.
#[derive(Debug)]
struct Known {
    flow: Flow,
    registrar: bool,
    user: String,
    logins: Logins,
}

#[derive(Debug, Default)]
pub(super) struct Auth {
    known: Vec<Known>,
}

impl Auth {
    /// Authorizes a fresh request as far as the flow's past challenges allow.
    pub(super) fn ahead(
        &mut self,
        wire: &mut Wire,
        flow: Flow,
        request: &mut Request,
        credentials: &Arc<Credentials>,
    ) -> Login {
        let known = self.of(flow, request, credentials);
        let logins = known.map_or_else(Logins::new, |logins| {
            write(logins, wire, request, credentials);
            // A copy of its own: two requests challenged at once must not count as one refused
            // twice.
            logins.clone()
        });
        Login {
            credentials: credentials.clone(),
            logins,
        }
    }

    /// Answers the challenges of a 401 or 407; `false`: we cannot.
    pub(super) fn answer(
        &mut self,
        wire: &mut Wire,
        flow: Flow,
        request: &mut Request,
        response: &Headers,
        login: &mut Login,
    ) -> bool {
        if !login.logins.challenged(response, &login.credentials) {
            return false;
        }
        write(&mut login.logins, wire, request, &login.credentials);
        self.keep(flow, request, login);
        true
    }

    /// The request got through.
    pub(super) fn accepted(
        &mut self,
        flow: Flow,
        request: &Request,
        response: &Headers,
        credentials: &Credentials,
    ) {
        if let Some(logins) = self.of(flow, request, credentials) {
            logins.accepted(response);
        }
    }

    fn keep(&mut self, flow: Flow, request: &Request, login: &Login) {
        let mut logins = login.logins.clone();
        // Its refusals are this request's own.
        logins.accepted(&Headers::new());
        if let Some(known) = self.of(flow, request, &login.credentials) {
            *known = logins;
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.remove(0);
        }
        let registrar = request.method == Method::Register;
        let user = login.credentials.user.clone();
        self.known.push(Known {
            flow,
            registrar,
            user,
            logins,
        });
    }

    fn of(
        &mut self,
        flow: Flow,
        request: &Request,
        credentials: &Credentials,
    ) -> Option<&mut Logins> {
        let registrar = request.method == Method::Register;
        let known = self.known.iter_mut().find(|known| {
            known.flow == flow && known.registrar == registrar && known.user == credentials.user
        });
        known.map(|known| &mut known.logins)
    }

    /// The flow is gone. What its registrar asked is kept for [`Auth::moved`].
    pub(super) fn forget(&mut self, flow: Flow) {
        self.known
            .retain(|known| known.flow != flow || known.registrar);
    }

    /// The same registrar is asked by another flow: what it wanted to know there it need not ask again, which is a round
    /// trip saved by someone whose network has just changed.
    pub(super) fn moved(&mut self, from: Flow, to: Flow) {
        for known in &mut self.known {
            if known.registrar && known.flow == from {
                known.flow = to;
            }
        }
    }
}

fn write(logins: &mut Logins, wire: &mut Wire, request: &mut Request, credentials: &Credentials) {
    let Request {
        method,
        uri,
        headers,
        ..
    } = request;
    logins.authorize(headers, method, uri, credentials, &mut wire.entropy);
}
