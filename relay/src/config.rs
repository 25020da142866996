//! The configuration: one TOML file, every key documented where it is declared.
//!
//! The doc comments below are the manual: `clinicall default-config` prints them. A key that is
//! not declared here is refused with its line.

mod check;
mod comet;
mod cometql;
mod events;
mod login;
mod login_check;
mod problem;
mod section;
mod template;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
};

pub use check::is_user_id;
pub use comet::Comet;
pub use cometql::CometQl;
pub use events::{Events, Webhook};
pub use login::{ApiKey, Issuer, Login, WebhookForm};
pub use login_check::{API_RIGHTS, OWN_ISSUER};
pub use problem::Problem;
use section::{Key, section};
pub use template::template;

section! {
    /// Who this relay serves.
    pub struct Config {
        /// The SIP domains served here: the right-hand side of `sip:USER@domain`. The first one is
        /// the name the relay gives itself.
        pub domains: Vec<String> = Vec::new() => r#"["visits.example"]"#,
        /// The digest realm; the first domain unless set. Changing it invalidates every stored
        /// `ha1_...`.
        pub realm: Option<String> = None => r#""visits.example""#,
        pub http: Http = Http::default(),
        pub media: Media = Media::default(),
        pub calls: Calls = Calls::default(),
        pub limits: Limits = Limits::default(),
        pub store: Store = Store::default(),
        pub login: Login = Login::default(),
        pub cometql: CometQl = CometQl::default(),
        pub comet: Comet = Comet::default(),
        pub log: Log = Log::default(),
        pub issuer: Vec<Issuer> = Vec::new(),
        pub api_key: Vec<ApiKey> = Vec::new(),
        pub events: Events = Events::default(),
        pub webhook: Vec<Webhook> = Vec::new(),
        pub user: Vec<User> = Vec::new(),
    }
}

section! {
    /// The one listener: pages, `/sip`, `/healthz`, `/metrics`, and ICE-TCP on the same port.
    pub struct Http {
        /// Address and port to listen on (TCP).
        pub listen: SocketAddr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443)),
        /// PEM file with the certificate chain. Without certificate and key the port speaks plain
        /// HTTP, which is right on loopback and behind NGINX only: browsers give cameras to HTTPS
        /// pages alone.
        pub cert: Option<PathBuf> = None => r#""/etc/clinicall/fullchain.pem""#,
        /// PEM file with the private key of `cert`.
        pub key: Option<PathBuf> = None => r#""/etc/clinicall/privkey.pem""#,
        /// Other origins whose pages may open `/sip`, such as the clinic's own site. A page from the
        /// relay's own host may always; a client that sends no Origin is no browser and may too.
        pub trusted_origins: Vec<String> = Vec::new() => r#"["https://clinic.example"]"#,
        /// Addresses of reverse proxies whose `X-Forwarded-For` is believed.
        pub trusted_proxies: Vec<IpAddr> = Vec::new() => r#"["127.0.0.1"]"#,
        /// Addresses that may read `/metrics`.
        pub metrics_for: Vec<IpAddr> = vec![
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ],
        /// Directory with the pages to serve at `/`; files beside them ending in `.br` or `.gz` are
        /// sent to browsers that take them.
        pub pages: Option<PathBuf> = None => r#""/usr/share/clinicall/www""#,
        /// When told to stop, how long calls may still go on before they are ended.
        pub shutdown_grace_seconds: u64 = 10,
    }
}

section! {
    /// Where sound and pictures flow.
    pub struct Media {
        /// The local address the media sockets bind.
        pub bind: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        /// UDP port of the first worker, the next worker takes the next; the number of the HTTP port
        /// unless set.
        pub port: Option<u16> = None => "8443",
        /// The addresses at which browsers reach this machine, written into every description. A
        /// relay behind NAT names the outer address here.
        pub public: Vec<IpAddr> = Vec::new() => r#"["203.0.113.7"]"#,
        /// Offer media over UDP.
        pub udp: bool = true,
        /// Offer media over TCP on the HTTP port, for networks that block UDP.
        pub tcp: bool = true,
        /// Threads that forward media; 0 is one for each core.
        pub workers: usize = 0,
    }
}

