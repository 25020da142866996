//! Users: their keys, their data, whether they are here, and tokens that were taken back.

use super::{Backend, BackendError, check_name, invalid};
use crate::{
    comet::Seen,
    config::Secret,
    store::{self, revoked},
};

/// As long as a key that a person or a hash function makes can be.
const LONGEST_KEY: usize = 128;
/// What a site keeps with a user: a name, a picture's address, a few settings.
const LONGEST_DATA: usize = 64 * 1024;

impl Backend {
    /// Leaves a key for a user: the password for SIP, the hash for comet.
    pub async fn set_key(&self, user: &str, key: &str) -> Result<(), BackendError> {
        check_name("id", user)?;
        let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain || key.len() > LONGEST_KEY {
            let why = "must be 1 to 128 ASCII characters without a space";
            return Err(invalid("hash", why));
        }
        let (user, key) = (user.to_owned(), Secret(key.to_owned()));
        let write =
            move |changes: &mut store::Changes<'_>| store::users::put_key(changes, &user, &key);
        Ok(self.parts.store.write(write).await?)
    }

    /// Those of `users` who have a key, with it.
    pub async fn keys(&self, users: &[String]) -> Result<Vec<(String, String)>, BackendError> {
        let found = self.parts.store.read(|view| {
            let with_key = |user: &String| {
                let key = store::users::key(view, user);
                key.map(|key| key.map(|key| (user.clone(), key.0)))
                    .transpose()
            };
            users.iter().filter_map(with_key).collect()
        });
        Ok(found?)
    }

    /// Takes the key back and closes the user's live sockets. `false`: there was none.
    pub async fn remove_key(&self, user: &str) -> Result<bool, BackendError> {
        let id = user.to_owned();
        let write = move |changes: &mut store::Changes<'_>| store::users::remove_key(changes, &id);
        let removed = self.parts.store.write(write).await?;
        self.parts.auth.close_user(user).await;
        Ok(removed)
    }

    /// Keeps data of the site's own with a user; pages may read it.
    pub async fn set_data(&self, user: &str, data: &str) -> Result<(), BackendError> {
        check_name("id", user)?;
        if data.len() > LONGEST_DATA {
            return Err(invalid("data", "is longer than 65,536 bytes"));
        }
        let (user, data) = (user.to_owned(), data.to_owned());
        let write =
            move |changes: &mut store::Changes<'_>| store::user_data::put(changes, &user, &data);
        Ok(self.parts.store.write(write).await?)
    }

    /// Those of `users` with whom data is kept, with it.
    pub async fn data(&self, users: &[String]) -> Result<Vec<(String, String)>, BackendError> {
        let found = self.parts.store.read(|view| {
            let with_data = |user: &String| {
                let data = store::user_data::get(view, user);
                data.map(|data| data.map(|data| (user.clone(), data)))
                    .transpose()
            };
            users.iter().filter_map(with_data).collect()
        });
        Ok(found?)
    }

    /// `false`: there was none.
    pub async fn remove_data(&self, user: &str) -> Result<bool, BackendError> {
        let user = user.to_owned();
        let write =
            move |changes: &mut store::Changes<'_>| store::user_data::remove(changes, &user);
        Ok(self.parts.store.write(write).await?)
    }

    /// For each of `users`, in their order: here now, or when last.
    pub async fn seen(&self, users: &[String]) -> Result<Vec<Seen>, BackendError> {
        let mut seen = self.parts.comet.seen(users).await?;
        // a telephone that speaks SIP alone is no comet session
        let registered = self.parts.signal.online().await.unwrap_or_default();
        for (seen, user) in seen.iter_mut().zip(users) {
            if registered.contains(user) {
                *seen = Seen::Online;
            }
        }
        Ok(seen)
    }

    /// How many users are here, by telephone or by page.
    pub async fn online(&self) -> Result<usize, BackendError> {
        let mut users = self.parts.comet.online().await?;
        users.extend(self.parts.signal.online().await.unwrap_or_default());
        Ok(users.len())
    }

    /// Takes a token back: it opens nothing any more, and what it opened is closed.
    pub async fn revoke(&self, token: &str) -> Result<(), BackendError> {
        if token.is_empty() || token.len() > 8 * 1024 {
            return Err(invalid("token", "must be 1 to 8,192 bytes"));
        }
        let revoked = self.parts.auth.revoke(token).await;
        revoked.map_err(|refused| BackendError::Unavailable(refused.to_string()))
    }

    /// Every token that was taken back and has not expired since.
    pub async fn revoked(&self) -> Result<Vec<String>, BackendError> {
        let all = self.parts.store.read(|view| revoked::all(view))?;
        Ok(all.into_iter().map(|row| row.token.0).collect())
    }

    /// `false`: it was not revoked.
    pub async fn unrevoke(&self, token: &str) -> Result<bool, BackendError> {
        let id = crate::auth::TokenId::of(token);
        let write = move |changes: &mut store::Changes<'_>| revoked::remove(changes, &id.0);
        Ok(self.parts.store.write(write).await?)
    }
}
