//! The two servers, and what they use.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{ByFrame, Publish, crowd::Reader, fed};
use crate::{
    clinic::{BINARY, scratch},
    repo,
    tools::setup,
};

pub trait Server {
    /// A reader of the pipe everybody listens to.
    fn subscribe(&self, number: usize) -> Result<Reader>;
    fn publisher(&self) -> Result<Box<dyn Publish>>;
    /// The processes that serve.
    fn processes(&self) -> Result<Vec<u32>>;

    /// Resident memory, in kB.
    fn memory(&self) -> Result<f64> {
        let mut sum = 0.0;
        for process in self.processes()? {
            let status = fs::read_to_string(format!("/proc/{process}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let number = line.and_then(|line| line.split_whitespace().next());
            sum += number.context("no VmRSS")?.parse::<f64>()?;
        }
        Ok(sum)
    }

    /// Processor time used so far, in seconds.
    fn cpu(&self) -> Result<f64> {
        let mut sum = 0.0;
        for process in self.processes()? {
            for task in fs::read_dir(format!("/proc/{process}/task"))? {
                // a thread may end meanwhile
                if let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) {
                    sum += nanoseconds(&stat)?;
                }
            }
        }
        Ok(sum)
    }
}

fn nanoseconds(schedstat: &str) -> Result<f64> {
    let first = schedstat.split_whitespace().next();
    Ok(first.context("an empty schedstat")?.parse::<f64>()? / 1e9)
}

/// Of this thread.
pub fn cpu_of_thread() -> Result<f64> {
    nanoseconds(&fs::read_to_string("/proc/thread-self/schedstat")?)
}

/// The relay, with its store on the disk.
#[derive(Debug)]
pub struct Relay {
    child: Child,
    http: SocketAddr,
    sql: SocketAddr,
    folder: PathBuf,
}

const PASSWORD: &str = "CometQLPassword1";

impl Relay {
    pub fn start() -> Result<Self> {
        setup::programs(&[("mariadb", "mariadb-client")])?;
        let binary = match std::env::var_os(BINARY) {
            Some(binary) => binary.into(),
            None => {
                let what = [
                    "--release",
                    "--package",
                    "clinicall-relay",
                    "--bin",
                    "clinicall",
                ];
                repo::made(&repo::build(&what)?, "clinicall")?
            }
        };
        let folder = scratch("comet-bench")?;
        let sql = free_address()?;
        let config = folder.join("clinicall.toml");
        let store = folder.join("clinicall.redb");
        fs::write(
            &config,
            format!(
                "domains = [\"127.0.0.1\"]\n[http]\nlisten = \"127.0.0.1:0\"\n\
                 [media]\nbind = \"127.0.0.1\"\nport = 0\npublic = [\"127.0.0.1\"]\n\
                 [limits]\nsockets = 20000\nsockets_per_address = 20000\nmessages_per_second = 1000000\n\
                 [comet]\nguests = true\npublishes_per_second = 1000000\n\
                 [cometql]\nlisten = \"{sql}\"\npassword = \"{PASSWORD}\"\n\
                 [store]\npath = {store:?}\n"
            ),
        )?;
        let mut child = Command::new(binary)
            .args(["run", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        let listening = lines.find_map(|line| {
            let line = line.ok()?;
            let word = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix("http="));
            word.and_then(|http| http.parse().ok())
        });
        std::thread::spawn(move || lines.for_each(drop));
        let http = listening.context("the relay does not listen")?;
        Ok(Self {
            child,
            http,
            sql,
            folder,
        })
    }

    /// A reader that has said who it is.
    pub fn greet(&self, number: usize) -> Result<Reader> {
        let mut reader = Reader::open(self.http, "/comet", Some("clinicall.comet.v1"))?;
        reader.say(&format!(r#"{{"do":"hello","page":"page-{number}"}}"#))?;
        Ok(reader)
    }

    pub fn publisher_to(&self, pipe: &str) -> Result<ByFrame> {
        let mut reader = Reader::open(self.http, "/comet", Some("clinicall.comet.v1"))?;
        reader.say(r#"{"do":"hello","page":""}"#)?;
        Ok(ByFrame(reader, pipe.to_owned(), 0))
    }

    /// Runs SQL statements in a client of its own.
    pub fn sql(&self, statements: &str) -> Result<Child> {
        let port = self.sql.port().to_string();
        let mut mariadb = Command::new("mariadb");
        mariadb.args(["--protocol=tcp", "--host=127.0.0.1", "--port", &port]);
        mariadb.args(["--user=root", "--skip-ssl", "--batch", "CometQL_v1"]);
        fed(mariadb.env("MYSQL_PWD", PASSWORD), statements)
    }
}

impl Server for Relay {
    fn subscribe(&self, number: usize) -> Result<Reader> {
        let mut reader = self.greet(number)?;
        reader.say(r#"{"do":"listen","id":1,"pipes":{"web_news":null}}"#)?;
        reader.until("\"re\":1")?;
        Ok(reader)
    }

    fn publisher(&self) -> Result<Box<dyn Publish>> {
        Ok(Box::new(self.publisher_to("web_news")?))
    }

    fn processes(&self) -> Result<Vec<u32>> {
        Ok(vec![self.child.id()])
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        end(&mut self.child, &self.folder);
    }
}

/// NGINX with nchan, one worker.
#[derive(Debug)]
pub struct Nchan {
    child: Child,
    http: SocketAddr,
    folder: PathBuf,
}

const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

impl Nchan {
    pub fn start() -> Result<Self> {
        if !Path::new(MODULE).exists() {
            // the second package is a module and has no program of its own to be found by
            let wanted = [("nginx", "nginx-light"), ("nchan", "libnginx-mod-nchan")];
            let installed = setup::programs(&wanted);
            ensure!(Path::new(MODULE).exists(), "no {MODULE}: {installed:?}");
        }
        let folder = scratch("nchan-bench")?;
        let http = free_address()?;
        let config = folder.join("nginx.conf");
        let place = folder.display();
        fs::write(
            &config,
            format!(
                "load_module {MODULE};\nuser root;\nworker_processes 1;\ndaemon off;\npid {place}/pid;\n\
                 error_log {place}/error.log;\nworker_rlimit_nofile 20000;\n\
                 events {{ worker_connections 15000; }}\n\
                 http {{ access_log off; client_body_temp_path {place}; proxy_temp_path {place};\n\
                 fastcgi_temp_path {place}; uwsgi_temp_path {place}; scgi_temp_path {place};\n\
                 keepalive_requests 1000000;\n\
                 server {{ listen {http};\n\
                 location /pub {{ nchan_publisher; nchan_channel_id news; nchan_message_buffer_length 512; }}\n\
                 location /sub {{ nchan_subscriber websocket; nchan_channel_id news; nchan_subscriber_first_message newest; }}\n\
                 }} }}\n"
            ),
        )?;
        let mut nginx = Command::new("nginx");
        nginx.arg("-c").arg(&config).stderr(Stdio::null());
        let mut nchan = Self {
            child: nginx.spawn().context("cannot start nginx")?,
            http,
            folder,
        };
        for _ in 0..100 {
            if TcpStream::connect(nchan.http).is_ok() {
                return Ok(nchan);
            }
            ensure!(nchan.child.try_wait()?.is_none(), "nginx ends at once");
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("nginx does not listen")
    }
}

impl Server for Nchan {
    fn subscribe(&self, _: usize) -> Result<Reader> {
        Reader::open(self.http, "/sub", None)
    }

    fn publisher(&self) -> Result<Box<dyn Publish>> {
        let socket = TcpStream::connect(self.http)?;
        socket.set_nodelay(true)?;
        Ok(Box::new(ByPost(socket)))
    }

    fn processes(&self) -> Result<Vec<u32>> {
        let own = self.child.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
        let workers = children.split_whitespace().map(str::parse);
        Ok(workers.collect::<Result<_, _>>()?)
    }
}

impl Drop for Nchan {
    fn drop(&mut self) {
        end(&mut self.child, &self.folder);
    }
}

/// Publishes by POST on one connection.
struct ByPost(TcpStream);

impl Publish for ByPost {
    fn publish(&mut self, body: &str) -> Result<()> {
        let length = body.len();
        write!(
            self.0,
            "POST /pub HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = Vec::new();
        let mut chunk = [0; 4_096];
        loop {
            let read = self.0.read(&mut chunk)?;
            ensure!(read > 0, "nginx hung up");
            answer.extend(&chunk[..read]);
            let text = String::from_utf8_lossy(&answer);
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    let line = line.to_ascii_lowercase();
                    line.strip_prefix("content-length: ")?
                        .trim()
                        .parse::<usize>()
                        .ok()
                });
                if rest.len() >= length.unwrap_or(0) {
                    ensure!(head.contains(" 20"), "not published: {head}");
                    return Ok(());
                }
            }
        }
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Asked to end, then made to.
fn end(child: &mut Child, folder: &Path) {
    let _ = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    for _ in 0..100 {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
    let _ = fs::remove_dir_all(folder);
}
