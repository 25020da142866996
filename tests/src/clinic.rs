//! The relay as an operator runs it: the real binary, a configuration file, a folder of pages.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};

use crate::{
    process::{Leashed, Net},
    repo,
};

/// The password of everyone in a clinic of ours.
pub const PASSWORD: &str = "a horse in the corridor";

/// The environment variable that names the relay's binary, so that it is not built again.
pub const BINARY: &str = "CLINICALL_BINARY";

/// Where the relay listens with `--dev` and no configuration.
const DEMO: &str = "127.0.0.1:8443";

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How long a relay may take to listen. A loaded machine is slow; a relay is not.
const START: Duration = Duration::from_secs(20);

/// Lines of the relay's log that are kept.
const LOG_LINES: usize = 20_000;

/// What is different from an ordinary clinic.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    pub users: Vec<String>,
    pub pages: &'a Path,
    /// Media over UDP as well as over TCP.
    pub udp: bool,
    pub ring_timeout_seconds: u64,
    /// Further sections of the configuration.
    pub more: String,
    /// With `--dev`: the relay tells who its users are.
    pub dev: bool,
    /// How long calls wait for a lost socket or media path.
    pub grace_seconds: u64,
    /// Run inside this network.
    pub net: Option<&'a Net>,
    /// Where everybody comes to, pages and media alike. When not given, pages are on loopback and media where
    /// browsers of this machine find it.
    pub address: Option<Ipv4Addr>,
    /// The binary; when not given, the one [`BINARY`] names, or a development build.
    pub binary: Option<PathBuf>,
}

impl<'a> Plan<'a> {
    #[must_use]
    pub fn new(pages: &'a Path, users: &[&str]) -> Self {
        Self {
            users: users.iter().map(|&user| user.to_owned()).collect(),
            pages,
            udp: true,
            ring_timeout_seconds: 60,
            more: String::new(),
            dev: false,
            grace_seconds: 10,
            net: None,
            address: None,
            binary: None,
        }
    }

    /// The configuration file; ports that are 0 the system chooses.
    fn config(&self, ports: Ports) -> String {
        let Ports { http, media } = ports;
        // each worker has a port of its own, and only the first one's is known
        let workers = u8::from(media != 0);
        let Self {
            udp,
            ring_timeout_seconds,
            grace_seconds,
            ..
        } = self;
        let pages = self.pages.display().to_string();
        // Firefox finds no way to a relay on loopback while there is another network.
        let address = if let Some(address) = self.address {
            IpAddr::V4(address)
        } else if self.net.is_some() {
            LOOPBACK
        } else {
            own_address()
        };
        // Media over TCP comes to the port of the pages, so that has to be at this address too.
        let listen = if let Some(address) = self.address {
            IpAddr::V4(address)
        } else if *udp {
            LOOPBACK
        } else {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        };
        let mut config = format!(
            "domains = [\"127.0.0.1\", \"{address}\"]\n\
             [http]\nlisten = \"{listen}:{http}\"\npages = {pages:?}\nshutdown_grace_seconds = 0\n\
             [media]\nbind = \"{address}\"\nport = {media}\nworkers = {workers}\npublic = [\"{address}\"]\nudp = {udp}\n\
             [calls]\nring_timeout_seconds = {ring_timeout_seconds}\n\
             reconnect_grace_seconds = {grace_seconds}\n"
        );
        for user in &self.users {
            config += &format!("[[user]]\nid = {user:?}\npassword = {PASSWORD:?}\n");
        }
        config + &self.more
    }

    /// How the relay is started, and the folder that goes with it.
    fn command(&self, ports: Ports) -> Result<(Command, PathBuf)> {
        let binary = match &self.binary {
            Some(binary) => binary.clone(),
            None => relay_binary()?,
        };
        let folder = scratch("clinic")?;
        let config = folder.join("clinicall.toml");
        fs::write(&config, self.config(ports))?;
        let mut command = repo::command(binary);
        command.args(["run", "--config"]).arg(&config);
        command.args(self.dev.then_some("--dev"));
        Ok((command, folder))
    }
}

/// Where a relay listens.
#[derive(Clone, Copy, Debug, Default)]
struct Ports {
    http: u16,
    media: u16,
}

/// How a relay ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As an operator ends it.
    Stopped,
    /// As the kernel does when there is no memory left: without a word.
    Killed,
}

/// A running relay; it ends with this value.
#[derive(Debug)]
pub struct Clinic {
    relay: Mutex<Leashed>,
    http: String,
    cometql: String,
    ports: Ports,
    log: Log,
    /// Reads the relay's output to its end.
    ear: JoinHandle<()>,
}

type Log = Arc<Mutex<Vec<String>>>;

/// Where it listens: pages, CometQL, and the ports of pages and media.
type Places = (String, String, Ports);

impl Clinic {
    /// Starts the relay and waits until it listens.
    pub fn open(plan: &Plan<'_>) -> Result<Self> {
        let (command, folder) = plan.command(Ports::default())?;
        Self::start(&command, plan.net, Some(&folder), false)
    }

    /// Ends the relay and starts another in the same place (but for CometQL), with nothing of what the first one knew;
    /// returns when it listens. `plan` is the one it was opened with.
    pub fn restart(&self, plan: &Plan<'_>, end: End) -> Result<()> {
        let mut relay = self.relay.lock().unwrap_or_else(PoisonError::into_inner);
        if end == End::Killed {
            relay.kill()?;
        }
        relay.stop();
        let (command, folder) = plan.command(self.ports)?;
        let log = Arc::clone(&self.log);
        (*relay, ..) = launch(&command, plan.net, Some(&folder), false, log)?;
        Ok(())
    }

