//! A telephone on a WebSocket: the agent of the `sip` crate, driven in real time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use clinicall_relay::{config::Config, server::Server};
use clinicall_sip::{
    Agent, Headers, Millis, Output, Status, Time, Uri,
    agent::{self, CallId, Event, Flow, Invite, Registering, Registration, Transport},
    digest::{Credentials, Secret},
    message::Request,
    sdp::{Sdp, Section},
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::StatusCode},
};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longer than anything here takes on a busy machine, shorter than a person waits.
pub const PATIENCE: Duration = Duration::from_secs(20);

const FLOW: Flow = Flow(1);

/// A relay with the demo's users on ports the system chose.
pub async fn relay() -> Server {
    relay_with(|_| {}).await
}

pub async fn relay_with(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::dev();
    config.http.listen.set_port(0);
    config.media.workers = 1;
    config.http.shutdown_grace_seconds = 1;
    change(&mut config);
    Server::start(config, true).await.expect("the relay starts")
}

/// Opens `/sip` with these subprotocols and this Origin.
pub async fn open(
    server: &Server,
    protocols: &str,
    origin: Option<&str>,
) -> Result<(Socket, String), StatusCode> {
    let mut request = format!("ws://{}/sip", server.http())
        .into_client_request()
        .unwrap();
    if !protocols.is_empty() {
        let protocols = protocols.parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocols);
    }
    if let Some(origin) = origin {
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, response)) => {
            let chosen = response.headers().get("sec-websocket-protocol");
            let chosen = chosen.and_then(|chosen| chosen.to_str().ok()).unwrap_or("");
            Ok((socket, chosen.to_owned()))
        }
        Err(Error::Http(response)) => Err(response.status()),
        Err(error) => panic!("{error}"),
    }
}

pub struct Phone {
    user: &'static str,
    agent: Agent,
    socket: Socket,
    origin: Instant,
    wake: Option<Time>,
    registration: Option<Registration>,
    /// Comet's, not yet read.
    frames: VecDeque<String>,
}

impl Phone {
    /// A page with the demo user of that id, logged in.
    pub async fn registered(server: &Server, user: &'static str) -> Self {
        let (socket, _) = open(server, "sip", None)
            .await
            .expect("the relay takes the socket");
        let mut phone = Self::on(socket, user);
        let what = Registering {
            registrar: Uri::sip("", "localhost"),
            aor: Uri::sip(user, "localhost"),
            expires: Millis::from_secs(600),
            instance: Some(format!(
                "urn:uuid:00000000-0000-1000-8000-00000000000{user}"
            )),
            reg_id: Some(1),
            credentials: Some(phone.credentials()),
            headers: Headers::new(),
        };
        let now = phone.now();
        phone.agent.register(now, FLOW, what);
        phone
            .until(|event| matches!(event, Event::Registered { .. }))
            .await;
        phone
    }

    pub fn on(socket: Socket, user: &'static str) -> Self {
        let mut seed = [9; 32];
        seed[..user.len()].copy_from_slice(user.as_bytes());
        let mut agent = Agent::new(agent::Config {
            product: "test phone".to_owned(),
            host: format!("page{user}.invalid"),
            contact_user: user.to_owned(),
            seed,
            max_calls: 10,
            session_expires: Millis::from_secs(1_800),
            min_se: Millis::from_secs(90),
            ring_timeout: Millis::from_secs(60),
        });
        agent.open(FLOW, Transport::Ws);
        Self {
            user,
            agent,
            socket,
            origin: Instant::now(),
            wake: None,
            registration: None,
            frames: VecDeque::new(),
        }
    }

    fn credentials(&self) -> Credentials {
        let password = match self.user {
            "2" => "demo-doctor",
            "3" => "demo-patient",
            _ => "demo-interpreter",
        };
        let secret = Secret::Password(password.to_owned());
        Credentials {
            user: self.user.to_owned(),
            secret,
        }
    }

    fn now(&self) -> Time {
        Time(1 + self.origin.elapsed().as_millis() as u64)
    }

    pub fn register(&mut self, what: Registering) {
        let now = self.now();
        self.registration = Some(self.agent.register(now, FLOW, what));
    }

    /// Shows a newer token on the connection there is; the status with which it is refused.
    pub async fn renew(&mut self, token: &str) -> Result<(), u16> {
        let now = self.now();
        let registration = self.registration.expect("it has registered");
        self.agent.renew(now, registration, bearer(token));
        self.logged_in().await
    }

    pub async fn logged_in(&mut self) -> Result<(), u16> {
        let done = |event: &Event| {
            matches!(
                event,
                Event::Registered { .. } | Event::RegistrationFailed { .. }
            )
        };
        match self.until(done).await {
            Event::RegistrationFailed { ending, .. } => Err(ending.status.map_or(0, |s| s.0)),
            _ => Ok(()),
        }
    }

    /// A comet frame beside the calls, and the next one that comes.
    pub async fn asks(&mut self, frame: serde_json::Value) -> serde_json::Value {
        let text = Message::text(frame.to_string());
        self.socket.send(text).await.unwrap();
        self.hears().await
    }

