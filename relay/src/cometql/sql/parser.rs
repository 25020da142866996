//! Tokens to a statement, by recursive descent.

use super::{
    COLUMNS, Operand, Parsed, Statement,
    lexer::{Lexer, Spanned, Token, syntax},
};
use crate::cometql::{Code, Error, error::refuse};

mod condition;
mod names;
mod select;
mod show;
mod tokens;
mod write;

/// Brackets in brackets in a WHERE.
const DEPTH: usize = 16;

/// Parses one statement; a semicolon may end it.
pub fn parse(text: &str) -> Result<Parsed, Error> {
    let mut parser = Parser::new(text)?;
    let statement = parser.statement()?;
    parser.end()?;
    Ok(Parsed {
        statement,
        parameters: parser.parameters,
    })
}

#[derive(Debug)]
pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Spanned,
    /// Where the token before ended.
    ended: usize,
    parameters: usize,
    conditions: usize,
    /// What stood before a dot in front of a column: the table or its alias.
    qualifiers: Vec<String>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, Error> {
        let mut lexer = Lexer::new(text);
        Ok(Self {
            token: lexer.next()?,
            lexer,
            ended: 0,
            parameters: 0,
            conditions: 0,
            qualifiers: Vec::new(),
        })
    }

    fn statement(&mut self) -> Result<Statement, Error> {
        let Token::Word(word) = &self.token.token else {
            return self.expected("a statement");
        };
        let word = word.to_ascii_uppercase();
        match &word[..] {
            "SELECT" => self.select(),
            "INSERT" | "REPLACE" => self.insert().map(Statement::Insert),
            "UPDATE" => self.update().map(Statement::Update),
            "DELETE" => self.delete().map(Statement::Delete),
            "SHOW" | "DESCRIBE" | "DESC" | "EXPLAIN" => self.show().map(Statement::Show),
            "USE" => {
                self.advance()?;
                self.name("a database").map(Statement::Use)
            }
            "SET" => self.set(),
            "BEGIN" | "START" => {
                self.rest()?;
                Ok(Statement::Begin)
            }
            // a savepoint neither begins nor ends anything
            "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => {
                let words = self.rest()?.to_ascii_uppercase();
                Ok(
                    match words.contains("SAVEPOINT") || words.contains(" TO ") {
                        true => Statement::Nothing,
                        false => Statement::End,
                    },
                )
            }
            "CREATE" | "ALTER" | "DROP" | "TRUNCATE" | "GRANT" | "REVOKE" | "LOCK" | "UNLOCK"
            | "CALL" | "LOAD" | "KILL" | "PREPARE" | "EXECUTE" | "WITH" | "DO" | "FLUSH" => refuse(
                Code::NotImplemented,
                format!(
                    "{word} is not supported: there are SELECT, INSERT, REPLACE, UPDATE, \
                         DELETE, SHOW, DESCRIBE, USE and SET"
                ),
            ),
            _ => self.expected("a statement"),
        }
    }
}

fn too_many_columns<T>() -> Result<T, Error> {
    refuse(Code::TooManyColumns, format!("more than {COLUMNS} columns"))
}

/// Words that end a name's place: not taken for an alias.
fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 26] = [
        "FROM", "WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "UNION", "JOIN", "INNER",
        "LEFT", "RIGHT", "FOR", "INTO", "AS", "AND", "OR", "SET", "VALUES", "ON", "BY", "SELECT",
        "NULL", "TRUE", "FALSE", "LIKE",
    ];
    KEYWORDS
        .iter()
        .any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn is_value(word: &str) -> bool {
    ["NULL", "TRUE", "FALSE"]
        .iter()
        .any(|value| word.eq_ignore_ascii_case(value))
}
