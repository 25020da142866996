//! permessage-deflate (RFC 7692): messages compressed with what was said before as their context.
//!
//! What is kept of a connection between two messages is the end of what was said, no longer than the
//! window that was agreed upon. The compressors themselves, 300 kB and 45 kB, are each thread's, and
//! are told that end (`set_dictionary`) before each message: the same bytes come out as from one
//! compressor for each connection, for some ten microseconds more.
//!
//! One risk comes with any compression: who sees the lengths of what is sent, and has text of their own
//! sent beside a secret, may guess the secret (CRIME, RFC 7457 section 2.6). The secrets of a phone's
//! socket, tokens and digests, go from the page to the relay at the login; what strangers may add to
//! that direction is what the page repeats of their requests, and only after it.

mod offer;

use std::cell::RefCell;

pub use offer::{Agreed, negotiate};
use zlib_rs::{DeflateConfig, DeflateFlush, InflateFlush, Status};

use super::frame::Violation;

/// The window of ours, and the one asked of the peer if it lets us ask: 8 KiB, two or three of the
/// longest SIP messages.
pub const WINDOW_BITS: u8 = 13;
/// Messages shorter than this go as they are: they would not come out much shorter, and a pipe's
/// message to a thousand readers would be compressed a thousand times.
pub const WORTH: usize = 200;
/// What every compressed message ends with and none is sent with (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Streams that one message may consist of: nobody sends more than one.
const MAX_STREAMS: usize = 16;
const CHUNK: usize = 8_192;
/// zlib's own default.
const LEVEL: i32 = 6;
/// The smallest window that zlib compresses with, and the largest there is.
const BITS: std::ops::RangeInclusive<u8> = 9..=15;

const BROKEN: Violation = Violation::Data("not compressed data");

thread_local! {
    static INFLATE: RefCell<zlib_rs::Inflate> = RefCell::new(zlib_rs::Inflate::new(false, *BITS.end()));
    static DEFLATE: RefCell<[Option<zlib_rs::Deflate>; 7]> = const { RefCell::new([const { None }; 7]) };
}

/// The end of what was said in one direction.
#[derive(Debug)]
struct History {
    /// Bytes kept; none without context takeover.
    window: usize,
    said: Vec<u8>,
}

impl History {
    fn new(bits: u8, takeover: bool) -> Self {
        let window = if takeover { 1 << bits } else { 0 };
        let said = Vec::new();
        Self { window, said }
    }

    fn add(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(self.window)..];
        let old = self.said.len().min(self.window - new.len());
        self.said.drain(..self.said.len() - old);
        self.said.reserve_exact(new.len());
        self.said.extend_from_slice(new);
    }
}

/// What the peer compresses.
#[derive(Debug)]
pub struct Inflate {
    history: History,
}

impl Inflate {
    #[must_use]
    pub fn new(agreed: Agreed) -> Self {
        Self {
            history: History::new(agreed.client_bits, agreed.client_takeover),
        }
    }

    /// A message, no longer than `limit`: no more than that is ever inflated.
    pub fn message(&mut self, compressed: &[u8], limit: usize) -> Result<Vec<u8>, Violation> {
        let message = INFLATE.with_borrow_mut(|engine| self.run(engine, compressed, limit))?;
        self.history.add(&message);
        Ok(message)
    }

    fn run(
        &self,
        engine: &mut zlib_rs::Inflate,
        compressed: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, Violation> {
        engine.reset(false);
        engine
            .set_dictionary(&self.history.said)
            .map_err(|_| BROKEN)?;
        let mut message = Vec::new();
        let mut chunk = [0; CHUNK];
        let mut streams = 1;
        for mut rest in [compressed, &TAIL] {
            loop {
                let (taken, made) = (engine.total_in(), engine.total_out());
                let status = engine
                    .decompress(rest, &mut chunk, InflateFlush::SyncFlush)
                    .map_err(|_| BROKEN)?;
                let taken = difference(engine.total_in(), taken);
                let made = difference(engine.total_out(), made);
                rest = &rest[taken..];
                if made > limit - message.len() {
                    return Err(Violation::TooBig);
                }
                message.extend_from_slice(&chunk[..made]);
                if status == Status::StreamEnd {
                    // a final block (section 7.2.3.4); what follows is a stream of its own
                    streams += 1;
                    if streams > MAX_STREAMS {
                        return Err(BROKEN);
                    }
                    engine.reset(false);
                    let mut said = History {
                        window: 1 << BITS.end(),
                        said: self.history.said.clone(),
                    };
                    said.add(&message);
                    engine.set_dictionary(&said.said).map_err(|_| BROKEN)?;
                } else if made < chunk.len() {
                    if !rest.is_empty() {
                        return Err(BROKEN);
                    }
                    break;
                }
            }
        }
        Ok(message)
    }
}

/// What we compress.
#[derive(Debug)]
pub struct Deflate {
    bits: u8,
    history: History,
}

impl Deflate {
    #[must_use]
    pub fn new(agreed: Agreed) -> Self {
        Self {
            bits: agreed.server_bits,
            history: History::new(agreed.server_bits, agreed.server_takeover),
        }
    }

    /// The message compressed; `None` when it is shorter as it is, and then to be sent so.
    #[must_use]
    pub fn message(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        if message.len() < WORTH {
            return None;
        }
        let compressed = DEFLATE.with_borrow_mut(|engines| {
            let engine = engines.get_mut(usize::from(self.bits - BITS.start()))?;
            let engine = engine.get_or_insert_with(|| {
                zlib_rs::Deflate::new_with_config(DeflateConfig {
                    level: LEVEL,
                    window_bits: -i32::from(self.bits),
                    ..DeflateConfig::default()
                })
            });
            self.run(engine, message)
        })?;
        self.history.add(message);
        Some(compressed)
    }

    fn run(&self, engine: &mut zlib_rs::Deflate, message: &[u8]) -> Option<Vec<u8>> {
        engine.reset();
        if !self.history.said.is_empty() {
            engine.set_dictionary(&self.history.said).ok()?;
        }
        let mut compressed = Vec::with_capacity(message.len() / 4);
        let mut chunk = [0; CHUNK];
        let mut rest = message;
        loop {
            let (taken, made) = (engine.total_in(), engine.total_out());
            engine
                .compress(rest, &mut chunk, DeflateFlush::SyncFlush)
                .ok()?;
            rest = &rest[difference(engine.total_in(), taken)..];
            let made = difference(engine.total_out(), made);
            compressed.extend_from_slice(&chunk[..made]);
            if compressed.len() >= message.len() + TAIL.len() {
                return None;
            }
            if made < chunk.len() {
                break;
            }
        }
        let end = compressed.len().checked_sub(TAIL.len())?;
        (rest.is_empty() && compressed[end..] == TAIL).then(|| {
            compressed.truncate(end);
            compressed
        })
    }
}

/// Of a counter that one call moved by no more than a slice is long.
fn difference(after: u64, before: u64) -> usize {
    usize::try_from(after - before).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
