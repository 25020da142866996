//! The event stream: `GET /api/v1/events` as server-sent events, and the same for
//! `clinicall events`. A reader pulls from the store, so a slow one costs nothing but its own time.

use std::convert::Infallible;

use axum::{
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{Events, Record};
use crate::store::{Store, StoreError, outbox};

/// Events read from the store at a time.
const PAGE: usize = 100;

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Event(Record),
    /// Events through this id are no longer kept, and were not read.
    Missing {
        through: u64,
    },
}

#[derive(Debug)]
pub struct Subscription {
    store: Store,
    after: u64,
    ready: std::vec::IntoIter<Record>,
    written: watch::Receiver<()>,
    /// One of the streams there may be.
    _permit: OwnedSemaphorePermit,
}

impl Subscription {
    pub(super) fn new(events: &Events, after: Option<u64>) -> Result<Self, StoreError> {
        let permit = events.streams.clone().try_acquire_owned();
        let permit = permit.map_err(|_| StoreError::Full(super::STREAMS))?;
        let written = events.written();
        let last = events.store.read(|view| outbox::last_event(view))?;
        Ok(Self {
            store: events.store.clone(),
            // an id from another store's future would wait for ever
            after: after.map_or(last, |after| after.min(last)),
            ready: Vec::new().into_iter(),
            written,
            _permit: permit,
        })
    }

    /// Waits for the next one; `None`: the relay stops.
    pub async fn next(&mut self) -> Option<Result<Item, StoreError>> {
        loop {
            if let Some(record) = self.ready.next() {
                self.after = record.id;
                return Some(Ok(Item::Event(record)));
            }
            self.written.mark_unchanged();
            let after = self.after;
            match self
                .store
                .read(|view| outbox::events_after(view, after, PAGE))
            {
                Err(error) => return Some(Err(error)),
                Ok(page) => {
                    let first = page.first().map(|record| record.id);
                    self.ready = page.into_iter();
                    if let Some(first) = first.filter(|first| *first > after + 1) {
                        self.after = first - 1;
                        return Some(Ok(Item::Missing { through: first - 1 }));
                    }
                    if first.is_none() {
                        self.written.changed().await.ok()?;
                    }
                }
            }
        }
    }
}

/// Answers `GET /api/v1/events`. The reader names the last event it has in `Last-Event-ID`, or in
/// `after` of the query where it cannot set headers. Who may read is the router's to decide.
#[must_use]
pub fn respond(events: &Events, headers: &HeaderMap, after: Option<u64>) -> Response {
    let header = headers.get("last-event-id");
    let header = header.and_then(|id| id.to_str().ok()?.trim().parse().ok());
    let subscription = match events.subscribe(header.or(after)) {
        Ok(subscription) => subscription,
        Err(StoreError::Full(_)) => {
            let text = "too many event streams are open\n";
            return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
        }
        Err(error) => {
            tracing::error!(%error, "events cannot be read");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let items = futures_util::stream::unfold(subscription, |mut subscription| async {
        match subscription.next().await? {
            Ok(item) => Some((Ok::<_, Infallible>(frame(&item)), subscription)),
            Err(error) => {
                tracing::error!(%error, "an event stream ends");
                None
            }
        }
    });
    Sse::new(items)
        .keep_alive(KeepAlive::default())
        .into_response()
}

fn frame(item: &Item) -> sse::Event {
    match item {
        Item::Event(record) => sse::Event::default()
            .id(record.id.to_string())
            .event(record.event.kind())
            .data(line(item)),
        Item::Missing { .. } => sse::Event::default().event("missing").data(line(item)),
    }
}

/// One line of JSON: the event, or `{"missing_through":7}`.
#[must_use]
pub fn line(item: &Item) -> String {
    match item {
        Item::Event(record) => {
            serde_json::to_string(record).expect("an event has string keys only")
        }
        Item::Missing { through } => format!("{{\"missing_through\":{through}}}"),
    }
}
