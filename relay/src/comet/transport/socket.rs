//! `/comet` as a WebSocket of its own.
//!
//! Thousands of these are idle, so the task of one that has been let in begins anew, with no more than it
//! needs, and rare work is boxed for as long as it takes. Nothing is compressed here: a page on a slow
//! link has its messages on the phone's socket.

use std::{
    pin::pin,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Instant,
};

use axum::{http::StatusCode, response::Response};
use clinicall_comet::{
    MAX_FRAME,
    hub::Out,
    wire::{Answer, Problem, Request, Why, goodbye},
};
use tokio::time::{sleep, timeout};

use super::{FIRST_FRAME, PROTOCOL, Visitor, identify, refuse};
use crate::{
    comet::{NewSession, Session},
    http::{App, Client, peers::Place},
    ws::{
        Bucket, Frame, Handshake, Heard, MISSED_PINGS, PING_EVERY, Socket, Terms, frame::Violation,
    },
};

/// How a session that is over tells the browser (RFC 6455 section 7.4): try again, or policy.
const TRY_AGAIN: u16 = 1013;
const POLICY: u16 = 1008;

/// What is written at once at the most, in bytes of payload.
const BURST: usize = 16_384;

pub(super) fn upgrade(
    app: App,
    client: Client,
    place: Place,
    visitor: Visitor,
    handshake: Handshake,
) -> Response {
    if !handshake.offers(PROTOCOL) {
        let why = "Offer the WebSocket subprotocol `clinicall.comet.v1`.\n";
        return refuse(&app, client, StatusCode::BAD_REQUEST, why);
    }
    let terms = Terms {
        protocol: Some(PROTOCOL),
        compress: false,
        limit: MAX_FRAME,
    };
    handshake.accept(terms, move |socket| async move {
        app.metrics.sockets_total.add(1);
        welcome(&app, visitor, socket, place).await;
    })
}

/// Lets somebody in, or says why not.
async fn welcome(app: &App, mut visitor: Visitor, socket: Socket, place: Place) {
    let greeted = timeout(FIRST_FRAME, greet(app, &mut visitor, &socket)).await;
    match greeted.unwrap_or(Err(NoEntry::Refused(Problem::LoginFirst))) {
        Ok(session) => {
            let talk = Talk {
                socket,
                session,
                messages_per_second: app.config.limits.messages_per_second,
                silence: AtomicU32::new(0),
                _place: place,
            };
            tokio::spawn(talk.run());
        }
        Err(NoEntry::Refused(problem)) => {
            let id = None;
            let text = Answer::Failed { id, problem }.print();
            if socket.send([Frame::text(text)]).await {
                socket.close(POLICY, problem.as_str()).await;
            }
        }
        Err(NoEntry::Ended(left)) => left.bid_farewell(&socket).await,
    }
}

enum NoEntry {
    Refused(Problem),
    Ended(Left),
}

impl From<Problem> for NoEntry {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

/// The first frame is `hello`, and says who it is.
async fn greet(app: &App, visitor: &mut Visitor, socket: &Socket) -> Result<Session, NoEntry> {
    let text = loop {
        match socket.next().await {
            Heard::Text(text) => break text,
            Heard::Alive => {}
            Heard::Binary(_) => return Err(Problem::BadFrame.into()),
            Heard::Close(code) => return Err(NoEntry::Ended(Left::ByPeer(code))),
            Heard::Broken(violation) => return Err(NoEntry::Ended(Left::Broken(violation))),
            Heard::Lost => return Err(NoEntry::Ended(Left::Lost)),
        }
    };
    let request = Request::parse(&text).map_err(|(_, problem)| problem)?;
    let Request::Hello { page, login } = request else {
        return Err(Problem::LoginFirst.into());
    };
    let entry = identify(app, login, visitor).await?;
    let new = NewSession::of(std::mem::take(visitor), entry);
    let session = app.comet.open(new).await;
    let session = session.map_err(|_| Problem::TooMany)?;
    let login = None;
    session.ask(Request::Hello { page, login }).await;
    Ok(session)
}

/// A reader that was let in.
struct Talk {
    socket: Socket,
    session: Session,
    messages_per_second: u32,
    /// Pings since anything was heard.
    silence: AtomicU32,
    _place: Place,
}

/// How it ended, and what the page has to be told.
enum Left {
    Lost,
    ByPeer(Option<u16>),
    Broken(Violation),
    /// The session is over.
    Over(Why),
}

impl Left {
    async fn bid_farewell(&self, socket: &Socket) {
        match self {
            Self::Lost => {}
            Self::ByPeer(code) => socket.farewell(*code).await,
            Self::Broken(violation) => socket.reject(*violation).await,
            Self::Over(why) => socket.close(close_code(*why), why.as_str()).await,
        }
    }

