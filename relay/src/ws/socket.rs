//! A WebSocket in use: the codec on a connection.
//!
//! An idle one holds a few hundred bytes. What it reads with is its thread's, lent for the time of one
//! call; what is to be written is held until the kernel has it. Several frames given at once are
//! one write call.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    time::timeout,
};

use super::{
    deflate::{Agreed, Deflate, Inflate},
    frame::{self, Decoder, Message, Opcode, Violation},
};

/// What is given out may take this long to be taken by the kernel, or the reader is too slow.
pub(crate) const SEND_PATIENCE: Duration = Duration::from_secs(10);
/// How long a peer may take to answer our Close, and to end the connection.
pub(crate) const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// Answers to pings that wait to be written; until they are, nothing more is read.
const MOST_UNSENT: usize = 16_384;
const CHUNK: usize = 16_384;

thread_local! {
    static SCRATCH: RefCell<Box<[u8; CHUNK]>> = RefCell::new(Box::new([0; CHUNK]));
}

/// What is heard of the peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    /// A ping, which is answered by now, or the answer to one of ours.
    Alive,
    /// It says goodbye: answer with [`Socket::farewell`].
    Close(Option<u16>),
    /// It breaks the rules: tell it so with [`Socket::reject`].
    Broken(Violation),
    /// The connection is gone.
    Lost,
}

/// What the peer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// UTF-8.
    Text(Bytes),
    Binary(Bytes),
    Ping,
}

impl Frame {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into().into())
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes.len(),
            Self::Ping => 0,
        }
    }
}

/// One connection. Reading and writing may wait at the same time.
#[derive(Debug)]
pub(crate) struct Socket(Mutex<Wire>);

#[derive(Debug)]
struct Wire {
    io: TokioIo<Upgraded>,
    decoder: Decoder,
    deflate: Option<Box<Deflate>>,
    /// Read, and not yet decoded: what came after a message.
    unread: Vec<u8>,
    unsent: Vec<u8>,
    /// So much of `unsent` the kernel has.
    sent: usize,
    /// Written, and perhaps not yet through TLS.
    flushing: bool,
}

/// What one read brought.
enum Read {
    Message(Message),
    /// Of a message, not all yet.
    Part,
    Broken(Violation),
    /// Of the connection.
    End,
}

impl Socket {
    pub fn new(io: Upgraded, limit: usize, agreed: Option<Agreed>) -> Self {
        let inflate = agreed.map(|agreed| Box::new(Inflate::new(agreed)));
        Self(Mutex::new(Wire {
            io: TokioIo::new(io),
            decoder: Decoder::new(limit, inflate),
            deflate: agreed.map(|agreed| Box::new(Deflate::new(agreed))),
            unread: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            flushing: false,
        }))
    }

    /// The next thing the peer says. Nothing is lost when the future is dropped.
    pub async fn next(&self) -> Heard {
        poll_fn(|context| self.lock().poll_next(context)).await
    }

    /// Tells the peer; false when the connection is gone, or the reader too slow.
    pub async fn send(&self, frames: impl IntoIterator<Item = Frame>) -> bool {
        {
            let mut wire = self.lock();
            frames.into_iter().for_each(|frame| wire.push(&frame));
        }
        self.flush().await
    }

    /// Closes from our side: says why, waits a little for the peer's own Close, and ends.
    pub async fn close(&self, code: u16, reason: &str) {
        frame::write_close(&mut self.lock().unsent, Some(code), reason);
        if self.flush().await {
            let answered = async {
                while !matches!(
                    self.next().await,
                    Heard::Close(_) | Heard::Broken(_) | Heard::Lost
                ) {}
            };
            let _ = timeout(CLOSE_PATIENCE, answered).await;
        }
        self.shut_down().await;
    }

    /// Answers the peer's Close with its own code (RFC 6455 section 5.5.1), and ends.
    pub async fn farewell(&self, code: Option<u16>) {
        frame::write_close(&mut self.lock().unsent, code, "");
        self.flush().await;
        self.shut_down().await;
    }

