//! Where things are in the repository, and how its commands are run.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

/// The workspace's root.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("`tests` is a folder of the workspace")
}

/// A path inside the repository.
#[must_use]
pub fn path(inside: &str) -> PathBuf {
    root().join(inside)
}

/// A program installed by npm into `tests/js`.
#[must_use]
pub fn npm_program(name: &str) -> PathBuf {
    path("tests/js/node_modules/.bin").join(name)
}

/// A command that runs in the workspace's root.
#[must_use]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs us, or the one on the path.
#[must_use]
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs to the end with our own output; fails when the command does.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed: {status}");
    Ok(())
}

/// Runs to the end silently; what it said is in the error when it fails.
pub fn run_quietly(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed: {}\n{}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// True when the program can be started and is content with the arguments.
#[must_use]
pub fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = command(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// `cargo build` with the arguments; the files it made (libraries, `.wasm`, executables), fresh or
/// not.
pub fn build(arguments: &[&str]) -> Result<Vec<PathBuf>> {
    let mut command = cargo();
    command.arg("build").args(arguments);
    made_by(command)
}

/// The files that a cargo command makes.
pub fn made_by(mut command: Command) -> Result<Vec<PathBuf>> {
    command.arg("--message-format=json-render-diagnostics");
    let line = line(&command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    ensure!(output.status.success(), "`{line}` failed");
    let mut files = Vec::new();
    for message in output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let message: serde_json::Value = serde_json::from_slice(message)
            .with_context(|| format!("`{line}` said something that is not JSON"))?;
        let names = message["filenames"].as_array().into_iter().flatten();
        files.extend(names.filter_map(|name| name.as_str()).map(PathBuf::from));
    }
    Ok(files)
}

/// The one file of a build with this name.
pub fn made(files: &[PathBuf], name: &str) -> Result<PathBuf> {
    let found = files
        .iter()
        .find(|file| file.file_name().is_some_and(|it| it == name));
    found
        .cloned()
        .with_context(|| format!("cargo made no `{name}`"))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
