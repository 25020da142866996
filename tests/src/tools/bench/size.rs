//! What a browser loads for a working call button: our WASM and JavaScript, beside JsSIP.

use anyhow::Result;

use super::Row;
use crate::{
    clinic::scratch,
    repo,
    tools::{pkg, wasm},
};

/// JsSIP 3.13.8 bundled, minified and compressed by gzip has 55.5 KB: the aim is to be below.
const GOAL_GZIP: f64 = 55_000.0;

pub fn rows() -> Result<Vec<Row>> {
    let dist = pkg::make()?;
    let folder = scratch("size")?;
    let button = |name: &str| -> Result<std::path::PathBuf> {
        let bundle = folder.join(format!("{name}.js"));
        wasm::minify(
            &repo::path("tests/js/button")
                .join(name)
                .with_extension("mjs"),
            &bundle,
            true,
        )?;
        Ok(bundle)
    };
    let files = [
        button("clinicall")?,
        button("jssip")?,
        button("first")?,
        dist.join("clinicall_client_bg.wasm"),
    ];
    let weights = wasm::weigh(&files, false)?;
    std::fs::remove_dir_all(folder)?;
    let [script, jssip, first, module] = weights[..] else {
        anyhow::bail!("weigh.mjs did not weigh four files");
    };
    let ours = script + module;
    let bytes = |bytes: u64| bytes as f64;
    Ok(vec![
        Row::less(
            "call button, raw",
            "bytes",
            bytes(ours.raw),
            bytes(jssip.raw),
        ),
        Row::less(
            "call button, gzip",
            "bytes",
            bytes(ours.gzip),
            bytes(jssip.gzip),
        )
        .goal(GOAL_GZIP),
        Row::less(
            "call button, brotli",
            "bytes",
            bytes(ours.brotli),
            bytes(jssip.brotli),
        ),
        Row::less(
            "until the button can be pressed, gzip",
            "bytes",
            bytes(first.gzip),
            bytes(jssip.gzip),
        ),
    ])
}
