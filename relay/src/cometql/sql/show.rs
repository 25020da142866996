//! SHOW and DESCRIBE.

use super::{Condition, Operand};

/// What is shown, and which rows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    pub what: What,
    pub filter: Option<Filter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Databases,
    Tables {
        full: bool,
    },
    TableStatus,
    Columns {
        table: String,
        full: bool,
    },
    CreateTable(String),
    Index(String),
    Status,
    Variables,
    Processes,
    /// WARNINGS and ERRORS: there are none.
    Warnings,
    Engines,
    CharacterSets,
    Collations,
}

/// LIKE looks at the first column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    Like(Operand),
    Where(Condition),
}
