//! SELECT without a table: what programs ask a server about itself.

use super::Session;
use crate::cometql::{
    Code, DATABASE, Error, VERSION,
    error::refuse,
    sql::Expression,
    value::{Answer, Column, Kind, Value},
    wire::packet::AFTER_LOGIN,
};

/// The variables that clients and connection pools ask for.
pub fn variables() -> Vec<(&'static str, Value)> {
    let charset = "utf8mb4";
    let collation = "utf8mb4_bin";
    vec![
        ("auto_increment_increment", Value::Int(1)),
        ("autocommit", Value::Int(1)),
        ("character_set_client", charset.into()),
        ("character_set_connection", charset.into()),
        ("character_set_database", charset.into()),
        ("character_set_results", charset.into()),
        ("character_set_server", charset.into()),
        ("collation_connection", collation.into()),
        ("collation_database", collation.into()),
        ("collation_server", collation.into()),
        ("default_storage_engine", "Clinicall".into()),
        ("have_ssl", "YES".into()),
        ("hostname", "".into()),
        ("init_connect", "".into()),
        ("interactive_timeout", Value::Int(28_800)),
        ("license", "MIT OR Apache-2.0".into()),
        ("lower_case_table_names", Value::Int(1)),
        ("max_allowed_packet", AFTER_LOGIN.into()),
        ("net_buffer_length", Value::Int(16_384)),
        ("net_write_timeout", Value::Int(60)),
        ("performance_schema", Value::Int(0)),
        ("port", Value::Int(3307)),
        ("protocol_version", Value::Int(10)),
        ("query_cache_size", Value::Int(0)),
        ("query_cache_type", "OFF".into()),
        ("sql_auto_is_null", Value::Int(0)),
        ("sql_mode", "".into()),
        ("sql_safe_updates", Value::Int(0)),
        ("system_time_zone", "UTC".into()),
        ("time_zone", "+00:00".into()),
        ("transaction_isolation", "READ-COMMITTED".into()),
        ("transaction_read_only", Value::Int(0)),
        ("tx_isolation", "READ-COMMITTED".into()),
        ("tx_read_only", Value::Int(0)),
        ("version", VERSION.into()),
        ("version_comment", "Clinicall CometQL".into()),
        ("version_compile_machine", std::env::consts::ARCH.into()),
        ("version_compile_os", std::env::consts::OS.into()),
        ("wait_timeout", Value::Int(28_800)),
    ]
}

/// What is known before anybody asks.
fn kind(expression: &Expression) -> Result<Kind, Error> {
    let session = Session::default();
    Ok(match value(expression, &session, 0)? {
        Value::Int(_) => Kind::Int,
        Value::Text(_) | Value::Null => Kind::Text,
    })
}

pub fn columns(items: &[(Expression, String)]) -> Result<Vec<Column>, Error> {
    items
        .iter()
        .map(|(expression, label)| Ok(Column::new("", label.clone(), kind(expression)?)))
        .collect()
}

pub fn answer(
    items: &[(Expression, String)],
    session: &Session,
    now: u64,
) -> Result<Answer, Error> {
    let row = items
        .iter()
        .map(|(expression, _)| value(expression, session, now))
        .collect::<Result<_, _>>()?;
    Ok(Answer::Rows {
        columns: columns(items)?,
        rows: vec![row],
    })
}

fn value(expression: &Expression, session: &Session, now: u64) -> Result<Value, Error> {
    Ok(match expression {
        Expression::Operand(operand) => operand.value().clone(),
        Expression::Variable(name) => {
            let found = variables().into_iter().find(|(known, _)| known == name);
            let Some((_, value)) = found else {
                return refuse(Code::Missing, format!("there is no variable `{name}`"));
            };
            value
        }
        Expression::Function(name) => match &name[..] {
            "database" | "schema" => {
                let database = session.database.as_ref();
                database.map_or(Value::Null, |name| name.clone().into())
            }
            "version" => VERSION.into(),
            "user" | "current_user" | "session_user" | "system_user" => {
                format!("{}@%", session.user).into()
            }
            "connection_id" => Value::Int(i64::from(session.connection)),
            "last_insert_id" => session.last_insert_id.into(),
            "unix_timestamp" => Value::from(now / 1000),
            "now" | "current_timestamp" | "utc_timestamp" | "sysdate" => date_time(now).into(),
            other => {
                return refuse(
                    Code::NotImplemented,
                    format!(
                        "{}() is not supported: there are DATABASE(), VERSION(), USER(), \
                         CONNECTION_ID(), LAST_INSERT_ID(), NOW() and UNIX_TIMESTAMP(); the \
                         database is {DATABASE}",
                        other.to_ascii_uppercase()
                    ),
                );
            }
        },
    })
}

/// `2026-11-22 20:15:00` in UTC, from unix milliseconds.
fn date_time(now: u64) -> String {
    let seconds = now / 1000;
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(leap(year)) && year < 10_000 {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
    ] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let day = days + 1;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_tells_the_date() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400_000, "2000-02-29 00:00:00"),
            (1795391999999, "2026-11-22 23:59:59"),
            (1798761599000, "2026-12-31 23:59:59"),
        ] {
            assert_eq!(date_time(ms), text);
        }
    }
}
