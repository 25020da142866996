//! `clinicall api-key`: a key for a back end, in the configuration or in the store.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::Value;

use super::{desk::ask, print};
use crate::{
    admin::Command,
    auth::api,
    config::{self, Config, Secret},
};

/// Make a key for a back end; only its hash is kept. With a name alone: print a section for the
/// configuration
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ApiKey {
    #[command(subcommand)]
    command: Option<ApiKeyCommand>,
    #[command(flatten)]
    section: Option<New>,
    /// The configuration file, for `store.path`
    #[arg(long, env = "CLINICALL_CONFIG", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum ApiKeyCommand {
    /// Keep a new key in the store, also while the relay runs; the one of that name before is good no
    /// longer. It is shown this once
    Put {
        #[command(flatten)]
        new: New,
        /// Also when nobody can then manage keys over HTTP any more
        #[arg(long)]
        force: bool,
    },
    /// List the keys' names and rights
    List,
    /// Take a key back
    Revoke {
        name: String,
        /// Also when nobody can then manage keys over HTTP any more
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, clap::Args)]
struct New {
    /// What logs call it
    name: String,
    /// users, tokens, rooms, messages, calls, events, keys; repeat for more, leave out for all
    #[arg(long = "right")]
    rights: Vec<String>,
}

impl ApiKey {
    pub fn run(self) -> anyhow::Result<()> {
        match (self.command, self.section) {
            (None, Some(new)) => print(&new.section()?),
            (None, None) => anyhow::bail!("name the key\nhint: `clinicall api-key site`"),
            (Some(command), _) => match self.config {
                Some(config) => command.run(&config),
                None => anyhow::bail!("`--config` is missing"),
            },
        }
    }
}

impl ApiKeyCommand {
    fn run(self, config: &Path) -> anyhow::Result<()> {
        let config = Config::load(config, false)?;
        match self {
            Self::Put { new, force } => {
                let rights = new.checked()?;
                let key = api::new_key()?;
                let put = Command::ApiKeyPut {
                    name: new.name,
                    rights,
                    sha256: Secret(api::hex(&api::hash(&key))),
                    force,
                };
                ask(&config, put, |_| String::new())?;
                print(&format!("{key}\n"))
            }
            Self::List => ask(&config, Command::ApiKeyList, shown),
            Self::Revoke { name, force } => {
                let revoke = Command::ApiKeyRevoke { name, force };
                ask(&config, revoke, |_| String::new())
            }
        }
    }
}

fn shown(row: &Value) -> String {
    let rights = row.get("rights").and_then(Value::as_array);
    let rights = rights.into_iter().flatten().filter_map(Value::as_str);
    let place = match row.get("configured") {
        Some(Value::Bool(true)) => "configuration",
        _ => "store",
    };
    let name = row.get("name").and_then(Value::as_str).unwrap_or("");
    let rights: Vec<_> = rights.collect();
    format!("{name}\t{}\t{place}", rights.join(","))
}

impl New {
    fn checked(&self) -> anyhow::Result<Vec<String>> {
        anyhow::ensure!(
            config::is_user_id(&self.name),
            "`{}` is not a name\nhint: take 1 to 64 letters, digits, `.`, `-` or `_`",
            self.name
        );
        if let Some(right) = self.rights.iter().find(|right| !api::is_right(right)) {
            anyhow::bail!(
                "there is no right `{right}`\n\
                 hint: take of users, tokens, rooms, messages, calls, events, keys"
            );
        }
        Ok(match self.rights.is_empty() {
            true => vec!["*".to_owned()],
            false => self.rights.clone(),
        })
    }

    fn section(&self) -> anyhow::Result<String> {
        let rights = self.checked()?;
        let key = api::new_key()?;
        Ok(format!(
            "# for the back end, as `Authorization: Bearer ...`; it is shown this once:\n\
             # {key}\n\
             # for the relay's configuration:\n\
             [[api_key]]\nname = {:?}\nsha256 = {:?}\nrights = {rights:?}\n",
            self.name,
            api::hex(&api::hash(&key)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_that_is_printed_goes_into_the_configuration() {
        let key = New {
            name: "site".to_owned(),
            rights: vec!["rooms".to_owned()],
        };
        let text = format!(
            "domains = [\"a.example\"]\n[media]\npublic = [\"203.0.113.7\"]\n{}",
            key.section().unwrap()
        );
        let config = Config::parse("clinicall.toml", &text, false).unwrap();
        assert_eq!(config.api_key[0].rights, ["rooms"]);
        let hash = &config.api_key[0].sha256.as_ref().unwrap().0;
        let shown = text.lines().find_map(|line| line.strip_prefix("# ck_"));
        let key = format!("ck_{}", shown.unwrap());
        assert_eq!(*hash, api::hex(&api::hash(&key)));
    }
}
