//! The product from outside: real browsers, real peers, the real relay.
//!
//! Two things live here. [`tools`] is `cargo xtask`, the one door for building, showing, testing
//! and measuring. The rest is the stage for the stories in `tests/`: a [`clinic::Clinic`] runs the
//! relay as an operator would, a [`browser::Browser`] is Chromium or Firefox as a patient has it,
//! and everything started is stopped again, also when a story fails or is interrupted
//! ([`process`] tells how). A [`link`] puts a bad network between them.

pub mod browser;
pub mod clinic;
pub mod link;
pub mod process;
pub mod repo;
pub mod story;
pub mod tools;
