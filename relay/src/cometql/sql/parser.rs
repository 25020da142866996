//! Tokens to a statement, by recursive descent.

use super::{
    COLUMNS, CONDITIONS, Condition, Delete, Expression, Insert, Item, Limit, Operand, Operator,
    Order, Parsed, Select, Statement, Update, VALUES,
    lexer::{Lexer, Spanned, Token, syntax},
};
use crate::cometql::{Code, Error, error::refuse, is_database, value::Value};

mod show;

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

    // --- SELECT

    fn select(&mut self) -> Result<Statement, Error> {
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

    fn alias(&mut self) -> Result<Option<String>, Error> {
        if self.eat("AS")? {
            return self.name("a name").map(Some);
        }
        match &self.token.token {
            Token::Word(word) if !is_keyword(word) => self.name("a name").map(Some),
            Token::Name(_) => self.name("a name").map(Some),
            _ => Ok(None),
        }
    }

    fn limit(&mut self) -> Result<Option<Limit>, Error> {
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

    // --- INSERT

    fn insert(&mut self) -> Result<Insert, Error> {
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

    // --- UPDATE, DELETE, SET

    fn update(&mut self) -> Result<Update, Error> {
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

    fn delete(&mut self) -> Result<Delete, Error> {
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
    fn set(&mut self) -> Result<Statement, Error> {
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

    // --- WHERE

    fn condition_after_where(&mut self) -> Result<Option<Condition>, Error> {
        match self.eat("WHERE")? {
            true => self.condition(0).map(Some),
            false => Ok(None),
        }
    }

    fn condition(&mut self, depth: usize) -> Result<Condition, Error> {
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

    fn list(&mut self) -> Result<Vec<Operand>, Error> {
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

    // --- names and values

    fn table(&mut self) -> Result<String, Error> {
        let first = self.name("a table")?;
        if !self.eat_symbol(".")? {
            return Ok(first.to_ascii_lowercase());
        }
        if !is_database(&first) {
            return refuse(Code::Missing, format!("there is no database `{first}`"));
        }
        self.name("a table").map(|name| name.to_ascii_lowercase())
    }

    fn table_and_alias(&mut self) -> Result<(String, Option<String>), Error> {
        let table = self.table()?;
        Ok((table, self.alias()?.map(|alias| alias.to_ascii_lowercase())))
    }

    fn column(&mut self) -> Result<String, Error> {
        let first = self.name("a column")?.to_ascii_lowercase();
        if !self.eat_symbol(".")? {
            return Ok(first);
        }
        self.qualifiers.push(first);
        self.name("a column").map(|name| name.to_ascii_lowercase())
    }

    fn check_qualifiers(&self, table: &str, alias: Option<&str>) -> Result<(), Error> {
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
    fn name(&mut self, what: &str) -> Result<String, Error> {
        let name = match &self.token.token {
            Token::Word(name) | Token::Name(name) | Token::Text(name) if !name.is_empty() => {
                name.clone()
            }
            _ => return self.expected(what),
        };
        self.advance()?;
        Ok(name)
    }

    fn operand(&mut self) -> Result<Operand, Error> {
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

    // --- tokens

    fn advance(&mut self) -> Result<(), Error> {
        self.ended = self.lexer.at();
        self.token = self.lexer.next()?;
        Ok(())
    }

    fn is(&self, keyword: &str) -> bool {
        matches!(&self.token.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn eat(&mut self, keyword: &str) -> Result<bool, Error> {
        let there = self.is(keyword);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn expect(&mut self, keyword: &str) -> Result<(), Error> {
        match self.eat(keyword)? {
            true => Ok(()),
            false => self.expected(keyword),
        }
    }

    fn eat_symbol(&mut self, symbol: &str) -> Result<bool, Error> {
        let there = matches!(self.token.token, Token::Symbol(found) if found == symbol);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), Error> {
        match self.eat_symbol(symbol)? {
            true => Ok(()),
            false => self.expected(&format!("`{symbol}`")),
        }
    }

    /// What was written from `start` to where the last token ended.
    fn written_since(&self, start: usize) -> String {
        self.lexer.text()[start..self.ended].to_owned()
    }

    /// Everything up to the end of the statement.
    fn rest(&mut self) -> Result<String, Error> {
        let start = self.token.start;
        while !matches!(self.token.token, Token::End | Token::Symbol(";")) {
            self.advance_loosely()?;
        }
        Ok(self.lexer.text()[start..self.ended.max(start)].to_owned())
    }

    /// SET may name user variables, which nothing else here knows.
    fn advance_loosely(&mut self) -> Result<(), Error> {
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

    fn end(&mut self) -> Result<(), Error> {
        while self.eat_symbol(";")? {}
        match self.token.token {
            Token::End => Ok(()),
            _ => self.expected("the end: one statement a query"),
        }
    }

    fn expected<T>(&self, what: &str) -> Result<T, Error> {
        let rest = &self.lexer.text()[self.token.start.min(self.lexer.text().len())..];
        let near = &rest[..rest.floor_char_boundary(32)];
        let place = self.token.start + 1;
        Err(syntax(match near.is_empty() {
            true => format!("the statement ends where {what} is expected"),
            false => format!("{what} is expected at byte {place}, before `{near}`"),
        }))
    }
}

enum RawItem {
    Item(Item),
    Expression(Expression, String),
    /// A literal, or a column in quotes if a table follows.
    Text(String, String),
}

fn too_many_columns<T>() -> Result<T, Error> {
    refuse(Code::TooManyColumns, format!("more than {COLUMNS} columns"))
}

fn one_or(mut parts: Vec<Condition>, several: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.len() {
        1 => parts.remove(0),
        _ => several(parts),
    }
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
