//! The other end: asks the relay that runs, or does the work where none does.

use std::{io::ErrorKind, path::Path};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

use super::{Command, Desk, Line, socket};
use crate::{auth::api::ApiKeys, config::Config, store::Store, webhook::Filter};

/// Carries out a command of the command line and hands each row to `row`.
pub async fn ask(
    config: &Config,
    command: Command,
    mut row: impl FnMut(serde_json::Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(path) = &config.store.path else {
        anyhow::bail!(
            "`store.path` is not set\n\
             hint: users of the configuration file are edited there; for a store, write \
             `[store]` and `path = \"/var/lib/clinicall/clinicall.redb\"`"
        );
    };
    let socket = socket(path);
    match UnixStream::connect(&socket).await {
        Ok(stream) => over(stream, &command, row).await,
        // no relay has the store, or one that was killed had it
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            let mut rows = desk(config, path)?.carry_out(command);
            while let Some(next) = rows.next().await {
                row(next.map_err(anyhow::Error::msg)?)?;
            }
            Ok(())
        }
        Err(error) => Err(anyhow::anyhow!(
            "the relay's socket {} does not answer: {error}\n\
             hint: run this as the user the relay runs as",
            socket.display()
        )),
    }
}

fn desk(config: &Config, path: &Path) -> anyhow::Result<Desk> {
    let store = Store::open(Some(path))?;
    Ok(Desk {
        api_keys: ApiKeys::new(config, &store),
        store,
        events: None,
        hooks: config.webhook.iter().map(Filter::of).collect(),
    })
}

async fn over(
    stream: UnixStream,
    command: &Command,
    mut row: impl FnMut(serde_json::Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = serde_json::to_vec(command)?;
    request.push(b'\n');
    stream.write_all(&request).await?;
    let mut line = String::new();
    loop {
        line.clear();
        anyhow::ensure!(
            stream.read_line(&mut line).await? > 0,
            "the relay has stopped"
        );
        match serde_json::from_str(&line)? {
            Line::Row(next) => row(next)?,
            Line::Done(_) => return Ok(()),
            Line::Error(why) => anyhow::bail!(why),
        }
    }
}
