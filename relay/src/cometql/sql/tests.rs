use proptest::prelude::*;

use super::*;
use crate::cometql::{Code, value::Value};

fn statement(text: &str) -> Statement {
    parse(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .statement
}

fn code(text: &str) -> Code {
    parse(text).expect_err(text).code
}

fn inserted(text: &str) -> Vec<Vec<Value>> {
    let Statement::Insert(insert) = statement(text) else {
        panic!("{text} is no INSERT");
    };
    let values = |row: &Vec<Operand>| row.iter().map(|operand| operand.value().clone()).collect();
    insert.rows.iter().map(values).collect()
}

#[test]
fn the_statement_of_the_talk() {
    let text = "INSERT INTO conference (name, user_id, caller_id, message, profile) \
                VALUES('1', 2, 3, \"json\", \"video\");";
    let Statement::Insert(insert) = statement(text) else {
        panic!("no INSERT");
    };
    assert_eq!(insert.table, "conference");
    assert_eq!(
        insert.columns,
        ["name", "user_id", "caller_id", "message", "profile"]
    );
    let row = [
        "1".into(),
        Value::Int(2),
        Value::Int(3),
        "json".into(),
        "video".into(),
    ];
    assert_eq!(inserted(text), [row]);
}

#[test]
fn strings_are_what_mysql_makes_of_them() {
    for (written, meant) in [
        (r"'it''s'", "it's"),
        (r"'it\'s'", "it's"),
        (r#""say ""hello""""#, r#"say "hello""#),
        (r#"'{"a":"b"}'"#, r#"{"a":"b"}"#),
        (r#"'{\"a\":\"b\\n\"}'"#, r#"{"a":"b\n"}"#),
        (r"'a\nb\tc\\d'", "a\nb\tc\\d"),
        (r"'\%\_\x'", r"\%\_x"),
        (r"'\Z\0\b'", "\u{1A}\0\u{8}"),
        ("'Палата №6 😷'", "Палата №6 😷"),
        ("''", ""),
        ("'one' ' two'", "one two"),
        ("_utf8mb4'doctor'", "doctor"),
        ("N'doctor'", "doctor"),
        ("x'646f63'", "doc"),
        ("0x646f63", "doc"),
    ] {
        let text = format!("REPLACE INTO users_data VALUES (1, {written})");
        assert_eq!(inserted(&text)[0][1], Value::from(meant), "{written}");
    }
}

#[test]
fn numbers_keep_their_sign_and_size() {
    let text = "insert into t values (-5, +5, 9223372036854775807, 9223372036854775808, \
                -9223372036854775808, 1.50, 1e3, null, true)";
    let expected = [
        Value::Int(-5),
        Value::Int(5),
        Value::Int(i64::MAX),
        "9223372036854775808".into(),
        Value::Int(i64::MIN),
        "1.50".into(),
        "1e3".into(),
        Value::Null,
        Value::Int(1),
    ];
    assert_eq!(inserted(text), [expected]);
}

#[test]
fn many_rows_and_other_ways_to_insert() {
    let rows = inserted("INSERT users_auth (id, hash) VALUES (1,'a'), (2,'b'),(3,'c')");
    assert_eq!(rows.len(), 3);
    let set = inserted("INSERT INTO users_auth SET id = 1, hash = 'a'");
    assert_eq!(set, [[Value::Int(1), "a".into()]]);
    let Statement::Insert(insert) = statement(
        "INSERT INTO users_auth (id, hash) VALUES (1,'a') \
         ON DUPLICATE KEY UPDATE hash = VALUES(hash), id = 1",
    ) else {
        panic!("no INSERT");
    };
    assert_eq!(insert.on_duplicate.len(), 2);
}

#[test]
fn names_may_be_in_quotes_of_any_kind() {
    let plain = statement("SELECT id, hash FROM users_auth WHERE id = 2");
    for text in [
        "SELECT `id`, `hash` FROM `users_auth` WHERE `id` = 2",
        "select \"id\", 'hash' from 'users_auth' where \"id\"=2",
        "SELECT id,hash FROM CometQL_v1.users_auth WHERE users_auth.id=2;",
        "SELECT u.id, u.hash FROM users_auth AS u WHERE u.id = 2",
        "SELECT /* which */ id, hash -- and\n FROM users_auth # there\n WHERE id = 2 ; ",
        "SELECT id, hash FROM users_auth /*!40001 WHERE id = 2 */",
        "SELECT id, hash FROM users_auth WHERE 2 = id",
    ] {
        assert_eq!(statement(text), plain, "{text}");
    }
}

#[test]
fn where_is_a_tree() {
    let Statement::Select(select) = statement(
        "SELECT * FROM pipes_messages WHERE name IN ('web_a', 'web_b') AND (time > 5 OR event \
         LIKE 'in%') AND NOT user_id = 0 AND id IS NOT NULL ORDER BY time DESC, id LIMIT 5, 10",
    ) else {
        panic!("no SELECT");
    };
    let condition = select.condition.unwrap();
    assert_eq!(
        condition.keys("name"),
        Some(vec!["web_a".to_owned(), "web_b".to_owned()])
    );
    assert_eq!(condition.keys("time"), None);
    let row = |name: &'static str, time, event: &'static str, user| {
        [
            Value::from(name),
            Value::Int(time),
            event.into(),
            Value::Int(user),
            Value::Int(1),
        ]
    };
    let holds = |row: &[Value; 5]| {
        condition.holds(&|column| {
            let columns = ["name", "time", "event", "user_id", "id"];
            columns
                .iter()
                .position(|name| *name == column)
                .map(|index| &row[index])
        })
    };
    assert!(holds(&row("web_a", 6, "out", 1)));
    assert!(holds(&row("web_b", 5, "incoming", 1)));
    assert!(!holds(&row("web_b", 5, "out", 1)));
    assert!(!holds(&row("web_c", 6, "out", 1)));
    assert!(!holds(&row("web_a", 6, "out", 0)));
    assert!(select.order[0].descending && !select.order[1].descending);
    let limit = select.limit.unwrap();
    assert_eq!(
        (limit.offset.value(), limit.count.value()),
        (&Value::Int(5), &Value::Int(10))
    );
}

#[test]
fn keys_are_found_where_they_decide() {
    let keys = |text: &str| match statement(&format!("DELETE FROM users_auth WHERE {text}")) {
        Statement::Delete(delete) => delete.condition.unwrap().keys("id"),
        other => panic!("{other:?}"),
    };
    let some = |keys: &[&str]| Some(keys.iter().map(|&key| key.to_owned()).collect());
    assert_eq!(keys("id = 2"), some(&["2"]));
    assert_eq!(keys("id = 2 OR id = 3"), some(&["2", "3"]));
    assert_eq!(keys("id IN (2, 3, 2) AND id = 3"), some(&["3"]));
    assert_eq!(keys("id = 2 AND id = 3"), some(&[]));
    assert_eq!(keys("id = 2 OR hash = 'x'"), None);
    assert_eq!(keys("id > 2"), None);
    assert_eq!(keys("NOT id = 2"), None);
    assert_eq!(keys("1"), None);
}

#[test]
fn parameters_take_their_places() {
    let parsed = parse("SELECT * FROM users_auth WHERE id IN (?, ?) LIMIT ?").unwrap();
    assert_eq!(parsed.parameters, 3);
    let mut bound = parsed.statement;
    bound.bind(&[Value::Int(1), "2".into(), Value::Int(10)]);
    assert_eq!(
        bound,
        statement("SELECT * FROM users_auth WHERE id IN (1, '2') LIMIT 10")
    );
}

#[test]
fn what_clients_send_by_themselves() {
    for text in [
        "SET NAMES utf8mb4 COLLATE 'utf8mb4_general_ci'",
        "SET AUTOCOMMIT = 0",
        "SET @@session.sql_mode = 'TRADITIONAL', @old = @@x, character_set_results = NULL",
        "SET @@x v",
        "set a b c",
        "BEGIN",
        "START TRANSACTION READ ONLY",
        "commit",
        "ROLLBACK TO SAVEPOINT x",
        "SELECT @@version_comment LIMIT 1",
        "SELECT DATABASE(), USER(), 1, 'x' AS y, NULL FROM DUAL",
        "select @@session.auto_increment_increment AS auto_increment_increment, @@license",
        "SHOW /*!50002 FULL*/ TABLES FROM `CometQL_v1` LIKE 'users%'",
        "SHOW VARIABLES WHERE Variable_name = 'version' OR `variable_name` = 'x'",
        "SHOW FULL COLUMNS FROM users_auth",
        "SHOW WARNINGS LIMIT 5",
        "DESCRIBE users_auth id",
        "USE db_2",
    ] {
        statement(text);
    }
}

#[test]
fn a_refusal_has_its_number() {
    for (text, expected) in [
        ("", Code::Syntax),
        ("SELEC 1", Code::Syntax),
        ("SELECT 1; SELECT 2", Code::Syntax),
        ("SELECT * FROM t WHERE id = 'x", Code::Syntax),
        ("SELECT * FROM t WHERE id = 2abc", Code::Syntax),
        ("INSERT INTO t VALUES (1", Code::Syntax),
        ("SELECT id FROM a, b WHERE id = 1", Code::NotImplemented),
        (
            "SELECT * FROM a JOIN b ON a.id = b.id",
            Code::NotImplemented,
        ),
        ("SELECT DISTINCT id FROM t", Code::NotImplemented),
        ("DROP TABLE users_auth", Code::NotImplemented),
        ("DELETE FROM t WHERE id = 1 LIMIT 1", Code::NotImplemented),
        (
            "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
            Code::NotImplemented,
        ),
        ("SELECT * FROM other.users_auth WHERE id = 1", Code::Missing),
        ("SELECT x.id FROM users_auth WHERE id = 1", Code::Columns),
    ] {
        assert_eq!(code(text), expected, "{text}");
    }
    let many = vec!["1"; VALUES + 1].join(",");
    assert_eq!(
        code(&format!("SELECT * FROM t WHERE id IN ({many})")),
        Code::TooManyValues
    );
    let many = vec!["(1)"; VALUES + 1].join(",");
    assert_eq!(
        code(&format!("INSERT INTO t (id) VALUES {many}")),
        Code::TooManyValues
    );
    let many = vec!["a"; COLUMNS + 1].join(",");
    assert_eq!(code(&format!("SELECT {many} FROM t")), Code::TooManyColumns);
    let many = ["a = 1"; CONDITIONS + 1].join(" AND ");
    assert_eq!(
        code(&format!("SELECT * FROM t WHERE {many}")),
        Code::TooManyConditions
    );
    let deep = "(".repeat(100_000);
    assert_eq!(
        code(&format!("SELECT * FROM t WHERE {deep}")),
        Code::TooManyConditions
    );
    let deep = "NOT ".repeat(100_000);
    assert_eq!(
        code(&format!("SELECT * FROM t WHERE {deep}")),
        Code::TooManyConditions
    );
}

/// Escapes as MySQL's own client library does.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{1A}' => out.push_str("\\Z"),
            '\\' | '\'' | '"' => out.extend(['\\', character]),
            other => out.push(other),
        }
    }
    out
}

proptest! {
    #[test]
    fn whatever_a_client_escapes_arrives(text in any::<String>()) {
        let statement = format!("INSERT INTO t VALUES ('{}')", escaped(&text));
        prop_assert_eq!(&inserted(&statement)[0][0], &Value::Text(text));
    }

    #[test]
    fn any_text_is_a_statement_or_an_error(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn any_words_are_a_statement_or_an_error(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "SELECT", "INSERT", "INTO", "VALUES", "FROM", "WHERE", "IN", "(", ")", ",", "?",
                "*", "'x'", "`y`", "1", "-", "=", "AND", "OR", "NOT", "LIKE", "LIMIT", "SHOW",
                "SET", "@@v", "@u", "COUNT", "AS", ".", "/*!", "*/", "--", "id", "IS", "NULL",
            ]),
            0..24,
        )
    ) {
        let _ = parse(&words.join(" "));
    }
}

