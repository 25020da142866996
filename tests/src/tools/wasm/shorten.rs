//! Short names between the module and its JavaScript.
//!
//! wasm-bindgen names each import with a hash, and each name stands in both files: hashes do not
//! compress. wasm-opt renames the module's side and lists what it did; here the script follows.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

/// The pass of wasm-opt that prints a [`Renamed`].
pub const PASS: &str = "--minify-imports-and-exports-and-modules";

/// What wasm-opt says it renamed.
#[derive(Deserialize)]
struct Renamed {
    /// Module, name, new name. All modules are now called `a`.
    imports: Vec<(String, String, String)>,
    exports: Vec<(String, String)>,
}

/// Renames in the script what wasm-opt renamed in the module.
pub fn follow(said: &str, script: &Path) -> Result<()> {
    let renamed = serde_json::from_str(said).context("wasm-opt listed no new names")?;
    let text = std::fs::read_to_string(script)
        .with_context(|| format!("cannot read {}", script.display()))?;
    std::fs::write(script, rename(&text, &renamed)?)
        .with_context(|| format!("cannot write {}", script.display()))
}

fn rename(script: &str, renamed: &Renamed) -> Result<String> {
    let imports: HashMap<&str, &str> = renamed
        .imports
        .iter()
        .map(|(_, old, new)| (old.as_str(), new.as_str()))
        .collect();
    let exports: HashMap<&str, &str> = renamed
        .exports
        .iter()
        .map(|(old, new)| (old.as_str(), new.as_str()))
        .collect();
    let mut found = 0;
    let mut out = String::with_capacity(script.len());
    for line in script.lines() {
        // `    NAME: function(...) {` in the object of imports
        let key = line.trim_start().split_once(": function");
        let import = key.and_then(|(name, rest)| Some((imports.get(name)?, rest)));
        let rest = match import {
            Some((new, rest)) => {
                found += 1;
                out.extend([new, ": function"]);
                rest
            }
            None => line,
        };
        rename_exports(rest, &exports, &mut out);
        out.push('\n');
    }
    anyhow::ensure!(
        found == imports.len(),
        "{found} of {} imports are where wasm-bindgen used to write them",
        imports.len()
    );
    for (module, ..) in &renamed.imports {
        out = out.replace(&format!("\"{module}\": import0"), "\"a\": import0");
    }
    Ok(out)
}

/// `wasm.NAME`, wherever it stands.
fn rename_exports(line: &str, exports: &HashMap<&str, &str>, out: &mut String) {
    let is_word = |it: char| it.is_alphanumeric() || matches!(it, '_' | '$');
    let mut parts = line.split("wasm.");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str("wasm.");
        let (name, rest) = part.split_at(part.find(|it| !is_word(it)).unwrap_or(part.len()));
        out.extend([exports.get(name).copied().unwrap_or(name), rest]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"{
        "imports": [["./x_bg.js", "__wbg_now_80", "$"]],
        "exports": [["connect", "mb"], ["memory", "Ya"]]
    }"#;
    const SCRIPT: &str = r#"function connect(a) { return wasm.connect(a, wasm.memory.buffer, wasm.connected); }
const import0 = {
    __wbg_now_80: function() { wasm.connect(); },
};
return { "./x_bg.js": import0 };"#;

    #[test]
    fn the_script_follows_the_module() {
        let renamed: Renamed = serde_json::from_str(SAID).unwrap();
        assert_eq!(
            rename(SCRIPT, &renamed).unwrap(),
            r#"function connect(a) { return wasm.mb(a, wasm.Ya.buffer, wasm.connected); }
const import0 = {
$: function() { wasm.mb(); },
};
return { "a": import0 };
"#
        );
    }

    #[test]
    fn an_import_that_is_not_found_is_told() {
        let renamed: Renamed = serde_json::from_str(SAID).unwrap();
        let error = rename("nothing", &renamed).unwrap_err();
        assert!(error.to_string().starts_with("0 of 1"), "{error}");
    }
}
