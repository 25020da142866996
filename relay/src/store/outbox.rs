//! Events: the last ones for whoever streams them, those that webhooks have yet to be told, and those
//! that were given up.
//!
//! A delivery has a number of its own, apart from its event's: one that is replayed goes behind those
//! that wait.

use std::{collections::BTreeSet, ops::ControlFlow};

use serde::{Deserialize, Serialize};

use super::{
    Changes, StoreError,
    changes::{head_and_body, parse, split},
    engine::{Look, Table},
    key::{Key, Parts},
};
use crate::{
    events::{Event, Record},
    webhook::Filter,
};

const LAST_EVENT: &[u8] = b"last_event";
const LAST_DELIVERY: &[u8] = b"last_delivery";

/// Deliveries that may wait for one webhook. Further ones are dead letters at once.
pub const WAITING: u64 = 100_000;

/// Dead letters kept for one webhook; the oldest go first.
pub const DEAD: u64 = 10_000;

/// Events that leave the ring in one change, at most: a ring made much shorter shrinks by and by.
const TRIM: usize = 2000;

/// What a webhook is owed, without the event itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub number: u64,
    pub head: Head,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub event: u64,
    pub kind: String,
    pub lane: String,
    /// When it was queued, unix milliseconds.
    pub since: u64,
    /// Times it was sent in vain.
    pub attempts: u32,
    /// Not to be sent before, unix milliseconds.
    pub not_before: u64,
    /// Why it failed the last time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Numbers the events, keeps the last `ring` of them, and queues a delivery of each for every
/// webhook that wants it. Returns how many were dead letters at once, because too many wait already.
pub fn keep(
    changes: &mut Changes<'_>,
    events: &[(u64, Event)],
    ring: u64,
    hooks: &[Filter],
) -> Result<u64, StoreError> {
    let mut last = last_event(changes)?;
    let mut buried = 0;
    for (at, event) in events {
        last += 1;
        let record = Record {
            id: last,
            at: *at,
            event: event.clone(),
        };
        let body = json(&record)?;
        changes.put(Table::Events, &Key::at(last), &body)?;
        for hook in hooks.iter().filter(|hook| hook.wants(event.kind())) {
            buried += u64::from(queue(changes, hook, &record, &body, *at)? == Queued::Buried);
        }
    }
    changes.put(Table::Meta, LAST_EVENT, &last.to_be_bytes())?;
    let first = (last + 1).saturating_sub(ring);
    changes.remove_range(Table::Events, &[], Some(&Key::at(first)), TRIM)?;
    Ok(buried)
}

/// The id of the newest event; 0: there was none.
pub fn last_event(look: &dyn Look) -> Result<u64, StoreError> {
    number(look, LAST_EVENT)
}

