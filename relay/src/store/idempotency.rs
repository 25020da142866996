//! Answers kept for requests that may come a second time.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{
    Changes, StoreError,
    changes::{head_and_body, split},
    engine::{Look, Table},
    key::{Key, Parts},
};

/// Milliseconds that an answer is kept.
pub const KEEP: u64 = 24 * 3_600 * 1_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When it was given, unix milliseconds.
    pub at: u64,
    /// A hash of the request: the same key with another request is a mistake of the caller's.
    pub request: [u8; 32],
    pub status: u16,
    pub body: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    at: u64,
    request: [u8; 32],
    status: u16,
}

/// A request that may come a second time, and is answered then as it was the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub caller: String,
    pub key: String,
    /// A hash of the request.
    pub request: [u8; 32],
}

impl Receipt {
    /// `at`: unix milliseconds.
    pub fn keep(
        &self,
        changes: &mut Changes<'_>,
        at: u64,
        status: u16,
        body: Vec<u8>,
    ) -> Result<(), StoreError> {
        // each answer that is kept makes room for two
        expire(changes, at.saturating_sub(KEEP), 2)?;
        let answer = Answer {
            at,
            request: self.request,
            status,
            body,
        };
        put(changes, &self.caller, &self.key, &answer)
    }
}

/// `caller` keeps one API key's idempotency keys from another's.
pub fn put(
    changes: &mut Changes<'_>,
    caller: &str,
    key: &str,
    answer: &Answer,
) -> Result<(), StoreError> {
    let row_key = Key::of(caller).and(key);
    if let Some(before) = get(changes, caller, key)? {
        changes.remove(Table::IdempotencyByAge, &Key::at(before.at).bytes(&row_key))?;
    }
    let head = Head {
        at: answer.at,
        request: answer.request,
        status: answer.status,
    };
    let row = head_and_body(Table::Idempotency, &head, &answer.body)?;
    changes.put(
        Table::IdempotencyByAge,
        &Key::at(answer.at).bytes(&row_key),
        &[],
    )?;
    changes.put(Table::Idempotency, &row_key, &row)?;
    Ok(())
}

pub fn get(look: &dyn Look, caller: &str, key: &str) -> Result<Option<Answer>, StoreError> {
    let Some(row) = look.fetch(Table::Idempotency, &Key::of(caller).and(key))? else {
        return Ok(None);
    };
    let (head, body): (Head, _) = split(Table::Idempotency, &row)?;
    Ok(Some(Answer {
        at: head.at,
        request: head.request,
        status: head.status,
        body,
    }))
}

/// Forgets up to `limit` answers given before then (unix milliseconds). Returns how many; call again
/// while it is that many.
pub fn expire(changes: &mut Changes<'_>, before: u64, limit: usize) -> Result<usize, StoreError> {
    let mut old: Vec<Vec<u8>> = Vec::new();
    changes.scan(
        Table::IdempotencyByAge,
        &[],
        Some(&Key::at(before)),
        &mut |key, _| {
            if old.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            old.push(key.to_vec());
            Ok(ControlFlow::Continue(()))
        },
    )?;
    for key in &old {
        changes.remove(Table::IdempotencyByAge, key)?;
        let mut parts = Parts(key);
        parts.number();
        changes.remove(Table::Idempotency, parts.0)?;
    }
    Ok(old.len())
}
