//! CppComet's own tokens: a JWT with `user_id` and `exp`, signed with HS256 by the CometQL password
//! immediately followed by the tenant's number.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

use crate::{auth::jwt::Claims, config::Secret};

/// The claims, if the token is good and of that tenant.
#[must_use]
pub fn verify(token: &str, password: &Secret, tenant: &str, now: u64) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, _) = signed.split_once('.')?;
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
    // neither `none` nor a public key: this secret is for this one method
    if header.get("alg")?.as_str()? != "HS256" || password.0.is_empty() {
        return None;
    }
    let secret = [password.0.as_bytes(), tenant.as_bytes()].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let signature = URL_SAFE_NO_PAD
        .decode(signature.trim_end_matches('='))
        .ok()?;
    hmac::verify(&key, signed.as_bytes(), &signature).ok()?;
    let claims = Claims::peek(token)?;
    let begun = claims.not_before.is_none_or(|at| at <= now);
    (begun && now < claims.expires).then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str, secret: &[u8]) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(header), part(payload));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let signature = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn only_the_sites_own_tokens_of_this_tenant_are_good() {
        let password = Secret("CometQLPassword".to_owned());
        let hs256 = r#"{"alg":"HS256","typ":"JWT"}"#;
        let good = token(hs256, r#"{"user_id":2,"exp":1000}"#, b"CometQLPassword1");
        let verified = |token: &str, tenant: &str, now| {
            verify(token, &password, tenant, now).map(|claims| claims.user)
        };
        assert_eq!(verified(&good, "1", 999).as_deref(), Some("2"));
        assert_eq!(verified(&good, "1", 1000), None);
        assert_eq!(verified(&good, "2", 999), None);
        assert_eq!(verified(&good[..good.len() - 1], "1", 999), None);
        for (header, payload, secret) in [
            (
                hs256,
                r#"{"user_id":2,"exp":1000}"#,
                &b"CometQLPassword"[..],
            ),
            (hs256, r#"{"user_id":2}"#, b"CometQLPassword1"),
            (hs256, r#"{"exp":1000}"#, b"CometQLPassword1"),
            (
                r#"{"alg":"none"}"#,
                r#"{"user_id":2,"exp":1000}"#,
                b"CometQLPassword1",
            ),
            (
                r#"{"alg":"RS256"}"#,
                r#"{"user_id":2,"exp":1000}"#,
                b"CometQLPassword1",
            ),
        ] {
            assert_eq!(
                verified(&token(header, payload, secret), "1", 999),
                None,
                "{header} {payload}"
            );
        }
        let unsigned = good.rsplit_once('.').unwrap().0;
        assert_eq!(verified(&format!("{unsigned}."), "1", 999), None);
        assert_eq!(verify(&good, &Secret(String::new()), "1", 999), None);
    }
}