/// What sqlparser takes for a statement of ours we take too, and with the same strings.
#[test]
fn an_independent_parser_agrees() {
    use sqlparser::{
        ast::{Expr, SetExpr, Statement as Theirs, Value as TheirValue},
        dialect::MySqlDialect,
        parser::Parser,
    };
    for written in [
        r"'plain'",
        r"'it''s'",
        r"'a\nb'",
        r"'a\\b'",
        r"'\''",
        r#""x""y""#,
        r#"'{"k":"\\u00e9"}'"#,
        r"'\t\r\0'",
        "'Врач'",
        r"'\q'",
    ] {
        let text = format!("INSERT INTO users_data (id, data) VALUES (1, {written})");
        let theirs = Parser::parse_sql(&MySqlDialect {}, &text).unwrap();
        let Theirs::Insert(insert) = &theirs[0] else {
            panic!("{theirs:?}")
        };
        let SetExpr::Values(values) = &*insert.source.as_ref().unwrap().body else {
            panic!()
        };
        let Expr::Value(value) = values.rows[0].get(1).unwrap() else {
            panic!()
        };
        let (TheirValue::SingleQuotedString(value) | TheirValue::DoubleQuotedString(value)) =
            &value.value
        else {
            panic!("{value:?}");
        };
        assert_eq!(inserted(&text)[0][1], Value::from(&value[..]), "{written}");
    }
    for text in [
        "SELECT * FROM users_auth WHERE id IN (1, 2) AND hash != 'x' ORDER BY id DESC LIMIT 3",
        "SELECT id AS i FROM users_auth u WHERE u.id = ? OR u.id BETWEEN 1 AND 5",
        "DELETE FROM conference WHERE name = '1' AND user_id = 2",
        "UPDATE users_data SET data = 'x' WHERE id = 1",
        "REPLACE INTO users_auth VALUES (1, 'a'), (2, 'b')",
        "SELECT COUNT(*) FROM conference_members",
    ] {
        assert!(Parser::parse_sql(&MySqlDialect {}, text).is_ok(), "{text}");
        assert!(parse(text).is_ok(), "{text}");
    }
}