    /// Closes on a peer that breaks the rules. What it says meanwhile is thrown away unread: were the
    /// connection cut with something unread, the peer might not hear why.
    pub async fn reject(&self, violation: Violation) {
        let (code, reason) = (violation.code(), violation.reason());
        frame::write_close(&mut self.lock().unsent, Some(code), reason);
        if self.flush().await {
            self.shut_down().await;
            let ended = poll_fn(|context| self.lock().poll_discard(context));
            let _ = timeout(CLOSE_PATIENCE, ended).await;
        }
    }

    async fn flush(&self) -> bool {
        let flushed = poll_fn(|context| self.lock().poll_flush(context));
        matches!(timeout(SEND_PATIENCE, flushed).await, Ok(Ok(())))
    }

    async fn shut_down(&self) {
        let shut = poll_fn(|context| Pin::new(&mut self.lock().io).poll_shutdown(context));
        let _ = timeout(CLOSE_PATIENCE, shut).await;
    }

    fn lock(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    fn push(&mut self, frame: &Frame) {
        let (opcode, payload): (_, &[u8]) = match frame {
            Frame::Text(text) => (Opcode::Text, text),
            Frame::Binary(bytes) => (Opcode::Binary, bytes),
            Frame::Ping => return frame::write(&mut self.unsent, Opcode::Ping, false, &[]),
        };
        let compressed = self
            .deflate
            .as_mut()
            .and_then(|deflate| deflate.message(payload));
        match compressed {
            Some(compressed) => frame::write(&mut self.unsent, opcode, true, &compressed),
            None => frame::write(&mut self.unsent, opcode, false, payload),
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Heard> {
        loop {
            // answers to pings go out first, and a peer that takes none is not read any further
            match self.poll_flush(context) {
                Poll::Ready(Err(_)) => return Poll::Ready(Heard::Lost),
                Poll::Pending if self.unsent.len() - self.sent > MOST_UNSENT => {
                    return Poll::Pending;
                }
                Poll::Pending | Poll::Ready(Ok(())) => {}
            }
            let read = match self.unread.is_empty() {
                true => ready!(self.poll_read(context)),
                false => {
                    let unread = std::mem::take(&mut self.unread);
                    self.decode(&unread)
                }
            };
            let message = match read {
                Read::Part => continue,
                Read::Message(message) => message,
                Read::Broken(violation) => return Poll::Ready(Heard::Broken(violation)),
                Read::End => return Poll::Ready(Heard::Lost),
            };
            return Poll::Ready(match message {
                Message::Text(text) => Heard::Text(text),
                Message::Binary(bytes) => Heard::Binary(bytes),
                Message::Ping(payload) => {
                    frame::write(&mut self.unsent, Opcode::Pong, false, &payload);
                    // an end is noticed with what comes next
                    let _ = self.poll_flush(context);
                    Heard::Alive
                }
                Message::Pong => Heard::Alive,
                Message::Close(code) => Heard::Close(code),
            });
        }
    }

    /// Reads and decodes once.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Read> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..]);
            let read = ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer));
            Poll::Ready(match read {
                Ok(()) if !buffer.filled().is_empty() => self.decode(buffer.filled()),
                _ => Read::End,
            })
        })
    }

    fn decode(&mut self, mut input: &[u8]) -> Read {
        let message = self.decoder.read(&mut input);
        self.unread = input.to_vec();
        match message {
            Ok(Some(message)) => Read::Message(message),
            Ok(None) => Read::Part,
            Err(violation) => Read::Broken(violation),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            let rest = &self.unsent[self.sent..];
            let count = ready!(Pin::new(&mut self.io).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
            self.flushing = true;
        }
        if !self.unsent.is_empty() {
            self.unsent = Vec::new();
            self.sent = 0;
        }
        if self.flushing {
            ready!(Pin::new(&mut self.io).poll_flush(context))?;
            self.flushing = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                let mut buffer = ReadBuf::new(&mut scratch[..]);
                let read = ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer));
                if read.is_err() || buffer.filled().is_empty() {
                    return Poll::Ready(());
                }
            }
        })
    }
}
