//! What the types of `[login]`, `[[issuer]]` and `[[api_key]]` cannot say.

use std::collections::BTreeSet;

use super::{
    ApiKey, Config, DEMO_API_KEY_SHA256, DEMO_SECRET, Issuer, Login, Secret,
    check::{is_user_id, wrong},
    problem::Wrong,
};

/// The rights an API key may have.
pub const API_RIGHTS: [&str; 7] = [
    "users", "tokens", "rooms", "messages", "calls", "events", "keys",
];

/// The `iss` of tokens that the relay signs itself.
pub const OWN_ISSUER: &str = "clinicall";

impl Config {
    pub(super) fn check_login(&self, dev: bool) -> Result<(), Wrong> {
        self.login.check()?;
        let mut names = BTreeSet::new();
        for (index, issuer) in self.issuer.iter().enumerate() {
            let key = |name: &str| format!("issuer[{index}].{name}");
            issuer.check(dev, key)?;
            if !names.insert(&issuer.name) {
                return wrong(
                    &key("name"),
                    "is that of an issuer above",
                    "tokens are told apart by their `iss`: give one issuer all its keys, or each a \
                     name of its own",
                );
            }
        }
        let mut names = BTreeSet::new();
        for (index, api_key) in self.api_key.iter().enumerate() {
            let key = |name: &str| format!("api_key[{index}].{name}");
            api_key.check(dev, key)?;
            if !names.insert(&api_key.name) {
                return wrong(
                    &key("name"),
                    "is that of a key above",
                    "each key needs a name of its own",
                );
            }
        }
        Ok(())
    }
}

impl Login {
    fn check(&self) -> Result<(), Wrong> {
        for (key, url) in [
            ("login.webhook", &self.webhook),
            ("login.call_webhook", &self.call_webhook),
        ] {
            let web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
            if url.as_ref().is_some_and(|url| !web(url)) {
                return wrong(
                    key,
                    "is not the address of a web page",
                    "write it in full: `https://clinic.example/clinicall/login`",
                );
            }
        }
        if self
            .webhook_secret
            .as_ref()
            .is_some_and(|secret| secret.0.len() < 16)
        {
            return wrong(
                "login.webhook_secret",
                "has fewer than 16 bytes",
                "`openssl rand -base64 32` prints a good one",
            );
        }
        if !(100..=30_000).contains(&self.webhook_deadline_ms) {
            return wrong(
                "login.webhook_deadline_ms",
                "is not within 100 to 30000",
                "3000 is usual: a telephone gives up after 32 seconds",
            );
        }
        if self.skew_seconds > 600 {
            return wrong("login.skew_seconds", "is over 600", "60 is usual");
        }
        Ok(())
    }
}

impl Issuer {
    fn check(&self, dev: bool, key: impl Fn(&str) -> String) -> Result<(), Wrong> {
        let demo = |secret: &Secret| secret.0 == DEMO_SECRET;
        if !dev && self.secret.as_ref().is_some_and(demo) {
            return wrong(
                &key("secret"),
                "is the demo secret",
                "everybody knows it; `openssl rand -base64 32` prints another",
            );
        }
        if self.name.as_deref() == Some(OWN_ISSUER) {
            return wrong(
                &key("name"),
                "is the relay's own",
                "take the address of the site: `https://clinic.example`",
            );
        }
        if self.secret.is_none() && self.keys.is_empty() && self.jwks.is_none() {
            return wrong(
                &key("secret"),
                "is missing",
                "give a `secret`, or public `keys`, or a `jwks` file",
            );
        }
        if self
            .secret
            .as_ref()
            .is_some_and(|secret| secret.0.len() < 32)
        {
            return wrong(
                &key("secret"),
                "has fewer than 32 bytes, which can be guessed",
                "`openssl rand -base64 32` prints a good one",
            );
        }
        Ok(())
    }
}

impl ApiKey {
    fn check(&self, dev: bool, key: impl Fn(&str) -> String) -> Result<(), Wrong> {
        if !is_user_id(&self.name) {
            return wrong(
                &key("name"),
                "is not a name",
                "take 1 to 64 letters, digits, `.`, `-` or `_`",
            );
        }
        let hex = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !self.sha256.as_ref().is_some_and(|hash| hex(&hash.0)) {
            return wrong(
                &key("sha256"),
                "is not 64 hexadecimal digits",
                "`clinicall api-key NAME` prints a key and the section to write here",
            );
        }
        let known = |right: &String| right == "*" || API_RIGHTS.contains(&right.as_str());
        if let Some(right) = self.rights.iter().find(|right| !known(right)) {
            return wrong(
                &key("rights"),
                &format!("has `{right}`"),
                "take of `users`, `tokens`, `rooms`, `messages`, `calls`, `events`, `keys`, or `*`",
            );
        }
        let demo = |hash: &Secret| hash.0.eq_ignore_ascii_case(DEMO_API_KEY_SHA256);
        if !dev && (self.demo || self.sha256.as_ref().is_some_and(demo)) {
            return wrong(
                &key("demo"),
                "is for `--dev` alone",
                "remove the section: everybody knows its key",
            );
        }
        Ok(())
    }
}
