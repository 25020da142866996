//! SIP over WebSocket (RFC 7118): one message a frame, with pings, bounds and a slow lane for
//! those who send too fast.

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
    extract::{
        State,
        ws::{
            CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection,
        },
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use clinicall_sip::{
    agent::{Flow, Transport},
    message::MAX_MESSAGE,
};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::{
    sync::{Notify, OnceCell, mpsc},
    time::timeout,
};

use crate::{
    auth::Right,
    comet::{self, NewSession, Out, Session, Visitor, Why, flows},
    http::{App, Client, Peer, client, is_trusted_origin, peers::Place},
    log::Throttle,
    signal::{Closing, Frame, Note, Outgoing},
};

/// Ours, for pages whose client knows this relay: SIP, and comet's frames beside it, which begin
/// with `{` as no SIP message does.
const CLINICALL: &str = "clinicall.v1";
/// RFC 7118 section 4.1.
const SIP: &str = "sip";

/// Often enough to keep a mobile carrier's NAT open (30 s is the shortest seen in practice for TCP).
pub(crate) const PING_EVERY: Duration = Duration::from_secs(25);
/// Pings in a row without any sign of life after which a socket is dead.
pub(crate) const MISSED_PINGS: u32 = 2;
/// One frame may take this long to be taken by the kernel's buffer before the reader is too slow.
pub(crate) const SEND_PATIENCE: Duration = Duration::from_secs(10);
/// Most SIP messages fit.
const READ_BUFFER: usize = 4_096;
/// How long a peer may take to answer our Close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// Frames that wait for a slow reader: a ring of two dozen messages is a busy call.
pub const QUEUE: usize = 64;

static REFUSALS: Throttle = Throttle::new(5, Duration::from_secs(10));

/// `GET /sip`.
pub async fn sip(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let client = client(&app.config, peer, &headers);
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(_) => {
            return refuse(
                &app,
                client,
                StatusCode::UPGRADE_REQUIRED,
                "This address speaks SIP over WebSocket (RFC 7118).\n",
            );
        }
    };
    let offered: Vec<&str> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let Some(protocol) = [CLINICALL, SIP]
        .into_iter()
        .find(|ours| offered.contains(ours))
    else {
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
    upgrade
        .protocols([protocol])
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        // the library fills the whole buffer with zeros at each read
        .read_buffer_size(READ_BUFFER)
        .on_upgrade(move |socket| carry(app, client, place, visitor, socket))
}

fn refuse(app: &App, client: Client, status: StatusCode, why: &'static str) -> Response {
    app.metrics.sockets_refused_total.add(1);
    if let Some(left_out) = REFUSALS.admit(Instant::now()) {
        tracing::info!(from = %client.address, left_out, why = why.trim_end(), "socket refused");
    }
    (status, why).into_response()
}

/// Carries one socket from its opening to its end.
async fn carry(app: App, client: Client, _place: Place, visitor: Visitor, socket: WebSocket) {
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
    let (sink, stream) = socket.split();
    let silence = AtomicU32::new(0);
    let beside = Beside {
        comet: app.comet.clone(),
        entry,
        visitor,
        session: OnceCell::new(),
    };
    let how = tokio::select! {
        how = read(&app, flow, stream, &beside, &silence) => how,
        how = write(sink, frames, &beside, &silence) => {
            app.metrics.sockets_dropped_total.add(u64::from(how == Closing::Lost));
            how
        }
        () = drop_now.notified() => Closing::Lost,
    };
    tracing::debug!(flow = flow.0, ?how, "socket closed");
    beside.end(how);
    let _ = app.signal.tell(Note::Closed { flow, how }).await;
    drop(_place);
    app.metrics.sockets.set(app.sockets.total());
}

/// Reads until the peer closes; a peer faster than the limit is read more slowly.
async fn read(
    app: &App,
    flow: Flow,
    mut stream: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
    beside: &Beside,
    silence: &AtomicU32,
) -> Closing {
    let mut bucket = Bucket::new(app.config.limits.messages_per_second, Instant::now());
    while let Some(Ok(message)) = stream.next().await {
        silence.store(0, Relaxed);
        let wait = bucket.take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let bytes = match message {
            Message::Text(text) if text.starts_with('{') => {
                beside.frame(&text).await;
                continue;
            }
            Message::Text(text) => Bytes::from(text),
            Message::Binary(bytes) => bytes,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(frame) => return Closing::by_peer(frame.map(|frame| frame.code)),
        };
        if app.signal.tell(Note::Frame { flow, bytes }).await.is_err() {
            return Closing::Lost;
        }
    }
    Closing::Lost
}

/// Writes what the signal task queues, and a ping now and then. Ends when the peer is dead, too
/// slow, or was told goodbye.
async fn write(
    mut sink: impl Sink<Message, Error = axum::Error> + Unpin,
    mut frames: mpsc::Receiver<Frame>,
    beside: &Beside,
    silence: &AtomicU32,
) -> Closing {
    let mut pings = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        let mut over = None;
        let message = tokio::select! {
            // a ringing call goes before a message
            biased;
            frame = frames.recv() => match frame {
                Some(Frame::Sip(bytes)) => as_message(bytes),
                Some(Frame::Close { code, reason }) => {
                    let goodbye = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
                    let _ = timeout(CLOSE_PATIENCE, sink.send(goodbye)).await;
                    // the reader ends first when the peer answers
                    tokio::time::sleep(CLOSE_PATIENCE).await;
                    return Closing::ByUs;
                }
                None => return Closing::ByUs,
            },
            out = beside.next() => {
                if let Out::Closed(why) = out {
                    over = Some(why);
                }
                comet::transport::frame_of(&out)
            }
            _ = pings.tick() => {
                if silence.fetch_add(1, Relaxed) >= MISSED_PINGS {
                    return Closing::Lost;
                }
                Message::Ping(Bytes::new())
            }
        };
        if !matches!(timeout(SEND_PATIENCE, sink.send(message)).await, Ok(Ok(()))) {
            return Closing::Lost;
        }
        if let Some(why) = over {
            let (code, reason) = (comet::transport::close_code(why), why.as_str().into());
            let goodbye = Message::Close(Some(CloseFrame { code, reason }));
            let _ = timeout(CLOSE_PATIENCE, sink.send(goodbye)).await;
            return Closing::Lost;
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

    /// What the page is to be told. The telephone goes on where comet cannot.
    async fn next(&self) -> Out {
        let next = match self.session().await {
            Ok(session) => session.next().await,
            Err(_) => None,
        };
        match next {
            Some(out) => out,
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
fn as_message(bytes: Vec<u8>) -> Message {
    match String::from_utf8(bytes) {
        Ok(text) => Message::Text(text.into()),
        Err(error) => Message::Binary(error.into_bytes().into()),
    }
}

/// A token bucket that says how long to wait rather than no.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

/// A burst this many seconds' worth of messages long is taken at once.
const BURST_SECONDS: f64 = 5.0;

impl Bucket {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self {
            per_second,
            tokens: per_second * BURST_SECONDS,
            filled: now,
        }
    }

    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        let gained = now.duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.per_second * BURST_SECONDS) - 1.0;
        self.filled = now;
        Duration::from_secs_f64((-self.tokens / self.per_second).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_waits() {
        let start = Instant::now();
        let mut bucket = Bucket::new(20, start);
        assert!((0..100).all(|_| bucket.take(start).is_zero()));
        assert_eq!(bucket.take(start), Duration::from_millis(50));
        let later = start + Duration::from_secs(60);
        assert!(bucket.take(later).is_zero());
    }
}
