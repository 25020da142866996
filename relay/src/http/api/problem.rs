//! Errors as RFC 9457 has them, with a next step.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{auth::Refused, backend::BackendError, store::StoreError};

/// What went wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: `title` says what `status` says.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[schema(example = 404)]
    status: u16,
    /// For programs: it does not change when the words do.
    #[schema(example = "not_found")]
    code: &'static str,
    /// For people.
    #[schema(example = "there is no room `7`")]
    detail: String,
    /// What to do now.
    next: &'static str,
    /// Seconds after which another try makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: &str, next: &'static str) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.to_owned(),
            next,
            retry_after: None,
        }
    }

    fn later(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub fn not_found(detail: &str) -> Self {
        let next =
            "`GET` the list above it to see what there is; /api/v1/openapi.json names every page";
        Self::new(StatusCode::NOT_FOUND, "not_found", detail, next)
    }

    pub fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this page takes another method",
            "see /api/v1/openapi.json",
        )
    }

    pub fn invalid(detail: &str) -> Self {
        let next = "correct the request; /api/v1/openapi.json says what it takes";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail, next)
    }

    /// What somebody else refused.
    pub fn of(status: StatusCode, words: &str) -> Self {
        match status {
            StatusCode::METHOD_NOT_ALLOWED => Self::method(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_long(),
            status if status.is_server_error() => Self::unavailable(words),
            status => Self {
                title: status.canonical_reason().unwrap_or("Error"),
                status: status.as_u16(),
                ..Self::invalid(words)
            },
        }
    }

    pub fn not_json(detail: &str) -> Self {
        let next = "send one JSON object; /api/v1/openapi.json says which";
        Self::new(StatusCode::BAD_REQUEST, "not_json", detail, next)
    }

    pub fn too_long() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_long",
            "the body is longer than 98,304 bytes",
            "send less, or a link to it",
        )
    }

    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "no API key, or not one of ours",
            "send `Authorization: Bearer KEY`; `clinicall api-key NAME` makes a key",
        )
    }

    pub fn forbidden(right: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            &format!("this API key has not the right `{right}`"),
            "use a key that has it, or give it to this one: `clinicall api-key put`, or the \
             `rights` of its `[[api_key]]` section",
        )
    }

    pub fn too_many(detail: &str, seconds: u64) -> Self {
        let next = "wait for `retry_after` seconds";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", detail, next).later(seconds)
    }

    pub fn conflict(detail: &str, next: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail, next)
    }

    pub fn unavailable(detail: &str) -> Self {
        let next = "try again; the relay's log and /healthz say more";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "unavailable", detail, next).later(2)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let content = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, content);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"clinicall\"");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

/// What CometQL calls a field, and what it is called here.
fn field(of_cometql: &str) -> &str {
    match of_cometql {
        "name" => "room",
        "user_id" | "id" => "user",
        "caller_id" => "caller",
        "hash" => "key",
        "message" => "body",
        other => other,
    }
}

impl From<BackendError> for Problem {
    fn from(error: BackendError) -> Self {
        match &error {
            BackendError::NotFound { .. } => Self::not_found(&error.to_string()),
            BackendError::Invalid { field: name, why } => {
                Self::invalid(&format!("`{}` {why}", field(name)))
            }
            BackendError::Forbidden(why) => Self::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                why,
                "ask whoever runs the relay",
            ),
            BackendError::Conflict(why) => Self::conflict(why, "look at what is there now"),
            BackendError::TooMany(why) => Self::too_many(why, 1),
            BackendError::Unavailable(why) => Self::unavailable(why),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        BackendError::from(error).into()
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unavailable => Self::unavailable(&refused.to_string()),
            Refused::TooManyTries { seconds } => Self::too_many(&refused.to_string(), seconds),
            _ => Self::invalid("`room` or `name` is not one"),
        }
    }
}
