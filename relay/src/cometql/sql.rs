//! The SQL that CometQL understands, as text and as values.
//!
//! Strings are MySQL's: in single or double quotes, a doubled quote is a quote, a backslash escapes
//! as MySQL documents it. Names may be in quotes of any kind, keywords in any case.

mod bind;
mod condition;
mod lexer;
mod parser;
mod select;
mod show;

pub use condition::{Condition, Operator};
pub use parser::parse;
pub use select::{Expression, Item, Limit, Order, Select};
pub use show::{Filter, Show, What};

use super::value::Value;

/// Columns one statement may name.
pub const COLUMNS: usize = 20;
/// Conditions in a WHERE.
pub const CONDITIONS: usize = 10;
/// Values in an IN, and rows of VALUES.
pub const VALUES: usize = 4_000;

/// A statement and how many `?` it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub statement: Statement,
    pub parameters: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    Select(Select),
    /// SELECT without a table; the label is the text as it was written, or its alias.
    Evaluate(Vec<(Expression, String)>),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    Show(Show),
    Use(String),
    /// SET, which changes nothing here.
    Nothing,
    /// BEGIN. Every statement is done for good when it is answered, as with MySQL's tables without
    /// transactions.
    Begin,
    /// COMMIT, and ROLLBACK, which takes nothing back.
    End,
}

/// INSERT and REPLACE: with these tables the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insert {
    pub table: String,
    /// Empty when left out: all columns in their order.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Operand>>,
    /// What ON DUPLICATE KEY UPDATE assigns; `None` is `VALUES(column)`.
    pub on_duplicate: Vec<(String, Option<Operand>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    pub table: String,
    pub assignments: Vec<(String, Operand)>,
    pub condition: Option<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    pub table: String,
    pub condition: Option<Condition>,
}

/// A value, or the place of one that comes with the execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    Value(Value),
    Parameter(usize),
}

impl Operand {
    /// The value; NULL for a parameter that was never bound.
    #[must_use]
    pub fn value(&self) -> &Value {
        match self {
            Self::Value(value) => value,
            Self::Parameter(_) => &Value::Null,
        }
    }
}

#[cfg(test)]
mod tests;
