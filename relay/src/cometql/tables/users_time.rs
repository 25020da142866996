//! `users_time (id, time)`: 0 for a user who is online now, the unix time one was last seen, -1 for
//! one who never was. A row for every id asked for.

use super::{Spec, wanted};
use crate::cometql::{
    Error,
    backing::{Backing, Presence},
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "users_time",
    columns: &[("id", Kind::Text), ("time", Kind::Int)],
    key: &["id"],
    read_only: true,
};

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
) -> Result<Vec<Vec<Value>>, Error> {
    let ids = wanted(keys, &SPEC)?;
    let seen = backing.seen(&ids).await?;
    let rows = ids.into_iter().zip(seen).map(|(id, seen)| {
        let time = match seen {
            Presence::Now => Value::Int(0),
            Presence::Until(ms) => Value::from(ms / 1000),
            Presence::Never => Value::Int(-1),
        };
        vec![id.into(), time]
    });
    Ok(rows.collect())
}
