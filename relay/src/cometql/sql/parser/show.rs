//! SHOW and DESCRIBE.

use super::{Parser, Token};
use crate::cometql::{
    Code, Error,
    error::refuse,
    is_database,
    sql::{Filter, Show, What},
};

impl Parser<'_> {
    pub(super) fn show(&mut self) -> Result<Show, Error> {
        if !self.eat("SHOW")? {
            // DESCRIBE table [column]
            self.advance()?;
            let table = self.table()?;
            let filter = match &self.token.token {
                Token::Word(_) | Token::Name(_) | Token::Text(_) => {
                    let column = self.name("a column")?;
                    Some(Filter::Like(super::Operand::Value(column.into())))
                }
                _ => None,
            };
            let what = What::Columns { table, full: false };
            return Ok(Show { what, filter });
        }
        let full = self.eat("FULL")? || self.eat("EXTENDED")?;
        let _ = self.eat("GLOBAL")? || self.eat("SESSION")? || self.eat("LOCAL")?;
        let Token::Word(word) = self.token.token.clone() else {
            return self.expected("what to show");
        };
        self.advance()?;
        let what = match &word.to_ascii_uppercase()[..] {
            "DATABASES" | "SCHEMAS" => What::Databases,
            "TABLES" => {
                self.of_database()?;
                What::Tables { full }
            }
            "TABLE" => {
                self.expect("STATUS")?;
                self.of_database()?;
                What::TableStatus
            }
            "COLUMNS" | "FIELDS" => {
                let table = self.of_table()?;
                What::Columns { table, full }
            }
            "INDEX" | "INDEXES" | "KEYS" => What::Index(self.of_table()?),
            "CREATE" => {
                self.expect("TABLE")?;
                What::CreateTable(self.table()?)
            }
            "STATUS" => What::Status,
            "VARIABLES" => What::Variables,
            "PROCESSLIST" => What::Processes,
            "WARNINGS" | "ERRORS" => {
                self.limit()?;
                What::Warnings
            }
            "ENGINES" => What::Engines,
            "CHARSET" => What::CharacterSets,
            "CHARACTER" => {
                self.expect("SET")?;
                What::CharacterSets
            }
            "COLLATION" => What::Collations,
            other => {
                return refuse(
                    Code::NotImplemented,
                    format!(
                        "SHOW {other} is not supported: there are DATABASES, TABLES, TABLE \
                         STATUS, COLUMNS, CREATE TABLE, INDEX, STATUS, VARIABLES and PROCESSLIST"
                    ),
                );
            }
        };
        let filter = if self.eat("LIKE")? {
            Some(Filter::Like(self.operand()?))
        } else {
            self.condition_after_where()?.map(Filter::Where)
        };
        Ok(Show { what, filter })
    }

    fn of_table(&mut self) -> Result<String, Error> {
        if !self.eat("FROM")? {
            self.expect("IN")?;
        }
        let table = self.table()?;
        self.of_database()?;
        Ok(table)
    }

    fn of_database(&mut self) -> Result<(), Error> {
        if self.eat("FROM")? || self.eat("IN")? {
            let database = self.name("a database")?;
            if !is_database(&database) {
                return refuse(Code::Missing, format!("there is no database `{database}`"));
            }
        }
        Ok(())
    }
}
