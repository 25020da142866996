//! Asking the clinic's own web server: who is this user, may they make this call?
//!
//! An answer that is late, broken or strange lets nobody in. Only what a back end said in so many
//! words is remembered, and for a short while.

mod cache;
pub mod json;
pub mod xml;

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::Refused;
use crate::{
    clock::unix_seconds,
    config::{Config, Login, WebhookForm},
    http::post::{Poster, Reply, USER_AGENT},
    log::Throttle,
    signal::users::User,
    webhook::sign,
};
use cache::Cache;

/// Long answers are no answers to these questions.
const MAX_ANSWER: usize = 64 * 1024;
/// Questions under way at a time; more wait, within their deadline.
const QUESTIONS: usize = 64;

static TROUBLE: Throttle = Throttle::new(5, Duration::from_secs(10));

/// The clinic's web server.
#[derive(Debug)]
pub(super) struct Clinic {
    login: Login,
    realm: String,
    domain: String,
    poster: Poster,
    slots: Arc<Semaphore>,
    cache: Cache,
}

impl Clinic {
    /// `None`: nobody is to be asked.
    pub fn from_config(config: &Config) -> anyhow::Result<Option<Self>> {
        let login = &config.login;
        if login.webhook.is_none() && login.call_webhook.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            realm: config.realm().to_owned(),
            domain: config.host().to_owned(),
            poster: Poster::new(login.webhook_ca.as_deref())?,
            slots: Arc::new(Semaphore::new(QUESTIONS)),
            cache: Cache::new(Duration::from_secs(login.webhook_cache_seconds)),
            login: login.clone(),
        }))
    }

    pub const fn asks_about_calls(&self) -> bool {
        self.login.call_webhook.is_some()
    }

    /// The user, as the clinic describes them.
    pub async fn user(&self, user: &str) -> Result<Option<User>, Refused> {
        let Some(url) = &self.login.webhook else {
            return Ok(None);
        };
        if let Some(known) = self.cache.get(user) {
            return Ok(known);
        }
        let (content, body) = match self.login.webhook_form {
            WebhookForm::Json => (JSON, json::who_is(user, &self.domain, &self.realm)),
            WebhookForm::XmlCurl => (FORM, xml::who_is(user, &self.domain, &self.realm)),
        };
        let reply = self.ask(url, content, body).await?;
        let told = match self.login.webhook_form {
            WebhookForm::Json => json::user(&reply, user, &self.realm),
            WebhookForm::XmlCurl => xml::user(&reply, user, &self.realm),
        };
        let found = told.map_err(|error| trouble(&error))?;
        self.cache.put(user, found.clone());
        Ok(found)
    }

    pub async fn may_call(&self, from: &str, to: &str) -> Result<(), Refused> {
        let Some(url) = &self.login.call_webhook else {
            return Ok(());
        };
        let reply = self.ask(url, JSON, json::may_call(from, to)).await?;
        match json::permission(&reply).map_err(|error| trouble(&error))? {
            true => Ok(()),
            false => Err(Refused::Forbidden),
        }
    }

    /// What was said about a user is asked anew.
    pub fn forget(&self, user: &str) {
        self.cache.forget(user);
    }

    async fn ask(&self, url: &str, content: &str, body: Vec<u8>) -> Result<Reply, Refused> {
        let deadline = Duration::from_millis(self.login.webhook_deadline_ms);
        let began = tokio::time::Instant::now();
        let _slot = tokio::time::timeout(deadline, self.slots.acquire())
            .await
            .map_err(|_| trouble(&"too many questions at once"))?;
        let mut headers = vec![
            ("content-type", content.to_owned()),
            ("user-agent", USER_AGENT.to_owned()),
        ];
        if let Some(secret) = &self.login.webhook_secret {
            let signature = sign::header(secret, unix_seconds(), &body);
            headers.push(("clinicall-signature", signature));
        }
        let left = deadline.saturating_sub(began.elapsed());
        self.poster
            .post(url, &headers, body, left, MAX_ANSWER)
            .await
            .map_err(|error| trouble(&error))
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Told to the operator; the person at the door hears only that nobody answers.
fn trouble(error: &dyn std::fmt::Display) -> Refused {
    if let Some(left_out) = TROUBLE.admit(std::time::Instant::now()) {
        tracing::warn!(%error, left_out, "the clinic's login service");
    }
    Refused::Unavailable
}

/// An answer from which nothing follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Strange {
    #[error("answered with status {0}")]
    Status(u16),
    #[error("answered with something that is not {0}")]
    NotA(&'static str),
    #[error("named neither a password nor a key")]
    NoKey,
    #[error("answered about another user")]
    OtherUser,
}

#[cfg(test)]
mod tests;
