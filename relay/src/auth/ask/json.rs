//! The webhook as JSON.
//!
//! `{"action": "login", "user": "2", "domain": ..., "realm": ...}` is answered with 404, or with 200
//! and `{"password": ...}` or `{"ha1_sha256": ..., "ha1_md5": ...}`, and perhaps a `name`.
//! `{"action": "call", "from": "3", "to": "2@visits.example"}` is answered `{"allow": true}`.

use serde::Deserialize;
use serde_json::json;

use super::Strange;
use crate::{
    auth::jwt::is_name,
    http::post::Reply,
    signal::users::{Keys, User},
};

pub(super) fn who_is(user: &str, domain: &str, realm: &str) -> Vec<u8> {
    json!({"action": "login", "user": user, "domain": domain, "realm": realm})
        .to_string()
        .into_bytes()
}

pub(super) fn may_call(from: &str, to: &str) -> Vec<u8> {
    json!({"action": "call", "from": from, "to": to})
        .to_string()
        .into_bytes()
}

#[derive(Deserialize)]
struct Person {
    user: Option<String>,
    name: Option<String>,
    password: Option<String>,
    ha1_sha256: Option<String>,
    ha1_md5: Option<String>,
}

/// What the clinic says about `user`; `None`: that there is no such user.
pub fn user(reply: &Reply, user: &str, realm: &str) -> Result<Option<User>, Strange> {
    match reply.status {
        200 => {}
        404 => return Ok(None),
        status => return Err(Strange::Status(status)),
    }
    let person: Person =
        serde_json::from_slice(&reply.body).map_err(|_| Strange::NotA("JSON object"))?;
    if person.user.is_some_and(|other| other != user) {
        return Err(Strange::OtherUser);
    }
    let hex = |digits: usize| {
        move |ha1: &String| ha1.len() == digits && ha1.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let keys = match person.password.filter(|password| !password.is_empty()) {
        Some(password) => Keys::derive(user, realm, &password),
        None => Keys {
            sha256: person.ha1_sha256.filter(hex(64)).map(lower),
            md5: person.ha1_md5.filter(hex(32)).map(lower),
        },
    };
    if keys.sha256.is_none() && keys.md5.is_none() {
        return Err(Strange::NoKey);
    }
    let name = person.name.filter(|name| !name.is_empty() && is_name(name));
    Ok(Some(User {
        id: user.to_owned(),
        name: name.unwrap_or_else(|| user.to_owned()),
        keys,
    }))
}

pub(super) fn lower(hex: String) -> String {
    hex.to_ascii_lowercase()
}

#[derive(Deserialize)]
struct Permission {
    allow: bool,
}

pub fn permission(reply: &Reply) -> Result<bool, Strange> {
    match reply.status {
        200 => serde_json::from_slice(&reply.body)
            .map(|Permission { allow }| allow)
            .map_err(|_| Strange::NotA("JSON object with `allow`")),
        403 => Ok(false),
        status => Err(Strange::Status(status)),
    }
}
