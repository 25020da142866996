//! INSERT, REPLACE, UPDATE, DELETE, and SET.

use super::{Parser, Token, too_many_columns};
use crate::cometql::{
    Code, Error,
    error::refuse,
    sql::{COLUMNS, Delete, Insert, Operand, Statement, Update, VALUES},
};

impl Parser<'_> {
    pub(super) fn insert(&mut self) -> Result<Insert, Error> {
        self.advance()?;
        if self.is("IGNORE") || self.is("LOW_PRIORITY") || self.is("DELAYED") {
            return refuse(
                Code::NotImplemented,
                "INSERT takes no modifier: a row that exists is replaced",
            );
        }
        let _ = self.eat("INTO")?;
        let table = self.table()?;
        let mut columns = Vec::new();
        let mut rows = Vec::new();
        if self.eat("SET")? {
            let mut row = Vec::new();
            for (column, operand) in self.assignments()? {
                columns.push(column);
                row.push(operand);
            }
            rows.push(row);
        } else {
            if self.eat_symbol("(")? && !self.eat_symbol(")")? {
                loop {
                    columns.push(self.column()?);
                    if !self.eat_symbol(",")? {
                        break;
                    }
                }
                self.expect_symbol(")")?;
            }
            if self.is("SELECT") {
                return refuse(Code::NotImplemented, "INSERT ... SELECT is not supported");
            }
            if !self.eat("VALUES")? && !self.eat("VALUE")? {
                return self.expected("VALUES");
            }
            loop {
                rows.push(self.row()?);
                if rows.len() > VALUES {
                    return refuse(
                        Code::TooManyValues,
                        format!("more than {VALUES} rows: send them in several statements"),
                    );
                }
                if !self.eat_symbol(",")? {
                    break;
                }
            }
        }
        if columns.len() > COLUMNS {
            return too_many_columns();
        }
        let mut on_duplicate = Vec::new();
        if self.eat("ON")? {
            for word in ["DUPLICATE", "KEY", "UPDATE"] {
                self.expect(word)?;
            }
            on_duplicate = self.on_duplicate()?;
        }
        self.check_qualifiers(&table, None)?;
        Ok(Insert {
            table,
            columns,
            rows,
            on_duplicate,
        })
    }

    fn row(&mut self) -> Result<Vec<Operand>, Error> {
        self.expect_symbol("(")?;
        let mut row = Vec::new();
        if self.eat_symbol(")")? {
            return Ok(row);
        }
        loop {
            if row.len() >= COLUMNS {
                return too_many_columns();
            }
            row.push(self.operand()?);
            if !self.eat_symbol(",")? {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok(row)
    }

    fn on_duplicate(&mut self) -> Result<Vec<(String, Option<Operand>)>, Error> {
        let mut assigned = Vec::new();
        loop {
            let column = self.column()?;
            self.expect_symbol("=")?;
            let value = if self.eat("VALUES")? {
                self.expect_symbol("(")?;
                let from = self.column()?;
                self.expect_symbol(")")?;
                if from != column {
                    return refuse(
                        Code::NotImplemented,
                        "ON DUPLICATE KEY UPDATE takes `column = VALUES(column)`",
                    );
                }
                None
            } else {
                Some(self.operand()?)
            };
            assigned.push((column, value));
            if !self.eat_symbol(",")? {
                return Ok(assigned);
            }
            if assigned.len() >= COLUMNS {
                return too_many_columns();
            }
        }
    }

    pub(super) fn update(&mut self) -> Result<Update, Error> {
        self.advance()?;
        let table = self.table()?;
        self.expect("SET")?;
        let assignments = self.assignments()?;
        let condition = self.condition_after_where()?;
        self.check_qualifiers(&table, None)?;
        Ok(Update {
            table,
            assignments,
            condition,
        })
    }

    fn assignments(&mut self) -> Result<Vec<(String, Operand)>, Error> {
        let mut assignments: Vec<(String, Operand)> = Vec::new();
        loop {
            let column = self.column()?;
            self.expect_symbol("=")?;
            if assignments.iter().any(|(other, _)| *other == column) {
                return refuse(Code::Columns, format!("`{column}` is set twice"));
            }
            assignments.push((column, self.operand()?));
            if assignments.len() > COLUMNS {
                return too_many_columns();
            }
            if !self.eat_symbol(",")? {
                return Ok(assignments);
            }
        }
    }

    pub(super) fn delete(&mut self) -> Result<Delete, Error> {
        self.advance()?;
        self.expect("FROM")?;
        let (table, alias) = self.table_and_alias()?;
        let condition = self.condition_after_where()?;
        if self.is("LIMIT") || self.is("ORDER") {
            return refuse(
                Code::NotImplemented,
                "DELETE takes WHERE only: name the rows by their key",
            );
        }
        self.check_qualifiers(&table, alias.as_deref())?;
        Ok(Delete { table, condition })
    }

    /// Whatever it sets, nothing changes; but a mode that would change how strings are read is
    /// refused, since the client would go on to write them so.
    pub(super) fn set(&mut self) -> Result<Statement, Error> {
        self.advance()?;
        if self.token.token == Token::End {
            return self.expected("a variable");
        }
        let words = self.rest()?.to_ascii_uppercase();
        for mode in ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"] {
            if words.contains(mode) {
                return refuse(
                    Code::NotImplemented,
                    format!("SQL mode {mode} is not supported"),
                );
            }
        }
        Ok(Statement::Nothing)
    }
}
