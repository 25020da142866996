//! The clinic's own web server, in SQL and in other tongues, and what the pages of its people get
//! from it.
//!
//! `cargo xtask test backend` runs these.

mod clients;
mod comet;
mod cppcomet;

use anyhow::Result;
use clinicall_tests::{
    clinic::{Clinic, Plan},
    repo,
};

/// A clinic of its own for a story without browsers.
fn open_clinic() -> Result<Clinic> {
    Clinic::open(&Plan::new(&repo::path("tests/pages"), &["doctor"]))
}
