//! Doing what a statement says.

use std::cmp::Ordering;

use super::{
    Code, Error,
    backing::Backing,
    error::refuse,
    sql::{Condition, Delete, Insert, Item, Limit, Select, Statement, Update},
    tables::{self, Row, Table},
    value::{Answer, Column, Kind, Value},
};

mod evaluate;
mod information;

/// Who asks, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub connection: u32,
    /// As the client called itself; there is one password for all names.
    pub user: String,
    pub database: Option<String>,
    pub last_insert_id: u64,
}

/// The columns a statement answers with; none for one that answers with OK. Tells what is wrong
/// with a statement before it is executed.
pub fn columns(statement: &Statement) -> Result<Vec<Column>, Error> {
    match statement {
        Statement::Select(select) => selected(select).map(|(_, columns)| columns),
        Statement::Evaluate(items) => evaluate::columns(items),
        Statement::Show(show) => information::columns(show),
        Statement::Insert(insert) => check_insert(insert).map(|_| Vec::new()),
        Statement::Update(update) => check_update(update).map(|_| Vec::new()),
        Statement::Delete(delete) => check_delete(delete).map(|_| Vec::new()),
        Statement::Use(_) | Statement::Nothing | Statement::Begin | Statement::End => {
            Ok(Vec::new())
        }
    }
}

/// Does it. `now` is unix milliseconds.
pub async fn execute<B: Backing>(
    backing: &B,
    session: &Session,
    statement: &Statement,
    now: u64,
) -> Result<Answer, Error> {
    match statement {
        Statement::Select(select) => self::select(backing, select, now).await,
        Statement::Evaluate(items) => evaluate::answer(items, session, now),
        Statement::Show(show) => information::answer(backing, show, session).await,
        Statement::Insert(insert) => self::insert(backing, insert).await,
        Statement::Update(update) => self::update(backing, update, now).await,
        Statement::Delete(delete) => self::delete(backing, delete, now).await,
        Statement::Use(database) => {
            tables::database(database)?;
            Ok(Answer::nothing())
        }
        Statement::Nothing | Statement::Begin | Statement::End => Ok(Answer::nothing()),
    }
}

// --- SELECT

/// Where an item's value comes from.
enum Source {
    Cell(usize),
    /// Counted, with the column whose NULLs are left out.
    Count(Option<usize>),
}

fn selected(select: &Select) -> Result<(Vec<Source>, Vec<Column>), Error> {
    let table = Table::named(&select.table)?;
    let spec = table.spec();
    let (mut sources, mut columns) = (Vec::new(), Vec::new());
    for item in &select.items {
        match item {
            Item::All => {
                sources.extend((0..spec.columns.len()).map(Source::Cell));
                columns.extend(table.columns());
            }
            Item::Column { name, label } => {
                let position = table.position(name)?;
                sources.push(Source::Cell(position));
                columns.push(Column::new(
                    spec.name,
                    label.clone(),
                    spec.columns[position].1,
                ));
            }
            Item::Count { column, label } => {
                let column = column.as_ref().map(|column| table.position(column));
                sources.push(Source::Count(column.transpose()?));
                columns.push(Column::new("", label.clone(), Kind::Int));
            }
        }
    }
    let counts = sources
        .iter()
        .filter(|source| matches!(source, Source::Count(_)))
        .count();
    if counts != 0 && counts != sources.len() {
        return refuse(
            Code::NotImplemented,
            "COUNT(*) goes without other columns: there is no GROUP BY",
        );
    }
    check_condition(table, select.condition.as_ref())?;
    for order in &select.order {
        table.position(&order.column)?;
    }
    Ok((sources, columns))
}

async fn select<B: Backing>(backing: &B, select: &Select, now: u64) -> Result<Answer, Error> {
    let table = Table::named(&select.table)?;
    let (sources, columns) = selected(select)?;
    let mut rows = matching(backing, table, select.condition.as_ref(), now).await?;
    let mut order = Vec::new();
    for by in &select.order {
        order.push((table.position(&by.column)?, by.descending));
    }
    rows.sort_by(|a, b| {
        let mut each = order.iter().map(|&(position, descending)| {
            let ordering = sorted(&a[position], &b[position]);
            if descending {
                ordering.reverse()
            } else {
                ordering
            }
        });
        each.find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    let counted = matches!(sources.first(), Some(Source::Count(_)));
    let rows = match counted {
        true => vec![
            sources
                .iter()
                .map(|source| match source {
                    Source::Count(Some(column)) => Value::from(
                        rows.iter()
                            .filter(|row| row[*column] != Value::Null)
                            .count(),
                    ),
                    _ => Value::from(rows.len()),
                })
                .collect(),
        ],
        false => rows,
    };
    let rows = limited(rows, select.limit.as_ref())?;
    let rows = match counted {
        true => rows,
        false => rows
            .into_iter()
            .map(|row| {
                let cells = sources.iter().map(|source| match source {
                    Source::Cell(position) => row[*position].clone(),
                    Source::Count(_) => Value::Null,
                });
                cells.collect()
            })
            .collect(),
    };
    Ok(Answer::Rows { columns, rows })
}

/// NULL first, as MySQL sorts it.
fn sorted(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Int(_), Value::Text(_)) => Ordering::Less,
        (Value::Text(_), Value::Int(_)) => Ordering::Greater,
    }
}

