//! Accepting connections. One TCP port serves three kinds of them, told apart by the first byte:
//! TLS, plain HTTP, and ICE-TCP, which goes to the media workers.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, extract::Request, http};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls};
use tower::ServiceExt as _;

use super::{Peer, peers::Peers};
use crate::{
    config::{Config, Http},
    log::Throttle,
    metrics::Metrics,
    signal::MediaPlane,
};

/// A peer that has not shown within this time what it speaks, finished its TLS handshake or sent
/// its request's headers is dropped.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first byte of a TLS record that carries a handshake (RFC 8446 section 5.1). HTTP begins
/// with a letter, an ICE-TCP frame (RFC 4571) with the high byte of a length under 16 KiB.
const TLS_HANDSHAKE: u8 = 0x16;

static ACCEPT_WARNINGS: Throttle = Throttle::new(3, Duration::from_secs(10));

#[derive(Debug)]
pub struct Listener {
    pub tcp: TcpListener,
    pub tls: Option<Tls>,
    pub config: Arc<Config>,
    pub pages: Router,
    pub media: Arc<dyn MediaPlane>,
    /// Connections that have not become a WebSocket, by address.
    pub peers: Peers,
    pub metrics: Arc<Metrics>,
}

/// A certificate and its key, ready to accept with.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// For another port with the same certificate.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        self.0.clone()
    }

    /// Reads the files the configuration names; `None` when it names none.
    pub fn load(http: &Http) -> anyhow::Result<Option<Self>> {
        Self::read("http", http.cert.as_deref(), http.key.as_deref())
    }

    /// The same of another section.
    pub fn read(
        section: &str,
        cert: Option<&Path>,
        key: Option<&Path>,
    ) -> anyhow::Result<Option<Self>> {
        let (Some(cert), Some(key)) = (cert, key) else {
            return Ok(None);
        };
        let (chain, private_key) = (chain(section, cert)?, private_key(section, key)?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private_key)
            .with_context(|| {
                format!(
                    "`{section}.cert` {} and `{section}.key` {} do not fit",
                    cert.display(),
                    key.display()
                )
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self(TlsAcceptor::from(Arc::new(config)))))
    }
}

fn chain(section: &str, path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let what = || format!("`{section}.cert` {}", path.display());
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .with_context(what)?;
    anyhow::ensure!(
        !chain.is_empty(),
        "{} holds no certificate in PEM form",
        what()
    );
    Ok(chain)
}

fn private_key(section: &str, path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path)
        .with_context(|| format!("`{section}.key` {}", path.display()))
}

impl Listener {
    /// Accepts until told to stop, or until whoever could tell is gone.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let listener = Arc::new(self);
        loop {
            tokio::select! {
                () = told(&mut stop) => return,
                accepted = listener.tcp.accept() => match accepted {
                    Ok((stream, from)) => {
                        tokio::spawn(listener.clone().connection(stream, from));
                    }
                    Err(error) => {
                        if let Some(left_out) = ACCEPT_WARNINGS.admit(std::time::Instant::now()) {
                            tracing::warn!(%error, left_out, "cannot accept a connection");
                        }
                        // out of file descriptors, mostly: wait for some to be closed
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let address = from.ip().to_canonical();
        // a proxy brings everybody over one address
        let place = self.peers.enter(address);
        if place.is_none() && !self.config.http.trusted_proxies.contains(&address) {
            self.metrics.sockets_refused_total.add(1);
            return;
        }
        let mut first = [0];
        let Ok(Ok(1)) = timeout(PATIENCE, stream.peek(&mut first)).await else {
            return;
        };
        // small frames now are worth more than full segments later
        let _ = stream.set_nodelay(true);
        match (first[0], &self.tls) {
            (TLS_HANDSHAKE, Some(tls)) => {
                if let Ok(Ok(stream)) = timeout(PATIENCE, tls.0.accept(stream)).await {
                    self.http(stream, Peer { address, tls: true }).await;
                }
            }
            (b'A'..=b'Z' | b'a'..=b'z', None) => {
                self.http(
                    stream,
                    Peer {
                        address,
                        tls: false,
                    },
                )
                .await;
            }
            (b'A'..=b'Z' | b'a'..=b'z', Some(_)) => speak_https(stream).await,
            (TLS_HANDSHAKE, None) => {}
            _ if self.config.media.tcp => {
                self.metrics.ice_tcp_total.add(1);
                if let Ok(stream) = stream.into_std() {
                    self.media.adopt(stream);
                }
            }
            _ => {}
        }
    }

    async fn http<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pages = self.pages.clone();
        let service = hyper::service::service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            pages
                .clone()
                .oneshot(request.map(axum::body::Body::new) as Request)
        });
        // a peer that breaks off or talks nonsense ends its own connection, nothing more
        let _ = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
    }
}

/// Returns when the answer is to stop, or when nobody is left to say so.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Answers plain HTTP on a port that speaks TLS: a browser shows this rather than an empty page.
async fn speak_https(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
        connection: close\r\n\r\nThis port speaks HTTPS: write https:// before the address.\n";
    let _ = timeout(PATIENCE, stream.write_all(ANSWER)).await;
    let _ = stream.shutdown().await;
}
