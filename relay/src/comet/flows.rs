//! Which user a phone's socket belongs to. Signalling knows, and says so here; the socket's own
//! task waits for it before it lets comet frames in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clinicall_sip::agent::Flow;
use tokio::sync::watch;

use crate::auth::Rights;

/// Who it is, and what the login allows.
type Login = Option<(Arc<str>, Rights)>;

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    open: Arc<Mutex<HashMap<Flow, watch::Sender<Login>>>>,
}

/// One socket's entry, which goes with it.
#[derive(Debug)]
pub struct Entry {
    flows: Flows,
    flow: Flow,
    login: watch::Receiver<Login>,
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

    /// The socket is this user's from now on. The first login counts, as in signalling.
    pub fn logged_in(&self, flow: Flow, user: &str, rights: Rights) {
        if let Some(tell) = self.lock().get(&flow) {
            tell.send_if_modified(|login| {
                let first = login.is_none();
                if first {
                    *login = Some((user.into(), rights));
                }
                first
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Flow, watch::Sender<Login>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Waits until somebody is logged in; forever, if nobody ever is.
    pub async fn login(&self) -> (Arc<str>, Rights) {
        let mut login = self.login.clone();
        let login = login.wait_for(Option::is_some).await;
        match login.ok().and_then(|login| login.clone()) {
            Some(login) => login,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.flows.lock().remove(&self.flow);
    }
}
