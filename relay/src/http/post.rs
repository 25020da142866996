//! Requests to the clinic's own web server: deadlines, bounds, no redirects, connections that are
//! kept for the next one. Logins ask by it ([`crate::auth`]), webhooks tell ([`crate::webhook`]).

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{Request, Response, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};

/// An idle connection is kept this long.
const IDLE: Duration = Duration::from_secs(30);
/// Heads larger than this are refused.
const HEAD_READ: usize = 32 << 10;

/// What we call ourselves.
pub const USER_AGENT: &str = concat!("clinicall/", env!("CARGO_PKG_VERSION"));

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    #[error("`{0}` is no address of a web page")]
    Address(String),
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// What stands in the way, without the address.
    #[error("{0}")]
    Broken(String),
    #[error("the answer is longer than {0} bytes")]
    Long(usize),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct Poster {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Poster {
    /// Believes the system's certificates, and those in the PEM file `more`.
    pub fn new(more: Option<&Path>) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        // a certificate in the system's store that cannot be read is the system's trouble
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = more {
            let cannot = || format!("cannot read the certificates in {}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).with_context(cannot)? {
                roots.add(certificate.with_context(cannot)?)?;
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(HEAD_READ)
            .build(connector);
        Ok(Self { client })
    }

    /// Posts and waits for the whole answer. Whatever status it has is the caller's to judge.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        deadline: Duration,
        limit: usize,
    ) -> Result<Reply, PostError> {
        let exchange = async {
            let mut request = Request::post(url);
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            let request = request
                .body(Full::new(Bytes::from(body)))
                .map_err(|_| PostError::Address(url.to_owned()))?;
            let response = self.send(request).await?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), limit).collect().await;
            let body = body.map_err(|error| match error.is::<LengthLimitError>() {
                true => PostError::Long(limit),
                false => PostError::Broken(root_cause(&*error)),
            })?;
            Ok(Reply {
                status,
                body: body.to_bytes().into(),
            })
        };
        tokio::time::timeout(deadline, exchange)
            .await
            .map_err(|_| PostError::Late(deadline))?
    }

    /// Sends a request and waits for the head of the answer, for as long as the caller does.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, PostError> {
        if request.uri().authority().is_none() {
            return Err(PostError::Address(request.uri().to_string()));
        }
        let answer = self.client.request(request).await;
        answer.map_err(|error| PostError::Broken(root_cause(&error)))
    }
}

/// The innermost of an error's reasons: "connection refused" and not "client error (Connect)".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
