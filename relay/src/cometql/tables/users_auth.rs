//! `users_auth (id, hash)`: the key a user logs in with, on comet sockets and as the SIP password.

use super::{Inserted, Row, Spec, bounded, cell, inserted, wanted};
use crate::cometql::{
    Code, Error,
    backing::Backing,
    error::refuse,
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "users_auth",
    columns: &[("id", Kind::Text), ("hash", Kind::Text)],
    key: &["id"],
    read_only: false,
};

/// CppComet takes 32; a longer one is harder to guess.
const LONGEST: usize = 128;

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
) -> Result<Vec<Vec<Value>>, Error> {
    let rows = backing.keys(&wanted(keys, &SPEC)?).await?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(id, hash)| vec![id.into(), hash.into()])
        .collect())
}

/// A user who has a key gets the new one.
pub async fn insert<B: Backing>(backing: &B, rows: &[Row<'_>]) -> Result<Inserted, Error> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| Ok((row.user("id")?, hash(row)?)))
        .collect::<Result<_, Error>>()?;
    for (id, hash) in &rows {
        backing.set_key(id, hash).await?;
    }
    Ok(inserted(rows.iter().map(|(id, _)| id)))
}

fn hash(row: &Row<'_>) -> Result<String, Error> {
    let hash = row.need("hash")?;
    bounded("hash", &hash, 1, LONGEST)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"=+/_-.".contains(&byte);
    if !hash.bytes().all(fits) {
        return refuse(
            Code::InvalidData,
            "`hash` may have letters, digits and = + / _ - . only",
        );
    }
    Ok(hash)
}

/// Closes the users' live sockets too.
pub async fn delete<B: Backing>(backing: &B, rows: &[Vec<Value>]) -> Result<u64, Error> {
    let mut affected = 0;
    for row in rows {
        affected += u64::from(backing.remove_key(&cell(row, 0)).await?);
    }
    Ok(affected)
}
