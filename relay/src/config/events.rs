//! `[events]` and `[[webhook]]`.

use std::path::PathBuf;

use super::{
    Secret,
    check::wrong,
    problem::Wrong,
    section::{Key, section},
};
use crate::events::Event;

section! {
    /// What happens in the relay, for the clinic's own programs: `GET /api/v1/events`,
    /// `clinicall events`, and the webhooks below.
    pub struct Events {
        /// How many of the last events are kept for a reader that comes back.
        pub keep: u64 = 10_000,
    }
}

section! {
    /// An address of the clinic's that is told what happens. Repeat the section for each.
    pub struct Webhook {
        /// Where to POST; `http://` is for the same machine or a network of your own.
        pub url: String = String::new() => r#""https://clinic.example/clinicall-events""#,
        /// Signs each request: `Clinicall-Signature: t=TIME,v1=HMAC`, the hexadecimal
        /// HMAC-SHA-256 of `TIME.BODY` under this secret. At least 16 characters.
        pub secret: Option<Secret> = None => r#""a long random text that your server knows too""#,
        /// A file with further certificates in PEM form that are believed, such as your own CA's. The
        /// system's are believed in any case.
        pub ca: Option<PathBuf> = None => r#""/etc/clinicall/ca.pem""#,
        /// Only these events; `call.*` means all of calls. Empty: every event.
        pub events: Vec<String> = Vec::new() => r#"["call.*", "message.undelivered"]"#,
        /// How long the receiver may take to answer.
        pub timeout_seconds: u64 = 10 => "10",
        /// Requests under way at a time. Events of one room go one after the other in any case.
        pub concurrent: usize = 8 => "8",
        /// How long an event is sent again and again before it is given up;
        /// `clinicall events replay` sends it once more.
        pub give_up_seconds: u64 = 86_400 => "86400",
    }
}

pub(super) fn check(webhooks: &[Webhook]) -> Result<(), Wrong> {
    for (index, webhook) in webhooks.iter().enumerate() {
        let key = |name: &str| format!("webhook[{index}].{name}");
        let uri = webhook.url.parse::<axum::http::Uri>().ok();
        let scheme = uri.as_ref().and_then(axum::http::Uri::scheme_str);
        let host = uri.as_ref().and_then(axum::http::Uri::host);
        if !matches!(scheme, Some("http" | "https")) || host.is_none_or(str::is_empty) {
            return wrong(
                &key("url"),
                "is not an address",
                "write it whole, as in `https://clinic.example/clinicall-events`",
            );
        }
        if webhooks[..index]
            .iter()
            .any(|other| other.url == webhook.url)
        {
            return wrong(
                &key("url"),
                "is taken by a webhook above",
                "list all its events in one section",
            );
        }
        if webhook
            .secret
            .as_ref()
            .is_none_or(|secret| secret.0.len() < 16)
        {
            return wrong(
                &key("secret"),
                "is missing or shorter than 16 characters",
                "make one with `openssl rand -hex 32`",
            );
        }
        let known = |wanted: &String| match wanted.strip_suffix('*') {
            Some(start) => Event::KINDS.iter().any(|kind| kind.starts_with(start)),
            None => Event::KINDS.contains(&wanted.as_str()),
        };
        if let Some(unknown) = webhook.events.iter().find(|wanted| !known(wanted)) {
            return wrong(
                &key("events"),
                &format!("has `{unknown}`, which never happens"),
                &format!("there are {}", Event::KINDS.join(", ")),
            );
        }
        for (name, value, most) in [
            ("timeout_seconds", webhook.timeout_seconds, 120),
            ("concurrent", webhook.concurrent as u64, 64),
            ("give_up_seconds", webhook.give_up_seconds, 2_592_000),
        ] {
            if value == 0 || value > most {
                let what = format!("is not within 1 to {most}");
                return wrong(&key(name), &what, "the default suits most");
            }
        }
    }
    Ok(())
}