    /// Did the page say goodbye?
    const fn for_good(&self) -> bool {
        matches!(self, Self::ByPeer(code) if is_goodbye(*code))
    }
}

impl Talk {
    async fn run(self) {
        let left = tokio::select! {
            left = self.read() => left,
            left = self.write() => left,
        };
        let Self {
            socket, session, ..
        } = self;
        match left.for_good() {
            true => session.leave(),
            false => drop(session),
        }
        Box::pin(left.bid_farewell(&socket)).await;
    }

    async fn read(&self) -> Left {
        let mut bucket = Bucket::new(self.messages_per_second, Instant::now());
        loop {
            let heard = self.socket.next().await;
            self.silence.store(0, Relaxed);
            let wait = bucket.take(Instant::now());
            if !wait.is_zero() {
                Box::pin(sleep(wait)).await;
            }
            match heard {
                Heard::Text(text) => Box::pin(self.session.frame(&text)).await,
                Heard::Binary(_) => Box::pin(self.session.refuse(None, Problem::BadFrame)).await,
                Heard::Alive => {}
                Heard::Close(code) => return Left::ByPeer(code),
                Heard::Broken(violation) => return Left::Broken(violation),
                Heard::Lost => return Left::Lost,
            }
        }
    }

    async fn write(&self) -> Left {
        let mut ping = pin!(sleep(PING_EVERY));
        loop {
            let burst = tokio::select! {
                burst = Burst::next(&self.session) => burst,
                () = ping.as_mut() => {
                    if self.silence.fetch_add(1, Relaxed) >= MISSED_PINGS {
                        return Left::Lost;
                    }
                    let next = ping.deadline() + PING_EVERY;
                    ping.as_mut().reset(next);
                    Some(Burst { frames: vec![Frame::Ping], over: None })
                }
            };
            let Some(Burst { frames, over }) = burst else {
                return Left::Lost;
            };
            if !self.socket.send(frames).await {
                return Left::Lost;
            }
            if let Some(why) = over {
                return Left::Over(why);
            }
        }
    }
}

/// All that waits for a reader, up to some kilobytes: one write call.
pub(crate) struct Burst {
    pub frames: Vec<Frame>,
    /// These were the last.
    pub over: Option<Why>,
}

impl Burst {
    /// Waits until there is something. `None` after the last.
    pub async fn next(session: &Session) -> Option<Self> {
        let mut out = session.next().await?;
        let mut burst = Self {
            frames: Vec::new(),
            over: None,
        };
        let mut bytes = 0;
        loop {
            if let Out::Closed(why) = out {
                burst.over = Some(why);
            }
            let frame = frame_of(&out);
            bytes += frame.len();
            burst.frames.push(frame);
            if bytes >= BURST {
                return Some(burst);
            }
            match session.try_next() {
                Some(next) => out = next,
                None => return Some(burst),
            }
        }
    }
}

/// `close()` without a code, with 1000, and a page that is left: the reader does not come back.
pub(crate) const fn is_goodbye(code: Option<u16>) -> bool {
    matches!(code, None | Some(1000 | 1001))
}

/// Whoever is not welcome any more need not come back.
pub(crate) const fn close_code(why: Why) -> u16 {
    match why {
        Why::Revoked | Why::Expired => POLICY,
        _ => TRY_AGAIN,
    }
}

/// As a text frame; a message's text is shared by all who get it.
fn frame_of(out: &Out) -> Frame {
    match out {
        Out::Message(message) => Frame::Text(message.frame().clone()),
        Out::Answer(answer) => Frame::text(answer.print()),
        Out::Closed(why) => Frame::text(goodbye(*why)),
    }
}