    pub async fn hears(&mut self) -> serde_json::Value {
        let heard = async {
            loop {
                if let Some(frame) = self.frames.pop_front() {
                    return serde_json::from_str(&frame).unwrap();
                }
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => self.receive(&text),
                    Some(Ok(_)) => {}
                    other => panic!("the socket is gone: {other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, heard)
            .await
            .expect("it comes in time")
    }

    fn receive(&mut self, text: &str) {
        if text.starts_with('{') {
            self.frames.push_back(text.to_owned());
        } else {
            let now = self.now();
            self.agent.receive(now, FLOW, text.as_bytes());
        }
    }

    pub fn call(&mut self, to: &str) -> CallId {
        self.call_uri(Uri::sip(to, "localhost"))
    }

    pub fn call_uri(&mut self, to: Uri) -> CallId {
        let invite = Invite {
            to,
            target: None,
            from: Uri::sip(self.user, "localhost"),
            from_name: None,
            offer: Some(offer().to_string()),
            headers: Headers::new(),
            credentials: Some(self.credentials()),
        };
        let now = self.now();
        self.agent.invite(now, FLOW, invite).unwrap()
    }

    pub async fn incoming(&mut self) -> (CallId, Box<Request>) {
        let event = self
            .until(|event| matches!(event, Event::Incoming { .. }))
            .await;
        match event {
            Event::Incoming { call, invite, .. } => (call, invite),
            _ => unreachable!("just matched"),
        }
    }

    pub fn ring(&mut self, call: CallId) {
        let (now, ringing) = (self.now(), Status(180));
        self.agent
            .progress(now, call, ringing, None, Headers::new())
            .unwrap();
    }

    pub fn accept(&mut self, call: CallId, invite: &Request) {
        let offer = Sdp::parse(str::from_utf8(&invite.body).unwrap()).unwrap();
        let answer = Some(answer(offer).to_string());
        let now = self.now();
        self.agent
            .accept(now, call, answer, Headers::new())
            .unwrap();
    }

    pub fn hangup(&mut self, call: CallId) {
        let now = self.now();
        self.agent.hangup(now, call, None).unwrap();
    }

    /// Sends what there is to send.
    pub async fn flush(&mut self) {
        while let Some(output) = self.agent.poll() {
            if let Output::Send { bytes, .. } = output {
                let text = String::from_utf8(bytes).unwrap();
                self.socket.send(Message::text(text)).await.unwrap();
            }
        }
    }

    pub async fn ended(&mut self) -> agent::Ending {
        match self
            .until(|event| matches!(event, Event::Ended { .. }))
            .await
        {
            Event::Ended { ending, .. } => ending,
            _ => unreachable!("just matched"),
        }
    }

    /// Lives until that happens; what happens before is forgotten.
    pub async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        let waiting = async {
            loop {
                while let Some(output) = self.agent.poll() {
                    match output {
                        Output::Send { bytes, .. } => {
                            let text = String::from_utf8(bytes).unwrap();
                            self.socket.send(Message::text(text)).await.unwrap();
                        }
                        Output::WakeAt(at) => self.wake = Some(at),
                        Output::Event(event) if wanted(&event) => return event,
                        Output::Event(_) => {}
                    }
                }
                let pause = match self.wake {
                    Some(at) => Duration::from_millis(at.0.saturating_sub(self.now().0)),
                    None => PATIENCE,
                };
                match tokio::time::timeout(pause, self.socket.next()).await {
                    Ok(Some(Ok(Message::Text(text)))) => self.receive(&text),
                    Ok(Some(Ok(_))) => {}
                    Ok(other) => panic!("the socket is gone: {other:?}"),
                    Err(_) => {
                        self.wake = None;
                        let now = self.now();
                        self.agent.tick(now);
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("it happens in time")
    }

    /// The socket as it is, for tests that watch its end.
    pub fn into_socket(self) -> Socket {
        self.socket
    }

    /// Closes the socket as a page does that is left.
    pub async fn close(mut self) {
        use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
        let frame = CloseFrame {
            code: CloseCode::Away,
            reason: "".into(),
        };
        self.socket.close(Some(frame)).await.unwrap();
    }
}

pub fn bearer(token: &str) -> Headers {
    let mut headers = Headers::new();
    headers.push("Authorization", format!("Bearer {token}"));
    headers
}

/// What a browser offers, as short as it may be.
fn offer() -> Sdp {
    let section = |kind: &str, mid: u8, formats: &str, rtpmap: &str| {
        format!(
            "m={kind} 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
             a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\n\
             {FINGERPRINT}\r\na=rtcp-mux\r\na=sendrecv\r\na=rtpmap:{rtpmap}\r\n"
        )
    };
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n{}{}",
        section("audio", 0, "111", "111 opus/48000/2"),
        section("video", 1, "96", "96 VP8/90000"),
    );
    Sdp::parse(&text).unwrap()
}

const FINGERPRINT: &str = "a=fingerprint:sha-256 \
    00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

/// The relay's offer with our own transport in it.
fn answer(mut offer: Sdp) -> Sdp {
    let own = |section: &mut Section| {
        section.lines_mut().retain(|line| {
            let gone = [
                "a=candidate",
                "a=ssrc",
                "a=ice-",
                "a=end-of",
                "a=fingerprint",
                "a=setup",
                "a=msid",
            ];
            !gone.iter().any(|start| line.starts_with(start))
        });
    };
    own(&mut offer.session);
    for section in &mut offer.media {
        own(section);
        section.lines_mut().extend([
            "a=ice-ufrag:efgh".to_owned(),
            "a=ice-pwd:abcdefghijklmnopqrstuvwx".to_owned(),
            "a=setup:active".to_owned(),
            FINGERPRINT.to_owned(),
        ]);
    }
    offer
}
