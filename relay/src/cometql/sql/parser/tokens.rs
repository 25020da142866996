//! Going from token to token.

use super::{Parser, Spanned, Token, syntax};
use crate::cometql::{Code, Error};

impl Parser<'_> {
    pub(super) fn advance(&mut self) -> Result<(), Error> {
        self.ended = self.lexer.at();
        self.token = self.lexer.next()?;
        Ok(())
    }

    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(&self.token.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn eat(&mut self, keyword: &str) -> Result<bool, Error> {
        let there = self.is(keyword);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    pub(super) fn expect(&mut self, keyword: &str) -> Result<(), Error> {
        match self.eat(keyword)? {
            true => Ok(()),
            false => self.expected(keyword),
        }
    }

    pub(super) fn eat_symbol(&mut self, symbol: &str) -> Result<bool, Error> {
        let there = matches!(self.token.token, Token::Symbol(found) if found == symbol);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<(), Error> {
        match self.eat_symbol(symbol)? {
            true => Ok(()),
            false => self.expected(&format!("`{symbol}`")),
        }
    }

    /// What was written from `start` to where the last token ended.
    pub(super) fn written_since(&self, start: usize) -> String {
        self.lexer.text()[start..self.ended].to_owned()
    }

    /// Everything up to the end of the statement.
    pub(super) fn rest(&mut self) -> Result<String, Error> {
        let start = self.token.start;
        while !matches!(self.token.token, Token::End | Token::Symbol(";")) {
            self.advance_loosely()?;
        }
        Ok(self.lexer.text()[start..self.ended.max(start)].to_owned())
    }

    /// SET may name user variables, which nothing else here knows.
    pub(super) fn advance_loosely(&mut self) -> Result<(), Error> {
        match self.advance() {
            Err(error) if error.code == Code::NotImplemented => {
                let start = self.lexer.at();
                self.lexer.skip_byte();
                self.token = Spanned {
                    token: Token::Symbol("*"),
                    start,
                };
                Ok(())
            }
            other => other,
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Error> {
        while self.eat_symbol(";")? {}
        match self.token.token {
            Token::End => Ok(()),
            _ => self.expected("the end: one statement a query"),
        }
    }

    pub(super) fn expected<T>(&self, what: &str) -> Result<T, Error> {
        let rest = &self.lexer.text()[self.token.start.min(self.lexer.text().len())..];
        let near = &rest[..rest.floor_char_boundary(32)];
        let place = self.token.start + 1;
        Err(syntax(match near.is_empty() {
            true => format!("the statement ends where {what} is expected"),
            false => format!("{what} is expected at byte {place}, before `{near}`"),
        }))
    }
}
