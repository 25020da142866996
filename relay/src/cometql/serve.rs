//! The shell: sockets, TLS, clocks and random bytes around [`Connection`].

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Code,
    backing::Backing,
    execute,
    wire::connection::{Connection, Output, Settings},
};
use crate::{
    auth::Auth,
    clock::unix_ms,
    config::Config,
    http::{
        listener::Tls,
        peers::{Peers, Place},
    },
    log::Throttle,
    metrics::Metrics,
};

/// From the greeting to the end of the login, TLS included.
const LOGIN_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take to read its answer.
const SEND_PATIENCE: Duration = Duration::from_secs(60);
/// What a wrong password costs in time, before it is told.
const REFUSAL_DELAY: Duration = Duration::from_millis(500);
/// Bytes read at a time.
const PIECE: usize = 16 * 1024;

static REFUSALS: Throttle = Throttle::new(5, Duration::from_secs(10));
static ACCEPT_WARNINGS: Throttle = Throttle::new(3, Duration::from_secs(10));

/// A listener for CometQL.
#[derive(Debug)]
pub struct Server<B> {
    pub backing: B,
    pub settings: Settings,
    pub tls: Option<Acceptor>,
    pub peers: Peers,
    /// How long a connection may be silent between statements.
    pub idle: Duration,
    /// Counts wrong passwords, with the other doors.
    pub auth: Auth,
    pub metrics: Arc<Metrics>,
}

