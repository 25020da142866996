//! Child processes on a leash: they end when we let go, and also when we are killed.
//!
//! The leash is a pipe. A small shell holds our end of it as its standard input and ends the child
//! when the pipe closes, which the kernel does for us however we die. The shell and the child have
//! a process group of their own, so an interrupt typed at the terminal reaches them only this way.

use std::{
    ffi::OsStr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// Ends the child when standard input closes: asked first, after five seconds made to. The shell
/// closes its own outputs, so that ours end when the child's do. The child's temporary folder goes
/// with it.
const LEASH: &str = r#"
"$@" </dev/null & child=$!
exec >&- 2>&-
cat >/dev/null
kill -TERM $child
(sleep 5; kill -KILL $child) & late=$!
wait $child
kill $late
[ -z "$LEASH_FOLDER" ] || rm -rf -- "$LEASH_FOLDER"
"#;

/// A child that cannot outlive us.
#[derive(Debug)]
pub struct Leashed {
    shell: Child,
}

impl Leashed {
    /// Starts the command (program, arguments, environment and folder are taken from it); its
    /// output is ours to read with [`Leashed::output`]. The folder is removed after its end.
    pub fn start(command: &Command, inside: Option<&Net>, folder: Option<&Path>) -> Result<Self> {
        let mut words: Vec<&OsStr> = Vec::new();
        let enter = inside.map(Net::enter);
        words.extend(enter.iter().flatten().map(OsStr::new));
        words.push(command.get_program());
        words.extend(command.get_args());
        let mut shell = Command::new("sh");
        shell
            .args(["-c", LEASH, "leash"])
            .args(words)
            .process_group(0);
        shell.env("LEASH_FOLDER", folder.unwrap_or_else(|| Path::new("")));
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        let program = command.get_program().to_string_lossy().into_owned();
        let shell = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{program}`"))?;
        Ok(Self { shell })
    }

    /// What the child prints; once.
    pub fn output(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        Some((self.shell.stdout.take()?, self.shell.stderr.take()?))
    }

    /// Ends the child at once, without a word; [`Leashed::stop`] cleans up after it.
    pub fn kill(&self) -> Result<()> {
        let shell = self.shell.id();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
        let child = children.split(' ').next().unwrap_or("");
        let name = std::fs::read_to_string(format!("/proc/{child}/comm"))?;
        // what the shell waits with when the child has ended by itself
        anyhow::ensure!(name.trim() != "cat", "the child has ended already");
        let killed = Command::new("kill").args(["-KILL", child]).status()?;
        anyhow::ensure!(killed.success(), "there is no child to end");
        Ok(())
    }

    /// Lets go and waits for the end.
    pub fn stop(&mut self) {
        drop(self.shell.stdin.take());
        let patience = Instant::now() + Duration::from_secs(8);
        while Instant::now() < patience {
            if matches!(self.shell.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        kill_group(self.shell.id());
        let _ = self.shell.wait();
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ends a process group we started, at once.
pub fn kill_group(leader: u32) {
    let group = format!("-{leader}");
    let _ = Command::new("kill")
        .args(["-KILL", "--", &group])
        .stderr(Stdio::null())
        .status();
}

/// A network of its own with nothing but loopback, where rules can be set without harm to others.
/// It is gone with the last process inside.
#[derive(Debug)]
pub struct Net {
    holder: Child,
}

impl Net {
    /// A network where no UDP packet arrives, as behind a hospital's firewall. Fails where one may
    /// not make networks (no root, no user namespaces); the error says so.
    pub fn without_udp() -> Result<Self> {
        Self::with("iptables -A INPUT -p udp -j DROP")
    }

    /// A network with nothing but loopback.
    pub fn alone() -> Result<Self> {
        Self::with("true")
    }

    /// A network with loopback in which a shell has run this.
    fn with(rules: &str) -> Result<Self> {
        use std::io::{BufRead, BufReader};
        let script = format!("ip link set lo up && {rules} && echo ready && cat");
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", &script])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start `unshare`")?;
        let mut first = String::new();
        if let Some(output) = holder.stdout.take() {
            BufReader::new(output).read_line(&mut first)?;
        }
        if first.trim() != "ready" {
            let said = holder.wait_with_output()?;
            let said = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            anyhow::bail!("no network of our own (are we root?): {said}");
        }
        Ok(Self { holder })
    }

    /// The words to put before a command so that it runs inside.
    #[must_use]
    pub fn enter(&self) -> [String; 2] {
        ["nsenter".into(), format!("--net={}", self.path())]
    }

    /// The file by which the kernel knows it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
