//! `revoked_tokens (token)`: tokens that are good no more. INSERT closes the sockets that came in
//! with one.

use super::{Inserted, Row, Spec, bounded, cell};
use crate::cometql::{
    Error,
    backing::Backing,
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "revoked_tokens",
    columns: &[("token", Kind::Text)],
    key: &["token"],
    read_only: false,
};

const LONGEST: usize = 4096;

/// All of them: the list is short, since an expired token leaves it.
pub async fn rows<B: Backing>(backing: &B) -> Result<Vec<Vec<Value>>, Error> {
    let tokens = backing.revoked().await?;
    Ok(tokens.into_iter().map(|token| vec![token.into()]).collect())
}

pub async fn insert<B: Backing>(backing: &B, rows: &[Row<'_>]) -> Result<Inserted, Error> {
    let tokens: Vec<String> = rows
        .iter()
        .map(|row| {
            let token = row.need("token")?;
            bounded("token", &token, 1, LONGEST)?;
            Ok(token)
        })
        .collect::<Result<_, Error>>()?;
    for token in &tokens {
        backing.revoke(token).await?;
    }
    Ok(Inserted::default())
}

pub async fn delete<B: Backing>(backing: &B, rows: &[Vec<Value>]) -> Result<u64, Error> {
    let mut affected = 0;
    for row in rows {
        affected += u64::from(backing.unrevoke(&cell(row, 0)).await?);
    }
    Ok(affected)
}
