//! The command line of `cargo xtask`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clinicall_tests::tools::{bench, demo, page, pkg, setup, suite};

const USAGE: &str = "\
cargo xtask COMMAND

  setup                 install what is missing: the wasm32 target, browsers, npm packages
  demo                  build everything, start the relay with two demo users, print the address
  test [FILTER]         run everything, or the stories and tests whose names contain FILTER
                        (`visit`: the browser and peer stories)
  test dialect [--original FILE]
                        the stories of CppComet's dialect, with its own CometServerApi.js 4.08 if
                        you have it, else with a library of ours
  pkg                   build the npm package's code into pkg/dist
  bench NAME [--json]   measure: comet, lowband, media, setup or size; with --json the last line is one object
                        (lowband: --cell 64,5,300 for some links, --brief for six, --full for all)
  page                  build the demo page into www/dist";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // No backtrace: what failed is a tool, and the chain says which.
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["setup"] => setup::everything(),
        ["demo"] => demo::run(),
        ["test"] => suite::run_all(None),
        ["test", "dialect"] => suite::dialect(None),
        ["test", "dialect", "--original", file] => suite::dialect(Some(file)),
        ["test", filter] => suite::run_all(Some(filter)),
        ["bench", name, ref words @ ..] => bench::run(name, words),
        ["pkg"] => pkg::make().map(drop),
        ["page"] => page::make().map(drop),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("`cargo xtask {}` is not known\n\n{USAGE}", words.join(" ")),
    }
}
