//! `clinicall token`.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::{
    auth::{
        Right, Rights, Rooms,
        jwt::{self, Claims},
    },
    clock::unix_seconds,
    config::{self, Config},
};

/// Make a token to try things out; a clinic's own back end makes them for its users
#[derive(Debug, clap::Args)]
pub(super) struct Token {
    /// Whose token
    #[arg(long)]
    user: String,
    /// The name shown to others
    #[arg(long)]
    name: Option<String>,
    /// A room it is good for; repeat for more, leave out for all
    #[arg(long = "room")]
    rooms: Vec<String>,
    /// What it allows: call, answer, join, publish, subscribe, moderate, trunk, record; unless given,
    /// what every user may
    #[arg(long = "right")]
    rights: Vec<String>,
    /// How long it is good: 90s, 15m, 1h, 7d
    #[arg(long, default_value = "1h", value_parser = seconds)]
    ttl: u64,
    /// The configuration file; the first `[[issuer]]` with a `secret` signs
    #[arg(long, env = "CLINICALL_CONFIG")]
    config: Option<PathBuf>,
    /// For a relay that runs with --dev
    #[arg(long)]
    dev: bool,
}

impl Token {
    pub fn make(self) -> anyhow::Result<String> {
        let config = match &self.config {
            Some(file) => Config::load(file, self.dev)?,
            None if self.dev => Config::dev(),
            None => anyhow::bail!(
                "no configuration given\n\
                 hint: `--config clinicall.toml`, or `--dev` for a relay that runs with --dev"
            ),
        };
        let signer = config
            .issuer
            .iter()
            .find_map(|issuer| Some((issuer, issuer.secret.as_ref()?)));
        let (issuer, secret) = signer.context(
            "no `[[issuer]]` has a `secret` to sign with\n\
             hint: add one, or let the running relay sign: \
             POST /api/v1/tokens {\"user\": \"2\"}",
        )?;
        for id in std::iter::once(&self.user).chain(&self.rooms) {
            anyhow::ensure!(
                config::is_user_id(id),
                "`{id}` is not an id\nhint: take 1 to 64 letters, digits, `.`, `-` or `_`"
            );
        }
        let rights = self
            .rights
            .iter()
            .map(|name| {
                Right::named(name).with_context(|| {
                    format!("there is no right `{name}`\nhint: `clinicall help token` names them")
                })
            })
            .collect::<anyhow::Result<Rights>>()?;
        let claims = Claims {
            user: self.user,
            name: self.name,
            rooms: match self.rooms.is_empty() {
                true => Rooms::All,
                false => Rooms::Only(self.rooms),
            },
            rights: match self.rights.is_empty() {
                true => Rights::USER,
                false => rights,
            },
            issuer: issuer.name.clone(),
            audience: issuer.audience.iter().cloned().collect(),
            expires: unix_seconds().saturating_add(self.ttl),
            not_before: None,
        };
        Ok(format!("{}\n", jwt::sign(&claims, secret.0.as_bytes())))
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time; write 90s, 15m, 1h or 7d");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{Auth, Refused},
        store::Store,
    };

    fn token(user: &str) -> Token {
        Token {
            user: user.to_owned(),
            name: None,
            rooms: vec!["1".to_owned()],
            rights: Vec::new(),
            ttl: seconds("1h").unwrap(),
            config: None,
            dev: true,
        }
    }

    #[tokio::test]
    async fn a_token_made_for_a_trial_opens_the_trial_relay_and_no_other() {
        let made = token("2").make().unwrap();
        let store = Store::open(None).unwrap();
        let trial = Auth::open(&Config::dev(), &store).await.unwrap();
        let grant = trial.token(made.trim()).await.unwrap();
        assert_eq!(grant.rooms, Rooms::Only(vec!["1".to_owned()]));
        let mut config = Config::dev();
        config.issuer.clear();
        let real = Auth::open(&config, &store).await.unwrap();
        assert_eq!(real.token(made.trim()).await, Err(Refused::Foreign));
        assert!(token("../2").make().is_err());
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("7d"), Ok(604_800));
        for wrong in ["", "h", "-1h", "1y", "99999999999999999999d", "1 h"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
