//! The phone's socket, `/sip`: SIP over WebSocket (RFC 7118), one message a frame, with pings, bounds
//! and a slow lane for those who send too fast; comet's frames beside it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use clinicall_sip::{
    agent::{Flow, Transport},
    message::MAX_MESSAGE,
};
use tokio::{
    sync::{Notify, OnceCell, mpsc},
    time::timeout,
};

use super::{
    Bucket, Frame, Handshake, Heard, MISSED_PINGS, NoWebSocket, PING_EVERY, Socket, Terms,
};
use crate::{
    auth::Right,
    comet::{
        self, NewSession, Session, Visitor, Why, flows,
        transport::{Burst, close_code},
    },
    http::{App, Client, Peer, client, is_trusted_origin, peers::Place},
    log::Throttle,
    signal::{self, Closing, Note, Outgoing},
};

/// Ours, for pages whose client knows this relay: SIP, and comet's frames beside it, which begin
/// with `{` as no SIP message does.
const CLINICALL: &str = "clinicall.v1";
/// RFC 7118 section 4.1.
const SIP: &str = "sip";

/// Frames that wait for a slow reader: a ring of two dozen messages is a busy call.
pub const QUEUE: usize = 64;

static REFUSALS: Throttle = Throttle::new(5, Duration::from_secs(10));

/// `GET /sip`.
pub(crate) async fn sip(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    handshake: Result<Handshake, NoWebSocket>,
) -> Response {
    let client = client(&app.config, peer, &headers);
    let handshake = match handshake {
        Ok(handshake) => handshake,
        Err(none) => {
            note_refusal(&app, client, "no WebSocket");
            return none.answer("This address speaks SIP over WebSocket (RFC 7118).\n");
        }
    };
    let offered = |protocol: &&&str| handshake.offers(protocol);
    let Some(protocol) = [CLINICALL, SIP].iter().find(offered) else {
        return refuse(
            &app,
            client,
            StatusCode::BAD_REQUEST,
            "Offer the WebSocket subprotocol `sip`: new WebSocket(url, \"sip\").\n",
        );
    };
    if !is_trusted_origin(&app.config, &headers) {
        return refuse(
            &app,
            client,
            StatusCode::FORBIDDEN,
            "Pages of this origin may not call here: see `http.trusted_origins`.\n",
        );
    }
    let Some(place) = app.sockets.enter(client.address) else {
        return refuse(
            &app,
            client,
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many connections.\n",
        );
    };
    let visitor = comet::transport::visitor(client, &headers);
    let terms = Terms {
        protocol: Some(protocol),
        compress: true,
        limit: MAX_MESSAGE,
    };
    handshake.accept(terms, move |socket| {
        carry(app, client, place, visitor, socket)
    })
}

fn refuse(app: &App, client: Client, status: StatusCode, why: &'static str) -> Response {
    note_refusal(app, client, why.trim_end());
    (status, why).into_response()
}

fn note_refusal(app: &App, client: Client, why: &'static str) {
    app.metrics.sockets_refused_total.add(1);
    if let Some(left_out) = REFUSALS.admit(Instant::now()) {
        tracing::info!(from = %client.address, left_out, why, "socket refused");
    }
}

/// Carries one socket from its opening to its end.
async fn carry(app: App, client: Client, _place: Place, visitor: Visitor, socket: Socket) {
    let flow = app.signal.next_flow();
    let transport = if client.secure {
        Transport::Wss
    } else {
        Transport::Ws
    };
    let (queue, frames) = mpsc::channel(QUEUE);
    let drop_now = Arc::new(Notify::new());
    let entry = app.comet.flows().enter(flow);
    let opened = Note::Opened {
        flow,
        transport,
        address: client.address,
        outgoing: Outgoing {
            queue,
            drop_now: drop_now.clone(),
        },
    };
    if app.signal.tell(opened).await.is_err() {
        return;
    }
    app.metrics.sockets_total.add(1);
    app.metrics.sockets.set(app.sockets.total());
    let silence = AtomicU32::new(0);
    let beside = Beside {
        comet: app.comet.clone(),
        entry,
        visitor,
        session: OnceCell::new(),
    };
    let end = tokio::select! {
        end = read(&app, flow, &socket, &beside, &silence) => end,
        end = write(&socket, frames, &beside, &silence) => {
            app.metrics.sockets_dropped_total.add(u64::from(matches!(end, End::Lost)));
            end
        }
        () = drop_now.notified() => End::Lost,
    };
    let how = end.how();
    tracing::debug!(flow = flow.0, ?how, "socket closed");
    beside.end(how);
    let _ = app.signal.tell(Note::Closed { flow, how }).await;
    // others need not wait for the goodbye
    end.bid_farewell(&socket).await;
    drop(_place);
    app.metrics.sockets.set(app.sockets.total());
}

