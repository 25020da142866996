//! The one listener and what it serves: the pages, `/sip`, `/healthz`, `/metrics`, `/demo/users`.

pub mod api;
pub mod listener;
mod origin;
mod pages;
pub mod peers;
pub mod post;

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

pub use origin::is_trusted_origin;
use peers::Peers;

use crate::{
    auth::{Auth, api::ApiKeys},
    backend::Backend,
    comet,
    config::Config,
    events::Events,
    metrics::Metrics,
    signal::{self, MediaPlane},
    store::Store,
    ws,
};

/// What every handler may use.
#[derive(Clone, Debug)]
pub struct App {
    pub config: Arc<Config>,
    pub dev: bool,
    pub signal: signal::Handle,
    pub media: Arc<dyn MediaPlane>,
    pub metrics: Arc<Metrics>,
    pub store: Store,
    pub auth: Auth,
    /// What the clinic's own programs may ask for.
    pub backend: Backend,
    pub api_keys: ApiKeys,
    pub events: Events,
    pub comet: comet::Handle,
    /// Rings pages that speak CppComet's dialect.
    pub bell: comet::cppcomet::Bell,
    /// WebSockets by address.
    pub sockets: Peers,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: IpAddr,
    /// The connection itself is TLS.
    pub tls: bool,
}

/// Who is behind a request, once a trusted proxy has been believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// The browser's side is TLS.
    pub secure: bool,
}

/// How long `/healthz` waits for an answer from within.
const HEALTH_DEADLINE: Duration = Duration::from_secs(1);

/// The routes. Requests need [`Peer`] among their extensions.
pub fn router(app: App) -> Router {
    let pages = pages::service(&app.config, app.dev);
    let api = api::router(&app);
    Router::new()
        .route("/sip", get(ws::phone::sip))
        .route(
            "/comet",
            get(comet::transport::get).post(comet::transport::post),
        )
        .route("/ws/{*knock}", get(comet::cppcomet::get))
        .route("//ws/{*knock}", get(comet::cppcomet::get))
        .route("/comet-server/ws/{*knock}", get(comet::cppcomet::get))
        .route("//comet-server/ws/{*knock}", get(comet::cppcomet::get))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/demo/users", get(roster))
        .nest("/api/v1", api)
        .with_state(app)
        .fallback_service(pages)
}

/// The address and scheme a request really came from.
#[must_use]
pub fn client(config: &Config, peer: Peer, headers: &HeaderMap) -> Client {
    let trusted = |address: &IpAddr| config.http.trusted_proxies.contains(address);
    if !trusted(&peer.address) {
        return Client {
            address: peer.address,
            secure: peer.tls,
        };
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // each proxy appends whom it saw: the last one that is no proxy of ours is the client
    let address = header("x-forwarded-for")
        .unwrap_or("")
        .rsplit(',')
        .map_while(|hop| hop.trim().parse::<IpAddr>().ok())
        .find(|hop| !trusted(hop));
    Client {
        address: address.unwrap_or(peer.address),
        secure: peer.tls || header("x-forwarded-proto") == Some("https"),
    }
}

async fn health(State(app): State<App>) -> Response {
    let media = app.media.clone();
    let media = tokio::task::spawn_blocking(move || media.is_alive(HEALTH_DEADLINE));
    let (signal, media) = tokio::join!(
        tokio::time::timeout(HEALTH_DEADLINE, app.signal.ping()),
        media,
    );
    let (signal, media) = (matches!(signal, Ok(true)), matches!(media, Ok(true)));
    let status = match signal && media {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(json!({ "signal": signal, "media": media }))).into_response()
}

async fn metrics(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    let client = client(&app.config, peer, &headers);
    if !app.config.http.metrics_for.contains(&client.address) {
        return (
            StatusCode::FORBIDDEN,
            "not for this address: `http.metrics_for`\n",
        )
            .into_response();
    }
    let page = app.metrics.render(&app.media.metrics());
    ([("content-type", "text/plain; version=0.0.4")], page).into_response()
}

/// Who can be called in the demo. Passwords of demo users only, and those exist with `--dev` only.
async fn roster(State(app): State<App>) -> Response {
    if !app.dev {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Some(online) = app.signal.online().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let users: Vec<_> = app
        .config
        .user
        .iter()
        .map(|user| {
            let password = user.password.as_ref().filter(|_| user.demo);
            json!({
                "id": user.id,
                "name": user.name,
                "password": password.map(|password| &password.0),
                "online": online.contains(&user.id),
            })
        })
        .collect();
    ([("cache-control", "no-store")], Json(users)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_about_the_client() {
        let mut config = Config::dev();
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-forwarded-for",
            "198.51.100.9, 192.0.2.4".parse().unwrap(),
        );
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        let peer = Peer {
            address: "127.0.0.1".parse().unwrap(),
            tls: false,
        };
        let plain = Client {
            address: peer.address,
            secure: false,
        };
        assert_eq!(client(&config, peer, &headers), plain);

        // what the client wrote itself stands further left and is not believed
        config.http.trusted_proxies = vec![peer.address];
        let real = Client {
            address: "192.0.2.4".parse().unwrap(),
            secure: true,
        };
        assert_eq!(client(&config, peer, &headers), real);
    }
}
