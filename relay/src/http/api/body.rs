//! What comes in: JSON bodies, pages of lists, the caller's rights.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    http::{StatusCode, request::Parts},
};
use clinicall_comet::Body;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use utoipa::IntoParams;

use super::Problem;
use crate::auth::api;

/// A JSON object. An empty body is an empty object, and nobody is troubled about Content-Type: curl
/// sends the wrong one, and a page cannot send our Authorization anyway.
#[derive(Debug)]
pub(super) struct Sent<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(
            |error: BytesRejection| match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::too_long(),
                _ => Problem::not_json("the body ended too early"),
            },
        )?;
        let text: &[u8] = match bytes.trim_ascii() {
            [] => b"{}",
            text => text,
        };
        serde_json::from_slice(text)
            .map(Self)
            .map_err(|error| match error.is_data() {
                true => Problem::invalid(&error.to_string()),
                false => Problem::not_json(&error.to_string()),
            })
    }
}

/// The back end behind a request, put there by the guard.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub api::Caller);

impl Caller {
    pub fn need(&self, right: &'static str) -> Result<(), Problem> {
        match self.0.may(right) {
            true => Ok(()),
            false => Err(Problem::forbidden(right)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(Problem::unauthorized)
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The `next` of the page before.
    #[serde(default)]
    #[param(required = false)]
    pub after: String,
    /// How many, 1 to 500.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 500, default = 100, required = false)]
    pub limit: usize,
}

const fn usual() -> usize {
    100
}

impl Page {
    pub fn limit(&self) -> usize {
        self.limit.clamp(1, 500)
    }
}

/// A message's body: text as text, anything else byte for byte as it was sent.
pub(super) fn content(raw: &RawValue) -> Result<Body, Problem> {
    let body = match serde_json::from_str::<String>(raw.get()) {
        Ok(text) => Body::text(text),
        Err(_) => Body::json(raw.get().to_owned()),
    };
    body.map_err(|error| Problem::invalid(&error.to_string()))
}

/// The same as one text: for what goes into an INVITE.
pub(super) fn text(raw: Option<&RawValue>) -> String {
    let Some(raw) = raw else {
        return String::new();
    };
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

/// And back: text as a JSON string, JSON as it is.
pub(super) fn shown(body: &Body) -> Box<RawValue> {
    let mut json = String::new();
    body.write(&mut json);
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
