//! What the clinic has said lately.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::signal::users::User;

/// Answers kept; whoever asks about more users than this pays with questions, not with memory.
const MAX: usize = 10_000;
/// "There is no such user" is believed for less long: an account may just be in the making.
const ABSENT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Cache {
    keep: Duration,
    answers: Mutex<HashMap<String, (Instant, Option<User>)>>,
}

impl Cache {
    pub fn new(keep: Duration) -> Self {
        Self {
            keep,
            answers: Mutex::default(),
        }
    }

    pub fn get(&self, user: &str) -> Option<Option<User>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, known) = answers.get(user)?;
        (Instant::now() < *until).then(|| known.clone())
    }

    pub fn put(&self, user: &str, known: Option<User>) {
        let now = Instant::now();
        let keep = match known {
            Some(_) => self.keep,
            None => self.keep.min(ABSENT),
        };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MAX {
            answers.retain(|_, (until, _)| *until > now);
            if answers.len() >= MAX {
                answers.clear();
            }
        }
        answers.insert(user.to_owned(), (now + keep, known));
    }

    pub fn forget(&self, user: &str) {
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(user);
    }
}
