//! Who is this, and what may they do? One identity for SIP, comet and HTTP.
//!
//! A person is a *user id* of the clinic's own and shows it in one of three ways: a token that the
//! clinic's back end (or, for guests, this relay) has signed, a key that the back end has left here
//! (`users_auth`), or whatever the clinic's own web server says when asked. [`Auth`] answers for all
//! three with a [`Grant`], and tells the live sockets when one is taken back.
//!
//! Back ends are another matter: they show an API key, see [`api`].

pub mod api;
mod ask;
mod attend;
mod grant;
mod guess;
pub mod jwt;
mod keys;
mod own;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use tokio::sync::mpsc;

pub use ask::{Strange, json, xml};
pub use attend::attend;
pub use grant::{Grant, Right, Rights, Rooms, TokenId};
pub use guess::Guesses;
pub use own::Ticket;

use crate::{
    auth::{ask::Clinic, jwt::Claims, keys::Keyring, own::Own},
    clock::{unix_seconds, uptime},
    config::{Config, OWN_ISSUER},
    signal::users::{Keys, User, Users},
    store::{self, Store, StoreError},
};

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
    /// A token is no envelope: its bearer reads all of it.
    #[error("the token carries a secret, such as a `password`: leave it out")]
    Indiscreet,
    #[error("the token was revoked")]
    Revoked,
    #[error("no such user, or not their key")]
    WrongKey,
    #[error("the clinic does not allow it")]
    Forbidden,
    /// Nobody is let in on a guess; worth another try later.
    #[error("the clinic's login service does not answer")]
    Unavailable,
    /// From this address, or for this user.
    #[error("too many tries: wait {seconds} s")]
    TooManyTries { seconds: u64 },
}

impl Refused {
    /// Whether somebody may have guessed; what was once good is no guess.
    #[must_use]
    pub const fn is_guess(self) -> bool {
        match self {
            Self::Malformed | Self::Forged | Self::Foreign | Self::Indiscreet | Self::WrongKey => {
                true
            }
            Self::Expired
            | Self::TooEarly
            | Self::Revoked
            | Self::Forbidden
            | Self::Unavailable
            | Self::TooManyTries { .. } => false,
        }
    }
}

/// What somebody shows at a door.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "never printed")]
pub enum Shown<'a> {
    Token(&'a str),
    Key { user: &'a str, key: &'a str },
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store cannot be asked for a login");
        Self::Unavailable
    }
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

/// Revocations that wait for a listener; whoever revokes more waits with them, and none is lost.
const REVOCATIONS: usize = 256;

/// The one place that knows who may come in; cheap to clone.
#[derive(Clone, Debug)]
pub struct Auth {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    realm: String,
    keyring: Keyring,
    own: Own,
    configured: Users,
    clinic: Option<Clinic>,
    store: Store,
    guesses: Guesses,
    /// To each listener.
    revocations: Mutex<Vec<mpsc::Sender<Revoked>>>,
}

impl Auth {
    /// From `[login]`, the issuers and the users of the configuration. Keys that are in files are
    /// read; the relay's own key is made when the store has none yet.
    pub async fn open(config: &Config, store: &Store) -> anyhow::Result<Self> {
        let own = Own::load(config, store)
            .await
            .context("the key for the relay's own tokens cannot be kept")?;
        Ok(Self {
            inner: Arc::new(Inner {
                realm: config.realm().to_owned(),
                keyring: Keyring::load(config, own.issuer())?,
                own,
                configured: Users::from_config(config),
                clinic: Clinic::from_config(config)?,
                store: store.clone(),
                guesses: Guesses::new(config.limits.failed_logins_per_minute),
                revocations: Mutex::default(),
            }),
        })
    }

