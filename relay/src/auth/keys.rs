//! The keys of all issuers, from the configuration and from files.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;

use super::{
    Refused,
    jwt::{self, Audience, Claims, Key, Keyed, Verifier},
};
use crate::config::{Config, Issuer};

/// How often, at most, a JWKS file is looked at because a token did not verify.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Verifies tokens; reads a JWKS file again when it has changed, so that a clinic changes its keys
/// without a restart.
#[derive(Debug)]
pub(super) struct Keyring {
    verifier: RwLock<Verifier>,
    /// The issuers with a file, by their place in the verifier.
    files: Vec<(usize, Issuer)>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    at: Instant,
    modified: Vec<Option<SystemTime>>,
}

impl Keyring {
    pub fn load(config: &Config, own: jwt::Issuer) -> anyhow::Result<Self> {
        let mut issuers = vec![own];
        let mut files = Vec::new();
        for issuer in &config.issuer {
            if issuer.jwks.is_some() {
                files.push((issuers.len(), issuer.clone()));
            }
            let audience = match &issuer.audience {
                Some(audience) => Audience::Named(audience.clone()),
                None => Audience::AnyOf(config.domains.clone()),
            };
            issuers.push(jwt::Issuer {
                name: issuer.name.clone(),
                audience,
                keys: keys(issuer)?,
            });
        }
        let seen = Seen {
            at: Instant::now(),
            modified: modified(&files),
        };
        Ok(Self {
            verifier: RwLock::new(Verifier {
                issuers,
                skew: config.login.skew_seconds,
            }),
            files,
            seen: Mutex::new(seen),
        })
    }

    /// `now` in unix seconds.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, Refused> {
        let verify = || {
            let verifier = self.verifier.read().unwrap_or_else(PoisonError::into_inner);
            verifier.verify(token, now)
        };
        match verify() {
            Err(Refused::Forged) if self.reload() => verify(),
            result => result,
        }
    }

    /// `true`: there may be other keys than before.
    fn reload(&self) -> bool {
        if self.files.is_empty() {
            return false;
        }
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.at.elapsed() < LOOK_AGAIN {
                return false;
            }
            seen.at = Instant::now();
            let modified = modified(&self.files);
            if modified == seen.modified {
                return false;
            }
            seen.modified = modified;
        }
        for (place, issuer) in &self.files {
            match keys(issuer) {
                Ok(keys) => {
                    let mut verifier = self
                        .verifier
                        .write()
                        .unwrap_or_else(PoisonError::into_inner);
                    verifier.issuers[*place].keys = keys;
                }
                // the old keys stay
                Err(error) => tracing::error!("{error:#}"),
            }
        }
        true
    }
}

fn modified(files: &[(usize, Issuer)]) -> Vec<Option<SystemTime>> {
    let of = |path: &PathBuf| {
        std::fs::metadata(path)
            .and_then(|file| file.modified())
            .ok()
    };
    files
        .iter()
        .map(|(_, issuer)| issuer.jwks.as_ref().and_then(of))
        .collect()
}

fn keys(issuer: &Issuer) -> anyhow::Result<Vec<Keyed>> {
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read the keys in {}", path.display()))
    };
    let mut keys = Vec::new();
    if let Some(secret) = &issuer.secret {
        let key = Key::secret(secret.0.as_bytes()).context("`issuer.secret`")?;
        keys.push(Keyed { id: None, key });
    }
    for path in &issuer.keys {
        let found = jwt::keys_of_pem(&read(path)?);
        keys.extend(found.with_context(|| path.display().to_string())?);
    }
    if let Some(path) = &issuer.jwks {
        let found = jwt::keys_of_jwks(&read(path)?);
        keys.extend(found.with_context(|| path.display().to_string())?);
    }
    Ok(keys)
}
