//! What the types of a configuration cannot say.

use std::collections::BTreeSet;

use super::{Config, DEMO_USERS, User, problem::Wrong};

impl Config {
    pub(super) fn check(&self, dev: bool) -> Result<(), Wrong> {
        self.check_domains()?;
        self.check_http(dev)?;
        self.check_media(dev)?;
        self.check_calls()?;
        self.check_login(dev)?;
        self.check_cometql(dev)?;
        super::events::check(&self.webhook)?;
        self.check_users(dev)
    }

    fn check_domains(&self) -> Result<(), Wrong> {
        let example = "write the name of your site, as in `domains = [\"visits.example\"]`";
        if self.domains.is_empty() {
            return wrong("domains", "is missing", example);
        }
        let plain = |domain: &String| {
            !domain.is_empty()
                && domain
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        };
        if let Some(domain) = self.domains.iter().find(|domain| !plain(domain)) {
            return wrong(
                "domains",
                &format!("has `{domain}`, which is not a host name"),
                example,
            );
        }
        if self.realm().contains(['"', '\\', '\r', '\n']) {
            return wrong(
                "realm",
                "has a quote, a backslash or a line end",
                "take a plain name",
            );
        }
        Ok(())
    }

    fn check_http(&self, dev: bool) -> Result<(), Wrong> {
        let http = &self.http;
        if http.cert.is_some() != http.key.is_some() {
            return wrong(
                if http.cert.is_some() {
                    "http.cert"
                } else {
                    "http.key"
                },
                "stands alone",
                "TLS needs both `cert` and `key`; leave out both behind a proxy",
            );
        }
        if dev && !http.listen.ip().is_loopback() {
            return wrong(
                "http.listen",
                "is not a loopback address",
                "`--dev` serves this machine alone; leave `--dev` away to be seen by others",
            );
        }
        for origin in &http.trusted_origins {
            let host = origin
                .strip_prefix("https://")
                .or(origin.strip_prefix("http://"));
            if !host.is_some_and(|host| !host.is_empty() && !host.contains('/')) {
                return wrong(
                    "http.trusted_origins",
                    &format!("has `{origin}`, which is not an origin"),
                    "an origin is a scheme and a host: `https://clinic.example`",
                );
            }
        }
        Ok(())
    }

    fn check_media(&self, dev: bool) -> Result<(), Wrong> {
        let media = &self.media;
        if media.public.is_empty() {
            return wrong(
                "media.public",
                "is missing",
                "write the address browsers reach, as in `public = [\"203.0.113.7\"]`",
            );
        }
        if let Some(address) = media.public.iter().find(|address| address.is_unspecified()) {
            return wrong(
                "media.public",
                &format!("has {address}, which nobody can reach"),
                "write the machine's own address",
            );
        }
        let here = |address: &std::net::IpAddr| address.is_loopback() || *address == media.bind;
        if dev && !media.public.iter().all(here) {
            return wrong(
                "media.public",
                "is neither a loopback address nor `media.bind`",
                "`--dev` serves this machine alone; leave `--dev` away to be seen by others",
            );
        }
        if !media.udp && !media.tcp {
            return wrong(
                "media.udp",
                "and `media.tcp` are both off",
                "leave one of them on",
            );
        }
        if media.workers > 256 {
            return wrong("media.workers", "is over 256", "0 takes one for each core");
        }
        Ok(())
    }

    fn check_calls(&self) -> Result<(), Wrong> {
        let passed = &self.calls.pass_headers;
        if let Some(name) = passed.iter().find(|name| !is_extension_header(name)) {
            return wrong(
                "calls.pass_headers",
                &format!("has `{name}`"),
                "only headers of your own, beginning with `X-`, are passed on",
            );
        }
        if self.calls.ring_timeout_seconds == 0 || self.calls.ring_timeout_seconds > 600 {
            return wrong(
                "calls.ring_timeout_seconds",
                "is not within 1 to 600",
                "60 is usual",
            );
        }
        let limits = &self.limits;
        if limits.min_expires_seconds > limits.max_expires_seconds {
            return wrong(
                "limits.min_expires_seconds",
                "is over `limits.max_expires_seconds`",
                "30 and 3600 are usual",
            );
        }
        if limits.messages_per_second == 0 {
            return wrong("limits.messages_per_second", "is 0", "20 is usual");
        }
        Ok(())
    }

    fn check_users(&self, dev: bool) -> Result<(), Wrong> {
        let others = self.store.path.is_some()
            || self.login.webhook.is_some()
            || !self.issuer.is_empty()
            || !self.api_key.is_empty();
        if self.user.is_empty() && !others {
            return wrong(
                "user",
                "is missing: nobody could log in",
                "write a `[[user]]` section with `id`, `name` and `password`, or set `store.path` \
                 and run `clinicall user add ID`, or name an `[[issuer]]` of tokens",
            );
        }
        let mut seen = BTreeSet::new();
        for (index, user) in self.user.iter().enumerate() {
            let key = |name: &str| format!("user[{index}].{name}");
            check_user(user, dev, key)?;
            if !seen.insert(&user.id) {
                return wrong(
                    &key("id"),
                    &format!("`{}` is taken by a user above", user.id),
                    "each user needs an id of its own",
                );
            }
        }
        Ok(())
    }
}

fn check_user(user: &User, dev: bool, key: impl Fn(&str) -> String) -> Result<(), Wrong> {
    if !is_user_id(&user.id) {
        return wrong(
            &key("id"),
            &format!("`{}` is not an id", user.id),
            "take 1 to 64 letters, digits, `.`, `-` or `_`",
        );
    }
    if user.name.chars().any(char::is_control) || user.name.len() > 128 {
        return wrong(
            &key("name"),
            "is not a name",
            "take up to 128 bytes on one line",
        );
    }
    if user.password.is_none() && user.ha1_sha256.is_none() && user.ha1_md5.is_none() {
        return wrong(
            &key("password"),
            "is missing",
            "give a `password`, or `ha1_sha256` and `ha1_md5`",
        );
    }
    for (name, ha1, digits) in [
        ("ha1_sha256", &user.ha1_sha256, 64),
        ("ha1_md5", &user.ha1_md5, 32),
    ] {
        let hex = |text: &str| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        if ha1.as_ref().is_some_and(|ha1| !hex(&ha1.0)) {
            return wrong(
                &key(name),
                &format!("is not {digits} hexadecimal digits"),
                "it is the hash of `id:realm:password`",
            );
        }
    }
    if let Some(password) = &user.password {
        if password.0.is_empty() {
            return wrong(&key("password"), "is empty", "anyone could log in");
        }
        if !dev && DEMO_USERS.iter().any(|(_, _, demo)| *demo == password.0) {
            return wrong(
                &key("password"),
                "is a demo password",
                "everybody knows it; take another",
            );
        }
    }
    if user.demo && !dev {
        return wrong(
            &key("demo"),
            "is for `--dev` alone",
            "remove it: it tells the password to anyone who asks",
        );
    }
    Ok(())
}

/// Ids are chosen by the clinic; these characters need no escape in a URI, a log or a page.
#[must_use]
pub fn is_user_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn is_extension_header(name: &str) -> bool {
    name.get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case("x-"))
        && name.len() > 2
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

pub(super) fn wrong<T>(key: &str, what: &str, hint: &str) -> Result<T, Wrong> {
    Err(Wrong {
        key: key.to_owned(),
        what: what.to_owned(),
        hint: hint.to_owned(),
    })
}
