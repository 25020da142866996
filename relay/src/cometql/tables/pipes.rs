//! `pipes (name, users)`: how many sockets listen to a pipe; 0 for one nobody has heard of.

use super::{Spec, wanted};
use crate::cometql::{
    Error,
    backing::Backing,
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "pipes",
    columns: &[("name", Kind::Text), ("users", Kind::Int)],
    key: &["name"],
    read_only: true,
};

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut rows = Vec::new();
    for name in wanted(keys, &SPEC)? {
        let users = backing.listeners(&name).await?;
        rows.push(vec![name.into(), users.into()]);
    }
    Ok(rows)
}
