//! Chromium and Firefox, as people have them, with a fake camera and microphone.
//!
//! A browser is driven by Node (`tests/js/driver.mjs`), one process for each, over lines of JSON.
//! Commands wait for their answer, and every one has a deadline.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    process::{Net, kill_group},
    repo,
};

/// A cold start of Firefox on a loaded machine takes 10 s.
const LAUNCH: Duration = Duration::from_secs(90);
const ORDINARY: Duration = Duration::from_secs(30);
/// How much longer than the driver we wait, which gives up first and tells why.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Chromium,
    Firefox,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        })
    }
}

/// A running browser; it ends with this value and its pages.
#[derive(Clone, Debug)]
pub struct Browser {
    driver: Arc<Driver>,
    pub kind: Kind,
    /// What it says it is.
    pub version: String,
}

impl Browser {
    pub fn launch(kind: Kind) -> Result<Self> {
        Self::launch_inside(kind, None)
    }

    /// Starts a browser in a network of its own.
    pub fn launch_inside(kind: Kind, net: Option<&Net>) -> Result<Self> {
        Self::launch_with(kind, net, &json!({}))
    }

    /// The same with more: `secure`, the origin of pages that get camera and microphone although
    /// they come without TLS. Only pages go through that network: the browser is
    /// driven from inside it.
    pub fn launch_with(kind: Kind, net: Option<&Net>, with: &Value) -> Result<Self> {
        let driver = Driver::start(net)?;
        let mut what = with.clone();
        what["kind"] = json!(kind.to_string());
        let answer = driver
            .ask("launch", what, LAUNCH)
            .with_context(|| format!("cannot start {kind}"))?;
        if let Some(pid) = answer["pid"]
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok())
        {
            driver.browser.store(u64::from(pid), Ordering::Relaxed);
        }
        let version = answer["version"].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            driver: Arc::new(driver),
            kind,
            version,
        })
    }

    /// A new window of a new person: nothing is shared with other pages.
    pub fn open(&self, url: &str) -> Result<Page> {
        self.open_with(json!({ "url": url }), url)
    }

    fn open_with(&self, what: Value, url: &str) -> Result<Page> {
        let answer = self
            .driver
            .ask("open", what, LAUNCH)
            .with_context(|| format!("{} cannot open {url}", self.kind))?;
        let id = answer["page"]
            .as_u64()
            .context("the driver names no page")?;
        Ok(Page {
            browser: self.clone(),
            id,
        })
    }

    /// Serves a folder on loopback as long as the browser lives; its address, with a slash.
    pub fn serve(&self, folder: &Path) -> Result<String> {
        let answer = self
            .driver
            .ask("serve", json!({ "folder": folder }), ORDINARY)?;
        Ok(format!("http://127.0.0.1:{}/", answer["port"]))
    }
}

/// A tab.
#[derive(Debug)]
pub struct Page {
    pub browser: Browser,
    id: u64,
}

impl Page {
    /// Another tab of the same person: storage is shared.
    pub fn open_beside(&self, url: &str) -> Result<Self> {
        self.browser
            .open_with(json!({ "url": url, "beside": self.id }), url)
    }

    /// Runs the body of an async function of `arg` in the page; what it returns.
    pub fn eval<T: DeserializeOwned>(&self, code: &str, arg: Value) -> Result<T> {
        self.eval_within(ORDINARY, code, arg)
    }

    /// The same with another deadline.
    pub fn eval_within<T: DeserializeOwned>(
        &self,
        deadline: Duration,
        code: &str,
        arg: Value,
    ) -> Result<T> {
        let what = json!({ "page": self.id, "code": code, "arg": arg });
        let value = self
            .browser
            .driver
            .ask("eval", what, deadline)
            .with_context(|| format!("in {}, running `{}`", self.browser.kind, code.trim()))?;
        let said = value.to_string();
        serde_json::from_value(value)
            .with_context(|| format!("`{}` gave {said}, which was not expected", code.trim()))
    }

