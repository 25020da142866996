//! The npm package's generated half: `pkg/dist`.

use std::{fs, path::PathBuf};

use anyhow::Result;

use super::{say, setup, wasm};
use crate::repo;

/// Builds `clinicall_client.js` and `clinicall_client_bg.wasm` where `pkg/index.mjs` expects them;
/// the folder they are in.
pub fn make() -> Result<PathBuf> {
    setup::builds()?;
    say("building the client");
    let module = wasm::library("clinicall-client", &["exports"])?;
    let folder = repo::path("pkg/dist");
    let mut inputs = vec![module.clone()];
    inputs.extend(wasm::makers());
    wasm::once(&folder, &wasm::fingerprint(&inputs)?, || {
        wasm::bind(&module, &folder, "clinicall_client")?;
        let glue = folder.join("clinicall_client.js");
        wasm::minify(&glue, &glue, false)
    })?;
    let files = ["clinicall_client.js", "clinicall_client_bg.wasm"].map(|name| folder.join(name));
    let weights = wasm::weigh(&files, false)?;
    for (file, weight) in files.iter().zip(&weights) {
        let name = file.strip_prefix(repo::root()).unwrap_or(file);
        let length = fs::metadata(file)?.len();
        debug_assert_eq!(length, weight.raw);
        say(format_args!("{}: {weight}", name.display()));
    }
    Ok(folder)
}
