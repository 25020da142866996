//! `/comet` over plain HTTP, for networks and programs that take no WebSocket: an event stream
//! (Server-Sent Events), long polling, and single requests.
//!
//! The reader keeps its own position: the `id` of an event and the `pos` of a poll's answer say
//! `PIPE:EPOCH-OFFSET` for each pipe, to be given back as `Last-Event-ID` or `after`.

use std::{convert::Infallible, fmt::Write as _, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use clinicall_comet::{
    PRIVATE, Position,
    hub::Out,
    json,
    wire::{Answer, Request, goodbye},
};
use futures_util::stream;
use serde::Deserialize;
use tokio::time::timeout;

use super::{Entry, Visitor};
use crate::{
    comet::{NewSession, Session},
    http::{App, peers::Place},
    ws::PING_EVERY,
};

/// What a reader over plain HTTP asks for, in the query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Pipes, separated by commas.
    pipes: String,
    /// Where the last poll ended.
    after: String,
    /// The longest time a poll waits, in seconds.
    wait: Option<u64>,
    /// The page's own random name.
    page: String,
}

/// A poll waits so long unless told otherwise; proxies cut what is silent for a minute.
const WAIT: u64 = 25;
const LONGEST_WAIT: u64 = 55;
/// Messages of one poll's answer.
const BATCH: usize = 200;
/// How long a single request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the reader is in each of its pipes.
#[derive(Debug, Default)]
struct Places(Vec<(String, Option<Position>)>);

impl Places {
    fn read(pipes: &str, after: &str) -> Self {
        let known = |pipe: &str| {
            let mut places = after.split(',').filter_map(|place| place.split_once(':'));
            let found = places.find(|(name, _)| *name == pipe);
            found.and_then(|(_, position)| position.parse().ok())
        };
        let pipes = pipes
            .split(',')
            .map(str::trim)
            .filter(|pipe| !pipe.is_empty());
        Self(pipes.map(|pipe| (pipe.to_owned(), known(pipe))).collect())
    }

    fn set(&mut self, pipe: &str, position: Position) {
        if let Some((_, place)) = self.0.iter_mut().find(|(name, _)| name == pipe) {
            *place = Some(position);
        }
    }

    fn listening(&mut self, pipes: &[(String, Position)]) {
        for (pipe, position) in pipes {
            self.set(pipe, *position);
        }
    }

    fn print(&self) -> String {
        let mut out = String::new();
        for (pipe, position) in &self.0 {
            if let Some(position) = position {
                let comma = if out.is_empty() { "" } else { "," };
                // writing to a String does not fail
                let _ = write!(out, "{comma}{pipe}:{position}");
            }
        }
        out
    }
}

async fn open(
    app: &App,
    visitor: Visitor,
    entry: Entry,
    page: &str,
    places: Option<&Places>,
) -> Result<Session, Response> {
    let session = app.comet.open(NewSession::of(visitor, entry)).await;
    let session =
        session.map_err(|why| (StatusCode::SERVICE_UNAVAILABLE, goodbye(why)).into_response())?;
    if !page.is_empty() {
        let (page, login) = (page.to_owned(), None);
        session.ask(Request::Hello { page, login }).await;
    }
    if let Some(places) = places {
        let pipes = places.0.clone();
        session.ask(Request::Listen { id: 0, pipes }).await;
    }
    Ok(session)
}

const NO_PIPES: &str = "Say which pipes: /comet?pipes=msg,web_visit\n";

