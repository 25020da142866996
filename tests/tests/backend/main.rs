//! The clinic's own web server, and what the pages of its people get from it.
//!
//! `cargo xtask test backend` runs these.

mod comet;
