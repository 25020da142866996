//! Tokens of our own: for guests, for back ends without a JWT library, and to try things out.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::json;

use super::Claims;
use crate::auth::Rooms;

/// A token that says `claims`, with HS256.
#[must_use]
pub fn sign(claims: &Claims, secret: &[u8]) -> String {
    let mut payload = json!({
        "sub": claims.user,
        "exp": claims.expires,
        "rights": claims.rights.iter().map(|right| right.name()).collect::<Vec<_>>(),
    });
    let mut put = |name: &str, value: serde_json::Value| payload[name] = value;
    if let Some(name) = &claims.name {
        put("name", json!(name));
    }
    if let Rooms::Only(rooms) = &claims.rooms {
        put("rooms", json!(rooms));
    }
    if let Some(issuer) = &claims.issuer {
        put("iss", json!(issuer));
    }
    if let Some(at) = claims.not_before {
        put("nbf", json!(at));
    }
    match claims.audience.as_slice() {
        [] => {}
        [one] => put("aud", json!(one)),
        many => put("aud", json!(many)),
    }
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let signed = format!("{}.{}", part(&header), part(&payload));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
