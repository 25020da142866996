//! One POST: the connection, the deadline, and what an answer may cost.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{StatusCode, header::HeaderMap};

use crate::http::post::{PostError, Poster, USER_AGENT};

/// Of an answer's body nothing is used; this much is read so that the connection can be kept.
const BODY_READ: usize = 16 << 10;

/// Why a webhook was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    #[error("answered {status}")]
    Status {
        status: u16,
        retry_after_ms: Option<u64>,
    },
    #[error("did not answer in time")]
    Timeout,
    /// `0`: what stands in the way, without the address.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("has an address that cannot be used")]
    Address,
    #[error("{0}")]
    Store(String),
    #[error("was too old")]
    TooOld,
}

impl Failed {
    #[must_use]
    pub const fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Status { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }
}

impl From<PostError> for Failed {
    fn from(error: PostError) -> Self {
        match error {
            PostError::Address(_) => Self::Address,
            PostError::Late(_) => Self::Timeout,
            PostError::Broken(_) | PostError::Long(_) => Self::Unreachable(error.to_string()),
        }
    }
}

#[derive(Debug)]
pub struct Request<'a> {
    pub url: &'a str,
    pub signature: &'a str,
    pub kind: &'a str,
    pub event: u64,
    /// 1 for the first.
    pub attempt: u32,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Client(pub Poster);

impl Client {
    /// `Ok`: a 2xx came within `timeout`. A redirect is a failure like any other status.
    pub async fn post(&self, request: Request<'_>, timeout: Duration) -> Result<(), Failed> {
        let exchange = self.exchange(request);
        let answered = tokio::time::timeout(timeout, exchange).await;
        answered.unwrap_or(Err(Failed::Timeout))
    }

    async fn exchange(&self, request: Request<'_>) -> Result<(), Failed> {
        let request = hyper::Request::post(request.url)
            .header("content-type", "application/json")
            .header("user-agent", USER_AGENT)
            .header("clinicall-signature", request.signature)
            .header("clinicall-event", request.kind)
            .header("clinicall-event-id", request.event)
            .header("clinicall-attempt", request.attempt)
            .body(Full::new(Bytes::from(request.body)))
            .map_err(|_| Failed::Address)?;
        let answer = self.0.send(request).await?;
        let (head, mut body) = answer.into_parts();
        // the status decides; what follows is read for the connection's sake, and only so much
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > BODY_READ {
                break;
            }
        }
        judge(head.status, &head.headers)
    }
}

/// What a status means for a delivery.
pub fn judge(status: StatusCode, headers: &HeaderMap) -> Result<(), Failed> {
    if status.is_success() {
        return Ok(());
    }
    // in seconds; the form with a date is not worth a calendar (RFC 9110 section 10.2.3)
    let seconds = headers
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    Err(Failed::Status {
        status: status.as_u16(),
        retry_after_ms: seconds.map(|seconds| seconds.saturating_mul(1000)),
    })
}

/// Scheme, host and port: user names, paths and queries may hold secrets.
#[must_use]
pub fn shown(url: &str) -> String {
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        assert_eq!(
            shown("https://user:pass@clinic.example:8443/hook?token=1"),
            "https://clinic.example:8443"
        );
        assert_eq!(shown("http://[::1]:80?x"), "http://[::1]:80");
        assert_eq!(shown("https:/clinic.example?token=1://x"), "://https:");
    }

    #[test]
    fn a_redirect_is_not_an_acceptance() {
        let mut headers = HeaderMap::new();
        headers.insert("location", "http://169.254.169.254/".parse().unwrap());
        headers.insert("retry-after", "7".parse().unwrap());
        let failed = Failed::Status {
            status: 302,
            retry_after_ms: Some(7000),
        };
        assert_eq!(judge(StatusCode::FOUND, &headers), Err(failed));
        assert_eq!(judge(StatusCode::NO_CONTENT, &headers), Ok(()));
    }
}
