//! The people who may log in.

use std::collections::BTreeMap;

use clinicall_sip::digest::{self, Algorithm, Secret};

use crate::config::{self, Config};

/// Someone this relay knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: String,
    /// Shown to those who are called.
    pub name: String,
    pub keys: Keys,
}

/// `H(id:realm:password)` in lower-case hex for each algorithm it is known for; never the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub sha256: Option<String>,
    pub md5: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    #[must_use]
    pub fn derive(id: &str, realm: &str, password: &str) -> Self {
        let ha1 = |algorithm| Some(digest::ha1(algorithm, id, realm, password));
        Self {
            sha256: ha1(Algorithm::Sha256),
            md5: ha1(Algorithm::Md5),
        }
    }

    /// For [`digest::Guard::check`].
    #[must_use]
    pub fn secrets(&self, realm: &str) -> Vec<Secret> {
        [
            (Algorithm::Sha256, &self.sha256),
            (Algorithm::Md5, &self.md5),
        ]
        .into_iter()
        .filter_map(|(algorithm, ha1)| {
            let (realm, ha1) = (realm.to_owned(), ha1.clone()?);
            Some(Secret::Ha1 {
                algorithm,
                realm,
                ha1,
            })
        })
        .collect()
    }
}

/// Everybody, looked up by id.
#[derive(Debug, Default)]
pub struct Users {
    configured: BTreeMap<String, User>,
    stored: BTreeMap<String, User>,
}

impl Users {
    /// The `[[user]]` sections.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let given =
            |ha1: &Option<config::Secret>| ha1.as_ref().map(|ha1| ha1.0.to_ascii_lowercase());
        let user = |user: &config::User| {
            let derived = user
                .password
                .as_ref()
                .map(|password| Keys::derive(&user.id, config.realm(), &password.0));
            let keys = Keys {
                sha256: given(&user.ha1_sha256).or(derived.as_ref().and_then(|k| k.sha256.clone())),
                md5: given(&user.ha1_md5).or(derived.and_then(|k| k.md5)),
            };
            let name = if user.name.is_empty() {
                &user.id
            } else {
                &user.name
            };
            (
                user.id.clone(),
                User {
                    id: user.id.clone(),
                    name: name.clone(),
                    keys,
                },
            )
        };
        Self {
            configured: config.user.iter().map(user).collect(),
            stored: BTreeMap::new(),
        }
    }

    /// What the store holds now. A user of the configuration goes before one of the same id here.
    pub fn set_stored(&mut self, users: Vec<User>) {
        self.stored = users
            .into_iter()
            .map(|user| (user.id.clone(), user))
            .collect();
    }

    #[must_use]
    pub fn is_configured(&self, id: &str) -> bool {
        self.configured.contains_key(id)
    }

    #[must_use]
    pub fn is_stored(&self, id: &str) -> bool {
        self.stored.contains_key(id)
    }

    #[must_use]
    pub fn find(&self, id: &str) -> Option<User> {
        self.configured
            .get(id)
            .or_else(|| self.stored.get(id))
            .cloned()
    }
}