/// An event stream. What is written to it counts as received; who comes back with a
/// `Last-Event-ID` gets what was lost on the way.
pub(super) async fn events(
    app: &App,
    place: Place,
    visitor: Visitor,
    entry: Entry,
    asked: &Asked,
    last: Option<&str>,
) -> Response {
    let places = Places::read(&asked.pipes, last.unwrap_or(&asked.after));
    if places.0.is_empty() {
        return (StatusCode::BAD_REQUEST, NO_PIPES).into_response();
    }
    let session = match open(app, visitor, entry, &asked.page, Some(&places)).await {
        Ok(session) => session,
        Err(refused) => return refused,
    };
    let state = Some((session, places, place));
    let body = stream::unfold(state, |state| async move {
        let (session, mut places, place) = state?;
        let chunk = match timeout(PING_EVERY, session.next()).await {
            Err(_) => ": here\n\n".to_owned(),
            Ok(None) => return None,
            Ok(Some(out)) => {
                if let Out::Message(message) = &out
                    && &*message.pipe == PRIVATE
                {
                    let position = message.position;
                    session.ask(Request::Ack { position }).await;
                }
                event(&out, &mut places)
            }
        };
        let chunk = Ok::<_, Infallible>(Bytes::from(chunk));
        Some((chunk, Some((session, places, place))))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // NGINX would keep it back until a buffer is full
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(body)).into_response()
}

fn event(out: &Out, places: &mut Places) -> String {
    let data = match out {
        Out::Message(message) => {
            places.set(&message.pipe, message.position);
            String::from_utf8_lossy(message.frame()).into_owned()
        }
        Out::Answer(answer) => {
            if let Answer::Listening { pipes, .. } = &**answer {
                places.listening(pipes);
            }
            answer.print()
        }
        Out::Closed(why) => goodbye(*why),
    };
    // a body may be JSON over several lines
    let data = data.replace('\r', "").replace('\n', "\ndata: ");
    format!("id: {}\ndata: {data}\n\n", places.print())
}

/// `{"pos","gaps","messages"}`: at once when there is something, else when there is, or when the
/// wait is over.
pub(super) async fn poll(app: &App, visitor: Visitor, entry: Entry, asked: &Asked) -> Response {
    let mut places = Places::read(&asked.pipes, &asked.after);
    if places.0.is_empty() {
        return (StatusCode::BAD_REQUEST, NO_PIPES).into_response();
    }
    let session = match open(app, visitor, entry, &asked.page, Some(&places)).await {
        Ok(session) => session,
        Err(refused) => return refused,
    };
    let wait = asked.wait.unwrap_or(WAIT).min(LONGEST_WAIT);
    let until = tokio::time::Instant::now() + Duration::from_secs(wait);
    let mut gaps = Vec::new();
    let mut messages = Vec::new();
    loop {
        let next = match messages.is_empty() {
            true => tokio::time::timeout_at(until, session.next())
                .await
                .ok()
                .flatten(),
            false => session.try_next(),
        };
        match next {
            Some(Out::Message(message)) => {
                places.set(&message.pipe, message.position);
                messages.push(message);
                if messages.len() == BATCH {
                    break;
                }
            }
            Some(Out::Answer(answer)) => {
                if let Answer::Listening {
                    pipes, gaps: lost, ..
                } = &*answer
                {
                    places.listening(pipes);
                    gaps.clone_from(lost);
                    if !gaps.is_empty() {
                        break;
                    }
                }
            }
            Some(Out::Closed(_)) | None => break,
        }
    }
    let mut out = String::from("{\"pos\":");
    json::write_string(&mut out, &places.print());
    out.push_str(",\"gaps\":[");
    for (at, pipe) in gaps.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        json::write_string(&mut out, pipe);
    }
    out.push_str("],\"messages\":[");
    for (at, message) in messages.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        out.push_str(&String::from_utf8_lossy(message.frame()));
    }
    out.push_str("]}");
    answered(out)
}

/// Publish, history, presence, seen, ack: what the request asks for, once.
pub(super) async fn single(
    app: &App,
    visitor: Visitor,
    entry: Entry,
    request: Request,
) -> Response {
    let quiet = match &request {
        Request::Hello { .. } | Request::Listen { .. } | Request::Leave { .. } => {
            let why = "Listening needs a connection that stays: GET /comet.\n";
            return (StatusCode::BAD_REQUEST, why).into_response();
        }
        Request::Ack { .. } => true,
        _ => false,
    };
    let session = match open(app, visitor, entry, "", None).await {
        Ok(session) => session,
        Err(refused) => return refused,
    };
    session.ask(request).await;
    if quiet {
        return StatusCode::NO_CONTENT.into_response();
    }
    match timeout(PATIENCE, session.next()).await {
        Ok(Some(Out::Answer(answer))) => answered(answer.print()),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn answered(json: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, json).into_response()
}
