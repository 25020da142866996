//! Who is this, and what may they do? One identity for SIP, comet and HTTP.
//!
//! A person is a *user id* of the clinic's own and shows it in one of three ways: a token that the
//! clinic's back end (or, for guests, this relay) has signed, a key that the back end has left here
//! (`users_auth`), or whatever the clinic's own web server says when asked. [`Auth`] answers for all
//! three with a [`Grant`], and tells the live sockets when one is taken back.

mod grant;

use std::sync::Arc;

use tokio::sync::broadcast;

pub use grant::{Grant, Right, Rights, Rooms, TokenId};

use crate::{config::Config, signal::users::User};

/// Why somebody is not let in. The words are for logs and for the person's own client; they never
/// say whether the user exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the token cannot be read")]
    Malformed,
    #[error("no key of ours verifies the token")]
    Forged,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("the token is for somebody else: its issuer or audience is not ours")]
    Foreign,
    #[error("the token was revoked")]
    Revoked,
    #[error("no such user, or not their key")]
    WrongKey,
    #[error("the clinic does not allow it")]
    Forbidden,
    /// Nobody is let in on a guess; worth another try later.
    #[error("the clinic's login service does not answer")]
    Unavailable,
}

/// Somebody's way in was taken back: whoever holds a socket of theirs closes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    pub user: String,
    /// Only what came in with this token; `None`: everything of this user.
    pub token: Option<TokenId>,
}

impl Revoked {
    /// Whether a socket that `grant` opened must go.
    #[must_use]
    pub fn hits(&self, grant: &Grant) -> bool {
        self.user == grant.user && (self.token.is_none() || self.token == grant.token)
    }
}

/// Revocations that a slow listener may lag behind before it has to look at everything anew.
const REVOCATIONS: usize = 256;

/// The one place that knows who may come in; cheap to clone.
#[derive(Clone, Debug)]
pub struct Auth {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    revocations: broadcast::Sender<Revoked>,
}

impl Auth {
    /// From `[login]` and the users of the configuration.
    pub fn new(_config: &Config) -> anyhow::Result<Self> {
        let (revocations, _) = broadcast::channel(REVOCATIONS);
        Ok(Self {
            inner: Arc::new(Inner { revocations }),
        })
    }

    /// Whose token this is.
    pub async fn token(&self, _token: &str) -> Result<Grant, Refused> {
        Err(Refused::Forged)
    }

    /// Whether `key` is this user's: a `users_auth` key, or the password the clinic's server names.
    pub async fn key(&self, _user: &str, _key: &str) -> Result<Grant, Refused> {
        Err(Refused::WrongKey)
    }

    /// What a SIP digest of this user is checked against; `None`: there is no such user.
    pub async fn sip_keys(&self, _user: &str) -> Result<Option<User>, Refused> {
        Ok(None)
    }

    /// Takes a token back, for good and on every live socket.
    pub async fn revoke(&self, _token: &str) -> Result<(), Refused> {
        Ok(())
    }

    /// Closes every socket of a user: a key was changed or removed.
    pub fn close_user(&self, user: &str) {
        // nobody listens: there are no sockets
        let _ = self.inner.revocations.send(Revoked {
            user: user.to_owned(),
            token: None,
        });
    }

    /// Tells what is revoked from now on. Who lags behind (`RecvError::Lagged`) has to ask again
    /// for each socket it holds.
    #[must_use]
    pub fn revocations(&self) -> broadcast::Receiver<Revoked> {
        self.inner.revocations.subscribe()
    }
}
