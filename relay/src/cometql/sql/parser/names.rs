//! Names and values.

use super::{Parser, Token};
use crate::cometql::{Code, Error, error::refuse, is_database, sql::Operand, value::Value};

impl Parser<'_> {
    pub(super) fn table(&mut self) -> Result<String, Error> {
        let first = self.name("a table")?;
        if !self.eat_symbol(".")? {
            return Ok(first.to_ascii_lowercase());
        }
        if !is_database(&first) {
            return refuse(Code::Missing, format!("there is no database `{first}`"));
        }
        self.name("a table").map(|name| name.to_ascii_lowercase())
    }

    pub(super) fn table_and_alias(&mut self) -> Result<(String, Option<String>), Error> {
        let table = self.table()?;
        Ok((table, self.alias()?.map(|alias| alias.to_ascii_lowercase())))
    }

    pub(super) fn column(&mut self) -> Result<String, Error> {
        let first = self.name("a column")?.to_ascii_lowercase();
        if !self.eat_symbol(".")? {
            return Ok(first);
        }
        self.qualifiers.push(first);
        self.name("a column").map(|name| name.to_ascii_lowercase())
    }

    pub(super) fn check_qualifiers(&self, table: &str, alias: Option<&str>) -> Result<(), Error> {
        let known = |qualifier: &String| qualifier == table || Some(&qualifier[..]) == alias;
        match self.qualifiers.iter().find(|qualifier| !known(qualifier)) {
            Some(other) => refuse(
                Code::Columns,
                format!("`{other}` is not the table of this statement, `{table}`"),
            ),
            None => Ok(()),
        }
    }

    /// A name in quotes of any kind or in none.
    pub(super) fn name(&mut self, what: &str) -> Result<String, Error> {
        let name = match &self.token.token {
            Token::Word(name) | Token::Name(name) | Token::Text(name) if !name.is_empty() => {
                name.clone()
            }
            _ => return self.expected(what),
        };
        self.advance()?;
        Ok(name)
    }

    pub(super) fn operand(&mut self) -> Result<Operand, Error> {
        let value = match self.token.token.clone() {
            Token::Text(mut text) => {
                self.advance()?;
                // strings side by side are one, as in C
                while let Token::Text(more) = &self.token.token {
                    text.push_str(more);
                    self.advance()?;
                }
                return Ok(Operand::Value(Value::Text(text)));
            }
            Token::Int(number) => Value::Int(number),
            Token::Number(number) => Value::Text(number),
            Token::Symbol(sign @ ("-" | "+")) => {
                self.advance()?;
                match (sign, self.token.token.clone()) {
                    ("+", Token::Int(number)) => Value::Int(number),
                    (_, Token::Int(number)) => Value::Int(-number),
                    ("+", Token::Number(number)) => Value::Text(number),
                    // the smallest i64 among them
                    (_, Token::Number(number)) => match format!("-{number}").parse() {
                        Ok(number) => Value::Int(number),
                        Err(_) => Value::Text(format!("-{number}")),
                    },
                    _ => return self.expected("a number"),
                }
            }
            Token::Symbol("?") => {
                self.advance()?;
                self.parameters += 1;
                return Ok(Operand::Parameter(self.parameters - 1));
            }
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") => Value::Null,
            Token::Word(word) if word.eq_ignore_ascii_case("TRUE") => Value::Int(1),
            Token::Word(word) if word.eq_ignore_ascii_case("FALSE") => Value::Int(0),
            _ => return self.expected("a value: a string in quotes, a number, NULL or `?`"),
        };
        self.advance()?;
        Ok(Operand::Value(value))
    }
}
