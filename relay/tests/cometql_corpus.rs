//! What real clients sent to the CometQL port, what once was interesting, and its neighbours.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "../fuzz/cometql.rs"]
mod checks;
#[path = "corpus_support/neighbours.rs"]
mod neighbours;

use std::{fs, path::Path};

use clinicall_relay::cometql::wire::handshake::Hello;

#[test]
fn no_bytes_of_the_corpus_nor_their_neighbours_break_a_parser() {
    neighbours::survive(&checks::ALL);
}

/// Recorded: the mariadb client, PHP's mysqli and PDO, Node's mysql2, Python's PyMySQL.
#[test]
fn the_logins_of_real_clients_are_read() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/cometql_login");
    for client in ["mariadb", "mysqli", "pdo", "mysql2", "pymysql"] {
        let packet = fs::read(corpus.join(client)).unwrap();
        let Ok(Hello::Login(login)) = Hello::parse(&packet[4..]) else {
            panic!("{client} cannot log in");
        };
        assert_eq!(login.user, "root", "{client}");
        assert_eq!(login.proof.len(), 20, "{client}");
        assert_eq!(login.database.as_deref(), Some("CometQL_v1"), "{client}");
        assert_eq!(
            login.method.as_deref(),
            Some("mysql_native_password"),
            "{client}"
        );
    }
}
