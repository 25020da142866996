//! `/api/v1`: what a clinic's back end asks for over HTTP with JSON. The functions are those of
//! CometQL: [`crate::backend`] decides, these handlers only translate.
//!
//! A request shows an API key as `Authorization: Bearer ...`; browsers have no business here, so
//! there is no CORS and no cookie. Every error is a problem document (RFC 9457) that says what to do
//! next. A POST with an `Idempotency-Key` is done once, however often it is sent.

#![allow(unused_qualifications, reason = "the macros of utoipa write some")]

mod body;
mod calls;
mod events;
mod gate;
mod guard;
mod keys;
mod messages;
mod once;
mod problem;
mod rooms;
mod tokens;
mod users;

use std::sync::Arc;

use axum::{Json, Router, extract::DefaultBodyLimit, middleware, response::IntoResponse};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use problem::Problem;

use super::App;
use gate::Gate;

/// The longest body: a message of comet's longest, and what is around it.
const MAX_BODY: usize = 96 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Clinicall",
        description = "Video visits for web clinics: what a clinic's back end may ask of the relay.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(Problem)),
    modifiers(&Keys),
    security(("api_key" = [])),
    tags(
        (name = "rooms", description = "Who is rung into which room, who is there"),
        (name = "calls", description = "Calls that ring or go on"),
        (name = "users", description = "Keys, data and presence of users"),
        (name = "tokens", description = "Tokens by which pages log in"),
        (name = "messages", description = "Private messages and pipes"),
        (name = "events", description = "What happens, as it happens"),
        (name = "keys", description = "Keys of back ends for this API"),
    )
)]
struct Document;

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A key made with `clinicall api-key NAME`"))
            .build();
        if let Some(components) = document.components.as_mut() {
            components.add_security_scheme("api_key", SecurityScheme::Http(bearer));
        }
    }
}

/// The routes of `/api/v1`, and the document that describes them.
fn routes() -> (Router<App>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(rooms::list, rooms::create))
        .routes(routes!(rooms::show, rooms::close))
        .routes(routes!(rooms::invitations, rooms::invite))
        .routes(routes!(rooms::uninvite))
        .routes(routes!(rooms::members))
        .routes(routes!(rooms::mute, rooms::remove))
        .routes(routes!(rooms::guest))
        .routes(routes!(calls::list, calls::originate))
        .routes(routes!(calls::hang_up))
        .routes(routes!(users::list))
        .routes(routes!(users::show))
        .routes(routes!(users::put_key, users::remove_key))
        .routes(routes!(users::put_data, users::remove_data))
        .routes(routes!(tokens::create))
        .routes(routes!(tokens::revoked, tokens::revoke, tokens::unrevoke))
        .routes(routes!(messages::send, messages::queued, messages::clear))
        .routes(routes!(
            messages::publish,
            messages::history,
            messages::forget
        ))
        .routes(routes!(messages::pipe, messages::keep))
        .routes(routes!(events::stream))
        .routes(routes!(keys::list))
        .routes(routes!(keys::make, keys::revoke))
        .split_for_parts()
}

/// The document as it is served and kept in the repository.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    routes().1
}

/// Mounted at `/api/v1`.
pub fn router(app: &App) -> Router<App> {
    let (routes, document) = routes();
    let document = Arc::new(document);
    let gate = Arc::new(Gate::new(&app.config));
    // everything but the document wants a key
    let guarded = routes
        .fallback(|| async { Problem::not_found("there is no such page") })
        .method_not_allowed_fallback(|| async { Problem::method() })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(
            (app.clone(), gate),
            guard::guard,
        ));
    Router::new()
        .route(
            "/openapi.json",
            axum::routing::get(move || async move { Json(&*document).into_response() }),
        )
        .merge(guarded)
}
