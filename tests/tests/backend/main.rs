//! The clinic's own web server, in SQL and in other tongues, and what the pages of its people get
//! from it.
//!
//! `cargo xtask test backend` runs these.

mod clients;
mod comet;
mod cppcomet;
mod login;
mod ringing;
mod speaking;

use anyhow::Result;
use clinicall_tests::{
    clinic::{Clinic, Plan},
    repo,
};

const COMETQL_PASSWORD: &str = "CometQLPassword";

/// What a clinic whose web server speaks SQL has in its configuration.
fn with_cometql() -> String {
    format!(
        "[comet]\nguests = true\n[cometql]\nlisten = \"127.0.0.1:0\"\n\
         password = {COMETQL_PASSWORD:?}\n"
    )
}

/// A clinic of its own for a story without browsers.
fn open_clinic() -> Result<Clinic> {
    let pages = repo::path("tests/pages");
    let mut plan = Plan::new(&pages, &["doctor"]);
    plan.more = with_cometql();
    Clinic::open(&plan)
}
