//! `conference_members (name, user_id, join_time, last_talking)`: who is in a room now, or in any.
//! Times are seconds since then, as FreeSWITCH tells them; `last_talking` is NULL for one who has
//! said nothing yet.

use super::Spec;
use crate::cometql::{
    Error,
    backing::Backing,
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "conference_members",
    columns: &[
        ("name", Kind::Text),
        ("user_id", Kind::Text),
        ("join_time", Kind::Int),
        ("last_talking", Kind::Int),
    ],
    key: &["name", "user_id"],
    read_only: true,
};

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
    now: u64,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut members = Vec::new();
    match keys {
        None => members = backing.members(None).await?,
        Some(names) => {
            for name in names {
                members.extend(backing.members(Some(&name)).await?);
            }
        }
    }
    let since = |then: u64| Value::from(now.saturating_sub(then) / 1000);
    let rows = members.into_iter().map(|member| {
        vec![
            member.room.into(),
            member.user.into(),
            since(member.joined),
            member.last_talking.map_or(Value::Null, since),
        ]
    });
    Ok(rows.collect())
}