    /// Lets somebody at `address` in. Whoever guesses is soon not listened to any more, here and at
    /// the other doors.
    pub async fn admit(&self, address: IpAddr, shown: Shown<'_>) -> Result<Grant, Refused> {
        let user = match shown {
            Shown::Token(_) => None,
            Shown::Key { user, .. } => Some(user),
        };
        self.may_try(address, user)?;
        let entered = match shown {
            Shown::Token(token) => self.token(token).await,
            Shown::Key { user, key } => self.key(user, key).await,
        };
        match &entered {
            Ok(grant) => self.inner.guesses.succeeded(address, &grant.user),
            Err(refused) if refused.is_guess() => self.guessed_wrong(address, user),
            Err(_) => {}
        }
        entered
    }

    /// Whether another key may be tried from there: for doors whose keys are checked elsewhere.
    pub fn may_try(&self, address: IpAddr, user: Option<&str>) -> Result<(), Refused> {
        match self.inner.guesses.wait(uptime(), address, user) {
            None => Ok(()),
            Some(left) => Err(Refused::TooManyTries {
                seconds: left.0.div_ceil(1_000),
            }),
        }
    }

    pub fn guessed_wrong(&self, address: IpAddr, user: Option<&str>) {
        self.inner.guesses.failed(uptime(), address, user);
    }

    /// The count of all doors.
    #[must_use]
    pub fn guesses(&self) -> &Guesses {
        &self.inner.guesses
    }

    /// Whose token this is. Tries are not counted: see [`Auth::admit`].
    pub async fn token(&self, token: &str) -> Result<Grant, Refused> {
        let claims = self.inner.keyring.verify(token, unix_seconds())?;
        let id = TokenId::of(token);
        let revoked = |view: &store::View<'_>| store::revoked::contains(view, &id.0);
        if self.inner.store.read(revoked)? {
            return Err(Refused::Revoked);
        }
        Ok(self.grant(claims, id))
    }

    fn grant(&self, claims: Claims, id: TokenId) -> Grant {
        let known = || self.inner.configured.find(&claims.user);
        Grant {
            name: claims
                .name
                .clone()
                .or_else(|| known().map(|user| user.name)),
            user: claims.user,
            rooms: claims.rooms,
            rights: claims.rights,
            expires: Some(claims.expires),
            token: Some(id),
        }
    }

