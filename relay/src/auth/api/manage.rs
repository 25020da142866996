//! API keys that are made, listed and taken back while the relay runs. They live in the store beside
//! those of the configuration, which only its file changes.

use super::{ApiKeys, Caller, Kept, MANAGE, hash, is_right, new_key};
use crate::{
    config::is_user_id,
    store::{self, Changes, StoreError, api_keys::KeyHash},
};

/// More back ends than any clinic has.
const MOST: usize = 1_000;

/// A key as it is listed: never with the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub rights: Vec<String>,
    /// When it was made, unix milliseconds; 0 when nobody knows.
    pub made: u64,
    /// It stands in the configuration, and only there can it be changed.
    pub configured: bool,
}

/// Why a key was not made or not taken back.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("`{0}` is not a name: take 1 to 64 letters, digits, `.`, `-` or `_`")]
    Name(String),
    #[error(
        "there is no right `{0}`: take of users, tokens, rooms, messages, calls, events, keys, or *"
    )]
    Right(String),
    /// Nobody gives or takes what is above them.
    #[error("only a key with the right `{0}` may do this")]
    Above(String),
    #[error("the key `{0}` stands in the configuration: change its `[[api_key]]` section there")]
    Configured(String),
    #[error("there is no key `{0}` in the store")]
    Unknown(String),
    #[error("`{0}` is the last key by which keys are managed")]
    Last(String),
    #[error("there are {MOST} keys already")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who asks for a change; `None`: the operator, on the command line.
type By<'a> = Option<&'a Caller>;

/// What to do with the last key that may manage keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    Keep,
    /// There is still the command line.
    Force,
}

impl ApiKeys {
    /// Every key, by name, those of the configuration first.
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let configured = self.configured.iter().map(|(_, caller)| Listed {
            name: caller.name.clone(),
            rights: caller.rights.clone(),
            made: 0,
            configured: true,
        });
        let mut listed: Vec<_> = configured.collect();
        let kept = self.store.read(|view| store::api_keys::all::<Kept>(view))?;
        let mut kept: Vec<_> = kept.into_iter().map(|(_, kept)| kept).collect();
        kept.sort_by(|one, other| one.name.cmp(&other.name));
        listed.extend(kept.into_iter().map(|kept| Listed {
            name: kept.name,
            rights: kept.rights,
            made: kept.made,
            configured: false,
        }));
        Ok(listed)
    }

    /// Makes a key and returns it, this once; the one of that name before is good no longer. `rights`
    /// empty: all.
    pub async fn make(
        &self,
        by: By<'_>,
        name: &str,
        rights: Vec<String>,
        last: Last,
    ) -> Result<String, KeyError> {
        let key = new_key().map_err(|_| StoreError::Random)?;
        self.put(by, name, rights, hash(&key), last).await?;
        Ok(key)
    }

    /// As [`Self::make`], of a key that was made elsewhere.
    pub async fn put(
        &self,
        by: By<'_>,
        name: &str,
        rights: Vec<String>,
        hash: KeyHash,
        last: Last,
    ) -> Result<(), KeyError> {
        if !is_user_id(name) {
            return Err(KeyError::Name(name.to_owned()));
        }
        let rights = match rights.is_empty() {
            true => vec!["*".to_owned()],
            false => rights,
        };
        if let Some(right) = rights.iter().find(|right| !is_right(right)) {
            return Err(KeyError::Right(right.clone()));
        }
        self.not_configured(name)?;
        within(by, &rights)?;
        let new = Kept {
            name: name.to_owned(),
            rights,
            made: crate::clock::unix_ms(),
        };
        self.change(by, name.to_owned(), Some((hash, new)), last)
            .await
    }

    /// Takes a key back: it opens nothing from now on.
    pub async fn revoke(&self, by: By<'_>, name: &str, last: Last) -> Result<(), KeyError> {
        self.not_configured(name)?;
        self.change(by, name.to_owned(), None, last).await
    }

    /// Puts `new` in the place of the key of that name.
    async fn change(
        &self,
        by: By<'_>,
        name: String,
        new: Option<(KeyHash, Kept)>,
        last: Last,
    ) -> Result<(), KeyError> {
        let mut configured = self.configured.iter();
        let safe = last == Last::Force || configured.any(|(_, caller)| caller.may(MANAGE));
        let by = by.cloned();
        let change = move |changes: &mut Changes<'_>| {
            let all: Vec<(KeyHash, Kept)> = store::api_keys::all(changes)?;
            let (old, others): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|(_, kept)| kept.name == name);
            if old.is_empty() && new.is_none() {
                return Ok(Err(KeyError::Unknown(name)));
            }
            if old.is_empty() && others.len() >= MOST {
                return Ok(Err(KeyError::TooMany));
            }
            for (_, kept) in &old {
                if let Err(error) = within(by.as_ref(), &kept.rights) {
                    return Ok(Err(error));
                }
            }
            let manages = |(_, kept): &(KeyHash, Kept)| {
                let mut rights = kept.rights.iter();
                rights.any(|right| right == "*" || right == MANAGE)
            };
            let left = others.iter().chain(&new).any(manages);
            if old.iter().any(manages) && !safe && !left {
                return Ok(Err(KeyError::Last(name)));
            }
            for (hash, _) in &old {
                store::api_keys::remove(changes, hash)?;
            }
            if let Some((hash, kept)) = &new {
                store::api_keys::put(changes, hash, kept)?;
            }
            Ok(Ok(()))
        };
        self.store.write(change).await?
    }

    fn not_configured(&self, name: &str) -> Result<(), KeyError> {
        let mut configured = self.configured.iter();
        match configured.any(|(_, caller)| caller.name == name) {
            true => Err(KeyError::Configured(name.to_owned())),
            false => Ok(()),
        }
    }
}

