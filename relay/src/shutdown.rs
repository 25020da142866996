//! Ending well: the first signal lets calls finish, the second ends them.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::server::Server;

/// Runs until SIGTERM or SIGINT, then stops the server.
pub async fn by_signal(server: Server) {
    let (mut term, mut int) = match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(term), Ok(int)) => (term, int),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "cannot hear signals; only killing stops this relay");
            return std::future::pending().await;
        }
    };
    either(&mut term, &mut int).await;
    tracing::info!("stopping; calls may end by themselves, a second signal ends them now");
    tokio::select! {
        () = server.drain() => {}
        () = either(&mut term, &mut int) => tracing::info!("ending calls now"),
    }
    server.stop().await;
    tracing::info!("stopped");
}

async fn either(term: &mut Signal, int: &mut Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
