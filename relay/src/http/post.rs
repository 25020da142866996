//! Requests to the clinic's own web server: one POST, a deadline, a bound, no redirects.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    body::Bytes,
    http::{HeaderName, HeaderValue, Request, Uri, header},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ring::hmac;
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{io::AsyncRead, io::AsyncWrite, net::TcpStream};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider},
};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    #[error("`{0}` is no address of a web page")]
    Address(String),
    #[error("no answer within {0:?}")]
    Late(Duration),
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
#[derive(Clone)]
pub struct Poster {
    tls: TlsConnector,
}

impl std::fmt::Debug for Poster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Poster")
    }
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
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
        })
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
        tokio::time::timeout(deadline, self.exchange(url, headers, body, limit))
            .await
            .map_err(|_| PostError::Late(deadline))?
    }

    async fn exchange(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        limit: usize,
    ) -> Result<Reply, PostError> {
        let broken = |error: &dyn std::fmt::Display| PostError::Broken(error.to_string());
        let address = || PostError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| address())?;
        let authority = uri.authority().ok_or_else(address)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(address()),
        };
        let host = authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = authority
            .port_u16()
            .unwrap_or(if secure { 443 } else { 80 });

        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path)
            .header(header::HOST, authority.as_str())
            .header(header::CONNECTION, "close");
        for (name, value) in headers {
            let value = HeaderValue::try_from(value).map_err(|error| broken(&error))?;
            request = request.header(HeaderName::from_static(name), value);
        }
        let request = request
            .body(axum::body::Body::from(body))
            .map_err(|error| broken(&error))?;

        let tcp = TcpStream::connect((bare, port))
            .await
            .map_err(|error| broken(&error))?;
        if !secure {
            return talk(tcp, request, limit).await;
        }
        let name = ServerName::try_from(bare.to_owned()).map_err(|error| broken(&error))?;
        let tls = self
            .tls
            .connect(name, tcp)
            .await
            .map_err(|error| broken(&error))?;
        talk(tls, request, limit).await
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<axum::body::Body>,
    limit: usize,
) -> Result<Reply, PostError> {
    let broken = |error: hyper::Error| PostError::Broken(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // ends with the request, also when the deadline drops that
    let connection = Leash(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status().as_u16();
    let body: Bytes = axum::body::to_bytes(axum::body::Body::new(response.into_body()), limit)
        .await
        .map_err(|_| PostError::Long(limit))?;
    drop(connection);
    Ok(Reply {
        status,
        body: body.into(),
    })
}

struct Leash<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Leash<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What goes into `clinicall-signature`: a MAC over the time and the body, so that the clinic knows
/// who asks and an old request cannot be sent again.
#[must_use]
pub fn signature(secret: &str, unix_seconds: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{unix_seconds}.").as_bytes());
    context.update(body);
    let mac = context.sign();
    let hex: String = mac
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={unix_seconds},v1={hex}")
}