/// TLS with the certificate of the pages.
#[derive(Clone)]
pub struct Acceptor(pub TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

/// Opens the port the configuration names, if it names one; returns where it is.
pub async fn open<B: Backing>(
    config: &Config,
    dev: bool,
    backing: B,
    auth: Auth,
    tls: Option<&Tls>,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Option<SocketAddr>> {
    let cometql = &config.cometql;
    let (Some(listen), Some(password)) = (cometql.listen, &cometql.password) else {
        return Ok(None);
    };
    let mut bound = TcpListener::bind(listen).await;
    if dev
        && bound
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    {
        // a second demo on the same machine
        bound = TcpListener::bind(SocketAddr::new(listen.ip(), 0)).await;
    }
    let listener = bound.with_context(|| format!("cannot listen on `cometql.listen` {listen}"))?;
    let listen = listener.local_addr()?;
    let server = Server {
        backing,
        settings: Settings {
            password: password.clone(),
            native: cometql.native_password,
            tls: tls.is_some(),
        },
        tls: tls.map(|tls| Acceptor(tls.acceptor())),
        peers: Peers::new(cometql.connections, cometql.connections),
        idle: Duration::from_secs(cometql.idle_seconds),
        auth,
        metrics,
    };
    if tls.is_none() && !listen.ip().is_loopback() {
        tracing::warn!(%listen, "CometQL without TLS: set `cometql.cert`, or keep it on loopback");
    }
    tracing::info!(%listen, "CometQL listening");
    tokio::spawn(server.run(listener, stop));
    Ok(Some(listen))
}

/// What every connection of a listener uses.
#[derive(Debug)]
struct Shared<B> {
    server: Server<B>,
    settings: Arc<Settings>,
    next: AtomicU32,
}

impl<B: Backing> Server<B> {
    /// Accepts until told to stop; statements that run then are finished.
    pub async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let shared = Arc::new(Shared {
            settings: Arc::new(self.settings.clone()),
            next: AtomicU32::new(1),
            server: self,
        });
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => {
                    let (shared, mut stop) = (shared.clone(), stop.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            () = shared.welcome(stream, from) => {}
                            () = stopped_for_long(&mut stop) => {}
                        }
                    });
                }
                Err(error) => {
                    if let Some(left_out) = ACCEPT_WARNINGS.admit(Instant::now()) {
                        tracing::warn!(%error, left_out, "CometQL cannot accept a connection");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// A moment after the stop, for statements to be answered.
async fn stopped_for_long(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// How a round with a stream ended.
enum Ending {
    Closed,
    /// TLS is next, beginning with these bytes.
    Tls(Vec<u8>),
}

impl<B: Backing> Shared<B> {
    async fn welcome(&self, mut stream: TcpStream, from: SocketAddr) {
        let address = from.ip().to_canonical();
        let _ = stream.set_nodelay(true);
        let refusal = match self.server.peers.enter(address) {
            None => Err("too many connections".to_owned()),
            Some(place) => match self.server.auth.may_try(address, None) {
                Ok(()) => Ok(place),
                Err(refused) => Err(refused.to_string()),
            },
        };
        match refusal {
            Ok(place) => self.serve(stream, address, place).await,
            Err(why) => {
                let bytes = Connection::refusal(Code::TooManyConnections, &why);
                let _ = timeout(SEND_PATIENCE, stream.write_all(&bytes)).await;
                let _ = timeout(SEND_PATIENCE, stream.shutdown()).await;
            }
        }
    }

    async fn serve(&self, mut stream: TcpStream, address: IpAddr, _place: Place) {
        let mut seed = [0; 32];
        if getrandom::fill(&mut seed).is_err() {
            return;
        }
        let number = self.next.fetch_add(1, Relaxed);
        let mut connection = Connection::new(self.settings.clone(), number, seed);
        self.server.metrics.cometql_connections_total.add(1);
        let deadline = tokio::time::Instant::now() + LOGIN_PATIENCE;
        let talk = async {
            match self
                .talk(&mut connection, &mut stream, address, deadline)
                .await?
            {
                Ending::Closed => stream.shutdown().await,
                Ending::Tls(begun) => {
                    let Some(acceptor) = &self.server.tls else {
                        return Ok(());
                    };
                    let stream = Begun { begun, stream };
                    let accepted = tokio::time::timeout_at(deadline, acceptor.0.accept(stream));
                    let mut stream = accepted.await??;
                    self.talk(&mut connection, &mut stream, address, deadline)
                        .await?;
                    stream.shutdown().await
                }
            }
        };
        // a client that breaks off ends its own connection, nothing more
        let _: io::Result<()> = talk.await;
    }

    /// Carries bytes and statements until the connection ends or wants TLS.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connection: &mut Connection,
        stream: &mut S,
        address: IpAddr,
        deadline: tokio::time::Instant,
    ) -> io::Result<Ending> {
        let mut piece = vec![0; PIECE];
        let mut pending: Vec<u8> = Vec::new();
        loop {
            while let Some(output) = connection.poll() {
                match output {
                    Output::Send(bytes) => {
                        timeout(SEND_PATIENCE, stream.write_all(&bytes)).await??;
                        timeout(SEND_PATIENCE, stream.flush()).await??;
                    }
                    Output::StartTls => return Ok(Ending::Tls(pending)),
                    Output::Refused => self.refused(address).await,
                    Output::Run(statement) => {
                        self.server.metrics.cometql_statements_total.add(1);
                        let now = unix_ms();
                        let session = connection.session().clone();
                        let backing = &self.server.backing;
                        let done = execute::execute(backing, &session, &statement, now).await;
                        connection.answer(&statement, done);
                    }
                    Output::Close => return Ok(Ending::Closed),
                }
            }
            if pending.is_empty() {
                let wait = match connection.is_logged_in() {
                    true => tokio::time::Instant::now() + self.server.idle,
                    false => deadline,
                };
                let length = tokio::time::timeout_at(wait, stream.read(&mut piece)).await??;
                if length == 0 {
                    return Ok(Ending::Closed);
                }
                pending.extend_from_slice(&piece[..length]);
            }
            let taken = connection.receive(&pending);
            pending.drain(..taken);
        }
    }

    async fn refused(&self, address: IpAddr) {
        self.server.metrics.logins_failed_total.add(1);
        self.server.auth.guessed_wrong(address, None);
        if let Some(left_out) = REFUSALS.admit(Instant::now()) {
            tracing::info!(from = %address, left_out, "CometQL login refused");
        }
        tokio::time::sleep(REFUSAL_DELAY).await;
    }
}

/// A stream whose first bytes were read already.
struct Begun {
    begun: Vec<u8>,
    stream: TcpStream,
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        out: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        if self.begun.is_empty() {
            return std::pin::Pin::new(&mut self.stream).poll_read(context, out);
        }
        let length = self.begun.len().min(out.remaining());
        out.put_slice(&self.begun[..length]);
        self.begun.drain(..length);
        std::task::Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
