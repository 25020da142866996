//! Conversations packet by packet.

use super::*;
use crate::cometql::value::Value;

const PASSWORD: &str = "CometQLPassword";

fn settings(native: bool) -> Arc<Settings> {
    Arc::new(Settings {
        password: Secret(PASSWORD.to_owned()),
        native,
        tls: true,
    })
}

/// A client that speaks as little as it must.
struct Client {
    connection: Connection,
    nonce: Nonce,
    sequence: u8,
}

impl Client {
    fn meet(native: bool) -> Self {
        let mut connection = Connection::new(settings(native), 1, [7; 32]);
        let greeting = sent(&mut connection);
        assert_eq!(greeting[0][0], 10);
        let nonce = connection.nonce;
        Self {
            connection,
            nonce,
            sequence: 1,
        }
    }

    fn logged_in() -> Self {
        let mut client = Self::meet(true);
        let answer = client.login(Method::Native, PASSWORD);
        assert_eq!(answer[0][0], 0, "{answer:?}");
        client
    }

    fn say(&mut self, payload: &[u8]) {
        let mut bytes = Vec::new();
        frame(&mut bytes, payload, self.sequence);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let taken = self.connection.receive(rest);
            assert!(taken > 0, "not taken: {rest:?}");
            rest = &rest[taken..];
        }
    }

    fn login(&mut self, method: Method, password: &str) -> Vec<Vec<u8>> {
        let proof = method.proof(password, &self.nonce);
        self.say(&hello(&proof, Some(method.name())));
        sent(&mut self.connection)
    }

    fn command(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        self.sequence = 0;
        self.say(payload);
        sent(&mut self.connection)
    }

    fn query(&mut self, text: &str) -> Vec<Vec<u8>> {
        self.command(&[b"\x03", text.as_bytes()].concat())
    }
}

