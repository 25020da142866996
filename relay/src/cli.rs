//! The command line.

mod api_key;
mod desk;
mod token;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::{
    config::{self, Config},
    log,
    server::Server,
    shutdown::Signals,
};
use desk::{EventsCommand, UserCommand};

#[derive(Debug, Parser)]
#[command(
    name = "clinicall",
    about = "The relay of Clinicall: video visits for web clinics"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the relay
    Run(Run),
    /// Read a configuration file and tell what is wrong with it
    CheckConfig {
        file: PathBuf,
        /// Check it as `run --dev` would
        #[arg(long)]
        dev: bool,
    },
    /// Print a configuration file with every key, its manual and its default
    DefaultConfig,
    /// Add, remove and list the users in the store
    User {
        #[command(subcommand)]
        command: UserCommand,
        /// The configuration file, for `realm` and `store.path`
        #[arg(long, env = "CLINICALL_CONFIG")]
        config: PathBuf,
    },
    Token(token::Token),
    ApiKey(api_key::ApiKey),
    /// Copy the store into a new file, while the relay runs or not
    Backup {
        file: PathBuf,
        /// The configuration file, for `store.path`
        #[arg(long, env = "CLINICALL_CONFIG")]
        config: PathBuf,
    },
    /// Print what happens in the relay, a line of JSON for each event
    #[command(args_conflicts_with_subcommands = true)]
    Events {
        #[command(subcommand)]
        command: Option<EventsCommand>,
        /// Begin after the event with this id; without it with what happens next
        #[arg(long)]
        after: Option<u64>,
        /// The configuration file, for `store.path`
        #[arg(long, env = "CLINICALL_CONFIG", global = true)]
        config: Option<PathBuf>,
    },
    /// Print the version
    Version,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// The configuration file
    #[arg(long, env = "CLINICALL_CONFIG")]
    config: Option<PathBuf>,
    /// Serve this machine alone, with demo users and without TLS
    #[arg(long)]
    dev: bool,
    /// Listen here instead of at `http.listen`; port 0 lets the system choose
    #[arg(long, env = "CLINICALL_LISTEN")]
    listen: Option<SocketAddr>,
    /// Serve the pages in this directory instead of `http.pages`
    #[arg(long, env = "CLINICALL_PAGES")]
    pages: Option<PathBuf>,
}

/// Runs what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => run.start(),
        Command::CheckConfig { file, dev } => check_config(&file, dev),
        Command::DefaultConfig => print(&config::template()),
        Command::User { command, config } => command.run(&config),
        Command::Token(token) => token.make().and_then(|token| print(&token)),
        Command::ApiKey(key) => key.run(),
        Command::Backup { file, config } => desk::backup(&config, file),
        Command::Events {
            command,
            after,
            config,
        } => match config {
            Some(config) => desk::events(&config, command, after),
            None => Err(anyhow::anyhow!("`--config` is missing")),
        },
        Command::Version => print(&format!("clinicall {}\n", env!("CARGO_PKG_VERSION"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Run {
    fn start(self) -> anyhow::Result<()> {
        let dev = self.dev;
        let config = self.config()?;
        log::start(&config.log)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let signals = Signals::listen().context("cannot hear signals")?;
            let server = Server::start(config, dev).await?;
            // tests and supervisors read this line
            print(&format!("{}\n", server.listening()))?;
            signals.stop(server).await;
            Ok(())
        })
    }

    fn config(self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(file) => Config::load(file, self.dev)?,
            None if self.dev => Config::dev(),
            None => anyhow::bail!(
                "no configuration given\n\
                 hint: `clinicall run --dev` shows a demo on this machine; for a real relay, \
                 `clinicall default-config > clinicall.toml`, fill in `domains`, `media.public` \
                 and a `[[user]]`, then `clinicall run --config clinicall.toml`"
            ),
        };
        if let Some(listen) = self.listen {
            anyhow::ensure!(
                !self.dev || listen.ip().is_loopback(),
                "--listen {listen} is not a loopback address\n\
                 hint: `--dev` serves this machine alone"
            );
            config.http.listen = listen;
        }
        if self.pages.is_some() {
            config.http.pages = self.pages;
        }
        Ok(config)
    }
}

fn check_config(file: &std::path::Path, dev: bool) -> anyhow::Result<()> {
    Config::load(file, dev)?;
    print(&format!("{}: ok\n", file.display()))
}

/// Like `print!`, but a closed pipe is an error rather than a panic.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