    /// Whether `key` is this user's: a `users_auth` key, a password of the configuration or the
    /// store, or the one the clinic's server names. Tries are not counted: see [`Auth::admit`].
    pub async fn key(&self, user: &str, key: &str) -> Result<Grant, Refused> {
        let known = self.sip_keys(user).await?.ok_or(Refused::WrongKey)?;
        let shown = Keys::derive(user, &self.inner.realm, key);
        let same = |ours: &Option<String>, theirs: &Option<String>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => is_same(ours.as_bytes(), theirs.as_bytes()),
            _ => false,
        };
        // the stronger one decides where both are known
        let right = match known.keys.sha256 {
            Some(_) => same(&known.keys.sha256, &shown.sha256),
            None => same(&known.keys.md5, &shown.md5),
        };
        if !right {
            return Err(Refused::WrongKey);
        }
        Ok(Grant::of_user(user, Some(&known.name)))
    }

    /// What a SIP digest of this user is checked against; `None`: there is no such user.
    pub async fn sip_keys(&self, user: &str) -> Result<Option<User>, Refused> {
        if let Some(found) = self.inner.configured.find(user) {
            return Ok(Some(found));
        }
        let (account, key) = self.inner.store.read(|view| {
            Ok((
                store::users::get(view, user)?,
                store::users::key(view, user)?,
            ))
        })?;
        if let Some(key) = key {
            return Ok(Some(User {
                id: user.to_owned(),
                name: account.map_or_else(|| user.to_owned(), |account| account.name),
                keys: Keys::derive(user, &self.inner.realm, &key.0),
            }));
        }
        match (account, &self.inner.clinic) {
            (None, Some(clinic)) => clinic.user(user).await,
            (account, _) => Ok(account),
        }
    }

    /// Whether the clinic's web server has to be asked before a call.
    #[must_use]
    pub fn asks_about_calls(&self) -> bool {
        self.inner
            .clinic
            .as_ref()
            .is_some_and(Clinic::asks_about_calls)
    }

    /// Whether `from` may call `to`, a user's or a room's SIP address without its scheme.
    pub async fn may_call(&self, from: &str, to: &str) -> Result<(), Refused> {
        match &self.inner.clinic {
            Some(clinic) => clinic.may_call(from, to).await,
            None => Ok(()),
        }
    }

    /// A token for somebody without an account: good for one room, and not for long.
    pub fn guest(&self, room: &str, name: Option<&str>, seconds: u64) -> Result<Ticket, Refused> {
        self.inner.own.guest(room, name, seconds)
    }

    /// A token for a user, for back ends that have no library to sign one. Its life is cut to
    /// `login.max_token_seconds`.
    #[must_use]
    pub fn issue(&self, grant: &Grant, seconds: u64) -> Ticket {
        self.inner.own.issue(grant, seconds)
    }

    /// Takes a token back, for good and on every live socket. A text that is no token is kept all the
    /// same: its issuer's key may come later.
    pub async fn revoke(&self, token: &str) -> Result<(), Refused> {
        let id = TokenId::of(token);
        let claims = self.inner.keyring.verify(token, unix_seconds());
        let seconds = match (&claims, Claims::peek(token)) {
            (Err(Refused::Expired), Some(claims)) | (Ok(_), Some(claims)) => claims.expires,
            _ => u64::MAX,
        };
        let row = store::revoked::Revoked {
            token: crate::config::Secret(token.to_owned()),
            // a day more than the widest skew
            until: seconds.saturating_add(86_400).saturating_mul(1_000),
        };
        self.inner
            .store
            .write(move |changes| {
                // each one that is kept makes room for two
                store::revoked::expire(changes, unix_seconds() * 1_000, 2)?;
                store::revoked::add(changes, &id.0, &row)
            })
            .await?;
        // a token of CppComet's kind is not the keyring's to verify; a session is ended by the
        // token's own mark, whatever its text says
        if let Some(claims) = claims.ok().or_else(|| Claims::peek(token)) {
            self.tell(Revoked {
                user: claims.user,
                token: Some(id),
            })
            .await;
        }
        Ok(())
    }

    /// Closes every socket of a user: a key was changed or removed.
    pub async fn close_user(&self, user: &str) {
        if let Some(clinic) = &self.inner.clinic {
            clinic.forget(user);
        }
        self.tell(Revoked {
            user: user.to_owned(),
            token: None,
        })
        .await;
    }

    async fn tell(&self, revoked: Revoked) {
        let listeners = {
            let mut listeners = self.listeners();
            listeners.retain(|listener| !listener.is_closed());
            listeners.clone()
        };
        for listener in listeners {
            // one that is gone has no sockets
            let _ = listener.send(revoked.clone()).await;
        }
    }

    /// Tells what is revoked from now on, all of it: whoever does not read holds up those who revoke.
    #[must_use]
    pub fn revocations(&self) -> mpsc::Receiver<Revoked> {
        let (tell, told) = mpsc::channel(REVOCATIONS);
        self.listeners().push(tell);
        told
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<mpsc::Sender<Revoked>>> {
        let listeners = self.inner.revocations.lock();
        listeners.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a token was taken back. A store that fails lets nobody in.
    #[must_use]
    pub fn is_revoked(&self, token: TokenId) -> bool {
        let revoked = |view: &store::View<'_>| store::revoked::contains(view, &token.0);
        self.inner.store.read(revoked).unwrap_or(true)
    }
}

/// Compares without telling by its time where two secrets differ; their lengths may be told.
#[must_use]
pub fn is_same(ours: &[u8], theirs: &[u8]) -> bool {
    let difference = |sum, (a, b): (&u8, &u8)| sum | (a ^ b);
    ours.len() == theirs.len() && ours.iter().zip(theirs).fold(0, difference) == 0
}

/// Whether a token is one of this relay's own making, by its unverified issuer.
#[must_use]
pub fn is_own(claims: &Claims) -> bool {
    claims.issuer.as_deref() == Some(OWN_ISSUER)
}

#[cfg(test)]
mod tests;