/// Up to `limit` events after that id, oldest first.
pub fn events_after(look: &dyn Look, id: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
    let mut found = Vec::new();
    let from = Key::at(id.saturating_add(1));
    look.scan(Table::Events, &from, None, &mut |_, row| {
        if found.len() == limit {
            return Ok(ControlFlow::Break(()));
        }
        found.push(parse(Table::Events, row)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Up to `limit` deliveries that wait for the webhook, after that number, oldest first.
pub fn deliveries(
    look: &dyn Look,
    url: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    list(look, Table::Deliveries, url, after, limit)
}

/// Up to `limit` deliveries that were given up, after that number, oldest first.
pub fn dead(
    look: &dyn Look,
    url: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    list(look, Table::DeadLetters, url, after, limit)
}

/// The event as it is sent; `None`: the delivery is done.
pub fn body(look: &dyn Look, url: &str, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let row = look.fetch(Table::Deliveries, &Key::of(url).number(number))?;
    let row = row.map(|row| split::<Head>(Table::Deliveries, &row));
    Ok(row.transpose()?.map(|(_, body)| body))
}

/// The webhook has it.
pub fn done(changes: &mut Changes<'_>, url: &str, number: u64) -> Result<(), StoreError> {
    if changes.remove(Table::Deliveries, &Key::of(url).number(number))? {
        count(changes, b"waiting", url, -1)?;
    }
    Ok(())
}

/// The webhook has it not, and is to be asked again.
pub fn failed(
    changes: &mut Changes<'_>,
    url: &str,
    number: u64,
    not_before: u64,
    why: &str,
) -> Result<(), StoreError> {
    let key = Key::of(url).number(number);
    let Some(row) = changes.fetch(Table::Deliveries, &key)? else {
        return Ok(());
    };
    let (mut head, body): (Head, _) = split(Table::Deliveries, &row)?;
    head.attempts = head.attempts.saturating_add(1);
    head.not_before = not_before;
    why.clone_into(&mut head.why);
    let row = head_and_body(Table::Deliveries, &head, &body)?;
    changes.put(Table::Deliveries, &key, &row)?;
    Ok(())
}

/// The webhook is not asked again, until somebody replays.
pub fn bury(
    changes: &mut Changes<'_>,
    url: &str,
    number: u64,
    why: &str,
) -> Result<(), StoreError> {
    let key = Key::of(url).number(number);
    let Some(row) = changes.fetch(Table::Deliveries, &key)? else {
        return Ok(());
    };
    let (mut head, body): (Head, _) = split(Table::Deliveries, &row)?;
    why.clone_into(&mut head.why);
    done(changes, url, number)?;
    bury_row(changes, url, number, &head, &body)
}

/// Queues the events after that id once more, as far as they are kept or were given up, in their
/// order. What still waits is not queued twice. Returns how many.
pub fn replay(
    changes: &mut Changes<'_>,
    hook: &Filter,
    after: u64,
    now: u64,
) -> Result<usize, StoreError> {
    let url = hook.url.as_str();
    let waiting: BTreeSet<u64> = list(changes, Table::Deliveries, url, 0, usize::MAX)?
        .iter()
        .map(|delivery| delivery.head.event)
        .collect();
    let mut records: Vec<Record> = events_after(changes, after, usize::MAX)?
        .into_iter()
        .filter(|record| hook.wants(record.event.kind()))
        .collect();
    for letter in list(changes, Table::DeadLetters, url, 0, usize::MAX)? {
        if letter.head.event <= after {
            continue;
        }
        let key = Key::of(url).number(letter.number);
        if let Some(row) = changes.fetch(Table::DeadLetters, &key)? {
            let (_, body): (Head, _) = split(Table::DeadLetters, &row)?;
            records.push(parse(Table::DeadLetters, &body)?);
        }
        changes.remove(Table::DeadLetters, &key)?;
        count(changes, b"dead", url, -1)?;
    }
    records.sort_by_key(|record| record.id);
    records.dedup_by_key(|record| record.id);
    let mut queued = 0;
    for record in records {
        if !waiting.contains(&record.id) {
            let body = json(&record)?;
            queued += usize::from(queue(changes, hook, &record, &body, now)? == Queued::Waiting);
        }
    }
    Ok(queued)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queued {
    Waiting,
    Buried,
}

fn queue(
    changes: &mut Changes<'_>,
    hook: &Filter,
    record: &Record,
    body: &[u8],
    since: u64,
) -> Result<Queued, StoreError> {
    let number = number(changes, LAST_DELIVERY)? + 1;
    changes.put(Table::Meta, LAST_DELIVERY, &number.to_be_bytes())?;
    let mut head = Head {
        event: record.id,
        kind: record.event.kind().to_owned(),
        lane: record.event.lane(),
        since,
        attempts: 0,
        not_before: 0,
        why: String::new(),
    };
    if counted(changes, b"waiting", &hook.url)? >= WAITING {
        "too many were waiting".clone_into(&mut head.why);
        bury_row(changes, &hook.url, number, &head, body)?;
        return Ok(Queued::Buried);
    }
    let row = head_and_body(Table::Deliveries, &head, body)?;
    changes.put(Table::Deliveries, &Key::of(&hook.url).number(number), &row)?;
    count(changes, b"waiting", &hook.url, 1)?;
    Ok(Queued::Waiting)
}

fn bury_row(
    changes: &mut Changes<'_>,
    url: &str,
    number: u64,
    head: &Head,
    body: &[u8],
) -> Result<(), StoreError> {
    let row = head_and_body(Table::DeadLetters, head, body)?;
    let from = Key::of(url);
    changes.put(Table::DeadLetters, &from.clone().number(number), &row)?;
    count(changes, b"dead", url, 1)?;
    if counted(changes, b"dead", url)? > DEAD {
        let to = from.end();
        changes.remove_range(Table::DeadLetters, &from, to.as_deref(), 1)?;
        count(changes, b"dead", url, -1)?;
    }
    Ok(())
}

fn list(
    look: &dyn Look,
    table: Table,
    url: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    let from = Key::of(url).number(after.saturating_add(1));
    let to = Key::of(url).end();
    let mut found = Vec::new();
    look.scan(table, &from, to.as_deref(), &mut |key, row| {
        if found.len() == limit {
            return Ok(ControlFlow::Break(()));
        }
        let mut parts = Parts(key);
        let (_, number) = (parts.name(), parts.number());
        let number = number.ok_or_else(|| StoreError::record(table, "the key has no number"))?;
        let (head, _) = split(table, row)?;
        found.push(Delivery { number, head });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

fn json(record: &Record) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(|error| StoreError::record(Table::Events, error))
}

fn count(changes: &mut Changes<'_>, what: &[u8], url: &str, by: i64) -> Result<(), StoreError> {
    let now = counted(changes, what, url)?.saturating_add_signed(by);
    let key = Key::default().bytes(what).and("").and(url);
    changes.put(Table::Meta, &key, &now.to_be_bytes())?;
    Ok(())
}

fn counted(look: &dyn Look, what: &[u8], url: &str) -> Result<u64, StoreError> {
    number(look, &Key::default().bytes(what).and("").and(url))
}

fn number(look: &dyn Look, key: &[u8]) -> Result<u64, StoreError> {
    let Some(bytes) = look.fetch(Table::Meta, key)? else {
        return Ok(0);
    };
    let bytes = bytes.try_into();
    let bytes = bytes.map_err(|_| StoreError::record(Table::Meta, "not a number"))?;
    Ok(u64::from_be_bytes(bytes))
}
