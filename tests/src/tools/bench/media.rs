//! Forwarding, measured inside the relay's own crate, where the workers can be reached.

use anyhow::Result;

use crate::{
    repo::{cargo, run},
    tools::setup,
};

/// The example prints the agreed form itself; Janus' figures are `null` where it cannot be had.
pub fn run_example(json: bool) -> Result<()> {
    if let Err(why) = setup::programs(&[("janus", "janus")]) {
        eprintln!("Janus is not to be had here: {why:#}");
    }
    let mut example = cargo();
    example.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "clinicall-relay",
    ]);
    example.args(["--example", "media_bench", "--"]);
    run(example.args(json.then_some("--json")))
}
