//! Who may come in: tokens, the clinic's own login service, and the back end's keys.

use std::path::PathBuf;

use super::{
    Secret,
    section::{Key, section},
};

section! {
    /// How people log in, beside a password (`[[user]]`) and a key of `users_auth`.
    pub struct Login {
        /// How far the clocks of those who sign tokens may be off.
        pub skew_seconds: u64 = 60,
        /// The longest life of a token that the relay signs itself: for guests, and for back ends
        /// that ask `POST /api/v1/tokens`.
        pub max_token_seconds: u64 = 86_400,
        /// Where the clinic's web server is asked for the password of a user that is not known
        /// here. Without it nobody is asked.
        pub webhook: Option<String> = None => r#""https://clinic.example/clinicall/login""#,
        /// `json`, or `xml_curl`: the form that FreeSWITCH's mod_xml_curl uses.
        pub webhook_form: WebhookForm = WebhookForm::Json,
        /// Signs what is sent to both webhooks, so that the clinic knows who asks.
        pub webhook_secret: Option<Secret> = None => r#""at least sixteen bytes""#,
        /// How long the clinic's web server may take. After that nobody is let in.
        pub webhook_deadline_ms: u64 = 3_000,
        /// How long an answer is remembered.
        pub webhook_cache_seconds: u64 = 30,
        /// Where the clinic's web server is asked, before each call, whether this user may make it. (Before a call that goes
        /// on after a restart of the relay, as well: about the one who had called.)
        pub call_webhook: Option<String> = None => r#""https://clinic.example/clinicall/call""#,
        /// PEM file with certificates to believe beside those of the system, for a web server
        /// within the house.
        pub webhook_ca: Option<PathBuf> = None => r#""/etc/clinicall/ca.pem""#,
    }
}

/// How the clinic's web server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookForm {
    Json,
    XmlCurl,
}

section! {
    /// One party whose tokens (JWT) are believed. Repeat the section for each.
    pub struct Issuer {
        /// What their tokens say in `iss`; unset: nothing.
        pub name: Option<String> = None => r#""https://clinic.example""#,
        /// What their tokens must say in `aud`. Unset: nothing, or one of `domains`.
        pub audience: Option<String> = None => r#""clinicall""#,
        /// The secret they sign with (HS256), at least 32 bytes.
        pub secret: Option<Secret> = None => r#""the same text as in the site's own settings""#,
        /// PEM files with their public keys: RSA (RS256), P-256 (ES256), Ed25519 (EdDSA).
        pub keys: Vec<PathBuf> = Vec::new() => r#"["/etc/clinicall/clinic.pem"]"#,
        /// A file with their JSON Web Key Set. It is read again when it changes.
        pub jwks: Option<PathBuf> = None => r#""/etc/clinicall/jwks.json""#,
    }
}

section! {
    /// One key of a back end for `/api/v1`. `clinicall api-key NAME` makes one. Repeat the section
    /// for each. With a store, `clinicall api-key put NAME` keeps one there instead.
    pub struct ApiKey {
        /// What logs call it.
        pub name: String = String::new() => r#""site""#,
        /// SHA-256 of the key in hex.
        pub sha256: Option<Secret> = None
            => r#""5e2f3bb9b0b2b4e1a1c95f2f8a3f4d6be0a4b1b9c9f0a7c5d3e1f2a3b4c5d6e7""#,
        /// What it may do: `users`, `tokens`, `rooms`, `messages`, `calls`, `events`, `keys` (making
        /// and taking back other keys), or all of it: `*`.
        pub rights: Vec<String> = vec!["*".to_owned()] => r#"["rooms", "calls"]"#,
        /// A demo key: everybody knows it. Refused without `--dev`.
        pub demo: bool = false,
    }
}
