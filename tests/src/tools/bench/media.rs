//! Forwarding, measured inside the relay's own crate, where the workers can be reached.

use anyhow::Result;

use crate::repo::{cargo, run};

/// The example prints the agreed form itself.
pub fn run_example(json: bool) -> Result<()> {
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
