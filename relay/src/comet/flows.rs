//! Which user a phone's socket belongs to. Signalling knows, and says so here; the socket's own
//! task waits for it before it lets comet frames in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clinicall_sip::agent::Flow;
use tokio::sync::watch;

use crate::auth::{Rights, TokenId};

/// Who it is, and what the newest login allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: Arc<str>,
    pub rights: Rights,
    /// What it was logged in with, when that was a token.
    pub token: Option<TokenId>,
}

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    open: Arc<Mutex<HashMap<Flow, watch::Sender<Option<Login>>>>>,
}

/// One socket's entry, which goes with it.
#[derive(Debug)]
pub struct Entry {
    flows: Flows,
    flow: Flow,
    login: watch::Receiver<Option<Login>>,
}

impl Flows {
    /// A socket was opened.
    #[must_use]
    pub fn enter(&self, flow: Flow) -> Entry {
        let (tell, login) = watch::channel(None);
        self.lock().insert(flow, tell);
        Entry {
            flows: self.clone(),
            flow,
            login,
        }
    }

    /// The socket is this user's from now on, as in signalling; a later login may change what it
    /// allows, and nothing else. `false`: there is no such socket, or it is another's.
    pub(super) fn logged_in(&self, flow: Flow, login: &Login) -> bool {
        let open = self.lock();
        let Some(tell) = open.get(&flow) else {
            return false;
        };
        let same = |known: &Login| known.user == login.user;
        let theirs = tell.borrow().as_ref().is_none_or(same);
        if theirs {
            tell.send_replace(Some(login.clone()));
        }
        theirs
    }

    /// The newest login of a socket.
    #[must_use]
    pub fn login(&self, flow: Flow) -> Option<Login> {
        self.lock().get(&flow)?.borrow().clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Flow, watch::Sender<Option<Login>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Waits until somebody is logged in; forever, if nobody ever is.
    pub async fn login(&self) -> (Arc<str>, Rights) {
        let mut login = self.login.clone();
        let login = login.wait_for(Option::is_some).await;
        match login.ok().and_then(|login| login.clone()) {
            Some(login) => (login.user, login.rights),
            None => std::future::pending().await,
        }
    }

    /// The socket: a session that names it has the rights of its newest login.
    #[must_use]
    pub const fn flow(&self) -> Flow {
        self.flow
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.flows.lock().remove(&self.flow);
    }
}