fn within(by: By<'_>, rights: &[String]) -> Result<(), KeyError> {
    let Some(by) = by else { return Ok(()) };
    let above = rights.iter().find(|right| !by.may(right));
    above.map_or(Ok(()), |right| Err(KeyError::Above(right.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, store::Store};

    fn keys() -> ApiKeys {
        let mut config = Config::dev();
        config.api_key.clear();
        ApiKeys::new(&config, &Store::open(None).unwrap())
    }

    fn rights(rights: &[&str]) -> Vec<String> {
        rights.iter().map(|&right| right.to_owned()).collect()
    }

    #[tokio::test]
    async fn the_last_key_that_manages_keys_stays_unless_told_twice() {
        let keys = keys();
        let key = keys.make(None, "admin", Vec::new(), Last::Keep).await;
        let admin = keys.find(&key.unwrap()).unwrap().unwrap();
        let by = Some(&admin);
        let lab = rights(&["rooms"]);
        let lab = keys.make(by, "lab", lab, Last::Keep).await.unwrap();
        assert!(!keys.find(&lab).unwrap().unwrap().may(MANAGE));
        let kept = keys.revoke(by, "admin", Last::Keep).await;
        assert!(matches!(kept, Err(KeyError::Last(_))), "{kept:?}");
        // nor may it be narrowed
        let kept = keys.make(by, "admin", rights(&["rooms"]), Last::Keep).await;
        assert!(matches!(kept, Err(KeyError::Last(_))), "{kept:?}");
        let second = rights(&["keys"]);
        keys.make(by, "second", second, Last::Keep).await.unwrap();
        keys.revoke(by, "admin", Last::Keep).await.unwrap();
        keys.revoke(None, "second", Last::Force).await.unwrap();
        let left = keys.list().unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].name, "lab");
    }

    #[tokio::test]
    async fn nobody_gives_or_takes_what_is_above_them() {
        let keys = keys();
        let admin = keys.make(None, "admin", Vec::new(), Last::Keep).await;
        assert!(admin.is_ok());
        let desk = Caller::with_rights("desk", &["keys", "rooms"]);
        let by = Some(&desk);
        for above in [rights(&["*"]), rights(&["rooms", "calls"]), Vec::new()] {
            let made = keys.make(by, "mine", above, Last::Keep).await;
            assert!(matches!(made, Err(KeyError::Above(_))), "{made:?}");
        }
        let taken = keys.revoke(by, "admin", Last::Force).await;
        assert!(matches!(taken, Err(KeyError::Above(_))), "{taken:?}");
        let made = keys.make(by, "mine", rights(&["rooms"]), Last::Keep).await;
        let old = made.unwrap();
        // a new one of that name takes its place
        let made = keys.make(by, "mine", rights(&["rooms"]), Last::Keep).await;
        assert!(keys.find(&old).unwrap().is_none());
        assert!(keys.find(&made.unwrap()).unwrap().is_some());
    }
}