section! {
    /// How calls behave.
    pub struct Calls {
        /// How long a call rings before it ends with 408.
        pub ring_timeout_seconds: u64 = 60,
        /// How long a call lives after a socket or a media path was lost, waiting for it to return, and how long one of two
        /// who were in a call before a restart waits for the other.
        pub reconnect_grace_seconds: u64 = 10,
        /// How long an invitation waits for a user who is not there: whoever comes online in time is
        /// rung.
        pub invitation_seconds: u64 = 120,
        /// How long whoever is left alone in a room of the clinic's stays there, for the others to
        /// come back.
        pub alone_seconds: u64 = 10,
        /// Let every user enter every room. Otherwise only those who were invited to it may.
        pub open_rooms: bool = false,
        /// Calls one user may be in or place at the same time.
        pub per_user: usize = 8,
        /// Calls in the whole relay, ringing or talking; more are answered 503.
        pub max: usize = 10_000,
        /// Headers of a caller's INVITE that are passed on to the callee, each beginning with `X-`.
        pub pass_headers: Vec<String> = Vec::new() => r#"["X-Visit"]"#,
    }
}

section! {
    /// Bounds against floods. None of them is reached by people.
    pub struct Limits {
        /// Open sockets in total.
        pub sockets: usize = 20_000,
        /// Open sockets from one address. A clinic's whole staff may share one.
        pub sockets_per_address: usize = 500,
        /// Devices and tabs one user may register at a time.
        pub sockets_per_user: usize = 12,
        /// Messages a second on one socket, on average; a burst of five times as many is taken. A
        /// socket that sends faster is read more slowly.
        pub messages_per_second: u32 = 20,
        /// Requests a second to `/api/v1` with one API key, on average; a burst of twice as many is
        /// taken. More are answered 429.
        pub api_requests_per_second: u32 = 200,
        /// How long a socket may stay open without a login.
        pub login_seconds: u64 = 30,
        /// Failed logins a minute, from one address or for one user, over which logins are refused
        /// for the rest of the minute.
        pub failed_logins_per_minute: u32 = 20,
        /// Users invited to rooms, in all rooms together: rows of CometQL's `conference`. A room takes
        /// 1,000 of them. More are refused until some are deleted.
        pub invitations: u64 = 100_000,
        /// The shortest registration taken (423 below it).
        pub min_expires_seconds: u64 = 30,
        /// The longest registration given.
        pub max_expires_seconds: u64 = 3_600,
    }
}

section! {
    /// The embedded store: users added with `clinicall user add`, their keys, messages that wait,
    /// the history of pipes, events for webhooks.
    pub struct Store {
        /// The file; without it all of that is forgotten when the relay stops. The command line
        /// reaches a running relay through a socket beside it, ending in `.sock`.
        pub path: Option<PathBuf> = None => r#""/var/lib/clinicall/clinicall.redb""#,
    }
}

section! {
    /// What is written to standard error.
    pub struct Log {
        /// `text` or `json`.
        pub format: Format = Format::Text,
        /// `error`, `warn`, `info`, `debug` or `trace`; for one part of it `info,clinicall_relay::ws=debug`.
        pub level: String = "info".to_owned(),
    }
}

section! {
    /// One user. Repeat the section for each.
    pub struct User {
        /// The clinic's own id for this person, the left-hand side of `sip:USER@domain`.
        pub id: String = String::new() => r#""2""#,
        /// The name shown to those who are called.
        pub name: String = String::new() => r#""Doctor Ivanova""#,
        /// The password, readable by whoever reads this file; prefer the two keys below, or
        /// `clinicall user add`.
        pub password: Option<Secret> = None => r#""correct horse battery staple""#,
        /// SHA-256 of `id:realm:password` in hex.
        pub ha1_sha256: Option<Secret> = None
            => r#""5e2f3bb9b0b2b4e1a1c95f2f8a3f4d6be0a4b1b9c9f0a7c5d3e1f2a3b4c5d6e7""#,
        /// MD5 of `id:realm:password` in hex, for clients such as JsSIP that know nothing newer.
        pub ha1_md5: Option<Secret> = None => r#""939e7578ed9e3c518a452acee763bce9""#,
        /// A demo user: `/demo/users` tells its password to anyone. Refused without `--dev`.
        pub demo: bool = false,
    }
}