    /// What the page wrote to its console, and its uncaught errors.
    pub fn console(&self) -> Result<Vec<String>> {
        let lines = self
            .browser
            .driver
            .ask("log", json!({ "page": self.id }), ORDINARY)?;
        Ok(serde_json::from_value(lines)?)
    }

    /// A picture of it, as PNG.
    pub fn screenshot(&self, path: &Path) -> Result<()> {
        let what = json!({ "page": self.id, "path": path });
        self.browser.driver.ask("shot", what, ORDINARY).map(drop)
    }

    /// Loads it anew.
    pub fn reload(&self) -> Result<()> {
        self.browser
            .driver
            .ask("reload", json!({ "page": self.id }), ORDINARY)
            .map(drop)
    }

    /// Closes the tab, as a person does.
    pub fn close(&self) -> Result<()> {
        self.browser
            .driver
            .ask("close", json!({ "page": self.id }), ORDINARY)
            .map(drop)
    }
}

type Answers = Arc<Mutex<HashMap<u64, mpsc::Sender<Result<Value, String>>>>>;

/// The Node process beside a browser.
#[derive(Debug)]
struct Driver {
    node: Child,
    input: Mutex<Option<ChildStdin>>,
    answers: Answers,
    last: AtomicU64,
    /// The browser's process group, 0 before it is known.
    browser: AtomicU64,
}

impl Driver {
    fn start(net: Option<&Net>) -> Result<Self> {
        let mut words: Vec<String> = net.map(|net| net.enter().to_vec()).unwrap_or_default();
        words.push("node".into());
        let mut node = repo::command(&words[0])
            .args(&words[1..])
            .arg(repo::path("tests/js/driver.mjs"))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start `node`; `cargo xtask setup` installs it")?;
        let input = Mutex::new(node.stdin.take());
        let output = node.stdout.take().context("node has no output")?;
        let answers = Answers::default();
        let waiting = Arc::clone(&answers);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Ok(mut answer) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                let Some(id) = answer["id"].as_u64() else {
                    continue;
                };
                let result = match answer["error"].take() {
                    Value::String(error) => Err(error),
                    _ => Ok(answer["ok"].take()),
                };
                let asked = waiting
                    .lock()
                    .ok()
                    .and_then(|mut waiting| waiting.remove(&id));
                if let Some(asked) = asked {
                    let _ = asked.send(result);
                }
            }
            // Nobody will answer any more; dropping the senders tells those who wait.
            if let Ok(mut waiting) = waiting.lock() {
                waiting.clear();
            }
        });
        Ok(Self {
            node,
            input,
            answers,
            last: AtomicU64::new(0),
            browser: AtomicU64::new(0),
        })
    }

    fn ask(&self, what: &str, mut with: Value, deadline: Duration) -> Result<Value> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        with["id"] = json!(id);
        with["does"] = json!(what);
        with["timeout"] = json!(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX));
        let (tell, told) = mpsc::channel();
        self.answers
            .lock()
            .map_err(|_| anyhow!("the driver is broken"))?
            .insert(id, tell);
        {
            let mut input = self
                .input
                .lock()
                .map_err(|_| anyhow!("the driver is broken"))?;
            let input = input.as_mut().context("the driver has ended")?;
            writeln!(input, "{with}").context("the driver has ended")?;
        }
        match told.recv_timeout(deadline + GRACE) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(anyhow!("{error}")),
            Err(_) => Err(anyhow!("the driver does not answer `{what}`")),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Ok(mut input) = self.input.lock() {
            drop(input.take());
        }
        // The driver gives the browser three seconds.
        for _ in 0..250 {
            if matches!(self.node.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let browser = u32::try_from(self.browser.load(Ordering::Relaxed)).unwrap_or(0);
        for group in [browser, self.node.id()] {
            if group != 0 {
                kill_group(group);
            }
        }
        let _ = self.node.wait();
    }
}
