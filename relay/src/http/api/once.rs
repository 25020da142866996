//! `Idempotency-Key`: a request that is sent again because its answer was lost is answered again,
//! and not done again.

use std::{
    collections::HashSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};

use super::{MAX_BODY, Problem};
use crate::{
    http::App,
    store::{Changes, idempotency, idempotency::Receipt},
};

/// Requests under way, by store (tests have several), caller and key.
static UNDER_WAY: LazyLock<Mutex<HashSet<(u64, String, String)>>> = LazyLock::new(Mutex::default);

/// The key a request names.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let plain = |key: &&str| (1..=128).contains(&key.len());
    let key = value.to_str().ok().filter(plain);
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| Problem::invalid("`Idempotency-Key` must be 1 to 128 ASCII characters"))
}

pub(super) async fn answer(
    app: &App,
    caller: &str,
    key: String,
    request: Request,
    next: Next,
) -> Response {
    match carry_out(app, caller, key, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn carry_out(
    app: &App,
    caller: &str,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(_turn) = Turn::take(app.store.epoch(), caller, &key) else {
        return Err(Problem::conflict(
            "a request with this `Idempotency-Key` is under way",
            "wait for its answer, then send it again to read it",
        ));
    };
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Problem::too_long())?;
    let mut hash = Sha256::new();
    hash.update(parts.uri.to_string().as_bytes());
    hash.update([0]);
    hash.update(&bytes);
    let hash: [u8; 32] = hash.finalize().into();

    if let Some(kept) = app
        .store
        .read(|view| idempotency::get(view, caller, &key))?
    {
        if kept.request != hash {
            return Err(Problem::conflict(
                "this `Idempotency-Key` belongs to another request",
                "take a new key for each new request",
            ));
        }
        return Ok(replayed(kept));
    }
    let receipt = Receipt {
        caller: caller.to_owned(),
        key,
        request: hash,
    };
    let mut request = Request::from_parts(parts, Body::from(bytes));
    // who keeps something writes the receipt in the same change
    request.extensions_mut().insert(receipt.clone());
    let response = next.run(request).await;
    // what failed on our side may be tried again, and so may what came too fast
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX)
        .await
        .map_err(|error| Problem::unavailable(&error.to_string()))?;
    let at = crate::clock::unix_ms();
    let (status, kept) = (status.as_u16(), body.to_vec());
    let write = move |changes: &mut Changes<'_>| receipt.keep(changes, at, status, kept);
    app.store.write(write).await?;
    Ok(Response::from_parts(head, Body::from(body)))
}

fn replayed(kept: idempotency::Answer) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let content = match status.is_success() {
        true => "application/json",
        false => "application/problem+json",
    };
    let empty = kept.body.is_empty();
    let mut response = (status, kept.body).into_response();
    let headers = response.headers_mut();
    match empty {
        true => drop(headers.remove(header::CONTENT_TYPE)),
        false => drop(headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content))),
    }
    headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}

/// The right to carry out a request, given back when dropped.
struct Turn((u64, String, String));

impl Turn {
    fn take(store: u64, caller: &str, key: &str) -> Option<Self> {
        let name = (store, caller.to_owned(), key.to_owned());
        let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.insert(name.clone()).then_some(Self(name))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        UNDER_WAY
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}
