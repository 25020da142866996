//! `users_messages (id, index, event, message)`: private messages. INSERT sends one, to all sockets
//! of the user or into the queue; SELECT shows the queue, DELETE empties it.

use super::{Inserted, Row, Spec, inserted, wanted};
use crate::cometql::{
    Code, Error,
    backing::Backing,
    error::refuse,
    sql::{Condition, Operator},
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "users_messages",
    columns: &[
        ("id", Kind::Text),
        ("index", Kind::Text),
        ("event", Kind::Text),
        ("message", Kind::Text),
    ],
    key: &["id"],
    read_only: false,
};

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut rows = Vec::new();
    for id in wanted(keys, &SPEC)? {
        for message in backing.waiting(&id).await? {
            rows.push(vec![
                id.clone().into(),
                message.id.into(),
                message.event.into(),
                message.body.into(),
            ]);
        }
    }
    Ok(rows)
}

/// In the order of the rows: a user gets them in this order.
pub async fn insert<B: Backing>(backing: &B, rows: &[Row<'_>]) -> Result<Inserted, Error> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| Ok((row.user("id")?, row.event()?, row.need("message")?)))
        .collect::<Result<_, Error>>()?;
    for (id, event, message) in &rows {
        backing.send(id, event, message).await?;
    }
    Ok(inserted(rows.iter().map(|(id, ..)| id)))
}

pub async fn delete<B: Backing>(backing: &B, condition: &Condition) -> Result<u64, Error> {
    if !names_only(condition, "id") {
        return refuse(
            Code::NotImplemented,
            "DELETE FROM users_messages empties whole queues: WHERE id = ... or id IN (...)",
        );
    }
    let mut affected = 0;
    for id in wanted(condition.keys("id"), &SPEC)? {
        affected += backing.clear_waiting(&id).await? as u64;
    }
    Ok(affected)
}

/// True if the condition is about that column's values and nothing else.
pub fn names_only(condition: &Condition, column: &str) -> bool {
    match condition {
        Condition::Compare(name, Operator::Equal, _) | Condition::In(name, _) => name == column,
        Condition::Or(parts) => parts.iter().all(|part| names_only(part, column)),
        _ => false,
    }
}
