//! `pipes_messages (id, time, name, index, event, message, user_id)`: what pipes carry. INSERT
//! publishes into any pipe; SELECT shows the pipe's history, oldest first.

use super::{Inserted, Row, Spec, users_messages::names_only, wanted};
use crate::cometql::{
    Code, Error,
    backing::Backing,
    error::refuse,
    sql::Condition,
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "pipes_messages",
    columns: &[
        ("id", Kind::Int),
        ("time", Kind::Int),
        ("name", Kind::Text),
        ("index", Kind::Text),
        ("event", Kind::Text),
        ("message", Kind::Text),
        ("user_id", Kind::Text),
    ],
    key: &["name"],
    read_only: false,
};

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut rows = Vec::new();
    for name in wanted(keys, &SPEC)? {
        for message in backing.history(&name).await? {
            rows.push(vec![
                Value::from(message.offset),
                Value::from(message.at / 1000),
                name.clone().into(),
                message.id.into(),
                message.event.into(),
                message.body.into(),
                message.user.unwrap_or_else(|| "0".to_owned()).into(),
            ]);
        }
    }
    Ok(rows)
}

pub async fn insert<B: Backing>(backing: &B, rows: &[Row<'_>]) -> Result<Inserted, Error> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            // the back end may speak in a user's name
            let from = row.get("user_id").filter(|user| user != "0");
            let from = from.map(|_| row.user("user_id")).transpose()?;
            Ok((row.pipe()?, row.event()?, row.need("message")?, from))
        })
        .collect::<Result<_, Error>>()?;
    for (name, event, message, from) in &rows {
        backing
            .publish(name, event, message, from.as_deref())
            .await?;
    }
    Ok(Inserted::default())
}

/// `name = ... AND id = ...`: a pipe, and the numbers of messages in it.
fn some_of_one(condition: &Condition) -> Option<(String, Vec<u64>)> {
    let Condition::And(parts) = condition else {
        return None;
    };
    let [one, other] = &parts[..] else {
        return None;
    };
    let (name, id) = match names_only(one, "name") {
        true => (one, other),
        false => (other, one),
    };
    if !names_only(name, "name") || !names_only(id, "id") {
        return None;
    }
    let [name] = <[String; 1]>::try_from(name.keys("name")?).ok()?;
    let ids = id.keys("id")?.into_iter().filter_map(|id| id.parse().ok());
    Some((name, ids.collect()))
}

pub async fn delete<B: Backing>(backing: &B, condition: &Condition) -> Result<u64, Error> {
    if let Some((name, ids)) = some_of_one(condition) {
        return Ok(backing.forget(&name, &ids).await? as u64);
    }
    if !names_only(condition, "name") {
        return refuse(
            Code::NotImplemented,
            "DELETE FROM pipes_messages drops whole histories, WHERE name = ... or name IN (...), or \
             messages of one pipe, which counts them by itself: WHERE name = ... AND id IN (...)",
        );
    }
    let mut affected = 0;
    for name in wanted(condition.keys("name"), &SPEC)? {
        affected += backing.clear_history(&name).await? as u64;
    }
    Ok(affected)
}
