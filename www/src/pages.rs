//! A page per screen.

pub mod calling;
pub mod choose;
pub mod incoming;
pub mod people;
pub mod talking;

/// The heading of every page has this id, to put the keyboard there when the page appears.
pub const HEADING: &str = "heading";
