//! CometQL: the MySQL protocol on a port of its own, so that a clinic's back end in any language
//! rings people and sends them messages with a client it already has.
//!
//! The tables are CppComet's. A statement passes through these rooms, in this order: [`wire`] turns
//! bytes into commands and answers into bytes (pure: it opens no socket), [`sql`] turns text into a
//! [`sql::Statement`], [`tables`] does what it says through a [`backing::Backing`], which is
//! [`crate::backend`]. [`serve`] is the one file that knows sockets.
//!
//! What differs from CppComet, on purpose: a WHERE does what it says, several rows of VALUES are
//! taken, backslashes in strings are unescaped as MySQL does, statements may be prepared, columns
//! that hold numbers are of a number type, and user ids may be any of
//! [`crate::config::is_user_id`].

pub mod backing;
pub mod error;
pub mod execute;
pub mod serve;
pub mod sql;
pub mod tables;
pub mod value;
pub mod wire;

pub use error::{Code, Error};

/// As MySQL writes its own: drivers read the number in front and choose what they may ask for.
pub const VERSION: &str = concat!("5.7.99-clinicall-", env!("CARGO_PKG_VERSION"));

/// The one database; `db_N`, a tenant of CppComet, means the same.
pub const DATABASE: &str = "CometQL_v1";

/// True for the names the database goes by.
#[must_use]
pub fn is_database(name: &str) -> bool {
    name.eq_ignore_ascii_case(DATABASE)
        || name
            .strip_prefix("db_")
            .is_some_and(|tenant| (1..=6).contains(&tenant.len()) && is_digits(tenant))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
