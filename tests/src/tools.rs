//! `cargo xtask`: one door for building, showing, testing and measuring.

pub mod bench;
pub mod demo;
pub mod page;
pub mod pkg;
pub mod setup;
pub mod suite;
pub mod wasm;

/// Says what is being done, to a person who waits.
pub fn say(what: impl std::fmt::Display) {
    eprintln!("xtask: {what}");
}
