//! SELECT.

use super::{Condition, Operand};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    pub items: Vec<Item>,
    pub table: String,
    pub condition: Option<Condition>,
    pub order: Vec<Order>,
    pub limit: Option<Limit>,
}

/// One item of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    All,
    Column {
        name: String,
        label: String,
    },
    /// `COUNT(*)`; with a column, its NULLs are not counted.
    Count {
        column: Option<String>,
        label: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub column: String,
    pub descending: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub offset: Operand,
    pub count: Operand,
}

/// What can be selected without a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    Operand(Operand),
    /// `@@name`.
    Variable(String),
    /// `NAME()`, in lower case.
    Function(String),
}
