//! SHOW and DESCRIBE: what there is.

use super::{Session, evaluate::variables};
use crate::cometql::{
    DATABASE, Error,
    backing::Backing,
    sql::{Condition, Filter, Operand, Show, What},
    tables::Table,
    value::{Answer, Column, Kind, Value},
};

pub fn columns(show: &Show) -> Result<Vec<Column>, Error> {
    let texts = |names: &[&str]| -> Vec<Column> {
        let names = names.iter();
        names
            .map(|name| Column::new("", *name, Kind::Text))
            .collect()
    };
    Ok(match &show.what {
        What::Databases => texts(&["Database"]),
        What::Tables { full } => {
            let name = format!("Tables_in_{DATABASE}");
            match full {
                true => texts(&[&name, "Table_type"]),
                false => texts(&[&name]),
            }
        }
        What::TableStatus => texts(&[
            "Name",
            "Engine",
            "Version",
            "Row_format",
            "Rows",
            "Create_time",
            "Update_time",
            "Collation",
            "Comment",
        ]),
        What::Columns { table, full } => {
            Table::named(table)?;
            match full {
                true => texts(&[
                    "Field",
                    "Type",
                    "Collation",
                    "Null",
                    "Key",
                    "Default",
                    "Extra",
                    "Privileges",
                    "Comment",
                ]),
                false => texts(&["Field", "Type", "Null", "Key", "Default", "Extra"]),
            }
        }
        What::CreateTable(table) => {
            Table::named(table)?;
            texts(&["Table", "Create Table"])
        }
        What::Index(table) => {
            Table::named(table)?;
            texts(&[
                "Table",
                "Non_unique",
                "Key_name",
                "Seq_in_index",
                "Column_name",
            ])
        }
        What::Status | What::Variables => texts(&["Variable_name", "Value"]),
        What::Processes => texts(&[
            "Id", "User", "Host", "db", "Command", "Time", "State", "Info",
        ]),
        What::Warnings => texts(&["Level", "Code", "Message"]),
        What::Engines => texts(&["Engine", "Support", "Comment"]),
        What::CharacterSets => texts(&["Charset", "Description", "Default collation", "Maxlen"]),
        What::Collations => texts(&[
            "Collation",
            "Charset",
            "Id",
            "Default",
            "Compiled",
            "Sortlen",
        ]),
    })
}

pub async fn answer<B: Backing>(
    backing: &B,
    show: &Show,
    session: &Session,
) -> Result<Answer, Error> {
    let columns = columns(show)?;
    let mut rows = rows(backing, &show.what, session).await?;
    if let Some(filter) = &show.filter {
        let first = columns[0].name.to_ascii_lowercase();
        let condition = match filter {
            Filter::Like(pattern) => &Condition::Like(first, unquoted(pattern)),
            Filter::Where(condition) => condition,
        };
        rows.retain(|row| {
            condition.holds(&|name| {
                let position = columns
                    .iter()
                    .position(|it| it.name.eq_ignore_ascii_case(name))?;
                row.get(position)
            })
        });
    }
    Ok(Answer::Rows { columns, rows })
}

/// Names are in lower case here, however a client writes them.
fn unquoted(pattern: &Operand) -> Operand {
    let text = pattern.value().text().unwrap_or_default();
    Operand::Value(Value::Text(match text == DATABASE {
        true => text,
        false => text.to_ascii_lowercase(),
    }))
}

async fn rows<B: Backing>(
    backing: &B,
    what: &What,
    session: &Session,
) -> Result<Vec<Vec<Value>>, Error> {
    let text = |text: &str| Value::from(text);
    Ok(match what {
        What::Databases => vec![vec![text(DATABASE)]],
        What::Tables { full } => each_table(|table| {
            let mut row = vec![text(table.spec().name)];
            if *full {
                row.push(text("BASE TABLE"));
            }
            row
        }),
        What::TableStatus => each_table(|table| {
            vec![
                text(table.spec().name),
                text("Clinicall"),
                Value::Int(10),
                text("Dynamic"),
                Value::Null,
                Value::Null,
                Value::Null,
                text("utf8mb4_bin"),
                text(if table.spec().read_only {
                    "read only"
                } else {
                    ""
                }),
            ]
        }),
        What::Columns { table, full } => describe(Table::named(table)?, *full),
        What::CreateTable(table) => {
            let table = Table::named(table)?;
            vec![vec![text(table.spec().name), create(table).into()]]
        }
        What::Index(table) => {
            let spec = Table::named(table)?.spec();
            let keys = (1_u64..).zip(spec.key);
            keys.map(|(place, column)| {
                let place = Value::from(place);
                vec![
                    text(spec.name),
                    Value::Int(0),
                    text("PRIMARY"),
                    place,
                    text(column),
                ]
            })
            .collect()
        }
        What::Status => {
            let online = backing.online().await?;
            [
                ("flag", Value::Int(0)),
                ("id", Value::Int(0)),
                ("server_online", Value::Int(1)),
                ("user_online", online.into()),
            ]
            .map(|(name, value)| vec![text(name), value])
            .into()
        }
        What::Variables => variables()
            .into_iter()
            .map(|(name, value)| vec![text(name), value])
            .collect(),
        What::Processes => vec![vec![
            Value::Int(i64::from(session.connection)),
            text(&session.user),
            text(""),
            session.database.clone().map_or(Value::Null, Value::from),
            text("Query"),
            Value::Int(0),
            text(""),
            text("SHOW PROCESSLIST"),
        ]],
        What::Warnings => Vec::new(),
        What::Engines => vec![vec![
            text("Clinicall"),
            text("DEFAULT"),
            text("Every statement is done for good when it is answered"),
        ]],
        What::CharacterSets => vec![vec![
            text("utf8mb4"),
            text("UTF-8 Unicode"),
            text("utf8mb4_bin"),
            Value::Int(4),
        ]],
        What::Collations => vec![vec![
            text("utf8mb4_bin"),
            text("utf8mb4"),
            Value::Int(46),
            text("Yes"),
            text("Yes"),
            Value::Int(1),
        ]],
    })
}

fn each_table(row: impl Fn(Table) -> Vec<Value>) -> Vec<Vec<Value>> {
    Table::ALL.into_iter().map(row).collect()
}

const fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "bigint(20)",
        Kind::Text => "text",
    }
}

fn describe(table: Table, full: bool) -> Vec<Vec<Value>> {
    let spec = table.spec();
    let columns = spec.columns.iter();
    columns
        .map(|(name, kind)| {
            let key = if spec.key.contains(name) { "PRI" } else { "" };
            let mut row: Vec<Value> = vec![(*name).into(), type_name(*kind).into()];
            if full {
                row.push(match kind {
                    Kind::Text => "utf8mb4_bin".into(),
                    Kind::Int => Value::Null,
                });
            }
            row.extend(["NO".into(), key.into(), Value::Null, "".into()]);
            if full {
                row.extend(["select".into(), "".into()]);
            }
            row
        })
        .collect()
}

fn create(table: Table) -> String {
    let spec = table.spec();
    let mut lines: Vec<String> = spec
        .columns
        .iter()
        .map(|(name, kind)| format!("  `{name}` {} NOT NULL", type_name(*kind)))
        .collect();
    lines.push(format!("  PRIMARY KEY (`{}`)", spec.key.join("`,`")));
    format!("CREATE TABLE `{}` (\n{}\n)", spec.name, lines.join(",\n"))
}
