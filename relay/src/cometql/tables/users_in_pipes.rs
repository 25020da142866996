//! `users_in_pipes (name, user_id, user_uuid, user_agent, ip, origin, language)`: a row for every
//! socket that listens to a pipe; a guest's `user_id` is 0.

use super::{Spec, wanted};
use crate::cometql::{
    Error,
    backing::Backing,
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "users_in_pipes",
    columns: &[
        ("name", Kind::Text),
        ("user_id", Kind::Text),
        ("user_uuid", Kind::Text),
        ("user_agent", Kind::Text),
        ("ip", Kind::Text),
        ("origin", Kind::Text),
        ("language", Kind::Text),
    ],
    key: &["name"],
    read_only: true,
};

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut rows = Vec::new();
    for name in wanted(keys, &SPEC)? {
        for ear in backing.in_pipe(&name).await? {
            rows.push(vec![
                name.clone().into(),
                ear.user.unwrap_or_else(|| "0".to_owned()).into(),
                ear.uuid.into(),
                ear.agent.into(),
                ear.ip.into(),
                ear.origin.into(),
                ear.language.into(),
            ]);
        }
    }
    Ok(rows)
}
