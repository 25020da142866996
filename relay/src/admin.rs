//! The operator's door: a unix socket beside the store file, for the command line while the relay
//! runs. Only whoever the relay runs as, and root, may use it.
//!
//! A request is one line of JSON ([`Command`]); the answer is any number of `{"row":...}` lines and
//! then `{"done":true}` or `{"error":"..."}`. Where no relay runs, the command line carries out the
//! same [`Command`] on the store itself.

pub mod client;
mod command;

use std::{
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

pub use command::{Command, Desk, Rows};

/// A longer line is not a command.
pub const LINE: usize = 64 << 10;

/// Connections at a time.
const CONNECTIONS: usize = 16;

/// How long a connection may say nothing.
const IDLE: Duration = Duration::from_secs(60);

/// How long a reader may take for one line.
const SLOW: Duration = Duration::from_secs(30);

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    Row(serde_json::Value),
    Done(bool),
    Error(String),
}

/// Where the socket of a store is.
#[must_use]
pub fn socket(store: &Path) -> PathBuf {
    store.with_extension("sock")
}

/// Listens beside the store. A socket left by a relay that was killed is replaced: having the store
/// open proves that no other relay has.
pub fn start(desk: Desk, store: &Path) -> std::io::Result<()> {
    let path = socket(store);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    // made by us just now, so its owner is who we are
    let us = std::fs::metadata(&path)?.uid();
    tokio::spawn(accept(listener, us, desk));
    Ok(())
}

async fn accept(listener: UnixListener, us: u32, desk: Desk) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // out of file descriptors, most likely; it passes
                tracing::warn!(%error, "the admin socket cannot accept");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        // between bind and chmod the socket was anybody's
        if !stream
            .peer_cred()
            .is_ok_and(|peer| peer.uid() == us || peer.uid() == 0)
        {
            continue;
        }
        let desk = desk.clone();
        tokio::spawn(async move {
            let _permit = permit;
            // a closed connection is no news
            let _ = serve(stream, &desk).await;
        });
    }
}

async fn serve(mut stream: UnixStream, desk: &Desk) -> std::io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut reading = BufReader::new(reading);
    loop {
        let line = match tokio::time::timeout(IDLE, line(&mut reading)).await {
            Ok(Ok(Some(line))) => line,
            _ => return Ok(()),
        };
        let command = match parse(&line) {
            Ok(command) => command,
            Err(why) => {
                write(&mut writing, &Line::Error(why)).await?;
                continue;
            }
        };
        let mut rows = desk.carry_out(command);
        loop {
            let answer = tokio::select! {
                answer = rows.next() => answer,
                // a stream of events ends with its reader
                gone = reading.fill_buf(), if rows.is_endless() => match gone {
                    Ok([]) | Err(_) => return Ok(()),
                    Ok(_) => Some(Err("one command at a time".to_owned())),
                },
            };
            match answer {
                Some(Ok(row)) => write(&mut writing, &Line::Row(row)).await?,
                Some(Err(why)) => break write(&mut writing, &Line::Error(why)).await?,
                None => break write(&mut writing, &Line::Done(true)).await?,
            }
        }
    }
}

/// Reads a command.
pub fn parse(line: &[u8]) -> Result<Command, String> {
    serde_json::from_slice(line).map_err(|error| format!("not a command: {error}"))
}

/// `None`: the other side is done. A line that is too long ends the connection.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = LINE as u64 + 1;
    from.take(limit).read_until(b'\n', &mut line).await?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(line));
    }
    match line.is_empty() {
        true => Ok(None),
        false => Err(std::io::ErrorKind::InvalidData.into()),
    }
}

async fn write(to: &mut (impl tokio::io::AsyncWrite + Unpin), line: &Line) -> std::io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    tokio::time::timeout(SLOW, to.write_all(&bytes)).await?
}

#[cfg(test)]
mod tests;