/// Text that no log, error or debug print shows.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Text,
    Json,
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path, dev: bool) -> Result<Self, Problem> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Problem::unreadable(path, &error))?;
        Self::parse(&path.display().to_string(), &text, dev)
    }

    /// `file` is the name problems are reported under. With `dev`, what a loopback relay needs is
    /// filled in where the text says nothing.
    pub fn parse(file: &str, text: &str, dev: bool) -> Result<Self, Problem> {
        let mut config: Self =
            toml::from_str(text).map_err(|error| Problem::syntax(file, text, &error))?;
        if dev {
            config.fill_in_for_dev();
        }
        config
            .check(dev)
            .map_err(|wrong| Problem::value(file, text, wrong))?;
        Ok(config)
    }

    /// The configuration of `--dev` without a file.
    #[must_use]
    pub fn dev() -> Self {
        let mut config = Self::default();
        config.fill_in_for_dev();
        config
    }

    fn fill_in_for_dev(&mut self) {
        let defaults = Self::default();
        if self.domains.is_empty() {
            // what a page on loopback derives from its own address
            self.domains = ["localhost", "127.0.0.1", "[::1]"]
                .map(str::to_owned)
                .into();
        }
        if self.http.listen == defaults.http.listen {
            self.http.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8443));
        }
        if self.media.public.is_empty() {
            let bound = self.media.bind != defaults.media.bind;
            self.media.public = vec![if bound {
                self.media.bind
            } else {
                own_address()
            }];
        }
        if self.media.bind == defaults.media.bind {
            self.media.bind = self.media.public[0];
        }
        self.fill_in_cometql_for_dev();
        if self.user.is_empty() {
            self.user = DEMO_USERS
                .map(|(id, name, password)| User {
                    id: id.to_owned(),
                    name: name.to_owned(),
                    password: Some(Secret(password.to_owned())),
                    demo: true,
                    ..User::default()
                })
                .into();
        }
        if self.issuer.is_empty() {
            self.issuer = vec![Issuer {
                secret: Some(Secret(DEMO_SECRET.to_owned())),
                ..Issuer::default()
            }];
        }
        if self.api_key.is_empty() {
            self.api_key = vec![ApiKey {
                name: DEMO_API_KEY.to_owned(),
                sha256: Some(Secret(DEMO_API_KEY_SHA256.to_owned())),
                demo: true,
                ..ApiKey::default()
            }];
        }
    }

    #[must_use]
    pub fn realm(&self) -> &str {
        match (&self.realm, self.domains.first()) {
            (Some(realm), _) => realm,
            (None, Some(domain)) => domain,
            (None, None) => "",
        }
    }

    /// The name the relay gives itself in Via, Contact and Warning.
    #[must_use]
    pub fn host(&self) -> &str {
        self.domains.first().map_or("", String::as_str)
    }

    /// The media port as it is asked for; 0 lets the system choose.
    #[must_use]
    pub fn media_port(&self) -> u16 {
        self.media.port.unwrap_or(self.http.listen.port())
    }
}

/// The address by which this machine would go out, or loopback when it is on its own. Firefox has no
/// candidate on loopback while there is another network, and pairs none of the others with it, so
/// a relay with its media on 127.0.0.1 is beyond its reach.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    // chooses the route; no packet is sent (an address for documentation, RFC 5737)
    let routed = socket.and_then(|socket| {
        socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9))?;
        socket.local_addr()
    });
    routed.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

/// The people of the demo, fixed so that a page survives a restart of the relay. They exist with
/// `--dev` alone, and a password among these is refused without it.
const DEMO_USERS: [(&str, &str, &str); 4] = [
    ("2", "Doctor Ivanova", "demo-doctor"),
    ("3", "Patient Petrov", "demo-patient"),
    ("4", "Interpreter Lin", "demo-interpreter"),
    ("5", "Nurse Okafor", "demo-nurse"),
];

/// What tokens are signed with for `--dev`.
const DEMO_SECRET: &str = "the demo secret that everybody knows";

/// The back end's key with `--dev`, and its hash.
const DEMO_API_KEY: &str = "demo-key";
const DEMO_API_KEY_SHA256: &str =
    "c48a01f49fd0f2cc404bc3cbbc80e91457a3d41bb429a695243de4c61794155c";

#[cfg(test)]
mod tests;
