// What must hold for any bytes on the CometQL port. The fuzz targets and `tests/cometql_corpus.rs`
// share this file.

use std::sync::Arc;

use clinicall_relay::{
    cometql::{
        execute,
        sql::{self, Statement},
        value::{Answer, Value},
        wire::{
            auth::{Method, Nonce},
            capability,
            connection::{Connection, Output, Settings},
            packet::frame,
        },
    },
    config::Secret,
};

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 3] = [
    ("cometql_login", login),
    ("cometql_commands", commands),
    ("cometql_sql", sql),
];

const PASSWORD: &str = "nobody guesses this";

fn connection() -> Connection {
    let settings = Settings {
        password: Secret(PASSWORD.to_owned()),
        native: true,
        tls: true,
    };
    Connection::new(Arc::new(settings), 1, [7; 32])
}

/// Whatever comes first, nobody is in without the password, and no statement runs.
pub fn login(bytes: &[u8]) {
    let mut connection = connection();
    let mut rest = bytes;
    loop {
        while let Some(output) = connection.poll() {
            assert!(!matches!(output, Output::Run(_)), "{output:?}");
        }
        let taken = connection.receive(rest);
        rest = &rest[taken..];
        if taken == 0 && connection.wants_bytes() {
            break;
        }
        if !connection.wants_bytes() && taken == 0 {
            break;
        }
    }
    assert!(!connection.is_logged_in());
}

/// Whatever a client that is logged in sends: each statement can be answered, the columns that were
/// announced are those that come, and every turn ends.
pub fn commands(bytes: &[u8]) {
    let mut connection = connection();
    let Some(Output::Send(greeting)) = connection.poll() else {
        panic!("no greeting");
    };
    say_hello(&mut connection, &greeting);
    assert!(connection.is_logged_in());
    let mut rest = bytes;
    loop {
        while let Some(output) = connection.poll() {
            if let Output::Run(statement) = output {
                let answer = answer(&statement);
                connection.answer(&statement, answer);
            }
        }
        let taken = connection.receive(rest);
        rest = &rest[taken..];
        if taken == 0 {
            break;
        }
    }
}

fn say_hello(connection: &mut Connection, greeting: &[u8]) {
    // header, protocol, version; then the number and the nonce in two parts
    let version = greeting[5..].iter().position(|&byte| byte == 0);
    let after = 5 + version.unwrap_or_default() + 1 + 4;
    let mut nonce = [0; 20];
    nonce[..8].copy_from_slice(&greeting[after..after + 8]);
    let second = after + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10;
    nonce[8..].copy_from_slice(&greeting[second..second + 12]);
    let proof = Method::Native.proof(PASSWORD, &Nonce(nonce));
    let flags = capability::PROTOCOL_41 | capability::SECURE_CONNECTION;
    let mut hello = flags.to_le_bytes().to_vec();
    hello.extend_from_slice(&[0; 28]);
    hello.extend_from_slice(b"root\0\x14");
    hello.extend_from_slice(&proof);
    let mut packet = Vec::new();
    frame(&mut packet, &hello, 1);
    assert_eq!(connection.receive(&packet), packet.len());
    while connection.poll().is_some() {}
}

fn answer(statement: &Statement) -> Result<Answer, clinicall_relay::cometql::Error> {
    let columns = execute::columns(statement)?;
    if columns.is_empty() {
        return Ok(Answer::nothing());
    }
    let row = |value: Value| vec![value; columns.len()];
    let rows = vec![row(Value::Null), row(Value::Int(-1)), row(Value::from("x"))];
    Ok(Answer::Rows { columns, rows })
}

/// Any text is a statement or an error, and a statement can be looked at and bound.
pub fn sql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(parsed) = sql::parse(text) else {
        return;
    };
    let _ = execute::columns(&parsed.statement);
    let mut bound = parsed.statement.clone();
    bound.bind(&vec![Value::Int(1); parsed.parameters]);
    if parsed.parameters == 0 {
        assert_eq!(bound, parsed.statement);
    }
    if let Statement::Select(select) = &bound
        && let Some(condition) = &select.condition
    {
        let value = Value::from("1");
        let _ = condition.holds(&|_| Some(&value));
        let _ = condition.keys("id");
    }
}
