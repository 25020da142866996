//! Before any page of the API: whose key is it, is it too much, was it asked already?

use std::{sync::Arc, time::Instant};

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Problem, body::Caller, gate::Gate, once};
use crate::http::{App, Peer, client};

pub(super) async fn guard(
    State((app, gate)): State<(App, Arc<Gate>)>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = client(&app.config, peer, request.headers()).address;
    let caller = match admit(&app, &gate, address, request.headers()) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let name = caller.0.name.clone();
    request.extensions_mut().insert(caller);
    let mut response = match once::key(request.headers()) {
        Ok(Some(key)) if request.method() == Method::POST => {
            once::answer(&app, &name, key, request, next).await
        }
        Ok(_) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    // what axum refuses by itself, such as a wrong query, it refuses in plain text
    let refused = response.status().is_client_error() || response.status().is_server_error();
    if refused && !is_problem(response.headers()) {
        response = reworded(response).await;
    }
    // answers are about people
    let private = header::HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, private);
    response
}

fn is_problem(headers: &HeaderMap) -> bool {
    let content = headers.get(header::CONTENT_TYPE);
    content.is_some_and(|content| content.as_bytes() == b"application/problem+json")
}

async fn reworded(response: Response) -> Response {
    let status = response.status();
    let text = axum::body::to_bytes(response.into_body(), 4_096).await;
    let text = text.unwrap_or_default();
    let words = String::from_utf8_lossy(&text);
    Problem::of(status, words.trim()).into_response()
}

fn admit(
    app: &App,
    gate: &Gate,
    address: std::net::IpAddr,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let now = Instant::now();
    app.auth.may_try(address, None)?;
    let shown = headers.get(header::AUTHORIZATION);
    let key = shown.and_then(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| key.trim())
    });
    let Some(key) = key else {
        return Err(Problem::unauthorized());
    };
    let Some(caller) = app.api_keys.find(key)? else {
        app.auth.guessed_wrong(address, None);
        app.metrics.logins_failed_total.add(1);
        return Err(Problem::unauthorized());
    };
    let too_many = |seconds| Problem::too_many("too many requests with this key", seconds);
    gate.take(&caller.name, now).map_err(too_many)?;
    Ok(Caller(caller))
}
