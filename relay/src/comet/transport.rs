//! The ways to `/comet`: WebSocket, an event stream, long polling, single requests.
//!
//! All of them name themselves in the same words and pass the same door. A token travels in a
//! frame or in an `Authorization` header, never in an address, and is not written to any log.

mod login;
mod socket;
mod stream;

use std::time::{Duration, Instant};

use axum::{
    Extension,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
pub(crate) use login::{Entry, identify, visitor};
pub(crate) use socket::{Burst, close_code, is_goodbye};
pub use stream::Asked;

use super::{Request, Visitor};
use crate::{
    http::{App, Client, Peer, client, is_trusted_origin},
    log::Throttle,
    ws::{Handshake, NoWebSocket},
};

/// The WebSocket subprotocol of `/comet`.
pub const PROTOCOL: &str = "clinicall.comet.v1";

/// How long a new connection may take to say who it is.
const FIRST_FRAME: Duration = Duration::from_secs(10);

static REFUSALS: Throttle = Throttle::new(5, Duration::from_secs(10));

/// `GET /comet`: what it becomes is in the headers.
pub(crate) async fn get(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    asked: Query<Asked>,
    handshake: Result<Handshake, NoWebSocket>,
) -> Response {
    let client = client(&app.config, peer, &headers);
    if !is_trusted_origin(&app.config, &headers) {
        return refuse(&app, client, StatusCode::FORBIDDEN, ORIGIN);
    }
    let Some(place) = app.sockets.enter(client.address) else {
        return refuse(&app, client, StatusCode::SERVICE_UNAVAILABLE, CROWDED);
    };
    let mut visitor = visitor(client, &headers);
    if let Ok(handshake) = handshake {
        return socket::upgrade(app, client, place, visitor, handshake);
    }
    let entry = match login::by_header(&app, &headers, &mut visitor).await {
        Ok(entry) => entry,
        Err(problem) => return login::refused(problem),
    };
    let wants = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    if wants.is_some_and(|wants| wants.contains("text/event-stream")) {
        let last = headers
            .get("last-event-id")
            .and_then(|last| last.to_str().ok());
        return stream::events(&app, place, visitor, entry, &asked, last).await;
    }
    stream::poll(&app, visitor, entry, &asked).await
}

/// `POST /comet`: one request, one answer. The body is a frame.
pub async fn post(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    frame: Bytes,
) -> Response {
    let client = client(&app.config, peer, &headers);
    if !is_trusted_origin(&app.config, &headers) {
        return refuse(&app, client, StatusCode::FORBIDDEN, ORIGIN);
    }
    let Some(_place) = app.sockets.enter(client.address) else {
        return refuse(&app, client, StatusCode::SERVICE_UNAVAILABLE, CROWDED);
    };
    let mut visitor = visitor(client, &headers);
    let entry = match login::by_header(&app, &headers, &mut visitor).await {
        Ok(entry) => entry,
        Err(problem) => return login::refused(problem),
    };
    let request = str::from_utf8(&frame).ok().map(Request::parse);
    match request {
        Some(Ok(request)) => stream::single(&app, visitor, entry, request).await,
        _ => (StatusCode::BAD_REQUEST, "The body is no comet request.\n").into_response(),
    }
}

const ORIGIN: &str = "Pages of this origin may not listen here: see `http.trusted_origins`.\n";
const CROWDED: &str = "Too many connections.\n";

fn refuse(app: &App, client: Client, status: StatusCode, why: &'static str) -> Response {
    app.metrics.sockets_refused_total.add(1);
    if let Some(left_out) = REFUSALS.admit(Instant::now()) {
        tracing::info!(from = %client.address, left_out, why = why.trim_end(), "comet refused");
    }
    (status, why).into_response()
}
