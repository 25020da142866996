//! The tokens this relay signs itself: for guests, and for back ends that cannot sign.

use super::{
    Grant, Refused, Rights, Rooms,
    jwt::{self, Audience, Claims, Key, Keyed},
};
use crate::{
    clock::unix_seconds,
    config::{Config, OWN_ISSUER, is_user_id},
    store::{Look as _, Store, StoreError, engine::Table},
};

/// A token, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub user: String,
    /// Unix seconds.
    pub expires: u64,
    /// Whoever holds it is `user`.
    pub token: crate::config::Secret,
}

/// What guests' ids begin with; a clinic's own users should not.
const GUEST: &str = "guest-";

pub(super) struct Own {
    secret: [u8; 32],
    max_seconds: u64,
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Own")
    }
}

impl Own {
    /// With the key in the store, which is made when there is none.
    pub async fn load(config: &Config, store: &Store) -> Result<Self, StoreError> {
        Ok(Self {
            secret: store.write(kept_key).await?,
            max_seconds: config.login.max_token_seconds,
        })
    }

    pub fn issuer(&self) -> jwt::Issuer {
        let key = Key::secret(&self.secret).expect("32 bytes are enough");
        jwt::Issuer {
            name: Some(OWN_ISSUER.to_owned()),
            audience: Audience::AnyOf(Vec::new()),
            keys: vec![Keyed { id: None, key }],
        }
    }

    pub fn guest(&self, room: &str, name: Option<&str>, seconds: u64) -> Result<Ticket, Refused> {
        let named = name.is_none_or(jwt::is_name);
        if !is_user_id(room) || !named {
            return Err(Refused::Malformed);
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| Refused::Unavailable)?;
        let grant = Grant {
            user: format!("{GUEST}{:016x}", u64::from_be_bytes(random)),
            name: name.map(str::to_owned),
            rooms: Rooms::Only(vec![room.to_owned()]),
            rights: Rights::GUEST,
            expires: None,
            token: None,
        };
        Ok(self.issue(&grant, seconds))
    }

    pub fn issue(&self, grant: &Grant, seconds: u64) -> Ticket {
        let expires = unix_seconds().saturating_add(seconds.min(self.max_seconds));
        let claims = Claims {
            user: grant.user.clone(),
            name: grant.name.clone(),
            rooms: grant.rooms.clone(),
            rights: grant.rights,
            issuer: Some(OWN_ISSUER.to_owned()),
            audience: Vec::new(),
            expires,
            not_before: None,
        };
        Ticket {
            user: claims.user.clone(),
            expires,
            token: crate::config::Secret(jwt::sign(&claims, &self.secret)),
        }
    }
}

fn kept_key(changes: &mut crate::store::Changes<'_>) -> Result<[u8; 32], StoreError> {
    const KEY: &[u8] = b"token key";
    if let Some(kept) = changes.fetch(Table::Meta, KEY)? {
        return kept.try_into().map_err(|_| StoreError::Record {
            table: Table::Meta.name(),
            why: "the token key has not 32 bytes".to_owned(),
        });
    }
    let mut made = [0; 32];
    getrandom::fill(&mut made).map_err(|_| StoreError::Random)?;
    changes.put(Table::Meta, KEY, &made)?;
    Ok(made)
}
