//! Janus beside us: its VideoRoom plugin, over its HTTP interface, with the same callers.
//!
//! Janus gathers no candidates on loopback, so it and the callers use another address of this
//! machine; the packets stay on the machine all the same.

use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use clinicall_sip::sdp::Sdp;
use serde_json::{Value, json};

use super::{
    caller::{Caller, PASSWORD, Papers, offer},
    relay::Process,
    stage::Forwarder,
};

const ROOM: u32 = 1;
const PLUGINS: [&str; 11] = [
    "audiobridge",
    "duktape",
    "echotest",
    "lua",
    "nosip",
    "recordplay",
    "sip",
    "streaming",
    "textroom",
    "videocall",
    "voicemail",
];
const TRANSPORTS: [&str; 5] = ["mqtt", "nanomsg", "pfunix", "rabbitmq", "websockets"];

pub struct Janus {
    process: Process,
    folder: PathBuf,
    api: SocketAddr,
    media: IpAddr,
    session: String,
    feed: Option<u64>,
}

/// Why there is nothing beside us.
#[derive(Debug)]
pub struct NotHere(pub String);

impl Janus {
    /// `event_loops`: threads that forward; 0 is Janus' own choice, one for each connection.
    pub fn start(event_loops: u32) -> Result<Self, NotHere> {
        let media = address().ok_or_else(|| NotHere("no address but loopback".to_owned()))?;
        let version = std::process::Command::new("janus")
            .arg("--version")
            .output();
        if version.is_err() {
            return Err(NotHere("no `janus` on the path".to_owned()));
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let folder = std::env::temp_dir().join(format!("media-bench-janus-{}", port.port()));
        fs::create_dir_all(&folder).unwrap();
        write_settings(&folder, media, port.port(), event_loops);
        let folder_name = folder.to_str().unwrap();
        let settings = folder.join("janus.jcfg");
        let process = Process::start(&[
            "janus",
            "--disable-stdout",
            "--configs-folder",
            folder_name,
            "--config",
            settings.to_str().unwrap(),
        ]);
        let mut janus = Self {
            process,
            folder,
            api: port,
            media,
            session: String::new(),
            feed: None,
        };
        let created = janus.open()?;
        janus.session = format!("/janus/{}", created["data"]["id"]);
        let handle = janus.handle();
        let room = janus.ask(
            &handle,
            &json!({ "request": "create", "room": ROOM, "publishers": 1, "bitrate": 0,
                "audiocodec": "opus", "videocodec": "vp8" }),
            None,
        );
        assert_eq!(room["plugindata"]["data"]["videoroom"], "created", "{room}");
        Ok(janus)
    }

    /// A session, as soon as Janus answers.
    fn open(&self) -> Result<Value, NotHere> {
        let end = Instant::now() + Duration::from_secs(20);
        let wish = json!({ "janus": "create", "transaction": "t" });
        while Instant::now() < end {
            match self.http("POST", "/janus", &wish.to_string()) {
                Ok(answer) => return Ok(answer),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        Err(NotHere("Janus did not start".to_owned()))
    }

    /// The path of a new handle on the plugin.
    fn handle(&self) -> String {
        let attach = json!({ "janus": "attach", "transaction": "t",
            "plugin": "janus.plugin.videoroom" });
        let attached = self
            .http("POST", &self.session, &attach.to_string())
            .unwrap();
        format!("{}/{}", self.session, attached["data"]["id"])
    }

    fn ask(&self, handle: &str, body: &Value, jsep: Option<Value>) -> Value {
        let mut message = json!({ "janus": "message", "transaction": "t", "body": body });
        if let Some(jsep) = jsep {
            message["jsep"] = jsep;
        }
        self.http("POST", handle, &message.to_string()).unwrap()
    }

    /// The next event that brings a description.
    fn described(&self) -> Value {
        for _ in 0..50 {
            let path = format!("{}?maxev=1", self.session);
            let event = self.http("GET", &path, "").unwrap();
            if !event["jsep"].is_null() {
                return event;
            }
            let error = &event["plugindata"]["data"]["error"];
            assert!(error.is_null(), "{event}");
        }
        panic!("Janus describes nothing");
    }

    fn http(&self, method: &str, path: &str, body: &str) -> std::io::Result<Value> {
        let mut stream = TcpStream::connect(self.api)?;
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).map_err(std::io::Error::other)
    }

    fn publish(&mut self, papers: &Arc<Papers>, ssrc: u32) -> Caller {
        let socket = UdpSocket::bind(SocketAddr::new(self.media, 0)).unwrap();
        let text = offer(&papers.fingerprint, "sendonly", ssrc)
            .to_string()
            .replace("a=setup:actpass", &active(&socket));
        let handle = self.handle();
        let wish = json!({ "request": "joinandconfigure", "room": ROOM, "ptype": "publisher",
            "audio": true, "video": true });
        self.ask(&handle, &wish, Some(jsep("offer", &text)));
        let event = self.described();
        self.feed = event["plugindata"]["data"]["id"].as_u64();
        Caller::on(socket, papers, &description(&event), ssrc)
    }

    fn subscribe(&mut self, papers: &Arc<Papers>, ssrc: u32) -> Caller {
        let socket = UdpSocket::bind(SocketAddr::new(self.media, 0)).unwrap();
        let handle = self.handle();
        let wish = json!({ "request": "join", "room": ROOM, "ptype": "subscriber",
            "streams": [{ "feed": self.feed }] });
        self.ask(&handle, &wish, None);
        let event = self.described();
        let offered = event["jsep"]["sdp"].as_str().unwrap();
        let answer = answer_to(offered, papers, &socket);
        let start = json!({ "request": "start", "room": ROOM });
        self.ask(&handle, &start, Some(jsep("answer", &answer)));
        Caller::on(socket, papers, &description(&event), ssrc)
    }
}

impl Forwarder for Janus {
    fn join(&mut self, papers: &Arc<Papers>, publishes: bool, ssrc: u32) -> Caller {
        let mut caller = if publishes {
            self.publish(papers, ssrc)
        } else {
            self.subscribe(papers, ssrc)
        };
        // before, Janus drops a ClientHello, and the next comes a second later
        caller.awaits_check = true;
        caller
    }

    fn process(&self) -> &Process {
        &self.process
    }
}

impl Drop for Janus {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// An address of this machine that is not loopback, where packets to it do not leave the machine.
fn address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // chooses a route and sends nothing (TEST-NET-3 of RFC 5737)
    socket.connect("203.0.113.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

fn write_settings(folder: &std::path::Path, media: IpAddr, port: u16, event_loops: u32) {
    let list = |names: &[&str]| {
        let files: Vec<String> = names
            .iter()
            .map(|name| format!("libjanus_{name}.so"))
            .collect();
        files.join(",")
    };
    let loops = match event_loops {
        0 => String::new(),
        count => format!("event_loops = {count}"),
    };
    let general = format!(
        "general: {{ debug_level = 1\n session_timeout = 0\n {loops} }}\n\
         nat: {{ ice_lite = true\n ice_enforce_list = \"{media}\" }}\n\
         plugins: {{ disable = \"{}\" }}\n transports: {{ disable = \"{}\" }}\n",
        list(&PLUGINS),
        list(&TRANSPORTS),
    );
    let http = format!(
        "general: {{ json = \"compact\"\n base_path = \"/janus\"\n http = true\n port = {port}\n\
         ip = \"127.0.0.1\"\n https = false }}\nadmin: {{ admin_http = false }}\n"
    );
    fs::write(folder.join("janus.jcfg"), general).unwrap();
    fs::write(folder.join("janus.transport.http.jcfg"), http).unwrap();
    fs::write(folder.join("janus.plugin.videoroom.jcfg"), "general: { }\n").unwrap();
}

fn jsep(kind: &str, sdp: &str) -> Value {
    json!({ "type": kind, "sdp": sdp, "trickle": false })
}

fn description(event: &Value) -> Sdp {
    Sdp::parse(event["jsep"]["sdp"].as_str().unwrap()).unwrap()
}

/// We begin the handshake, from this address.
fn active(socket: &UdpSocket) -> String {
    let address = socket.local_addr().unwrap();
    format!(
        "a=setup:active\r\na=candidate:1 1 udp 2130706431 {} {} typ host",
        address.ip(),
        address.port()
    )
}

/// An offer with our transport in place of theirs, taking all of it.
fn answer_to(offered: &str, papers: &Papers, socket: &UdpSocket) -> String {
    let theirs = [
        "a=candidate",
        "a=end-of-candidates",
        "a=ice-",
        "a=fingerprint",
        "a=ssrc",
        "a=msid",
    ];
    let mut answer = String::new();
    for line in offered.lines() {
        if theirs.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        match line {
            "a=sendonly" => answer.push_str("a=recvonly"),
            "a=setup:actpass" => {
                answer.push_str(&format!(
                    "a=ice-ufrag:call\r\na=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {}\r\n",
                    papers.fingerprint
                ));
                answer.push_str(&active(socket));
            }
            line => answer.push_str(line),
        }
        answer.push_str("\r\n");
    }
    answer
}
