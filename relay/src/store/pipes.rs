//! The history of pipes, each a ring of the length the clinic set. Offsets of a pipe begin at 1 and
//! never run back, not even when its history was dropped and set anew.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{
    Changes, StoreError,
    changes::{head_and_body, load, parse, split},
    content::{Content, Mark},
    engine::{Look, Table},
    key::{Key, Parts},
    random,
};

/// The highest offset of any pipe that was dropped: a new pipe goes on from there.
const FLOOR: &[u8] = b"pipe_offset_floor";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeMessage {
    /// Within this pipe; [`append`] gives it.
    pub offset: u64,
    pub id: [u8; 16],
    pub event: String,
    /// JSON or text as it was given; `text`: the latter, though it looks like JSON.
    pub body: Vec<u8>,
    pub text: bool,
    /// Who published it; `None`: the clinic, or somebody who did not say.
    pub from: Option<String>,
    /// Unix milliseconds.
    pub at: u64,
}

impl PipeMessage {
    /// One to [`append`], with an id of its own.
    pub fn new<'a>(
        event: &str,
        content: impl Into<Content<'a>>,
        from: Option<&str>,
        at: u64,
    ) -> Result<Self, StoreError> {
        let Content { bytes, text } = content.into();
        Ok(Self {
            offset: 0,
            id: random()?,
            event: event.to_owned(),
            body: bytes.to_vec(),
            text,
            from: from.map(str::to_owned),
            at,
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pipe {
    /// Messages kept; 0 keeps none.
    length: u64,
    last: u64,
    /// Offset of the oldest message that is kept; `last + 1` when there is none.
    first: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    id: [u8; 16],
    event: String,
    from: Option<String>,
    at: u64,
    #[serde(default, skip_serializing_if = "Mark::is_off")]
    text: Mark,
}

/// How many messages the pipe keeps; `None`: it was never set, none.
pub fn length(look: &dyn Look, pipe: &str) -> Result<Option<u64>, StoreError> {
    Ok(pipe_of(look, pipe)?.map(|pipe| pipe.length))
}

/// Every pipe with a length, by name.
pub fn lengths(look: &dyn Look) -> Result<Vec<(String, u64)>, StoreError> {
    let mut found = Vec::new();
    look.scan(Table::Pipes, &[], None, &mut |name, row| {
        let pipe: Pipe = parse(Table::Pipes, row)?;
        found.push((String::from_utf8_lossy(name).into_owned(), pipe.length));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Sets how many messages the pipe keeps; what is over it goes at once, the oldest first.
pub fn set_length(changes: &mut Changes<'_>, name: &str, length: u64) -> Result<(), StoreError> {
    let mut pipe = pipe_or_new(changes, name)?;
    pipe.length = length;
    trim(changes, name, &mut pipe)?;
    changes.save(Table::Pipes, name.as_bytes(), &pipe)?;
    Ok(())
}

/// Forgets the pipe's length and its history. `false`: there was nothing to forget.
pub fn drop_pipe(changes: &mut Changes<'_>, name: &str) -> Result<bool, StoreError> {
    let Some(pipe) = pipe_of(changes, name)? else {
        return Ok(false);
    };
    clear(changes, name)?;
    if pipe.last > floor(changes)? {
        changes.put(Table::Meta, FLOOR, &pipe.last.to_be_bytes())?;
    }
    changes.remove(Table::Pipes, name.as_bytes())
}

/// Forgets the messages, keeps the length. Returns how many there were.
pub fn clear(changes: &mut Changes<'_>, name: &str) -> Result<usize, StoreError> {
    let from = Key::of(name);
    let to = from.end();
    let gone = changes.remove_range(Table::PipeMessages, &from, to.as_deref(), usize::MAX)?;
    if let Some(mut pipe) = pipe_of(changes, name)? {
        pipe.first = pipe.last + 1;
        changes.save(Table::Pipes, name.as_bytes(), &pipe)?;
    }
    Ok(gone)
}

/// Forgets one message. `false`: it is not kept.
pub fn forget(changes: &mut Changes<'_>, name: &str, offset: u64) -> Result<bool, StoreError> {
    changes.remove(Table::PipeMessages, &Key::of(name).number(offset))
}

/// Keeps a message and lets the oldest go when the ring is full, in one change. Returns its offset.
/// A pipe without history counts all the same.
pub fn append(
    changes: &mut Changes<'_>,
    name: &str,
    message: PipeMessage,
) -> Result<u64, StoreError> {
    let mut pipe = pipe_or_new(changes, name)?;
    pipe.last += 1;
    let offset = pipe.last;
    if pipe.length > 0 {
        let head = Head {
            id: message.id,
            event: message.event,
            from: message.from,
            at: message.at,
            text: Mark(message.text),
        };
        let row = head_and_body(Table::PipeMessages, &head, &message.body)?;
        changes.put(Table::PipeMessages, &Key::of(name).number(offset), &row)?;
    }
    trim(changes, name, &mut pipe)?;
    changes.save(Table::Pipes, name.as_bytes(), &pipe)?;
    Ok(offset)
}

/// Up to `limit` messages after that offset, oldest first.
pub fn history(
    look: &dyn Look,
    name: &str,
    after_offset: u64,
    limit: usize,
) -> Result<Vec<PipeMessage>, StoreError> {
    let from = Key::of(name).number(after_offset.saturating_add(1));
    let mut found = Vec::new();
    look.scan(
        Table::PipeMessages,
        &from,
        Key::of(name).end().as_deref(),
        &mut |key, row| {
            if found.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(message(key, row)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(found)
}

/// The newest `limit` messages, oldest first.
pub fn latest(look: &dyn Look, name: &str, limit: usize) -> Result<Vec<PipeMessage>, StoreError> {
    let from = Key::of(name);
    let mut found = Vec::new();
    look.scan_back(
        Table::PipeMessages,
        &from,
        from.end().as_deref(),
        &mut |key, row| {
            if found.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(message(key, row)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    found.reverse();
    Ok(found)
}

/// The offset of the newest message there ever was; 0: there was none.
pub fn last(look: &dyn Look, name: &str) -> Result<u64, StoreError> {
    match pipe_of(look, name)? {
        Some(pipe) => Ok(pipe.last),
        None => floor(look),
    }
}

/// Forgets messages from the front of one pipe that are older than `before` (unix milliseconds).
/// Returns how many.
pub fn expire(changes: &mut Changes<'_>, name: &str, before: u64) -> Result<usize, StoreError> {
    let Some(mut pipe) = pipe_of(changes, name)? else {
        return Ok(0);
    };
    let from = Key::of(name);
    let mut gone = Vec::new();
    changes.scan(
        Table::PipeMessages,
        &from,
        from.end().as_deref(),
        &mut |key, row| {
            let (head, _): (Head, _) = split(Table::PipeMessages, row)?;
            if head.at >= before {
                return Ok(ControlFlow::Break(()));
            }
            gone.push(key.to_vec());
            Ok(ControlFlow::Continue(()))
        },
    )?;
    for key in &gone {
        changes.remove(Table::PipeMessages, key)?;
    }
    if !gone.is_empty() {
        pipe.first += gone.len() as u64;
        changes.save(Table::Pipes, name.as_bytes(), &pipe)?;
    }
    Ok(gone.len())
}

fn trim(changes: &mut Changes<'_>, name: &str, pipe: &mut Pipe) -> Result<(), StoreError> {
    let first = (pipe.last + 1).saturating_sub(pipe.length);
    while pipe.first < first {
        changes.remove(Table::PipeMessages, &Key::of(name).number(pipe.first))?;
        pipe.first += 1;
    }
    Ok(())
}

fn pipe_of(look: &dyn Look, name: &str) -> Result<Option<Pipe>, StoreError> {
    load(look, Table::Pipes, name.as_bytes())
}

fn pipe_or_new(look: &dyn Look, name: &str) -> Result<Pipe, StoreError> {
    if let Some(pipe) = pipe_of(look, name)? {
        return Ok(pipe);
    }
    let last = floor(look)?;
    Ok(Pipe {
        length: 0,
        last,
        first: last + 1,
    })
}

fn floor(look: &dyn Look) -> Result<u64, StoreError> {
    let Some(floor) = look.fetch(Table::Meta, FLOOR)? else {
        return Ok(0);
    };
    let floor = floor.try_into();
    let floor = floor.map_err(|_| StoreError::record(Table::Meta, "not a number"))?;
    Ok(u64::from_be_bytes(floor))
}

fn message(key: &[u8], row: &[u8]) -> Result<PipeMessage, StoreError> {
    let mut parts = Parts(key);
    let (Some(_), Some(offset)) = (parts.name(), parts.number()) else {
        let why = "the key has no offset";
        return Err(StoreError::record(Table::PipeMessages, why));
    };
    let (head, body): (Head, _) = split(Table::PipeMessages, row)?;
    Ok(PipeMessage {
        offset,
        id: head.id,
        event: head.event,
        body,
        text: head.text.0,
        from: head.from,
        at: head.at,
    })
}
