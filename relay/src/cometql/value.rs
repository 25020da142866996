//! Values, columns and what a statement answers.

/// A value of a cell, a literal or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
}

impl Value {
    /// The value as text; `None` for NULL.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Int(number) => Some(number.to_string()),
            Self::Text(text) => Some(text.clone()),
        }
    }

    /// The value as a number, when it is one or is written as one.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Null => None,
            Self::Int(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// How a column's values travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Int,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The table it comes from; empty for an expression.
    pub table: &'static str,
    pub name: String,
    pub kind: Kind,
}

impl Column {
    pub fn new(table: &'static str, name: impl Into<String>, kind: Kind) -> Self {
        Self {
            table,
            name: name.into(),
            kind,
        }
    }
}

/// What a statement answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done {
        affected: u64,
        insert_id: u64,
    },
    Rows {
        columns: Vec<Column>,
        rows: Vec<Vec<Value>>,
    },
}

impl Answer {
    #[must_use]
    pub const fn affected(affected: u64) -> Self {
        Self::Done {
            affected,
            insert_id: 0,
        }
    }

    #[must_use]
    pub const fn nothing() -> Self {
        Self::affected(0)
    }
}
