//! `users_data (id, data)`: text of the clinic's own about a user, which pages may read.

use super::{Inserted, Row, Spec, cell, inserted, wanted};
use crate::cometql::{
    Error,
    backing::Backing,
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "users_data",
    columns: &[("id", Kind::Text), ("data", Kind::Text)],
    key: &["id"],
    read_only: false,
};

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
) -> Result<Vec<Vec<Value>>, Error> {
    let rows = backing.data(&wanted(keys, &SPEC)?).await?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(id, data)| vec![id.into(), data.into()])
        .collect())
}

pub async fn insert<B: Backing>(backing: &B, rows: &[Row<'_>]) -> Result<Inserted, Error> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| Ok((row.user("id")?, row.need("data")?)))
        .collect::<Result<_, Error>>()?;
    for (id, data) in &rows {
        backing.set_data(id, data).await?;
    }
    Ok(inserted(rows.iter().map(|(id, _)| id)))
}

pub async fn delete<B: Backing>(backing: &B, rows: &[Vec<Value>]) -> Result<u64, Error> {
    let mut affected = 0;
    for row in rows {
        affected += u64::from(backing.remove_data(&cell(row, 0)).await?);
    }
    Ok(affected)
}
