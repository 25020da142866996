//! `pipes_settings (name, length)`: how many messages a pipe keeps. DELETE drops them too.

use super::{Inserted, Row, Spec, cell, wanted};
use crate::cometql::{
    Code, Error,
    backing::Backing,
    value::{Kind, Value},
};

pub const SPEC: Spec = Spec {
    name: "pipes_settings",
    columns: &[("name", Kind::Text), ("length", Kind::Int)],
    key: &["name"],
    read_only: false,
};

/// As CppComet's code has it (its manual says 99).
const LONGEST: i64 = 1000;

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut rows = Vec::new();
    for name in wanted(keys, &SPEC)? {
        if let Some(length) = backing.history_length(&name).await? {
            rows.push(vec![name.into(), length.into()]);
        }
    }
    Ok(rows)
}

pub async fn insert<B: Backing>(backing: &B, rows: &[Row<'_>]) -> Result<Inserted, Error> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| Ok((row.pipe()?, length(row)?)))
        .collect::<Result<_, Error>>()?;
    for (name, length) in &rows {
        backing.set_history_length(name, *length).await?;
    }
    Ok(Inserted::default())
}

fn length(row: &Row<'_>) -> Result<usize, Error> {
    let length = row.need("length")?.parse::<i64>().ok();
    let length = length.filter(|length| (0..=LONGEST).contains(length));
    let length = length.and_then(|length| usize::try_from(length).ok());
    length.ok_or_else(|| {
        Error::new(
            Code::InvalidData,
            format!("`length` is a number of messages, 0 to {LONGEST}"),
        )
    })
}

pub async fn delete<B: Backing>(backing: &B, rows: &[Vec<Value>]) -> Result<u64, Error> {
    let mut affected = 0;
    for row in rows {
        affected += u64::from(backing.drop_history(&cell(row, 0)).await?);
    }
    Ok(affected)
}
