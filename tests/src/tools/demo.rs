//! `cargo xtask demo`: the product on loopback, with two people in it.

use anyhow::Result;

use super::{page, say};
use crate::{clinic::Clinic, repo};

/// Builds, starts, prints the address and stays until interrupted.
pub fn run() -> Result<()> {
    let pages = page::make()?;
    say("building the relay");
    let files = repo::build(&["--package", "clinicall-relay", "--bin", "clinicall"])?;
    let clinic = Clinic::demo(&repo::made(&files, "clinicall")?, &pages, true)?;
    let address = clinic.address();
    println!(
        "{}",
        boxed(&[
            &format!("Open  {address}  in two windows."),
            "Be the doctor in one, the patient in the other, and ring.",
            "Ctrl-C ends it.",
        ])
    );
    clinic.wait()
}

fn boxed(lines: &[&str]) -> String {
    let width = lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0);
    let edge = format!("  +-{}-+\n", "-".repeat(width));
    let body: String = lines
        .iter()
        .map(|line| format!("  | {line:width$} |\n"))
        .collect();
    format!("\n{edge}{body}{edge}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_in_a_box() {
        assert_eq!(
            boxed(&["a", "bcd"]),
            "\n  +-----+\n  | a   |\n  | bcd |\n  +-----+\n"
        );
    }
}
