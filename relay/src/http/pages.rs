//! The pages, as files.

use std::path::PathBuf;

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use tower_http::services::ServeDir;

use crate::config::Config;

/// Where Trunk leaves the demo in a working copy.
const DEMO: &str = "www/dist";

/// Serves the configured directory; with `--dev` the freshly built demo when there is one.
pub fn service(config: &Config, dev: bool) -> Router {
    let demo = PathBuf::from(DEMO);
    let directory = match &config.http.pages {
        Some(directory) => directory.clone(),
        None if dev && demo.is_dir() => demo,
        None => return Router::new().fallback(nothing_here),
    };
    let files = ServeDir::new(directory)
        .precompressed_br()
        .precompressed_gzip();
    Router::new()
        .fallback_service(files)
        .layer(axum::middleware::map_response(with_headers))
}

async fn nothing_here() -> (StatusCode, &'static str) {
    (
        StatusCode::NOT_FOUND,
        "The relay is running. It has no pages: `http.pages` is not set.\n",
    )
}

async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    // asked anew each time, answered 304: a new release is seen at once
    set(header::CACHE_CONTROL, "no-cache");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    response
}