/// How it ends, and what the peer has to be told.
enum End {
    Lost,
    /// The peer broke the rules of WebSocket.
    Broken(super::frame::Violation),
    ByPeer(Option<u16>),
    ByUs(u16, &'static str),
    /// Comet wants it closed; the calls wait for the page's return.
    Away(Why),
}

impl End {
    fn how(&self) -> Closing {
        match self {
            Self::Lost | Self::Broken(_) | Self::Away(_) => Closing::Lost,
            Self::ByPeer(code) => Closing::by_peer(*code),
            Self::ByUs(..) => Closing::ByUs,
        }
    }

    async fn bid_farewell(&self, socket: &Socket) {
        match self {
            Self::Lost => {}
            Self::Broken(violation) => socket.reject(*violation).await,
            Self::ByPeer(code) => socket.farewell(*code).await,
            Self::ByUs(code, reason) => socket.close(*code, reason).await,
            Self::Away(why) => socket.close(close_code(*why), why.as_str()).await,
        }
    }
}

/// Reads until the peer closes; a peer faster than the limit is read more slowly.
async fn read(app: &App, flow: Flow, socket: &Socket, beside: &Beside, silence: &AtomicU32) -> End {
    let mut bucket = Bucket::new(app.config.limits.messages_per_second, Instant::now());
    loop {
        let heard = socket.next().await;
        silence.store(0, Relaxed);
        let wait = bucket.take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let bytes = match heard {
            Heard::Text(text) if text.starts_with('{') => {
                beside.frame(&text).await;
                continue;
            }
            Heard::Text(text) => Bytes::from(text),
            Heard::Binary(bytes) => Bytes::from(bytes),
            Heard::Alive => continue,
            Heard::Close(code) => return End::ByPeer(code),
            Heard::Broken(violation) => return End::Broken(violation),
            Heard::Lost => return End::Lost,
        };
        if app.signal.tell(Note::Frame { flow, bytes }).await.is_err() {
            return End::Lost;
        }
    }
}

/// Writes what the signal task queues, and a ping now and then. Ends when the peer is dead, too
/// slow, or to be told goodbye.
async fn write(
    socket: &Socket,
    mut frames: mpsc::Receiver<signal::Frame>,
    beside: &Beside,
    silence: &AtomicU32,
) -> End {
    let mut pings = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        let mut over = None;
        let out = tokio::select! {
            // a ringing call goes before a message
            biased;
            frame = frames.recv() => match frame {
                Some(signal::Frame::Sip(bytes)) => vec![as_frame(bytes)],
                Some(signal::Frame::Close { code, reason }) => return End::ByUs(code, reason),
                None => return End::ByUs(1001, "the relay is stopping"),
            },
            burst = beside.next() => {
                over = burst.over;
                burst.frames
            }
            _ = pings.tick() => {
                if silence.fetch_add(1, Relaxed) >= MISSED_PINGS {
                    return End::Lost;
                }
                vec![Frame::Ping]
            }
        };
        if !socket.send(out).await {
            return End::Lost;
        }
        if let Some(why) = over {
            return End::Away(why);
        }
    }
}

/// Comet on a phone's own socket: begun when somebody is logged in there.
struct Beside {
    comet: comet::Handle,
    entry: flows::Entry,
    visitor: Visitor,
    session: OnceCell<Result<Session, Why>>,
}

/// A frame that comes right after the login may overtake the news of it, by so much at the most.
const LOGIN_NEWS: Duration = Duration::from_secs(2);

impl Beside {
    /// Waits for a login.
    async fn session(&self) -> &Result<Session, Why> {
        let open = async || {
            let (user, rights) = self.entry.login().await;
            let visitor = Visitor {
                user: Some(user.to_string()),
                may_publish: rights.has(Right::Publish),
                may_listen: rights.has(Right::Subscribe),
                ..self.visitor.clone()
            };
            self.comet
                .open(NewSession {
                    visitor,
                    flow: Some(self.entry.flow()),
                    ..NewSession::default()
                })
                .await
        };
        self.session.get_or_init(open).await
    }

    /// What the page sends before its login is nobody's, and dropped.
    async fn frame(&self, frame: &str) {
        if let Ok(Ok(session)) = timeout(LOGIN_NEWS, self.session()).await {
            session.frame(frame).await;
        }
    }

    /// What the page is to be told, as much as there is. The telephone goes on where comet cannot.
    async fn next(&self) -> Burst {
        let next = match self.session().await {
            Ok(session) => Burst::next(session).await,
            Err(_) => None,
        };
        match next {
            Some(burst) => burst,
            None => std::future::pending().await,
        }
    }

    fn end(self, how: Closing) {
        if let (Closing::Gone, Some(Ok(session))) = (how, self.session.into_inner()) {
            session.leave();
        }
    }
}

/// SIP is UTF-8, which a text frame must be; a body that is not goes out as binary.
fn as_frame(bytes: Vec<u8>) -> Frame {
    match String::from_utf8(bytes) {
        Ok(text) => Frame::Text(text.into()),
        Err(error) => Frame::Binary(error.into_bytes().into()),
    }
}