fn hello(proof: &[u8], method: Option<&str>) -> Vec<u8> {
    let mut bytes = (handshake::OURS & !cap::CONNECT_WITH_DB)
        .to_le_bytes()
        .to_vec();
    bytes.extend_from_slice(&[0; 28]);
    bytes.extend_from_slice(b"root\0");
    bytes.push(proof.len() as u8);
    bytes.extend_from_slice(proof);
    if let Some(method) = method {
        bytes.extend_from_slice(method.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// The payloads sent since; statements are answered with one row.
fn sent(connection: &mut Connection) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let Some(output) = connection.poll() {
        match output {
            Output::Send(bytes) => {
                let mut splitter = Splitter::new(1 << 20);
                let mut rest = &bytes[..];
                while let Ok(Some(Framed::Packet(payload, _))) = splitter.next(&mut rest) {
                    payloads.push(payload);
                }
            }
            Output::Run(statement) => {
                let answer = match statement {
                    Statement::Evaluate(_) | Statement::Select(_) => Answer::Rows {
                        columns: vec![Column::new("", "x", Kind::Int)],
                        rows: vec![vec![Value::Int(1)]],
                    },
                    _ => Answer::nothing(),
                };
                connection.answer(&statement, Ok(answer));
            }
            Output::Refused => {}
            Output::Close => payloads.push(b"closed".to_vec()),
            Output::StartTls => payloads.push(b"tls".to_vec()),
        }
    }
    payloads
}

fn number(payload: &[u8]) -> u16 {
    assert_eq!(payload[0], 0xFF, "no error: {payload:?}");
    u16::from_le_bytes([payload[1], payload[2]])
}

#[test]
fn the_password_opens_and_nothing_else_does() {
    for method in [Method::Native, Method::Sha256] {
        let mut client = Client::meet(method == Method::Native);
        let answer = client.login(method, "wrong");
        assert_eq!(number(&answer[0]), 16);
        assert_eq!(answer[1], b"closed");

        let mut client = Client::meet(method == Method::Native);
        let answer = client.login(method, PASSWORD);
        assert_eq!(answer.last().unwrap()[0], 0, "{answer:?}");
        assert!(client.connection.is_logged_in());
    }
    // no proof at all is no login
    let mut client = Client::meet(true);
    client.say(&hello(b"", None));
    assert_eq!(number(&sent(&mut client.connection)[0]), 16);
}

#[test]
fn a_client_of_another_method_is_asked_anew() {
    // MySQL 9 knows no native method, though the greeting names it
    let mut client = Client::meet(true);
    client.say(&hello(b"", Some("caching_sha2_password")));
    let asked = sent(&mut client.connection);
    assert_eq!(asked[0][0], 0xFE);
    assert!(asked[0][1..].starts_with(b"caching_sha2_password\0"));
    assert_ne!(client.connection.nonce, client.nonce);
    client.sequence = 3;
    let proof = Method::Sha256.proof(PASSWORD, &client.connection.nonce);
    client.say(&proof);
    let answer = sent(&mut client.connection);
    assert_eq!(answer[0], [1, 3]);
    assert_eq!(answer[1][0], 0);

    // and the other way round, where the native method is off
    let mut client = Client::meet(false);
    let asked = client.login(Method::Native, PASSWORD);
    assert!(asked[0][1..].starts_with(b"caching_sha2_password\0"));
}

#[test]
fn a_method_nobody_heard_of_is_switched_to_a_known_one() {
    let mut client = Client::meet(true);
    client.say(&hello(b"secret\0", Some("mysql_clear_password")));
    let asked = sent(&mut client.connection);
    assert!(asked[0][1..].starts_with(b"mysql_native_password\0"));
}

#[test]
fn an_old_proof_does_not_open_a_new_connection() {
    let mut first = Client::meet(true);
    let proof = Method::Native.proof(PASSWORD, &first.nonce);
    let mut second = Client {
        connection: Connection::new(settings(true), 2, [8; 32]),
        nonce: Nonce([0; 20]),
        sequence: 1,
    };
    sent(&mut second.connection);
    second.say(&hello(&proof, Some("mysql_native_password")));
    assert_eq!(number(&sent(&mut second.connection)[0]), 16);
    first.say(&hello(&proof, Some("mysql_native_password")));
    assert_eq!(sent(&mut first.connection)[0][0], 0);
}

#[test]
fn tls_begins_with_the_very_next_byte() {
    let mut client = Client::meet(true);
    let mut bytes = Vec::new();
    let wish = [&(cap::PROTOCOL_41 | cap::SSL).to_le_bytes()[..], &[0; 28]].concat();
    frame(&mut bytes, &wish, 1);
    let length = bytes.len();
    bytes.extend_from_slice(b"\x16\x03\x01 a TLS record");
    assert_eq!(client.connection.receive(&bytes), length);
    assert_eq!(sent(&mut client.connection), [b"tls"]);
    // in TLS the packets count on
    client.sequence = 2;
    let answer = client.login(Method::Native, PASSWORD);
    assert_eq!(answer[0][0], 0);
}

#[test]
fn a_query_is_answered_in_both_dialects() {
    let mut client = Client::logged_in();
    // count, column, row, and the end as an OK with 0xFE: this client wants no EOF
    let answer = client.query("SELECT 1");
    assert_eq!(answer.len(), 4);
    assert_eq!(answer[2], b"\x011");
    assert_eq!((answer[3][0], answer[3].len()), (0xFE, 7));
    client.connection.capabilities &= !cap::DEPRECATE_EOF;
    let answer = client.query("SELECT 1");
    assert_eq!(answer.len(), 5);
    assert_eq!(
        (answer[2][0], answer[4][0], answer[4].len()),
        (0xFE, 0xFE, 5)
    );
}

#[test]
fn a_transaction_is_told_of_in_the_status() {
    let mut client = Client::logged_in();
    let status = |answer: &[Vec<u8>]| answer.last().unwrap()[3];
    for (text, expected) in [
        ("BEGIN", 3),
        ("SAVEPOINT x", 3),
        ("ROLLBACK TO x", 3),
        ("ROLLBACK", 2),
        ("START TRANSACTION", 3),
        ("COMMIT", 2),
    ] {
        assert_eq!(status(&client.query(text)), expected, "{text}");
    }
}

#[test]
fn a_prepared_statement_from_its_birth_to_its_end() {
    let mut client = Client::logged_in();
    let prepared = client.command(b"\x16SELECT hash FROM users_auth WHERE id = ?");
    // OK with number 1, one column, one parameter; then their definitions
    assert_eq!(prepared[0], [0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    assert_eq!(prepared.len(), 3);
    let execute = b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\x08\0\x02\0\0\0\0\0\0\0";
    let answer = client.command(execute);
    assert_eq!(answer[2], b"\0\0\x01\0\0\0\0\0\0\0");
    assert_eq!(client.command(b"\x1A\x01\0\0\0")[0][0], 0);
    assert!(client.command(b"\x19\x01\0\0\0").is_empty());
    assert_eq!(number(&client.command(execute)[0]), 1243);
    // what is wrong is told when it is prepared
    assert_eq!(
        number(&client.command(b"\x16SELECT no FROM users_auth WHERE id = ?")[0]),
        14
    );
}

#[test]
fn statements_prepared_and_never_closed_have_a_bound() {
    let mut client = Client::logged_in();
    for _ in 0..MOST {
        assert_eq!(client.command(b"\x16SELECT 1")[0][0], 0);
    }
    assert_eq!(number(&client.command(b"\x16SELECT 1")[0]), 19);
    assert_eq!(client.command(b"\x1F")[0][0], 0);
    assert_eq!(client.command(b"\x16SELECT 1")[0][0], 0);
}

#[test]
fn every_command_gets_an_answer() {
    // quit and two that have none by the protocol apart
    for command in (0..=0xFF_u8).filter(|command| ![0x01, 0x18, 0x19].contains(command)) {
        for body in [
            &b""[..],
            b"\0",
            b"\xFF\xFF\xFF\xFF",
            b"users_auth\0%",
            &[0; 64],
        ] {
            let mut client = Client::logged_in();
            let answer = client.command(&[&[command], body].concat());
            assert!(
                !answer.is_empty(),
                "{command:#x} {body:?} is met with silence"
            );
        }
    }
    let mut client = Client::logged_in();
    assert_eq!(client.command(b"\x01"), [b"closed"]);
}

#[test]
fn changing_the_user_takes_the_password_again() {
    let mut client = Client::logged_in();
    let asked = client.command(b"\x11root\0\0CometQL_v1\0\x2E\0mysql_native_password\0");
    assert_eq!(asked[0][0], 0xFE);
    assert!(!client.connection.is_logged_in());
    client.sequence = 2;
    let proof = Method::Native.proof(PASSWORD, &client.connection.nonce);
    client.say(&proof);
    assert_eq!(sent(&mut client.connection)[0][0], 0);
    assert_eq!(
        client.connection.session().database.as_deref(),
        Some("CometQL_v1")
    );

    let asked = client.command(b"\x11root\0\0CometQL_v1\0\x2E\0mysql_native_password\0");
    assert_eq!(asked[0][0], 0xFE);
    client.sequence = 2;
    client.say(&[1; 20]);
    assert_eq!(number(&sent(&mut client.connection)[0]), 16);
}

#[test]
fn a_health_check_may_connect_and_no_more() {
    let mut client = Client::meet(true);
    let mut bytes = hello(b"", Some("mysql_native_password"));
    let name = bytes
        .windows(5)
        .position(|window| window == b"root\0")
        .unwrap();
    bytes.splice(name..name + 4, *b"haproxy_check");
    client.say(&bytes);
    assert_eq!(sent(&mut client.connection)[0][0], 0);
    assert!(!client.connection.is_logged_in());
    assert_eq!(client.command(b"\x0E")[0][0], 0);
    assert_eq!(number(&client.query("SELECT 1")[0]), 403);
}

#[test]
fn databases_have_one_name_and_tenants() {
    let mut client = Client::logged_in();
    assert_eq!(client.command(b"\x02CometQL_v1")[0][0], 0);
    assert_eq!(client.command(b"\x02db_15")[0][0], 0);
    assert_eq!(number(&client.command(b"\x02mysql")[0]), 15);
    assert_eq!(number(&client.command(b"\x02\xFF")[0]), 12);
}

/// FreeSWITCH CVE-2026-49840 and its like: lengths that lie, before anybody has logged in.
#[test]
fn a_length_that_lies_before_the_login_costs_nothing() {
    for claimed in [5_000_usize, 0x00_FFFF, 0x7F_FFFF, 0x80_0000, 0xFF_FFFF] {
        let mut client = Client::meet(true);
        let mut bytes = (claimed as u32).to_le_bytes()[..3].to_vec();
        bytes.push(1);
        // 64 KiB at a time, as much as was claimed, and not a byte is kept
        bytes.resize(4 + 65_536, 0xAA);
        let mut given = 0;
        while given < claimed + 4 && client.connection.wants_bytes() {
            let piece = &bytes[if given == 0 { 0 } else { 4 }..];
            let piece = &piece[..piece.len().min(claimed + 4 - given)];
            given += client.connection.receive(piece);
        }
        let answer = sent(&mut client.connection);
        if !answer.is_empty() {
            assert_eq!(answer.last().unwrap(), b"closed");
        }
        assert!(!client.connection.is_logged_in());
    }
    // lengths inside the login: of the proof, of the connection attributes
    for length in [0x15, 0x7F, 0x80, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF] {
        let mut client = Client::meet(true);
        let mut bytes = hello(&[1; 20], Some("mysql_native_password"));
        let place = bytes
            .windows(5)
            .position(|window| window == b"root\0")
            .unwrap()
            + 5;
        bytes[place] = length;
        client.say(&bytes);
        let answer = sent(&mut client.connection);
        assert!(
            answer.last().unwrap() == b"closed" || answer[0][0] == 0xFE,
            "{answer:?}"
        );
        assert!(!client.connection.is_logged_in());
    }
}

#[test]
fn a_statement_that_is_too_long_is_refused_and_the_next_one_is_taken() {
    let mut client = Client::logged_in();
    let long = format!("SELECT '{}'", "x".repeat(AFTER_LOGIN));
    assert_eq!(number(&client.query(&long)[0]), 11);
    assert_eq!(client.query("SELECT 1").len(), 4);
    // a parameter sent ahead in pieces has the same bound
    client.command(b"\x16INSERT INTO users_data (id, data) VALUES (2, ?)");
    let piece = [&b"\x18\x01\0\0\0\0\0"[..], &vec![b'x'; AFTER_LOGIN / 2]].concat();
    for _ in 0..4 {
        assert!(client.command(&piece).is_empty());
    }
    let answer = client.command(b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\xFC\0");
    assert_eq!(number(&answer[0]), 12);
}
