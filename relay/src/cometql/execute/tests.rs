//! What a clinic's web site does with the tables, on a back end in memory.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::*;
use crate::{
    backend::Member,
    cometql::{
        backing::{Ear, Presence, fake::Fake},
        sql,
    },
};

/// 2026-11-22 21:00 UTC.
const NOW: u64 = 1795381200000;

#[derive(Default)]
struct Site {
    backing: Fake,
}

impl Site {
    fn ask(&self, text: &str) -> Result<Answer, Error> {
        let statement = sql::parse(text)?.statement;
        let session = Session {
            connection: 7,
            user: "15".to_owned(),
            database: Some("CometQL_v1".to_owned()),
            last_insert_id: 2,
        };
        let asked = columns(&statement);
        let answer = ready(execute(&self.backing, &session, &statement, NOW));
        // what is told before the execution is what comes
        match (&asked, &answer) {
            (Ok(asked), Ok(Answer::Rows { columns, .. })) => assert_eq!(asked, columns, "{text}"),
            (Ok(asked), Ok(Answer::Done { .. })) => assert_eq!(asked, &[], "{text}"),
            (Err(told), Err(error)) => assert_eq!(told, error, "{text}"),
            (Ok(_), Err(_)) => {}
            (Err(error), Ok(_)) => panic!("{text}: {error}"),
        }
        answer
    }

