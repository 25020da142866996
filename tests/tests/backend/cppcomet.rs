//! Pages that speak CppComet's dialect, and the site behind them: frame by frame
//! (`tests/js/cppcomet.mjs` plays both), and through the library that such pages have.

mod cable;
mod library;

use anyhow::Result;
use clinicall_tests::repo::{self, command, run_quietly};

use super::{COMETQL_PASSWORD, open_clinic};

fn play(story: &str) -> Result<()> {
    let clinic = open_clinic()?;
    run_quietly(
        command("node")
            .arg(repo::path("tests/js/cppcomet.mjs"))
            .args([clinic.http(), clinic.cometql(), COMETQL_PASSWORD, story]),
    )?;
    Ok(())
}

#[test]
fn pages_come_in_by_hash_and_others_as_guests() -> Result<()> {
    play("login")
}

#[test]
fn tokens_open_and_forged_or_revoked_ones_do_not() -> Result<()> {
    play("tokens")
}

#[test]
fn sixty_messages_wait_and_come_once() -> Result<()> {
    play("messages")
}

#[test]
fn pipes_carry_keep_and_tell_who_listens() -> Result<()> {
    play("pipes")
}

#[test]
fn a_page_hears_of_a_call() -> Result<()> {
    play("call")
}