    /// The relay as `clinicall run --dev` starts it, with its own demo users. To be `shown` it takes
    /// the usual port, if that is free, and its log goes to our standard error.
    pub fn demo(binary: &Path, pages: &Path, shown: bool) -> Result<Self> {
        let mut command = repo::command(binary);
        command.args(["run", "--dev", "--pages"]).arg(pages);
        if !shown || TcpListener::bind(DEMO).is_err() {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        Self::start(&command, None, None, shown)
    }

    fn start(
        command: &Command,
        net: Option<&Net>,
        folder: Option<&Path>,
        loud: bool,
    ) -> Result<Self> {
        let log = Log::default();
        let (relay, ear, places) = launch(command, net, folder, loud, Arc::clone(&log))?;
        let (http, cometql, ports) = places;
        Ok(Self {
            relay: Mutex::new(relay),
            http,
            cometql,
            ports,
            log,
            ear,
        })
    }

    /// Where its pages are: `http://127.0.0.1:PORT/`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://{}/", self.http)
    }

    /// Host and port of its pages.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.http
    }

    /// Host and port of CometQL.
    #[must_use]
    pub fn cometql(&self) -> &str {
        &self.cometql
    }

    /// What the relay has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log
            .lock()
            .map(|log| log.join("\n"))
            .unwrap_or_default()
    }

    /// Stays until the relay ends by itself, which it should not.
    pub fn wait(self) -> Result<()> {
        let _ = self.ear.join();
        bail!("the relay has ended")
    }

    /// Ends the relay as an operator does, and waits for it.
    pub fn close(self) {
        let relay = self.relay.into_inner();
        relay.unwrap_or_else(PoisonError::into_inner).stop();
    }
}

/// Starts a relay and waits until it listens.
fn launch(
    command: &Command,
    net: Option<&Net>,
    folder: Option<&Path>,
    loud: bool,
    log: Log,
) -> Result<(Leashed, JoinHandle<()>, Places)> {
    let mut relay = Leashed::start(command, net, folder)?;
    let (output, errors) = relay.output().context("the relay has no output")?;
    let (tell, told) = mpsc::channel();
    keep(errors, Arc::clone(&log), loud, |_| {});
    let ear = keep(output, Arc::clone(&log), loud, move |line| {
        if let Some(http) = listening(line, "http=") {
            let cometql = listening(line, "cometql=").unwrap_or_default();
            let ports = Ports {
                http: port(&http),
                media: listening(line, "media=").as_deref().map_or(0, port),
            };
            let _ = tell.send((http, cometql, ports));
        }
    });
    let places = told.recv_timeout(START).map_err(|_| {
        let log = log.lock().map(|log| log.join("\n")).unwrap_or_default();
        anyhow!("the relay does not listen. It said:\n{log}")
    })?;
    Ok((relay, ear, places))
}

/// The address by which this machine goes out to others; packets to it stay inside.
fn own_address() -> IpAddr {
    let routed = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        // Chooses the route and sends nothing; the address is one for documentation (RFC 5737).
        socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9))?;
        socket.local_addr()
    });
    routed.map_or(LOOPBACK, |address| address.ip())
}

/// Where a program on this machine finds a port, by the line `listening http=127.0.0.1:4711 media=...`.
fn listening(line: &str, port: &str) -> Option<String> {
    let rest = &line[line.find("listening ")?..];
    let place = rest
        .split_whitespace()
        .find_map(|word| word.strip_prefix(port))?;
    Some(place.replace("0.0.0.0:", "127.0.0.1:"))
}

/// Of `127.0.0.1:4711`.
fn port(place: &str) -> u16 {
    let port = place.rsplit(':').next();
    port.and_then(|port| port.parse().ok()).unwrap_or(0)
}

fn keep(
    from: impl std::io::Read + Send + 'static,
    log: Arc<Mutex<Vec<String>>>,
    loud: bool,
    mut each: impl FnMut(&str) + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            each(&line);
            if loud {
                eprintln!("{line}");
            }
            if let Ok(mut log) = log.lock()
                && log.len() < LOG_LINES
            {
                log.push(line);
            }
        }
    })
}

/// The relay: the one the environment names, or built once in the development profile.
pub fn relay_binary() -> Result<PathBuf> {
    if let Some(binary) = std::env::var_os(BINARY) {
        return Ok(binary.into());
    }
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || {
        let files = repo::build(&["--package", "clinicall-relay", "--bin", "clinicall"])?;
        repo::made(&files, "clinicall")
    };
    BUILT
        .get_or_init(|| build().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

/// A new folder of our own under the system's temporary one.
pub fn scratch(name: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder =
        std::env::temp_dir().join(format!("clinicall-{name}-{}-{count}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_tells_where_it_listens() {
        let line = "listening http=127.0.0.1:40123 media=127.0.0.1:40200";
        assert_eq!(listening(line, "http=").as_deref(), Some("127.0.0.1:40123"));
        assert_eq!(listening(line, "cometql="), None);
        assert_eq!(listening("2026-11-22 INFO started", "http="), None);
    }
}
