//! `clinicall user`, `backup` and `events`: what the relay's admin socket offers, or the store itself
//! where no relay runs.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::Value;

use super::print;
use crate::{
    admin::{Command, client},
    config::{Config, Secret},
    signal::users::Keys,
};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user, or give an existing one a new password; it is read from standard input
    Add {
        id: String,
        /// Shown to those who are called; the id unless given
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove a user
    Remove { id: String },
    /// List the users' ids and names
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
    /// Send events to the webhooks once more, those that were given up included
    Replay {
        /// Those after this id
        #[arg(long)]
        after: u64,
        /// To the webhook with this address alone
        #[arg(long)]
        url: Option<String>,
    },
    /// List what webhooks have not taken yet, and what was given up
    Stuck,
}

impl UserCommand {
    pub(super) fn run(self, config: &Path) -> anyhow::Result<()> {
        let config = Config::load(config, false)?;
        let command = match self {
            Self::Add { id, name } => {
                let keys = Keys::derive(&id, config.realm(), &password()?);
                let secret = |ha1: Option<String>| Secret(ha1.unwrap_or_default());
                Command::UserAdd {
                    name: name.unwrap_or_else(|| id.clone()),
                    id,
                    ha1_sha256: secret(keys.sha256),
                    ha1_md5: secret(keys.md5),
                }
            }
            Self::Remove { id } => Command::UserRemove { id },
            Self::List => Command::UserList,
        };
        ask(&config, command, |row| {
            let text = |key: &str| {
                row.get(key)
                    .and_then(Value::as_str)
                    .unwrap_or("")
                    .to_owned()
            };
            format!("{}\t{}", text("id"), text("name"))
        })
    }
}

pub(super) fn backup(config: &Path, file: PathBuf) -> anyhow::Result<()> {
    let config = Config::load(config, false)?;
    // the relay may stand in another directory
    let file = std::path::absolute(file)?;
    let shown = file.display().to_string();
    ask(&config, Command::Backup { file }, |row| {
        format!("{shown}: {} rows", row.get("rows").unwrap_or(&Value::Null))
    })
}

pub(super) fn events(
    config: &Path,
    command: Option<EventsCommand>,
    after: Option<u64>,
) -> anyhow::Result<()> {
    let config = Config::load(config, false)?;
    let command = match command {
        None => Command::Events { after },
        Some(EventsCommand::Replay { after, url }) => Command::EventsReplay { after, url },
        Some(EventsCommand::Stuck) => Command::EventsStuck,
    };
    ask(&config, command, |row| row.to_string())
}

/// A line for each row.
pub(super) fn ask(
    config: &Config,
    command: Command,
    line: impl Fn(&Value) -> String,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(client::ask(config, command, |row| {
        print(&format!("{}\n", line(&row)))
    }))
}

/// One line of standard input.
fn password() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(
        !password.is_empty(),
        "the password is empty\nhint: write it on one line"
    );
    Ok(password.to_owned())
}
