//! WHERE.

use super::{DEPTH, Parser, Token, is_value};
use crate::cometql::{
    Code, Error,
    error::refuse,
    sql::{CONDITIONS, Condition, Operand, Operator, VALUES},
    value::Value,
};

impl Parser<'_> {
    pub(super) fn condition_after_where(&mut self) -> Result<Option<Condition>, Error> {
        match self.eat("WHERE")? {
            true => self.condition(0).map(Some),
            false => Ok(None),
        }
    }

    pub(super) fn condition(&mut self, depth: usize) -> Result<Condition, Error> {
        let mut any = vec![self.all_of(depth)?];
        while self.eat("OR")? || self.eat_symbol("||")? {
            any.push(self.all_of(depth)?);
        }
        Ok(one_or(any, Condition::Or))
    }

    fn all_of(&mut self, depth: usize) -> Result<Condition, Error> {
        let mut all = vec![self.term(depth)?];
        while self.eat("AND")? || self.eat_symbol("&&")? {
            all.push(self.term(depth)?);
        }
        Ok(one_or(all, Condition::And))
    }

    fn term(&mut self, depth: usize) -> Result<Condition, Error> {
        if depth > DEPTH {
            return refuse(Code::TooManyConditions, "WHERE has too many brackets");
        }
        if self.eat("NOT")? || self.eat_symbol("!")? {
            return Ok(Condition::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.eat_symbol("(")? {
            let inner = self.condition(depth + 1)?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        self.conditions += 1;
        if self.conditions > CONDITIONS {
            return refuse(
                Code::TooManyConditions,
                format!("WHERE has more than {CONDITIONS} conditions"),
            );
        }
        let constant = match &self.token.token {
            Token::Int(_) | Token::Number(_) | Token::Symbol("?" | "-") => true,
            Token::Word(word) => is_value(word),
            _ => false,
        };
        if constant {
            return self.constant();
        }
        let column = self.column()?;
        let negated = self.eat("NOT")?;
        let condition = if self.eat("IN")? {
            Condition::In(column, self.list()?)
        } else if self.eat("LIKE")? {
            Condition::Like(column, self.operand()?)
        } else if self.eat("BETWEEN")? {
            let low = self.operand()?;
            self.expect("AND")?;
            let high = self.operand()?;
            Condition::And(vec![
                Condition::Compare(column.clone(), Operator::GreaterOrEqual, low),
                Condition::Compare(column, Operator::LessOrEqual, high),
            ])
        } else if negated {
            return self.expected("IN, LIKE or BETWEEN");
        } else if self.eat("IS")? {
            let not = self.eat("NOT")?;
            self.expect("NULL")?;
            let is_null = Condition::IsNull(column);
            return Ok(match not {
                true => Condition::Not(Box::new(is_null)),
                false => is_null,
            });
        } else {
            let operator = self.operator()?;
            Condition::Compare(column, operator, self.operand()?)
        };
        Ok(match negated {
            true => Condition::Not(Box::new(condition)),
            false => condition,
        })
    }

    /// `1`, `1 = 1`: what programs write that build a WHERE piece by piece.
    fn constant(&mut self) -> Result<Condition, Error> {
        let left = self.operand()?;
        let zero = Operand::Value(Value::Int(0));
        if !matches!(
            self.token.token,
            Token::Symbol("=" | "<=>" | "<" | ">" | "<=" | ">=" | "!=" | "<>")
        ) {
            return Ok(Condition::Constant(left, Operator::NotEqual, zero));
        }
        let operator = self.operator()?;
        if matches!(&self.token.token, Token::Word(word) if !is_value(word))
            || matches!(self.token.token, Token::Name(_))
        {
            // `2 = id`
            let turned = match operator {
                Operator::Less => Operator::Greater,
                Operator::LessOrEqual => Operator::GreaterOrEqual,
                Operator::Greater => Operator::Less,
                Operator::GreaterOrEqual => Operator::LessOrEqual,
                same => same,
            };
            return Ok(Condition::Compare(self.column()?, turned, left));
        }
        Ok(Condition::Constant(left, operator, self.operand()?))
    }

    fn operator(&mut self) -> Result<Operator, Error> {
        let operator = match self.token.token {
            Token::Symbol("=") => Operator::Equal,
            Token::Symbol("<=>") => Operator::SameAs,
            Token::Symbol("!=" | "<>") => Operator::NotEqual,
            Token::Symbol("<") => Operator::Less,
            Token::Symbol("<=") => Operator::LessOrEqual,
            Token::Symbol(">") => Operator::Greater,
            Token::Symbol(">=") => Operator::GreaterOrEqual,
            _ => return self.expected("=, !=, <, <=, >, >=, IN, LIKE, BETWEEN or IS"),
        };
        self.advance()?;
        Ok(operator)
    }

    pub(super) fn list(&mut self) -> Result<Vec<Operand>, Error> {
        self.expect_symbol("(")?;
        if self.is("SELECT") {
            return refuse(Code::NotImplemented, "a SELECT within IN is not supported");
        }
        let mut list = Vec::new();
        loop {
            list.push(self.operand()?);
            if list.len() > VALUES {
                return refuse(
                    Code::TooManyValues,
                    format!("IN has more than {VALUES} values"),
                );
            }
            if !self.eat_symbol(",")? {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok(list)
    }
}

fn one_or(mut parts: Vec<Condition>, several: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.len() {
        1 => parts.remove(0),
        _ => several(parts),
    }
}
