//! Ending well: the first signal lets calls finish, the second ends them.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::server::Server;

/// SIGTERM and SIGINT, heard from when this was made.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// Before anybody is told that the relay runs: who is told may stop it at once.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// Runs until one of them comes, then stops the server.
    pub async fn stop(mut self, server: Server) {
        self.next().await;
        tracing::info!("stopping; calls may end by themselves, a second signal ends them now");
        tokio::select! {
            () = server.drain() => {}
            () = self.next() => tracing::info!("ending calls now"),
        }
        server.stop().await;
        tracing::info!("stopped");
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
