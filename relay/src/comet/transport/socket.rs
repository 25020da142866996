//! `/comet` as a WebSocket of its own.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use clinicall_comet::{
    MAX_FRAME,
    hub::Out,
    wire::{Answer, Problem, Request, Why, goodbye},
};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::time::timeout;

use super::{FIRST_FRAME, PROTOCOL, Visitor, identify, refuse};
use crate::{
    comet::{NewSession, Session},
    http::{App, Client, peers::Place},
    ws::{Bucket, MISSED_PINGS, PING_EVERY, SEND_PATIENCE},
};

/// A page's frames are short, and the library fills the whole buffer with zeros at each read.
const READ_BUFFER: usize = 512;

/// How a session that is over tells the browser (RFC 6455 section 7.4): try again, or policy.
const TRY_AGAIN: u16 = 1013;
const POLICY: u16 = 1008;

pub(super) fn upgrade(
    app: App,
    client: Client,
    place: Place,
    visitor: Visitor,
    upgrade: WebSocketUpgrade,
    headers: &HeaderMap,
) -> Response {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    if !offered.any(|protocol| protocol.trim() == PROTOCOL) {
        let why = "Offer the WebSocket subprotocol `clinicall.comet.v1`.\n";
        return refuse(&app, client, StatusCode::BAD_REQUEST, why);
    }
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .on_upgrade(move |socket| async move {
            let _place = place;
            app.metrics.sockets_total.add(1);
            carry(app, visitor, socket).await;
        })
}

async fn carry(app: App, mut visitor: Visitor, mut socket: WebSocket) {
    let session = match timeout(FIRST_FRAME, greet(&app, &mut visitor, &mut socket)).await {
        Ok(Ok(session)) => session,
        Ok(Err(problem)) => {
            let id = None;
            let text = Answer::Failed { id, problem }.print();
            return bid_farewell(socket, text, POLICY, problem.as_str()).await;
        }
        Err(_) => {
            let problem = Problem::LoginFirst.as_str();
            return bid_farewell(socket, String::new(), POLICY, problem).await;
        }
    };
    let (sink, stream) = socket.split();
    let silence = AtomicU32::new(0);
    let left = {
        // boxed apart, so that an idle connection holds no more than it needs
        let reading = read(&app, &session, stream, &silence);
        let writing = write(&session, sink, &silence);
        tokio::select! {
            left = reading => left,
            () = writing => false,
        }
    };
    match left {
        true => session.leave(),
        false => drop(session),
    }
}

/// The first frame is `hello`, and says who it is.
async fn greet(
    app: &App,
    visitor: &mut Visitor,
    socket: &mut WebSocket,
) -> Result<Session, Problem> {
    let text = loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => break text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(Problem::BadFrame),
        }
    };
    let request = Request::parse(&text).map_err(|(_, problem)| problem)?;
    let Request::Hello { page, login } = request else {
        return Err(Problem::LoginFirst);
    };
    let entry = identify(app, login, visitor).await?;
    let new = NewSession::of(std::mem::take(visitor), entry);
    let session = app.comet.open(new).await;
    let session = session.map_err(|_| Problem::TooMany)?;
    let login = None;
    session.ask(Request::Hello { page, login }).await;
    Ok(session)
}

async fn bid_farewell(mut socket: WebSocket, text: String, code: u16, reason: &'static str) {
    if !text.is_empty() {
        let _ = timeout(SEND_PATIENCE, socket.send(Message::Text(text.into()))).await;
    }
    let reason = reason.into();
    let close = Message::Close(Some(CloseFrame { code, reason }));
    let _ = timeout(SEND_PATIENCE, socket.send(close)).await;
}

/// True when the page said goodbye.
async fn read(
    app: &App,
    session: &Session,
    mut stream: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
    silence: &AtomicU32,
) -> bool {
    let mut bucket = Bucket::new(app.config.limits.messages_per_second, Instant::now());
    while let Some(Ok(message)) = stream.next().await {
        silence.store(0, Relaxed);
        let wait = bucket.take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        match message {
            Message::Text(text) => session.frame(&text).await,
            Message::Binary(_) => session.refuse(None, Problem::BadFrame).await,
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(frame) => {
                return matches!(
                    frame.map(|frame| frame.code),
                    None | Some(1000 | 1001 | 1005)
                );
            }
        }
    }
    false
}

async fn write(
    session: &Session,
    mut sink: impl Sink<Message, Error = axum::Error> + Unpin,
    silence: &AtomicU32,
) {
    let mut ping = tokio::time::Instant::now() + PING_EVERY;
    loop {
        let mut last = None;
        let message = tokio::select! {
            out = session.next() => match out {
                Some(Out::Closed(why)) => {
                    last = Some(why);
                    Message::Text(goodbye(why).into())
                }
                Some(out) => frame_of(&out),
                None => return,
            },
            () = tokio::time::sleep_until(ping) => {
                ping += PING_EVERY;
                if silence.fetch_add(1, Relaxed) >= MISSED_PINGS {
                    return;
                }
                Message::Ping(Bytes::new())
            }
        };
        if !matches!(timeout(SEND_PATIENCE, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
        if let Some(why) = last {
            let code = close_code(why);
            let reason = why.as_str().into();
            let close = Message::Close(Some(CloseFrame { code, reason }));
            let _ = timeout(Duration::from_secs(2), sink.send(close)).await;
            return;
        }
    }
}

/// Whoever is not welcome any more need not come back.
pub(crate) const fn close_code(why: Why) -> u16 {
    match why {
        Why::Revoked => POLICY,
        _ => TRY_AGAIN,
    }
}

/// As a text frame; a message's text is shared by all who get it.
pub(crate) fn frame_of(out: &Out) -> Message {
    let text = match out {
        Out::Message(message) => message.frame().clone().try_into(),
        Out::Answer(answer) => Ok(answer.print().into()),
        Out::Closed(why) => Ok(goodbye(*why).into()),
    };
    // a message's frame was made from text
    Message::Text(text.unwrap_or_default())
}
