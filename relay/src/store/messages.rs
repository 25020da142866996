//! Private messages that wait for their user. Offsets of one user begin at 1 and never run back.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{
    Changes, StoreError,
    changes::{head_and_body, load, split},
    content::{Content, Mark},
    engine::{Look, Table},
    key::{Key, Parts},
    random,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Within this user's messages.
    pub offset: u64,
    pub id: [u8; 16],
    pub event: String,
    /// JSON or text as it was given; `text`: the latter, though it looks like JSON.
    pub body: Vec<u8>,
    pub text: bool,
    /// Unix milliseconds.
    pub at: u64,
}

/// A message that waited in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    pub user: String,
    pub message: Message,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Queue {
    /// The offset of the last message there was.
    last: u64,
    waiting: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    id: [u8; 16],
    event: String,
    at: u64,
    #[serde(default, skip_serializing_if = "Mark::is_off")]
    text: Mark,
}

/// Queues a message, unless `limit` of them are waiting already ([`StoreError::Full`]).
pub fn push<'a>(
    changes: &mut Changes<'_>,
    user: &str,
    event: &str,
    content: impl Into<Content<'a>>,
    at: u64,
    limit: usize,
) -> Result<Message, StoreError> {
    let Content { bytes: body, text } = content.into();
    let mut queue = queue(changes, user)?;
    if queue.waiting >= limit {
        return Err(StoreError::Full(queue.waiting));
    }
    queue.last += 1;
    queue.waiting += 1;
    let (offset, id) = (queue.last, random()?);
    let head = Head {
        id,
        event: event.to_owned(),
        at,
        text: Mark(text),
    };
    let row = head_and_body(Table::Messages, &head, body)?;
    changes.put(Table::Messages, &Key::of(user).number(offset), &row)?;
    changes.put(Table::MessagesByAge, &by_age(at, user, offset), &[])?;
    changes.save(Table::Queues, user.as_bytes(), &queue)?;
    Ok(Message {
        offset,
        id,
        event: head.event,
        body: body.to_vec(),
        text,
        at,
    })
}

/// Up to `limit` messages after that offset, oldest first.
pub fn after(
    look: &dyn Look,
    user: &str,
    offset: u64,
    limit: usize,
) -> Result<Vec<Message>, StoreError> {
    let from = Key::of(user).number(offset.saturating_add(1));
    let mut found = Vec::new();
    look.scan(
        Table::Messages,
        &from,
        Key::of(user).end().as_deref(),
        &mut |key, row| {
            if found.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(message(key, row)?.1);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(found)
}

/// How many wait.
pub fn waiting(look: &dyn Look, user: &str) -> Result<usize, StoreError> {
    Ok(queue(look, user)?.waiting)
}

/// The offset of the newest message there ever was; 0: there was none.
pub fn last(look: &dyn Look, user: &str) -> Result<u64, StoreError> {
    Ok(queue(look, user)?.last)
}

/// Takes a message's number without keeping it: for one delivered at once to a client that counts.
pub fn skip(changes: &mut Changes<'_>, user: &str) -> Result<u64, StoreError> {
    let mut queue = queue(changes, user)?;
    queue.last += 1;
    changes.save(Table::Queues, user.as_bytes(), &queue)?;
    Ok(queue.last)
}

/// Forgets what was received: everything up to that offset. Returns how many.
pub fn forget_through(
    changes: &mut Changes<'_>,
    user: &str,
    offset: u64,
) -> Result<usize, StoreError> {
    let from = Key::of(user);
    let to = match offset.checked_add(1) {
        Some(next) => Some(from.clone().number(next)),
        None => from.end(),
    };
    let mut gone = Vec::new();
    changes.scan(Table::Messages, &from, to.as_deref(), &mut |key, row| {
        let (_, message) = message(key, row)?;
        gone.push((message.at, message.offset));
        Ok(ControlFlow::Continue(()))
    })?;
    for (at, offset) in &gone {
        forget(changes, user, *at, *offset)?;
    }
    if !gone.is_empty() {
        let mut queue = queue(changes, user)?;
        queue.waiting = queue.waiting.saturating_sub(gone.len());
        changes.save(Table::Queues, user.as_bytes(), &queue)?;
    }
    Ok(gone.len())
}

/// Empties the queue. Returns how many there were.
pub fn clear(changes: &mut Changes<'_>, user: &str) -> Result<usize, StoreError> {
    forget_through(changes, user, u64::MAX)
}

/// Takes out up to `limit` messages of everybody that are older than `before` (unix milliseconds),
/// oldest first. Call again while it gives that many.
pub fn expire(
    changes: &mut Changes<'_>,
    before: u64,
    limit: usize,
) -> Result<Vec<Expired>, StoreError> {
    let mut old = Vec::new();
    changes.scan(
        Table::MessagesByAge,
        &[],
        Some(&Key::at(before)),
        &mut |key, _| {
            if old.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            let mut parts = Parts(key);
            if let (Some(_), Some(user), Some(offset)) =
                (parts.number(), parts.name(), parts.number())
            {
                old.push((user, offset));
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    let mut expired = Vec::new();
    for (user, offset) in old {
        let key = Key::of(&user).number(offset);
        let Some(row) = changes.fetch(Table::Messages, &key)? else {
            continue;
        };
        let (user, message) = message(&key, &row)?;
        forget(changes, &user, message.at, offset)?;
        let mut queue = queue(changes, &user)?;
        queue.waiting = queue.waiting.saturating_sub(1);
        changes.save(Table::Queues, user.as_bytes(), &queue)?;
        expired.push(Expired { user, message });
    }
    Ok(expired)
}

fn forget(changes: &mut Changes<'_>, user: &str, at: u64, offset: u64) -> Result<(), StoreError> {
    changes.remove(Table::Messages, &Key::of(user).number(offset))?;
    changes.remove(Table::MessagesByAge, &by_age(at, user, offset))?;
    Ok(())
}

fn by_age(at: u64, user: &str, offset: u64) -> Key {
    Key::at(at).and(user).number(offset)
}

fn queue(look: &dyn Look, user: &str) -> Result<Queue, StoreError> {
    Ok(load(look, Table::Queues, user.as_bytes())?.unwrap_or_default())
}

fn message(key: &[u8], row: &[u8]) -> Result<(String, Message), StoreError> {
    let mut parts = Parts(key);
    let (Some(user), Some(offset)) = (parts.name(), parts.number()) else {
        return Err(StoreError::record(Table::Messages, "the key has no offset"));
    };
    let (head, body): (Head, _) = split(Table::Messages, row)?;
    let message = Message {
        offset,
        id: head.id,
        event: head.event,
        body,
        text: head.text.0,
        at: head.at,
    };
    Ok((user, message))
}