    fn does(&self, text: &str, affected: u64) {
        match self.ask(text) {
            Ok(Answer::Done { affected: got, .. }) => assert_eq!(got, affected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }

    /// Rows as text, cells apart by a bar.
    fn rows(&self, text: &str) -> Vec<String> {
        match self.ask(text) {
            Ok(Answer::Rows { rows, .. }) => rows.iter().map(|row| line(row)).collect(),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn refused(&self, text: &str, code: Code) {
        match self.ask(text) {
            Err(error) => assert_eq!(error.code, code, "{text}: {error}"),
            Ok(answer) => panic!("{text}: {answer:?}"),
        }
    }
}

fn line(row: &[Value]) -> String {
    let cells = row
        .iter()
        .map(|cell| cell.text().unwrap_or_else(|| "NULL".to_owned()));
    cells.collect::<Vec<_>>().join("|")
}

/// The back end in memory never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("the fake waits"),
    }
}

#[test]
fn the_site_gives_its_users_keys_and_takes_them_back() {
    let site = Site::default();
    site.does(
        "INSERT INTO users_auth (id, hash) VALUES (2, 'one'), (3, 'two'), ('dr.who', 'x-y')",
        3,
    );
    site.does("REPLACE INTO users_auth VALUES (2, 'uno')", 1);
    assert_eq!(
        site.rows("SELECT * FROM users_auth WHERE id IN (3, 2, 9)"),
        ["3|two", "2|uno"]
    );
    assert_eq!(
        site.rows("SELECT hash AS h FROM users_auth WHERE id = 'dr.who'"),
        ["x-y"]
    );
    let ordered = "SELECT id FROM users_auth WHERE id IN (3, 2, 'dr.who')";
    assert_eq!(
        site.rows(&format!("{ordered} ORDER BY id DESC LIMIT 1, 1")),
        ["3"]
    );
    assert_eq!(
        site.rows(&format!("{ordered} AND hash != 'two' ORDER BY id")),
        ["2", "dr.who"]
    );
    assert_eq!(
        site.rows("SELECT COUNT(*) FROM users_auth WHERE id IN (2, 3, 4)"),
        ["2"]
    );
    site.does("UPDATE users_auth SET hash = 'tres' WHERE id IN (3, 4)", 1);
    assert_eq!(
        site.rows("SELECT hash FROM users_auth WHERE id = 3"),
        ["tres"]
    );
    site.does(
        "DELETE FROM users_auth WHERE id = 3 AND hash = 'somebody else''s'",
        0,
    );
    site.does("DELETE FROM users_auth WHERE id IN (2, 3)", 2);
    assert_eq!(
        site.rows("SELECT * FROM users_auth WHERE id IN (2, 3)"),
        [""; 0]
    );
}

#[test]
fn an_insert_tells_the_users_number() {
    let site = Site::default();
    let told = site.ask("INSERT INTO users_auth (id, hash) VALUES (15, 'k')");
    let expected = Answer::Done {
        affected: 1,
        insert_id: 15,
    };
    assert_eq!(told, Ok(expected));
}

#[test]
fn a_wrong_row_among_many_writes_none() {
    let site = Site::default();
    site.refused(
        "INSERT INTO users_auth (id, hash) VALUES (2, 'k'), (3, 'k k')",
        Code::InvalidData,
    );
    assert!(site.backing.state().keys.is_empty());
}

#[test]
fn bodies_go_through_untouched() {
    let site = Site::default();
    site.does(
        r#"INSERT INTO users_data (id, data) VALUES (2, '{"name":"O\'Neil","note":"a\\nb"}')"#,
        1,
    );
    assert_eq!(
        site.rows("SELECT data FROM users_data WHERE id = 2"),
        [r#"{"name":"O'Neil","note":"a\nb"}"#]
    );
    site.does("DELETE FROM users_data WHERE id = 2", 1);
}

#[test]
fn who_is_online_and_who_was() {
    let site = Site::default();
    let mut state = site.backing.state();
    state.online.insert("2".to_owned(), Presence::Now);
    state
        .online
        .insert("3".to_owned(), Presence::Until(1_500_000_000_999));
    drop(state);
    assert_eq!(
        site.rows("SELECT * FROM users_time WHERE id IN (2, 3, 4)"),
        ["2|0", "3|1500000000", "4|-1"]
    );
    assert_eq!(
        site.rows("SELECT id FROM users_time WHERE id IN (2, 3, 4) AND time > 0"),
        ["3"]
    );
    site.refused(
        "INSERT INTO users_time (id, time) VALUES (2, 0)",
        Code::ReadOnly,
    );
    site.refused("DELETE FROM users_time WHERE id = 2", Code::ReadOnly);
    site.refused(
        "UPDATE users_time SET time = 0 WHERE id = 2",
        Code::ReadOnly,
    );
}

#[test]
fn private_messages_wait_in_order() {
    let site = Site::default();
    site.does(
        "INSERT INTO users_messages (id, event, message) VALUES (2, 'note', 'one'), (2, '', 'two')",
        2,
    );
    assert_eq!(
        site.rows("SELECT * FROM users_messages WHERE id = 2"),
        ["2|m0|note|one", "2|m1||two"]
    );
    site.refused(
        "DELETE FROM users_messages WHERE id = 2 AND event = 'note'",
        Code::NotImplemented,
    );
    site.does("DELETE FROM users_messages WHERE id IN (2, 3)", 2);
    site.refused(
        "INSERT INTO users_messages (id, event) VALUES (2, 'note')",
        Code::Columns,
    );
    site.refused(
        "INSERT INTO users_messages (id, message) VALUES (0, 'x')",
        Code::InvalidData,
    );
}

#[test]
fn pipes_have_messages_listeners_and_settings() {
    let site = Site::default();
    site.does(
        "INSERT INTO pipes_settings (name, length) VALUES ('web_room', 10)",
        1,
    );
    assert_eq!(
        site.rows("SELECT * FROM pipes_settings WHERE name = 'web_room'"),
        ["web_room|10"]
    );
    site.refused(
        "INSERT INTO pipes_settings VALUES ('web_room', 1001)",
        Code::InvalidData,
    );
    site.does(
        "INSERT INTO pipes_messages (name, event, message) VALUES ('web_room', 'say', 'hello')",
        1,
    );
    site.does("INSERT INTO pipes_messages (name, event, message, user_id) VALUES ('web_room', '', '!', 3)", 1);
    assert_eq!(
        site.rows(
            "SELECT id, name, event, message, user_id FROM pipes_messages WHERE name = 'web_room'"
        ),
        ["1|web_room|say|hello|0", "2|web_room||!|3"]
    );
    assert_eq!(
        site.rows("SELECT message FROM pipes_messages WHERE name = 'web_room' AND id > 1"),
        ["!"]
    );
    // a pipe counts its messages by itself
    site.refused(
        "DELETE FROM pipes_messages WHERE id = 2",
        Code::NotImplemented,
    );
    site.does(
        "DELETE FROM pipes_messages WHERE name = 'web_room' AND id = 9",
        0,
    );
    site.does(
        "DELETE FROM pipes_messages WHERE id IN (2, 7) AND name = 'web_room'",
        1,
    );
    assert_eq!(
        site.rows("SELECT id FROM pipes_messages WHERE name = 'web_room'"),
        ["1"]
    );
    site.does("DELETE FROM pipes_messages WHERE name = 'web_room'", 1);
    site.does("DELETE FROM pipes_settings WHERE name = 'web_room'", 1);
    let ear = Ear {
        user: Some("2".to_owned()),
        ip: "192.0.2.7".to_owned(),
        ..Ear::default()
    };
    let ears = vec![ear, Ear::default()];
    site.backing
        .state()
        .ears
        .insert("web_room".to_owned(), ears);
    assert_eq!(
        site.rows("SELECT * FROM pipes WHERE name IN ('web_room', 'web_none')"),
        ["web_room|2", "web_none|0"]
    );
    assert_eq!(
        site.rows("SELECT user_id, ip FROM users_in_pipes WHERE name = 'web_room'"),
        ["2|192.0.2.7", "0|"]
    );
}

#[test]
fn names_of_pipes_have_bounds() {
    let site = Site::default();
    let long = "a".repeat(65);
    for (name, code) in [
        ("ab", Code::TooShort),
        (&long, Code::TooLong),
        ("web_комната", Code::InvalidData),
        ("web room", Code::InvalidData),
    ] {
        let text = format!("INSERT INTO pipes_messages (name, message) VALUES ('{name}', '')");
        site.refused(&text, code);
    }
}

#[test]
fn tokens_are_revoked_and_all_are_shown() {
    let site = Site::default();
    site.does(
        "INSERT INTO revoked_tokens (token) VALUES ('a.b.c'), ('d.e.f')",
        2,
    );
    assert_eq!(
        site.rows("SELECT * FROM revoked_tokens"),
        ["a.b.c", "d.e.f"]
    );
    assert_eq!(
        site.rows("SELECT token FROM revoked_tokens WHERE token LIKE 'd%'"),
        ["d.e.f"]
    );
    site.does("DELETE FROM revoked_tokens WHERE token = 'a.b.c'", 1);
    assert_eq!(site.rows("SELECT * FROM revoked_tokens"), ["d.e.f"]);
}

#[test]
fn people_are_rung_into_a_room_and_taken_out() {
    let site = Site::default();
    site.does(
        "INSERT INTO conference (name, user_id, caller_id, message, profile) \
         VALUES('1', 2, 3, \"json\", \"video\")",
        1,
    );
    site.does(
        "INSERT INTO conference (name, user_id, message) VALUES ('1', 3, '')",
        1,
    );
    assert_eq!(
        site.rows("SELECT * FROM conference WHERE name = 1"),
        ["1|2|3|json|video|0|", "1|3|0||default|0|"]
    );
    site.refused("SELECT * FROM conference", Code::Key);
    site.refused(
        "INSERT INTO conference (name, message) VALUES ('1', '')",
        Code::Columns,
    );
    site.refused(
        "INSERT INTO conference (name, user_id, message) VALUES ('a b', 2, '')",
        Code::InvalidData,
    );
    site.does("DELETE FROM conference WHERE name = '1' AND user_id = 2", 1);
    assert_eq!(
        site.rows("SELECT user_id FROM conference WHERE name = 1"),
        ["3"]
    );
    site.does("DELETE FROM conference WHERE name = '1'", 1);
}

#[test]
fn who_is_in_the_call() {
    let site = Site::default();
    for (room, user, talking) in [
        ("1", "2", Some(NOW - 4_000)),
        ("1", "3", None),
        ("9", "4", None),
    ] {
        site.backing.state().members.push(Member {
            room: room.to_owned(),
            user: user.to_owned(),
            name: String::new(),
            joined: NOW - 60_000,
            last_talking: talking,
            audio_muted: false,
            video_muted: false,
        });
    }
    assert_eq!(
        site.rows("SELECT * FROM conference_members WHERE name = '1'"),
        ["1|2|60|4", "1|3|60|NULL"]
    );
    assert_eq!(site.rows("SELECT COUNT(*) FROM conference_members"), ["3"]);
    assert_eq!(
        site.rows("SELECT COUNT(last_talking) AS talked FROM conference_members"),
        ["1"]
    );
}

#[test]
fn what_a_table_cannot_do_has_cppcomets_numbers() {
    let site = Site::default();
    site.refused("SELECT * FROM users_auth", Code::Key);
    site.refused("SELECT * FROM users_auth WHERE hash = 'x'", Code::Key);
    site.refused("SELECT * FROM users_auth WHERE id > 800", Code::Key);
    site.refused("DELETE FROM users_auth", Code::Key);
    site.refused("SELECT nothing FROM users_auth WHERE id = 1", Code::Columns);
    site.refused("SELECT id FROM users_auth WHERE nothing = 1", Code::Columns);
    site.refused(
        "SELECT id FROM users_auth WHERE id = 1 ORDER BY nothing",
        Code::Columns,
    );
    site.refused(
        "SELECT id, COUNT(*) FROM users_auth WHERE id = 1",
        Code::NotImplemented,
    );
    site.refused("SELECT * FROM dialogs WHERE id = 1", Code::Missing);
    site.refused("INSERT INTO users_auth (id) VALUES (1, 'x')", Code::Columns);
    site.refused(
        "INSERT INTO users_auth (id, id) VALUES (1, 1)",
        Code::Columns,
    );
    site.refused(
        "UPDATE users_auth SET id = 2 WHERE id = 1",
        Code::NotImplemented,
    );
    site.refused(
        "UPDATE conference SET message = '' WHERE name = '1'",
        Code::NotImplemented,
    );
    site.refused("USE mysql", Code::Missing);
    let upsert = "INSERT INTO users_auth (id, hash) VALUES (1, 'a') ON DUPLICATE KEY UPDATE hash";
    site.does(&format!("{upsert} = VALUES(hash)"), 1);
    site.does(&format!("{upsert} = 'a'"), 1);
    site.refused(&format!("{upsert} = 'b'"), Code::NotImplemented);
}

#[test]
fn what_programs_ask_about_the_server() {
    let site = Site::default();
    assert_eq!(site.rows("SELECT 1"), ["1"]);
    assert_eq!(
        site.rows("SELECT DATABASE(), USER(), CONNECTION_ID(), LAST_INSERT_ID(), NULL, 'x' AS y"),
        ["CometQL_v1|15@%|7|2|NULL|x"]
    );
    assert_eq!(
        site.rows("SELECT NOW(), UNIX_TIMESTAMP()"),
        ["2026-11-22 21:00:00|1795381200"]
    );
    assert_eq!(
        site.rows("SELECT @@max_allowed_packet, @@session.autocommit"),
        ["1048576|1"]
    );
    assert_eq!(site.rows("SHOW DATABASES"), ["CometQL_v1"]);
    assert_eq!(site.rows("SHOW TABLES").len(), 11);
    assert_eq!(
        site.rows("SHOW TABLES LIKE 'conf%'"),
        ["conference", "conference_members"]
    );
    assert_eq!(
        site.rows("SHOW VARIABLES LIKE 'wait\\_timeout'"),
        ["wait_timeout|28800"]
    );
    assert_eq!(
        site.rows("SHOW VARIABLES WHERE Variable_name = 'autocommit'"),
        ["autocommit|1"]
    );
    assert_eq!(
        site.rows("SHOW STATUS LIKE 'user_online'"),
        ["user_online|0"]
    );
    assert_eq!(
        site.rows("DESCRIBE users_auth"),
        ["id|text|NO|PRI|NULL|", "hash|text|NO||NULL|"]
    );
    assert_eq!(
        site.rows("DESCRIBE users_auth hash"),
        ["hash|text|NO||NULL|"]
    );
    for table in Table::ALL {
        let name = table.spec().name;
        assert_eq!(
            site.rows(&format!("SHOW COLUMNS FROM {name}")).len(),
            table.columns().count()
        );
        assert_eq!(site.rows(&format!("SHOW CREATE TABLE {name}")).len(), 1);
    }
    site.refused("DESCRIBE nothing", Code::Missing);
    site.refused("SELECT @@nothing", Code::Missing);
    site.refused("SELECT SLEEP()", Code::NotImplemented);
}
