//! From a crate to what a browser loads: the bindings, the optimiser, the minifier.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;
use wasm_bindgen_cli_support::Bindgen;

mod shorten;

use super::setup::WASM;
use crate::repo::{self, command, npm_program, run_quietly};

/// What rustc turns on by itself for `wasm32-unknown-unknown`. All of them by `--all-features`
/// would be too many: Chromium 156 refuses the compact imports that binaryen 132 then writes.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// What gzip makes of it counts. Hints of alignment are entropy that no processor reads. A function that is inlined into its only caller (LLVM has done so
/// where it pays) and a value that is kept for a second use both make more distinct locals, which
/// compress badly.
const PASSES: [&str; 8] = [
    "-Oz",
    "--dealign",
    "--one-caller-inline-max-function-size",
    "0",
    "--skip-pass",
    "local-cse",
    "--strip-producers",
    "--strip-target-features",
];

/// How the page's code is compiled beyond the profile `wasm`. The standard library is built along,
/// for size and without the machinery that words and unwinds panics: a third of everything. Panics
/// then stop the module where they happen, and nothing of ours tells by a panic.
///
/// Stable cargo knows these by the names of a later day; they move with `rust-version`.
const SMALLER: [&str; 6] = [
    "-Zbuild-std=std,panic_abort",
    "-Zbuild-std-features=optimize_for_size",
    "--config",
    // joins what .cargo/config.toml says; the later `panic` counts
    r#"target.wasm32-unknown-unknown.rustflags=["-Zunstable-options", "-Cpanic=immediate-abort"]"#,
    "--profile",
    "wasm",
];

/// The `.wasm` of a library, which says by this alone that it is one for a page: beside an `rlib`,
/// cargo would not optimise it as a whole.
pub fn library(package: &str, features: &[&str]) -> Result<PathBuf> {
    let features = features.join(",");
    compile(
        package,
        &["rustc", "--lib", "--crate-type", "cdylib"],
        &["--features", &features],
    )
}

/// The `.wasm` of a program: of a page written in Rust.
pub fn program(package: &str) -> Result<PathBuf> {
    compile(package, &["build", "--bins"], &[])
}

fn compile(package: &str, how: &[&str], features: &[&str]) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let mut cargo = repo::cargo();
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        // Build scripts look at RUSTC_BOOTSTRAP: in one folder, each build would undo the other's.
        .env("CARGO_TARGET_DIR", repo::root().join(target).join("page"))
        .args(how)
        .args(["--package", package, "--target", WASM])
        .args(SMALLER)
        .args(features);
    let files = repo::made_by(cargo)?;
    let hyphened = format!("{package}.wasm");
    repo::made(&files, &hyphened.replace('-', "_")).or_else(|_| repo::made(&files, &hyphened))
}

/// Writes `NAME.js` and `NAME_bg.wasm` into the folder.
pub fn bind(wasm: &Path, folder: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .out_name(name)
        .generate(folder)
        .with_context(|| format!("wasm-bindgen refuses {}", wasm.display()))?;
    let module = folder.join(format!("{name}_bg.wasm"));
    let smaller = folder.join(format!("{name}_bg.wasm.new"));
    let said = run_quietly(
        command(npm_program("wasm-opt"))
            .args(PASSES)
            .arg(shorten::PASS)
            .args(FEATURES)
            .arg(&module)
            .arg("-o")
            .arg(&smaller),
    )?;
    shorten::follow(&said, &folder.join(format!("{name}.js")))?;
    fs::rename(smaller, module)?;
    Ok(())
}

/// One minified ES module from `entry` and what it imports (with `bundle`), or from it alone.
pub fn minify(entry: &Path, out: &Path, bundle: bool) -> Result<()> {
    let mut esbuild = command(npm_program("esbuild"));
    esbuild.arg(entry).args([
        "--minify",
        "--format=esm",
        "--target=es2022",
        "--log-level=warning",
    ]);
    if bundle {
        // what `clinicall/button` fetches later is a file of its own
        esbuild.args(["--bundle", "--external:./index.mjs"]);
    }
    esbuild
        .arg("--allow-overwrite")
        .arg(format!("--outfile={}", out.display()));
    run_quietly(&mut esbuild).map(drop)
}

/// Bytes of a file as it is and compressed as hard as servers do beforehand (gzip 9, brotli 11).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Weight {
    pub raw: u64,
    pub gzip: u64,
    pub brotli: u64,
}

impl std::ops::Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            raw: self.raw + other.raw,
            gzip: self.gzip + other.gzip,
            brotli: self.brotli + other.brotli,
        }
    }
}

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} bytes, {} gzip, {} brotli",
            self.raw, self.gzip, self.brotli
        )
    }
}

/// Weighs each file; with `keep`, leaves `FILE.gz` and `FILE.br` beside it for the relay to serve.
pub fn weigh(files: &[PathBuf], keep: bool) -> Result<Vec<Weight>> {
    let mut node = command("node");
    node.arg(repo::path("tests/js/weigh.mjs"));
    if keep {
        node.arg("--keep");
    }
    let said = run_quietly(node.args(files))?;
    serde_json::from_str(&said).context("weigh.mjs said something else than weights")
}

/// Names the content of files; changes when any of them does.
pub fn fingerprint(files: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file)
            .with_context(|| format!("cannot read {}", file.display()))?
            .hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// What decides how a module is made smaller: a change makes it anew.
pub fn makers() -> impl Iterator<Item = PathBuf> {
    let files = [
        "tests/src/tools/wasm.rs",
        "tests/src/tools/wasm/shorten.rs",
        "tests/js/package-lock.json",
    ];
    files.into_iter().map(repo::path)
}

/// Runs `make` unless it was already done for this fingerprint: `folder` then holds the result.
pub fn once(folder: &Path, fingerprint: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = folder.join(".stamp");
    if fs::read_to_string(&stamp).is_ok_and(|known| known == fingerprint) {
        return Ok(());
    }
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    make()?;
    fs::write(stamp, fingerprint)?;
    Ok(())
}
