//! Installing what is missing and leaving alone what is there.
//!
//! Every command calls the part it needs; on a machine that has everything this costs a few
//! milliseconds.

use std::{fs, path::Path, time::SystemTime};

use anyhow::{Context, Result, ensure};

use super::say;
use crate::repo::{self, command, run, run_quietly, works};

/// The target of everything the browser loads.
pub const WASM: &str = "wasm32-unknown-unknown";

/// What `cargo xtask test` needs.
pub fn everything() -> Result<()> {
    lints()?;
    builds()?;
    stories()
}

/// For making what the browser loads: the `wasm32` target, Node and the npm packages.
pub fn builds() -> Result<()> {
    wasm_target()?;
    programs(&[("node", "nodejs"), ("npm", "npm")])?;
    npm_packages()
}

/// For the stories: browsers, and the tools that make a network without UDP.
pub fn stories() -> Result<()> {
    programs(&[
        ("chromium", "chromium"),
        ("firefox-esr", "firefox-esr"),
        ("pulseaudio", "pulseaudio"),
        ("ip", "iproute2"),
        ("iptables", "iptables"),
        ("unshare", "util-linux"),
        ("mariadb", "mariadb-client"),
        ("php", "php-cli"),
    ])?;
    libraries()
}

/// Where Debian's own Python is; another may stand before it on the path.
pub const PYTHON: &str = "/usr/bin/python3";

/// What PHP and Python need to speak the MySQL protocol.
fn libraries() -> Result<()> {
    let php = [
        "-r",
        "exit(extension_loaded('mysqli') && extension_loaded('pdo_mysql') ? 0 : 1);",
    ];
    let python = ["-c", "import pymysql"];
    let wanted = [
        ("php", &php[..], "php-mysql"),
        (PYTHON, &python[..], "python3-pymysql"),
    ];
    for (program, arguments, package) in wanted {
        if !works(program, arguments) {
            apt(&[package])?;
        }
    }
    Ok(())
}

/// rustfmt and clippy, which a minimal toolchain lacks.
pub fn lints() -> Result<()> {
    for (program, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !works("cargo", &[program, "--version"]) {
            say(format_args!("installing {component}"));
            run(command("rustup").args(["component", "add", component]))
                .with_context(|| format!("cannot install {component}; is rustup there?"))?;
        }
    }
    Ok(())
}

/// The target, and the standard library's source: the page's is built along, for size.
fn wasm_target() -> Result<()> {
    let sysroot = run_quietly(command("rustc").args(["--print", "sysroot"]))?;
    let rustlib = Path::new(sysroot.trim()).join("lib/rustlib");
    let wanted = [
        (rustlib.join(WASM), ["target", "add", WASM]),
        (
            rustlib.join("src/rust/library"),
            ["component", "add", "rust-src"],
        ),
    ];
    for (part, add) in wanted {
        if !part.exists() {
            let name = add[2];
            say(format_args!("installing {name}"));
            run(command("rustup").args(add)).with_context(|| {
                format!("Rust's {name} is missing and rustup cannot add it (https://rustup.rs)")
            })?;
        }
    }
    Ok(())
}

/// Installs the Debian package of each program that is not on the path.
pub fn programs(wanted: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(program, _)| !on_path(program))
        .map(|&(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt(&missing)?;
    for (program, package) in wanted {
        ensure!(
            on_path(program),
            "apt installed {package}, but there is still no `{program}`"
        );
    }
    Ok(())
}

/// Installs Debian packages.
pub fn apt(missing: &[&str]) -> Result<()> {
    let list = missing.join(" ");
    ensure!(
        on_path("apt-get"),
        "missing: {list}. There is no apt here; install them your way and run this again"
    );
    say(format_args!("installing {list}"));
    let install = || {
        run_quietly(
            as_root()
                .args(["apt-get", "install", "-y", "--no-install-recommends"])
                .args(missing),
        )
    };
    // A fresh machine has no package lists, an old one has stale ones: ask for them only then.
    if install().is_err() {
        run_quietly(as_root().args(["apt-get", "update"]))
            .context("cannot fetch the package lists")?;
        install().with_context(|| format!("apt cannot install {list}"))?;
    }
    Ok(())
}

/// `env` for root, `sudo` for others; never a question on the terminal in the middle of a test.
fn as_root() -> std::process::Command {
    let root = run_quietly(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let mut command = command(if root { "env" } else { "sudo" });
    command.arg("DEBIAN_FRONTEND=noninteractive");
    command
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps `ip` and `iptables` where a plain user's path does not look.
    let admin = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path)
        .chain(admin)
        .any(|folder| folder.join(program).is_file())
}

/// `npm ci` when the lock file is younger than what is installed.
fn npm_packages() -> Result<()> {
    let written = |path: &str| -> Option<SystemTime> {
        fs::metadata(repo::path(path))
            .and_then(|it| it.modified())
            .ok()
    };
    let installed = written("tests/js/node_modules/.package-lock.json");
    if installed.is_some() && installed >= written("tests/js/package-lock.json") {
        return Ok(());
    }
    say("installing npm packages into tests/js");
    let npm = || {
        run_quietly(
            command("npm")
                .args(["ci", "--silent"])
                .current_dir(repo::path("tests/js")),
        )
    };
    npm()
        .or_else(|_| npm())
        .context("npm cannot install what tests/js/package-lock.json names")?;
    Ok(())
}
