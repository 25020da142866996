//! What a statement may be refused for, with CppComet's numbers.

use crate::backend::BackendError;

/// The number of an error as CppComet gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    NotImplemented,
    Syntax,
    ReadOnly,
    TooLong,
    InvalidData,
    /// WHERE lacks the key, or names it twice.
    Key,
    Columns,
    /// No such table or database.
    Missing,
    Authentication,
    TooShort,
    TooManyConditions,
    TooManyValues,
    TooManyColumns,
    Denied,
    Internal,
    /// MySQL's own number: what connection pools know.
    TooManyConnections,
    /// MySQL's own: a prepared statement that is not there.
    UnknownStatement,
}

impl Code {
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::NotImplemented => 2,
            Self::Syntax => 3,
            Self::ReadOnly => 10,
            Self::TooLong => 11,
            Self::InvalidData => 12,
            Self::Key => 13,
            Self::Columns => 14,
            Self::Missing => 15,
            Self::Authentication => 16,
            Self::TooShort => 17,
            Self::TooManyConditions => 18,
            Self::TooManyValues => 19,
            Self::TooManyColumns => 20,
            Self::Denied => 403,
            Self::Internal => 500,
            Self::TooManyConnections => 1040,
            Self::UnknownStatement => 1243,
        }
    }

    /// The SQLSTATE that goes with it.
    #[must_use]
    pub const fn state(self) -> &'static str {
        match self {
            Self::NotImplemented => "0A000",
            Self::Syntax | Self::Key | Self::Denied => "42000",
            Self::TooLong | Self::TooShort => "22001",
            Self::InvalidData => "22023",
            Self::Columns => "42S22",
            Self::Missing => "42S02",
            Self::Authentication => "28000",
            Self::TooManyConditions | Self::TooManyValues | Self::TooManyColumns => "54000",
            Self::ReadOnly | Self::Internal | Self::UnknownStatement => "HY000",
            Self::TooManyConnections => "08004",
        }
    }
}

/// A refusal: a number for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    pub code: Code,
    pub text: String,
}

impl Error {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

/// Shorthand for the tables.
pub fn refuse<T>(code: Code, text: impl Into<String>) -> Result<T, Error> {
    Err(Error::new(code, text))
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        let code = match &error {
            BackendError::NotFound { .. } => Code::Missing,
            BackendError::Invalid { .. } | BackendError::Conflict(_) => Code::InvalidData,
            BackendError::Forbidden(_) => Code::Denied,
            BackendError::TooMany(_) => Code::TooLong,
            BackendError::Unavailable(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}
