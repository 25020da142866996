//! `cargo xtask test`: everything, in the order in which faults are cheapest to find.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};

use super::{page, pkg, say, setup};
use crate::repo::{self, cargo, run};

/// Crates tested natively: all but the stories.
const NATIVE: [&str; 5] = [
    "clinicall-comet",
    "clinicall-sip",
    "clinicall-client",
    "clinicall-relay",
    "clinicall-www",
];
const STORIES: &str = "clinicall-tests";

/// The environment variable that names CppComet's own CometServerApi.js, for the stories of its
/// dialect; without it they are told with a library of our own.
pub const ORIGINAL: &str = "CLINICALL_COMETSERVERAPI";

/// Without a filter everything; with one, the stories of `tests/tests/FILTER` if there are such,
/// else all native tests and stories whose names contain it.
pub fn run_all(filter: Option<&str>) -> Result<()> {
    let begun = Instant::now();
    setup::everything()?;
    match filter {
        None => {
            step("the format", || {
                run(cargo().args(["fmt", "--all", "--check"]))
            })?;
            step("the lints", lints)?;
            step("the native tests", || native(None))?;
            step("what the browser loads", || {
                pkg::make().and_then(|_| page::make()).map(drop)
            })?;
            step("the stories", || stories(&["--tests"], None))?;
        }
        Some(name) if is_stories(name) => {
            step("the stories", || stories(&["--test", name], None))?;
        }
        Some(filter) => {
            step("the native tests", || native(Some(filter)))?;
            step("the stories", || stories(&["--tests"], Some(filter)))?;
        }
    }
    say(format_args!(
        "all is well, in {} s",
        begun.elapsed().as_secs()
    ));
    Ok(())
}

/// The stories of CppComet's dialect, with its original library if there is one.
pub fn dialect(original: Option<&str>) -> Result<()> {
    setup::everything()?;
    let original = original.map(fs::canonicalize).transpose();
    let original = original.context("cannot find the original")?;
    let mut more = Vec::new();
    if let Some(file) = &original {
        say(format_args!("with {}", file.display()));
        more.push((ORIGINAL, file.as_path()));
    }
    step("the stories", || {
        stories_with(&["--test", "backend"], Some("cppcomet"), &more)
    })
}

/// True for the name of a file (or folder) of stories.
fn is_stories(name: &str) -> bool {
    let folder = repo::path("tests/tests").join(name);
    folder.with_extension("rs").exists() || folder.join("main.rs").exists()
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    say(format_args!("--- {name}"));
    let begun = Instant::now();
    work().with_context(|| format!("{name}: failed"))?;
    say(format_args!(
        "--- {name}: good, in {} s",
        begun.elapsed().as_secs()
    ));
    Ok(())
}

fn lints() -> Result<()> {
    // Default members natively; the two that run in a browser again as the browser sees them.
    run(cargo().args(["clippy", "--all-targets", "--", "-D", "warnings"]))?;
    run(cargo()
        .args([
            "clippy",
            "--package",
            "clinicall-client",
            "--package",
            "clinicall-www",
        ])
        .args([
            "--target",
            setup::WASM,
            "--features",
            "clinicall-client/exports",
        ])
        .args(["--", "-D", "warnings"]))
}

fn native(filter: Option<&str>) -> Result<()> {
    let mut test = cargo();
    test.arg("test");
    for package in NATIVE {
        test.args(["--package", package]);
    }
    run(test.args(filter))?;
    run(cargo()
        .args(["test", "--package", STORIES, "--lib"])
        .args(filter))
}

fn stories(which: &[&str], filter: Option<&str>) -> Result<()> {
    stories_with(which, filter, &[])
}

fn stories_with(which: &[&str], filter: Option<&str>, more: &[(&str, &Path)]) -> Result<()> {
    pkg::make()?;
    let relay = relay()?;
    run(cargo()
        // a story that fails hides none of the others
        .args(["test", "--package", STORIES, "--no-fail-fast"])
        .args(which)
        .args(filter)
        .envs(more.iter().copied())
        .env(crate::clinic::BINARY, relay)
        // What fails is in a browser; our own stack says nothing about it.
        .env("RUST_LIB_BACKTRACE", "0"))
}

/// The relay, from the same build as its native tests: cargo would choose other features for the
/// binary alone and compile its dependencies once more.
fn relay() -> Result<PathBuf> {
    let mut build = vec!["--all-targets"];
    build.extend(NATIVE.iter().flat_map(|&package| ["--package", package]));
    repo::made(&repo::build(&build)?, "clinicall")
}