fn limited(rows: Vec<Vec<Value>>, limit: Option<&Limit>) -> Result<Vec<Vec<Value>>, Error> {
    let Some(limit) = limit else {
        return Ok(rows);
    };
    let number = |value: &Value| match value {
        // more than any number there is
        Value::Text(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(text.parse().unwrap_or(usize::MAX))
        }
        Value::Int(number) if *number >= 0 => Ok(usize::try_from(*number).unwrap_or(usize::MAX)),
        _ => refuse(Code::Syntax, "LIMIT takes whole numbers, 0 or more"),
    };
    let (offset, count) = (number(limit.offset.value())?, number(limit.count.value())?);
    Ok(rows.into_iter().skip(offset).take(count).collect())
}

/// The rows for which the condition holds.
async fn matching<B: Backing>(
    backing: &B,
    table: Table,
    condition: Option<&Condition>,
    now: u64,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut rows = table.rows(backing, condition, now).await?;
    if let Some(condition) = condition {
        let spec = table.spec();
        rows.retain(|row| {
            condition.holds(&|column| {
                let position = spec.columns.iter().position(|(name, _)| *name == column)?;
                row.get(position)
            })
        });
    }
    Ok(rows)
}

fn check_condition(table: Table, condition: Option<&Condition>) -> Result<(), Error> {
    let Some(condition) = condition else {
        return Ok(());
    };
    let mut unknown = Ok(());
    condition.columns(&mut |column| {
        if unknown.is_ok() {
            unknown = table.position(column).map(|_| ());
        }
    });
    unknown
}

// --- INSERT

fn check_insert(insert: &Insert) -> Result<(Table, Vec<String>), Error> {
    let table = Table::named(&insert.table)?;
    let spec = table.spec();
    if spec.read_only {
        return table.read_only("INSERT");
    }
    let columns = match insert.columns.is_empty() {
        true => spec
            .columns
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        false => insert.columns.clone(),
    };
    for (index, column) in columns.iter().enumerate() {
        table.position(column)?;
        if columns[..index].contains(column) {
            return refuse(Code::Columns, format!("`{column}` is given twice"));
        }
    }
    for row in &insert.rows {
        if row.len() != columns.len() {
            let (given, wanted) = (row.len(), columns.len());
            return refuse(
                Code::Columns,
                format!("a row has {given} values for {wanted} columns"),
            );
        }
    }
    for (column, _) in &insert.on_duplicate {
        table.position(column)?;
    }
    Ok((table, columns))
}

async fn insert<B: Backing>(backing: &B, insert: &Insert) -> Result<Answer, Error> {
    let (table, columns) = check_insert(insert)?;
    // a row that exists is replaced anyway; another value than the inserted one is not
    let rows: Vec<Row<'_>> = insert
        .rows
        .iter()
        .map(|row| Row {
            columns: &columns,
            values: row.iter().map(|operand| operand.value()).collect(),
        })
        .collect();
    for (column, value) in &insert.on_duplicate {
        let Some(value) = value else { continue };
        let text = value.value().text();
        if rows.iter().any(|row| row.get(column) != text) {
            return refuse(
                Code::NotImplemented,
                format!(
                    "ON DUPLICATE KEY UPDATE takes the inserted value only: \
                     `{column} = VALUES({column})`"
                ),
            );
        }
    }
    let affected = rows.len() as u64;
    let inserted = table.insert(backing, &rows).await?;
    Ok(Answer::Done {
        affected,
        insert_id: inserted.id,
    })
}

// --- UPDATE, DELETE

fn check_update(update: &Update) -> Result<Table, Error> {
    let table = Table::named(&update.table)?;
    let spec = table.spec();
    if spec.read_only {
        return table.read_only("UPDATE");
    }
    if !table.is_updatable() {
        return refuse(
            Code::NotImplemented,
            format!("`{}` takes no UPDATE: INSERT the row anew", spec.name),
        );
    }
    for (column, _) in &update.assignments {
        table.position(column)?;
        if spec.key.contains(&&column[..]) {
            return refuse(
                Code::NotImplemented,
                format!("`{column}` is the key and stays: INSERT a new row and DELETE the old one"),
            );
        }
    }
    check_condition(table, update.condition.as_ref())?;
    Ok(table)
}

async fn update<B: Backing>(backing: &B, update: &Update, now: u64) -> Result<Answer, Error> {
    let table = check_update(update)?;
    let mut rows = matching(backing, table, update.condition.as_ref(), now).await?;
    for (column, value) in &update.assignments {
        let position = table.position(column)?;
        for row in &mut rows {
            row[position] = value.value().clone();
        }
    }
    let columns: Vec<String> = table.columns().map(|column| column.name).collect();
    let rows: Vec<Row<'_>> = rows
        .iter()
        .map(|row| Row {
            columns: &columns,
            values: row.iter().collect(),
        })
        .collect();
    table.insert(backing, &rows).await?;
    Ok(Answer::affected(rows.len() as u64))
}

fn check_delete(delete: &Delete) -> Result<(Table, &Condition), Error> {
    let table = Table::named(&delete.table)?;
    let spec = table.spec();
    if spec.read_only {
        return table.read_only("DELETE");
    }
    check_condition(table, delete.condition.as_ref())?;
    let condition = delete.condition.as_ref().ok_or_else(|| {
        let key = spec.key.join(" and ");
        Error::new(
            Code::Key,
            format!("DELETE FROM {} needs WHERE with {key}", spec.name),
        )
    })?;
    Ok((table, condition))
}

async fn delete<B: Backing>(backing: &B, delete: &Delete, now: u64) -> Result<Answer, Error> {
    let (table, condition) = check_delete(delete)?;
    let rows = match table {
        // these are emptied by key, without looking at each message
        Table::UsersMessages | Table::PipesMessages => Vec::new(),
        _ => matching(backing, table, Some(condition), now).await?,
    };
    let affected = table.delete(backing, condition, &rows).await?;
    Ok(Answer::affected(affected))
}

#[cfg(test)]
mod tests;
