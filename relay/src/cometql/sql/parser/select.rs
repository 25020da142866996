//! SELECT: what is shown, of what, in which order, how much.

use super::{Parser, Token, is_keyword, is_value, too_many_columns};
use crate::cometql::{
    Code, Error,
    error::refuse,
    sql::{COLUMNS, Expression, Item, Limit, Operand, Order, Select, Statement},
    value::Value,
};

enum RawItem {
    Item(Item),
    Expression(Expression, String),
    /// A literal, or a column in quotes if a table follows.
    Text(String, String),
}

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Result<Statement, Error> {
        self.advance()?;
        if self.is("DISTINCT") {
            return refuse(Code::NotImplemented, "DISTINCT is not supported");
        }
        let _ = self.eat("ALL")?;
        let mut items = Vec::new();
        loop {
            items.push(self.item()?);
            if !self.eat_symbol(",")? {
                break;
            }
        }
        if items.len() > COLUMNS {
            return too_many_columns();
        }
        if !self.eat("FROM")? || self.eat("DUAL")? {
            // `SELECT @@version_comment LIMIT 1`: there is one row anyway
            self.limit()?;
            let items = items.into_iter().map(|item| match item {
                RawItem::Expression(expression, label) => Ok((expression, label)),
                RawItem::Item(_) => refuse(Code::Syntax, "SELECT of a column needs FROM a table"),
                RawItem::Text(text, label) => {
                    Ok((Expression::Operand(Operand::Value(text.into())), label))
                }
            });
            return Ok(Statement::Evaluate(items.collect::<Result<_, _>>()?));
        }
        let items = items.into_iter().map(|item| match item {
            RawItem::Item(item) => Ok(item),
            // a column in quotes
            RawItem::Text(name, label) => {
                let name = name.to_ascii_lowercase();
                Ok(Item::Column { name, label })
            }
            RawItem::Expression(..) => refuse(
                Code::NotImplemented,
                "SELECT from a table takes columns, `*` and COUNT(*) only",
            ),
        });
        let items: Vec<Item> = items.collect::<Result<_, _>>()?;
        let (table, alias) = self.table_and_alias()?;
        let condition = self.condition_after_where()?;
        for word in [
            "GROUP", "HAVING", "UNION", "JOIN", "INNER", "LEFT", "RIGHT", "FOR", "INTO",
        ] {
            if self.is(word) {
                return refuse(Code::NotImplemented, format!("{word} is not supported"));
            }
        }
        if self.token.token == Token::Symbol(",") {
            return refuse(Code::NotImplemented, "SELECT takes one table at a time");
        }
        let mut order = Vec::new();
        if self.eat("ORDER")? {
            self.expect("BY")?;
            loop {
                let column = self.column()?;
                let descending = self.eat("DESC")?;
                if !descending {
                    let _ = self.eat("ASC")?;
                }
                order.push(Order { column, descending });
                if !self.eat_symbol(",")? {
                    break;
                }
            }
            if order.len() > COLUMNS {
                return too_many_columns();
            }
        }
        let limit = self.limit()?;
        self.check_qualifiers(&table, alias.as_deref())?;
        Ok(Statement::Select(Select {
            items,
            table,
            condition,
            order,
            limit,
        }))
    }

    /// An item before it is known whether a table follows.
    fn item(&mut self) -> Result<RawItem, Error> {
        let start = self.token.start;
        if self.eat_symbol("*")? {
            return Ok(RawItem::Item(Item::All));
        }
        let mut item = match self.token.token.clone() {
            Token::Text(_) => {
                let Operand::Value(Value::Text(text)) = self.operand()? else {
                    return self.expected("a value");
                };
                let label = text.clone();
                RawItem::Text(text, label)
            }
            Token::Int(_) | Token::Number(_) | Token::Symbol(_) => {
                let operand = self.operand()?;
                let label = self.written_since(start);
                RawItem::Expression(Expression::Operand(operand), label)
            }
            Token::Variable(name) => {
                self.advance()?;
                let label = self.written_since(start);
                RawItem::Expression(Expression::Variable(name), label)
            }
            Token::Word(word) if is_keyword(&word) && !is_value(&word) => {
                return self.expected("a column");
            }
            Token::Word(_) | Token::Name(_) => self.item_of_word(start)?,
            Token::End => return self.expected("a column"),
        };
        if let Some(alias) = self.alias()? {
            match &mut item {
                RawItem::Expression(_, label)
                | RawItem::Text(_, label)
                | RawItem::Item(Item::Column { label, .. } | Item::Count { label, .. }) => {
                    *label = alias;
                }
                RawItem::Item(Item::All) => return self.expected("`,` or FROM"),
            }
        }
        Ok(item)
    }

    fn item_of_word(&mut self, start: usize) -> Result<RawItem, Error> {
        if matches!(&self.token.token, Token::Word(word) if is_value(word)) {
            let operand = self.operand()?;
            let label = self.written_since(start);
            return Ok(RawItem::Expression(Expression::Operand(operand), label));
        }
        let quoted = matches!(self.token.token, Token::Name(_));
        let name = self.name("a column")?;
        if self.eat_symbol(".")? {
            self.qualifiers.push(name.to_ascii_lowercase());
            if self.eat_symbol("*")? {
                return Ok(RawItem::Item(Item::All));
            }
            let label = self.name("a column")?;
            return Ok(RawItem::Item(Item::Column {
                name: label.to_ascii_lowercase(),
                label,
            }));
        }
        let lower = name.to_ascii_lowercase();
        if !quoted && self.eat_symbol("(")? {
            if lower == "count" {
                let column = self.counted()?;
                self.expect_symbol(")")?;
                let label = self.written_since(start);
                return Ok(RawItem::Item(Item::Count { column, label }));
            }
            self.expect_symbol(")")?;
            let label = self.written_since(start);
            return Ok(RawItem::Expression(Expression::Function(lower), label));
        }
        const BARE: [&str; 4] = [
            "current_user",
            "current_timestamp",
            "current_date",
            "utc_timestamp",
        ];
        if !quoted && BARE.contains(&&lower[..]) {
            return Ok(RawItem::Expression(Expression::Function(lower), name));
        }
        Ok(RawItem::Item(Item::Column {
            name: lower,
            label: name,
        }))
    }

    /// What COUNT counts: everything for `*` and for a number, else a column.
    fn counted(&mut self) -> Result<Option<String>, Error> {
        if self.eat_symbol("*")? {
            return Ok(None);
        }
        if let Token::Int(_) = self.token.token {
            self.advance()?;
            return Ok(None);
        }
        if self.is("DISTINCT") {
            return refuse(Code::NotImplemented, "COUNT(DISTINCT ...) is not supported");
        }
        self.column().map(Some)
    }

    pub(super) fn alias(&mut self) -> Result<Option<String>, Error> {
        if self.eat("AS")? {
            return self.name("a name").map(Some);
        }
        match &self.token.token {
            Token::Word(word) if !is_keyword(word) => self.name("a name").map(Some),
            Token::Name(_) => self.name("a name").map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn limit(&mut self) -> Result<Option<Limit>, Error> {
        if !self.eat("LIMIT")? {
            return Ok(None);
        }
        let first = self.count()?;
        let zero = Operand::Value(Value::Int(0));
        Ok(Some(if self.eat_symbol(",")? {
            Limit {
                offset: first,
                count: self.count()?,
            }
        } else if self.eat("OFFSET")? {
            Limit {
                offset: self.count()?,
                count: first,
            }
        } else {
            Limit {
                offset: zero,
                count: first,
            }
        }))
    }

    fn count(&mut self) -> Result<Operand, Error> {
        match self.token.token {
            // above i64: MySQL's own way to say "all"
            Token::Int(_) | Token::Number(_) | Token::Symbol("?") => self.operand(),
            _ => self.expected("a number"),
        }
    }
}
